use reqwest::StatusCode;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn answer() -> Answer {
    Answer { status: StatusCode::NOT_FOUND, elsewhere: None, remark: None, retry_after: None }
}

fn pongs() -> [Pong; 5] {
    [Pong::V2, Pong::Perhaps, Pong::NotV2(answer()), Pong::Page(answer()), Pong::Login]
}

fn auto() -> Protocol {
    Protocol::new(Api::Auto, false)
}

fn v1(now: Instant) -> Protocol {
    let mut protocol = auto();
    assert!(protocol.read_by_v1(now));
    protocol
}

/// A host in each standing there is, under each wish of the user's.
fn every(api: Api, now: Instant) -> [(&'static str, Protocol); 4] {
    let mut proved = Protocol::new(api, false);
    proved.prove_v2(now);
    let mut read = Protocol::new(api, false);
    read.read_by_v1(now);
    [
        ("unknown", Protocol::new(api, false)),
        ("stored as v2", Protocol::new(api, true)),
        ("proved v2", proved),
        ("read by v1", read),
    ]
}

#[test]
fn a_host_is_asked_by_the_protocol_that_the_table_says() {
    let now = Instant::now();
    for api in [Api::Auto, Api::V2, Api::V1] {
        for (standing, mut protocol) in every(api, now) {
            let expected = match (api, standing) {
                (Api::V1, _) | (Api::Auto, "read by v1") => Ask::V1,
                (Api::V2, _) | (Api::Auto, _) => Ask::V2,
            };
            assert_eq!(protocol.ask(now), expected, "{api:?}, {standing}");
        }
    }
}

#[test]
fn d10_nothing_that_is_read_by_v1_leads_a_v2_host_back() {
    let now = Instant::now();
    for (known_v2, proved) in [(true, false), (false, true), (true, true)] {
        let mut protocol = Protocol::new(Api::Auto, known_v2);
        if proved {
            protocol.prove_v2(now);
        }
        for pong in pongs() {
            protocol.ponged(&pong, now);
            assert!(!protocol.read_by_v1(now), "what another look read by v1 does not count: {pong:?}");
            assert!(protocol.is_v2(), "{pong:?}");
            assert_eq!(protocol.ask(now), Ask::V2);
        }
    }
}

#[test]
fn d10_of_the_answers_at_v2_only_its_own_proves_it() {
    let now = Instant::now();
    for pong in pongs() {
        for mut protocol in [auto(), v1(now)] {
            protocol.ponged(&pong, now);
            assert_eq!(protocol.is_v2(), pong == Pong::V2, "{pong:?}");
        }
    }
}

#[test]
fn f44_a_v1_host_is_looked_at_again_for_v2_once_an_hour() {
    let start = Instant::now();
    let mut protocol = v1(start);
    assert_eq!(protocol.ask(start + V2_AGAIN - SECOND), Ask::V1);
    assert_eq!(protocol.ask(start + V2_AGAIN), Ask::V1UnlessV2);
    assert_eq!(protocol.ask(start + V2_AGAIN), Ask::V1, "the second asker at that moment");
    assert_eq!(protocol.ask(start + V2_AGAIN * 2), Ask::V1UnlessV2);

    protocol.ponged(&Pong::V2, start + V2_AGAIN * 2);
    assert_eq!(protocol.ask(start + V2_AGAIN * 3), Ask::V2);
}

#[test]
fn an_answer_is_doubted_unless_v2_was_seen_since_the_look_began() {
    let start = Instant::now();
    let end = start + SECOND;
    for (_, protocol) in every(Api::Auto, start - SECOND) {
        assert_eq!(protocol.doubt(start, end), Doubt::Ask);
    }
    let mut protocol = auto();
    protocol.prove_v2(start);
    assert_eq!(protocol.doubt(start, end), Doubt::No);
    assert_eq!(protocol.doubt(end, end), Doubt::Ask);
}

#[test]
fn what_v2_said_holds_for_a_minute_unless_v2_is_seen() {
    let start = Instant::now();
    let not_v2 = Pong::NotV2(answer());
    for mut protocol in [auto(), Protocol::new(Api::Auto, true)] {
        protocol.ponged(&not_v2, start);
        let last = start + REMEMBERED - SECOND;
        assert_eq!(protocol.doubt(last, last), Doubt::Asked(not_v2.clone()));
        assert_eq!(protocol.doubt(start + REMEMBERED, start + REMEMBERED), Doubt::Ask);
        protocol.prove_v2(start + SECOND);
        assert_eq!(protocol.doubt(last, last), Doubt::Ask);
    }
}

#[test]
fn what_the_user_says_is_neither_doubted_nor_proved_wrong() {
    let now = Instant::now();
    for api in [Api::V1, Api::V2] {
        for (standing, mut protocol) in every(api, now) {
            assert_eq!(protocol.doubt(now + SECOND, now + SECOND), Doubt::No, "{api:?}, {standing}");
            let before = protocol.ask(now);
            protocol.prove_v2(now);
            assert_eq!(protocol.ask(now), before, "{api:?}, {standing}");
        }
    }
    for (standing, protocol) in every(Api::V1, now) {
        assert!(!protocol.is_v2(), "a host that is asked by v1 is not told to be v2: {standing}");
    }
}
