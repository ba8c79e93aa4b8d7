use std::time::Duration;

use proptest::prelude::*;

use super::support::{MINUTE, trouble_of};
use crate::poll::Trouble;
use crate::poll::backoff::{Access, Asker, Backoff, Blame};

const START: Duration = Duration::from_secs(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(10);

fn of(repository: &str) -> Asker<'_> {
    Asker { repository, probe: false, doubted: false }
}

fn probe(repository: &str) -> Asker<'_> {
    Asker { probe: true, ..of(repository) }
}

fn doubted(repository: &str) -> Asker<'_> {
    Asker { doubted: true, ..of(repository) }
}

fn host() -> Backoff {
    Backoff::new("registry.example.com")
}

fn wishing(kind: &'static str, seconds: u64) -> Trouble {
    Trouble { retry_after: Some(Duration::from_secs(seconds)), ..trouble_of(kind) }
}

/// How long the host is closed from `now` on; `None` if it is not.
fn closed_for(backoff: &Backoff, now: Duration) -> Option<Duration> {
    backoff.closed_until().map(|until| until.saturating_sub(now))
}

fn is_jittered(wait: Duration, least: Duration) -> bool {
    (least..=least + least / 10).contains(&wait)
}

#[test]
fn what_closes_a_host_and_whose_trouble_it_is() {
    let table = [
        ("missing", Blame::Tag, None),
        ("denied", Blame::Tag, None),
        ("malformed", Blame::Tag, None),
        ("redirect_refused", Blame::Tag, None),
        ("credentials_rejected", Blame::Login, None),
        ("server_error", Blame::Tag, None),
        ("dns", Blame::Host, Some(1)),
        ("connect", Blame::Host, Some(1)),
        ("tls", Blame::Host, Some(1)),
        ("timeout", Blame::Host, Some(1)),
        ("exchange", Blame::Host, Some(1)),
        (Trouble::LIMIT, Blame::Host, Some(10)),
    ];
    for (kind, blame, seconds) in table {
        let mut backoff = host();
        assert_eq!(backoff.failed(of("app"), &trouble_of(kind), START), blame, "{kind}");
        match (closed_for(&backoff, START), seconds) {
            (None, None) => assert_eq!(backoff.access(START), Access::Open, "{kind}"),
            (Some(wait), Some(seconds)) => {
                assert!(is_jittered(wait, SECOND * seconds), "{kind}: {wait:?}");
                assert_eq!(backoff.access(START), Access::Closed(wait), "{kind}");
            }
            other => panic!("{kind}: {other:?}"),
        }
    }
}

#[test]
fn a_5xx_is_the_hosts_when_a_second_repository_has_one_and_nothing_was_answered_between() {
    let error = trouble_of("server_error");
    let mut backoff = host();
    assert_eq!(backoff.failed(of("app"), &error, START), Blame::Tag);
    assert_eq!(backoff.failed(of("app"), &error, START), Blame::Tag, "it is still alone");
    backoff.answered(of("web"), START);
    assert_eq!(backoff.failed(of("web"), &error, START), Blame::Tag, "the host has answered since");
    assert_eq!(backoff.failed(of("db"), &trouble_of("missing"), START), Blame::Tag);
    assert_eq!(backoff.failed(of("app"), &error, START), Blame::Tag, "404 is an answer too");
    assert_eq!(backoff.failed(of("web"), &error, START), Blame::Host);
    assert!(closed_for(&backoff, START).is_some());
}

#[test]
fn a_doubted_tag_closes_no_host() {
    for kind in ["timeout", "exchange", "server_error", "connect", "dns", Trouble::LIMIT] {
        let mut backoff = host();
        for _ in 0..5 {
            assert_eq!(backoff.failed(doubted("app"), &trouble_of(kind), START), Blame::Tag, "{kind}");
        }
        assert_eq!(backoff.access(START), Access::Open, "{kind}");
        assert_eq!(backoff.failed(of("web"), &trouble_of("exchange"), START), Blame::Host);
        assert_eq!(backoff.failed(doubted("app"), &trouble_of(kind), START), Blame::Host, "{kind}");
    }
    let mut backoff = host();
    backoff.failed(doubted("app"), &trouble_of("server_error"), START);
    let alone = backoff.failed(of("web"), &trouble_of("server_error"), START);
    assert_eq!(alone, Blame::Tag, "what is known of the tag says nothing about the host");
}

#[test]
fn one_probe_at_a_time_and_its_answer_opens_whatever_it_is() {
    for answer in [None, Some("missing"), Some("denied"), Some("malformed"), Some("credentials_rejected")] {
        let mut backoff = host();
        backoff.failed(of("app"), &trouble_of("connect"), START);
        let until = backoff.closed_until().unwrap();
        assert_eq!(backoff.access(until - Duration::from_nanos(1)), Access::Closed(Duration::from_nanos(1)));
        assert_eq!(backoff.access(until), Access::Probe);
        backoff.begin_probe(until);
        let probing = |passed| Access::Probing(2 * MINUTE - passed);
        assert_eq!(backoff.access(until), probing(Duration::ZERO));
        assert_eq!(backoff.access(until + MINUTE), probing(MINUTE));
        assert_eq!(backoff.access(until + 2 * MINUTE), Access::Probe, "it takes too long");
        backoff.answered(of("web"), until);
        assert_eq!(backoff.access(until), probing(Duration::ZERO), "what was in flight before opens nothing");
        match answer {
            None => backoff.answered(probe("app"), until),
            Some(kind) => drop(backoff.failed(probe("app"), &trouble_of(kind), until)),
        }
        assert_eq!(backoff.access(until), Access::Open, "{answer:?}");
    }
}

#[test]
fn a_probe_that_is_dropped_leaves_its_place_to_another() {
    let mut backoff = host();
    backoff.failed(of("app"), &trouble_of("connect"), START);
    let until = backoff.closed_until().unwrap();
    backoff.begin_probe(until);
    backoff.end_probe();
    assert_eq!(backoff.access(until), Access::Probe);
}

#[test]
fn what_was_in_flight_opens_nothing_and_makes_no_wait_longer_but_its_wish_is_kept() {
    let mut backoff = host();
    backoff.failed(of("app"), &trouble_of("connect"), START);
    let until = backoff.closed_until();
    backoff.answered(of("web"), START);
    for _ in 0..9 {
        assert_eq!(backoff.failed(of("web"), &trouble_of("connect"), START), Blame::Host);
        assert_eq!(backoff.failed(of("web"), &trouble_of("server_error"), START), Blame::Host);
    }
    assert_eq!(backoff.closed_until(), until);
    backoff.failed(of("web"), &wishing(Trouble::LIMIT, 60), START);
    assert!(is_jittered(closed_for(&backoff, START).unwrap(), SECOND * 60));
    backoff.failed(of("web"), &wishing(Trouble::LIMIT, 5), START);
    assert!(is_jittered(closed_for(&backoff, START).unwrap(), SECOND * 60), "the longer one holds");
}

#[test]
fn a_wish_that_comes_while_the_probe_is_out_outlasts_the_probes_success() {
    let mut backoff = host();
    backoff.failed(of("app"), &trouble_of("connect"), START);
    let now = backoff.closed_until().unwrap();
    backoff.begin_probe(now);
    backoff.failed(of("web"), &wishing(Trouble::LIMIT, 60), now);
    backoff.answered(probe("app"), now);
    assert!(is_jittered(closed_for(&backoff, now).unwrap(), SECOND * 60));
    assert_eq!(backoff.access(now + SECOND * 70), Access::Probe);
}

/// Fails probe after probe, and answers how long each wait was.
fn waits(trouble: &Trouble, times: usize) -> Vec<Duration> {
    let (mut backoff, mut now) = (host(), START);
    let mut asker = of("app");
    let wait = |_| {
        backoff.failed(asker, trouble, now);
        let until = backoff.closed_until().unwrap();
        let wait = until - now;
        (now, asker) = (until, probe("app"));
        backoff.begin_probe(now);
        wait
    };
    (0..times).map(wait).collect()
}

#[test]
fn each_probe_in_vain_doubles_the_wait_up_to_ten_minutes() {
    for (kind, first) in [("connect", SECOND), (Trouble::LIMIT, SECOND * 10)] {
        for (times, wait) in waits(&trouble_of(kind), 40).into_iter().enumerate() {
            let least = (first * (1 << times.min(16))).min(LONGEST);
            assert!(is_jittered(wait, least), "{kind}, {times}: {wait:?} instead of {least:?}");
        }
    }
}

#[test]
fn after_a_success_the_first_wait_is_short_again() {
    let (mut backoff, mut now) = (host(), START);
    backoff.failed(of("app"), &trouble_of("connect"), now);
    for _ in 0..8 {
        now = backoff.closed_until().unwrap();
        backoff.begin_probe(now);
        backoff.failed(probe("app"), &trouble_of("connect"), now);
    }
    now = backoff.closed_until().unwrap();
    backoff.begin_probe(now);
    backoff.answered(probe("app"), now);
    backoff.failed(of("app"), &trouble_of("connect"), now);
    assert!(is_jittered(closed_for(&backoff, now).unwrap(), SECOND));
}

proptest! {
    #[test]
    fn a_wish_is_kept_to_the_second_and_outlasted_by_the_jitter_alone(
        seconds in 1u64..21_600,
        kind in prop::sample::select(vec![Trouble::LIMIT, "server_error"]),
    ) {
        let mut trouble = wishing(kind, seconds);
        trouble.scope = crate::poll::Scope::Host;
        let first = waits(&trouble, 1)[0];
        prop_assert!(is_jittered(first, SECOND * u32::try_from(seconds).unwrap()), "{:?}", first);
    }

    #[test]
    fn whatever_happens_a_host_is_asked_again_and_never_inside_a_wish(
        events in prop::collection::vec((0usize..8, 0u64..900, any::<bool>()), 1..200),
    ) {
        const KINDS: [&str; 8] = [
            "missing", "connect", "timeout", "server_error", Trouble::LIMIT, "credentials_rejected", "tls", "",
        ];
        let (mut backoff, mut now) = (host(), START);
        let mut wish = Duration::ZERO;
        for (kind, seconds, wants) in events {
            let access = backoff.access(now);
            prop_assert!(access == Access::Open || access == Access::Probe || now < wish + LONGEST * 2);
            if matches!(access, Access::Open | Access::Probe) {
                prop_assert!(now >= wish, "asked {:?} too early", wish - now);
                let is_probe = access == Access::Probe;
                if is_probe {
                    backoff.begin_probe(now);
                }
                let asker = Asker { probe: is_probe, ..of(["app", "web"][usize::from(wants)]) };
                match KINDS[kind] {
                    "" => backoff.answered(asker, now),
                    Trouble::LIMIT if wants => {
                        backoff.failed(asker, &wishing(Trouble::LIMIT, seconds + 1), now);
                        wish = wish.max(now + SECOND * (u32::try_from(seconds).unwrap() + 1));
                    }
                    kind => drop(backoff.failed(asker, &trouble_of(kind), now)),
                }
            }
            now = match backoff.access(now) {
                Access::Closed(wait) => {
                    prop_assert!(wait <= LONGEST * 2 + LONGEST / 2, "{:?}", wait);
                    now + wait
                }
                Access::Open | Access::Probe => now + Duration::from_millis(seconds),
                Access::Probing(_) => return Err(TestCaseError::fail("the probe's place is kept for nobody")),
            };
        }
    }
}
