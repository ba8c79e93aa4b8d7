//! How a host in trouble is left alone, probed and taken up again.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Level;

use super::lines::Lines;
use super::support::{
    MINUTE, NO_RATE, Running, Script, host, known, pass, resolved, start, trouble, trouble_of,
};
use crate::image::Found;
use crate::poll::{Command, HostPlan, Limits, Mode, Outcome, Plan, Trouble};

const BAD: &str = "bad.example.com";
const AT_ONCE: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const POLITE: Limits = Limits { max_connections: 2, requests_per_second: Some(2.0) };
/// The host is in trouble from here to there.
const TROUBLE: (Duration, Duration) = (Duration::from_mins(5), Duration::from_mins(35));

fn limit(seconds: u64) -> Result<Found, Trouble> {
    Err(Trouble { retry_after: Some(Duration::from_secs(seconds)), ..trouble_of(Trouble::LIMIT) })
}

/// A registry that answers so, after so long, while it is in trouble.
fn troubled(wait: Duration, answer: impl Fn() -> Result<Found, Trouble> + Send + Sync + 'static) -> Script {
    let begin = Instant::now();
    Script::new(move |_, _| match (TROUBLE.0..TROUBLE.1).contains(&begin.elapsed()) {
        true => (wait, answer()),
        false => (AT_ONCE, resolved()),
    })
}

fn during_trouble(running: &Running) -> Vec<Duration> {
    let asked = running.script.asked_of_host(BAD).into_iter().map(|(at, _)| at);
    asked.filter(|at| (TROUBLE.0..TROUBLE.1).contains(at)).collect()
}

impl Running {
    async fn poll_all(&self) {
        let (reply, count) = oneshot::channel();
        self.commands.send(Command::Poll { tags: Vec::new(), reply }).await.unwrap();
        count.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_of_a_host_with_many_tags_is_one_line_and_few_requests() {
    let lines = Lines::capture();
    let running =
        start(Mode::Continuous, vec![host(BAD, 100, POLITE)], troubled(AT_ONCE, || trouble("connect")));
    pass(TROUBLE.0 + 25 * MINUTE).await;
    assert_eq!(lines.events(Level::INFO), ["registry_backing_off"]);
    let status = running.status().await;
    let told = status.hosts[0].trouble.clone().unwrap();
    let asked = during_trouble(&running).len();
    assert_eq!(told.condition.count as usize, asked);
    assert!((5..=13).contains(&asked), "asked {asked} times: 1 + 2 + 4 … s, then every ten minutes");
    pass(20 * MINUTE).await;
    assert_eq!(lines.events(Level::INFO), ["registry_backing_off", "registry_recovered"]);
    let recovered = &lines.from(Level::INFO)[1].1;
    assert_eq!(recovered["count"], during_trouble(&running).len().to_string());
    assert!(recovered["elapsed_ms"].parse::<u64>().is_ok());
    assert!(running.status().await.tags.iter().all(|tag| tag.condition.is_none()));
}

#[tokio::test(start_paused = true)]
async fn one_poll_at_a_time_probes_a_host_that_hangs() {
    let hangs = Duration::from_secs(30);
    let plan = host(BAD, 100, Limits { max_connections: 16, ..NO_RATE });
    let running = start(Mode::Continuous, vec![plan], troubled(hangs, || trouble("timeout")));
    pass(TROUBLE.1 + 30 * MINUTE).await;
    let asked = during_trouble(&running);
    let closed = asked[0] + hangs;
    let probes: Vec<&Duration> = asked.iter().filter(|at| **at >= closed).collect();
    assert!(probes.len() > 4, "{asked:?}");
    assert!(probes.windows(2).all(|pair| *pair[1] - *pair[0] > hangs), "{probes:?}");
}

#[tokio::test(start_paused = true)]
async fn everything_that_waited_goes_on_within_the_budget_and_once() {
    let plan = host(BAD, 100, POLITE);
    let running = start(Mode::Continuous, vec![plan.clone()], troubled(AT_ONCE, || limit(1_800)));
    pass(TROUBLE.1 + 3 * MINUTE).await;
    let opened = running.script.asked_of_host(BAD).into_iter().map(|(at, _)| at).find(|at| *at >= TROUBLE.1);
    let opened = opened.unwrap();
    pass(MINUTE).await;
    for tag in &plan.tags {
        let asked = running.script.asked_of(&tag.tag);
        let soon = asked.iter().filter(|at| (opened..opened + 55 * SECOND).contains(at)).count();
        assert!((1..=2).contains(&soon), "{}: {soon} times within a minute of {opened:?}", tag.tag);
    }
    let permits = running.script.permits();
    let mut pairs = permits.iter().zip(permits.iter().skip(2));
    assert!(pairs.all(|(first, later)| *later - *first >= SECOND / 2));
}

fn every(interval: Duration, mut plan: HostPlan) -> HostPlan {
    plan.tags.iter_mut().for_each(|tag| tag.interval = interval);
    plan
}

#[tokio::test(start_paused = true)]
async fn the_slots_that_passed_are_made_up_for_by_one_poll() {
    let plan = every(10 * MINUTE, host(BAD, 100, NO_RATE));
    let running = start(Mode::Continuous, vec![plan], troubled(AT_ONCE, || limit(1_800)));
    pass(TROUBLE.1 + 20 * MINUTE).await;
    let asked = running.script.asked_of_host(BAD).into_iter().map(|(at, _)| at);
    let after: Vec<Duration> = asked.filter(|at| *at >= TROUBLE.1).collect();
    let soon = after.iter().filter(|at| **at < after[0] + MINUTE).count();
    // Ten or twenty have their slot in this very minute.
    assert!((80..150).contains(&soon), "{soon} polls in the first minute");
}

#[tokio::test(start_paused = true)]
async fn what_failed_because_of_the_host_is_asked_for_again_as_soon_as_that_is_back() {
    let begin = Instant::now();
    let script = Script::new(move |_, _| match begin.elapsed() < 3 * MINUTE {
        true => (AT_ONCE, trouble("connect")),
        false => (AT_ONCE, resolved()),
    });
    let plan = every(6 * HOUR, host(BAD, 5, NO_RATE));
    let running = start(Mode::Continuous, vec![plan], script);
    pass(8 * MINUTE).await;
    let status = running.status().await;
    assert!(
        status.tags.iter().all(|tag| tag.condition.is_none() && tag.last_success.is_some()),
        "{status:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_request_leaves_inside_a_window_and_the_first_leaves_right_after_it() {
    for seconds in [1, 30, 600, 21_600] {
        let wait = Duration::from_secs(seconds);
        let begin = Instant::now();
        let script = Script::new(move |_, _| {
            match begin.elapsed() >= TROUBLE.0 && begin.elapsed() < TROUBLE.0 + SECOND * 60 {
                true => (AT_ONCE, limit(seconds)),
                false => (AT_ONCE, resolved()),
            }
        });
        let running = start(Mode::Continuous, vec![host(BAD, 100, POLITE)], script);
        pass(TROUBLE.0 + MINUTE + wait.mul_f64(1.2)).await;
        let asked: Vec<Duration> = running.script.asked_of_host(BAD).into_iter().map(|(at, _)| at).collect();
        let first = *asked.iter().find(|at| **at >= TROUBLE.0).unwrap();
        let told = first + AT_ONCE;
        // One more may have left before the first answer came.
        let next = *asked.iter().find(|at| **at > told).unwrap();
        assert!(next >= told + wait, "{seconds} s: {:?}", next - told);
        assert!(next <= told + wait.mul_f64(1.1) + AT_ONCE * 2, "{seconds} s: {:?}", next - told);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_at_the_gate_when_the_host_is_closed_waits_on() {
    // Each poll is three requests at two a second, so the other connection's poll stands at the gate.
    let script =
        Script::new(|_, asked| if asked == 0 { (AT_ONCE, limit(60)) } else { (AT_ONCE, resolved()) });
    let plan = host(BAD, 40, POLITE);
    let running = start(Mode::Continuous, vec![plan], script.requests_per_poll(3));
    pass(MINUTE / 2).await;
    let before = running.script.permits();
    assert_eq!(running.script.asked().len(), 1);
    let closed = running.script.asked()[0].at + AT_ONCE;
    assert!(before.iter().all(|at| *at <= closed), "{before:?}, closed at {closed:?}");
    pass(MINUTE).await;
    let after: Vec<Duration> = running.script.permits().into_iter().filter(|at| *at > closed).collect();
    assert!(after[0] >= closed + MINUTE, "{:?}", after[0] - closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_several_requests_is_not_held_up_by_those_that_wait_for_it() {
    let begin = Instant::now();
    let script = Script::new(move |_, _| match begin.elapsed() < 5 * MINUTE {
        true => (AT_ONCE, limit(30)),
        false => (AT_ONCE, resolved()),
    });
    let plan = host(BAD, 40, Limits { max_connections: 4, requests_per_second: Some(2.0) });
    let running = start(Mode::Continuous, vec![plan], script.requests_per_poll(3));
    pass(30 * MINUTE).await;
    assert!(running.status().await.tags.iter().all(|tag| tag.condition.is_none()));
    assert!(running.script.asked().len() > 40 * 10, "{}", running.script.asked().len());
}

#[tokio::test(start_paused = true)]
async fn who_asks_by_hand_waits_too() {
    let running = start(Mode::Continuous, vec![host(BAD, 20, NO_RATE)], troubled(AT_ONCE, || limit(1_200)));
    pass(TROUBLE.0 + 2 * MINUTE).await;
    let before = running.script.asked().len();
    running.poll_all().await;
    pass(10 * MINUTE).await;
    assert_eq!(running.script.asked().len(), before);
}

#[tokio::test(start_paused = true)]
async fn status_tells_how_long_a_host_is_left_alone_and_its_tags_wait() {
    let good = known(host("good.example.com", 10, NO_RATE));
    let script = {
        let begin = Instant::now();
        Script::new(move |tag, _| match tag.host() == BAD && begin.elapsed() > TROUBLE.0 {
            true => (AT_ONCE, limit(600)),
            false => (AT_ONCE, resolved()),
        })
    };
    let running = start(Mode::Continuous, vec![host(BAD, 10, NO_RATE), good], script);
    pass(TROUBLE.0 + 3 * MINUTE).await;
    let status = running.status().await;
    let trouble = status.hosts[0].trouble.clone().unwrap();
    let closed_for = trouble.closed_for.unwrap();
    assert_eq!(trouble.condition.trouble.kind, Trouble::LIMIT);
    assert!((7 * MINUTE..9 * MINUTE).contains(&closed_for), "{closed_for:?}");
    for tag in status.tags {
        let next = tag.next_poll.unwrap();
        assert_eq!(next >= closed_for, tag.tag.host() == BAD, "{} is polled in {next:?}", tag.tag);
        if tag.tag.host() == BAD {
            assert!(next < closed_for + 2 * MINUTE);
        }
    }
    assert_eq!(status.hosts[1].trouble, None);
    let before = running.script.asked_of_host(BAD).len();
    pass(closed_for + AT_ONCE / 4).await;
    assert_eq!(running.script.asked_of_host(BAD).len(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_single_tag_that_never_answers_keeps_no_other_from_being_polled() {
    for kind in ["timeout", "exchange", "server_error", "connect", "tls", Trouble::LIMIT] {
        let lines = Lines::capture();
        let script = Script::new(move |tag, _| match tag.repository() {
            "app-3" => (SECOND * 30, trouble(kind)),
            _ => (AT_ONCE, resolved()),
        });
        let plan = host(BAD, 20, Limits { max_connections: 4, ..NO_RATE });
        let running = start(Mode::Continuous, vec![plan.clone()], script);
        pass(HOUR).await;
        for tag in &plan.tags {
            let rounds = running.script.asked_of(&tag.tag).len();
            assert!(rounds > 55, "{kind}: {} was polled {rounds} times in an hour", tag.tag);
        }
        let told = lines.events(Level::INFO);
        let expected: &[&str] = match kind {
            "server_error" => &["tag_unresolved"],
            _ => &["registry_backing_off", "registry_recovered", "tag_unresolved"],
        };
        assert_eq!(told, expected, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_a_single_tag_holds_for_that_tag_as_long_as_its_registry_wishes() {
    let lines = Lines::capture();
    let script = Script::new(move |tag, _| match tag.repository() {
        "app-3" => (AT_ONCE, limit(1_200)),
        _ => (AT_ONCE, resolved()),
    });
    let plan = host(BAD, 20, NO_RATE);
    let running = start(Mode::Continuous, vec![plan.clone()], script);
    pass(5 * HOUR).await;
    let bad = running.script.asked_of(&plan.tags[3].tag);
    assert!((10..=15).contains(&bad.len()), "{bad:?}");
    assert!(bad.windows(2).all(|pair| pair[1] - pair[0] >= 20 * MINUTE), "{bad:?}");
    for tag in plan.tags.iter().filter(|tag| tag.tag != plan.tags[3].tag) {
        let rounds = running.script.asked_of(&tag.tag).len();
        assert!(rounds > 4 * 60, "{} was polled {rounds} times in five hours", tag.tag);
    }
    assert_eq!(
        lines.events(Level::INFO),
        ["registry_backing_off", "registry_recovered", "tag_unresolved"],
        "all wait once"
    );
    let status = running.status().await;
    let bad = status.tags.iter().find(|status| status.tag == plan.tags[3].tag).unwrap();
    assert!(bad.next_poll.unwrap() <= 22 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_5xx_of_several_repositories_is_the_hosts() {
    let lines = Lines::capture();
    let running =
        start(Mode::Continuous, vec![host(BAD, 30, POLITE)], troubled(AT_ONCE, || trouble("server_error")));
    pass(TROUBLE.1 + 30 * MINUTE).await;
    let told = lines.events(Level::INFO);
    let mut expected = ["tag_unresolved", "registry_backing_off", "registry_recovered", "tag_recovered"];
    expected.sort_unstable();
    let mut sorted: Vec<&str> = told.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, expected, "{told:?}");
    assert!(during_trouble(&running).len() < 20);
}

#[tokio::test(start_paused = true)]
async fn another_kind_of_trouble_of_the_same_host_is_told_too() {
    let lines = Lines::capture();
    let begin = Instant::now();
    let answer =
        move || if begin.elapsed() < TROUBLE.0 + 10 * MINUTE { trouble("connect") } else { limit(60) };
    let _running = start(Mode::Continuous, vec![host(BAD, 30, POLITE)], troubled(AT_ONCE, answer));
    pass(TROUBLE.1 + 30 * MINUTE).await;
    let told =
        lines.from(Level::INFO).into_iter().map(|(_, line)| (line["event"].clone(), line["reason"].clone()));
    let told: Vec<(String, String)> = told.collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(event, reason)| (&**event, &**reason)).collect();
    let expected = [
        ("registry_backing_off", "connect"),
        ("registry_backing_off", Trouble::LIMIT),
        ("registry_recovered", Trouble::LIMIT),
    ];
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn another_plan_opens_no_host() {
    let plan = host(BAD, 20, POLITE);
    let running = start(Mode::Continuous, vec![plan.clone()], troubled(AT_ONCE, || limit(1_200)));
    pass(TROUBLE.0 + 2 * MINUTE).await;
    let before = running.script.asked().len();
    let condition = running.status().await.hosts[0].trouble.clone().unwrap().condition;
    for turn in 0..10 {
        let mut other = plan.clone();
        other.tags.remove(turn);
        let first = known(host(&format!("r{turn}.example.com"), 0, NO_RATE));
        let replan = Command::Replan(Plan { hosts: vec![first, other] });
        running.commands.send(replan).await.unwrap();
        pass(MINUTE).await;
    }
    assert_eq!(running.script.asked().len(), before);
    assert_eq!(running.status().await.hosts[1].trouble.clone().unwrap().condition, condition);
    pass(TROUBLE.1).await;
    assert!(running.status().await.tags.iter().all(|tag| tag.condition.is_none()));
}

#[tokio::test(start_paused = true)]
async fn other_plans_while_a_host_is_closed_bring_no_tag_twice() {
    let plan = host(BAD, 20, NO_RATE);
    let running = start(Mode::Continuous, vec![plan.clone()], troubled(AT_ONCE, || limit(1_800)));
    pass(TROUBLE.0 + 2 * MINUTE).await;
    for turn in 0..20 {
        let first = known(host(&format!("r{turn}.example.com"), 0, NO_RATE));
        let replan = Command::Replan(Plan { hosts: vec![first, plan.clone()] });
        running.commands.send(replan).await.unwrap();
        pass(MINUTE).await;
    }
    pass(TROUBLE.1 + 5 * MINUTE - (TROUBLE.0 + 22 * MINUTE)).await;
    let asked = running.script.asked_of_host(BAD).into_iter();
    let after: Vec<_> = asked.filter(|(at, _)| *at >= TROUBLE.1).collect();
    let opened = after[0].0;
    for tag in &plan.tags {
        let soon = after.iter().filter(|(at, of)| *of == tag.tag && *at < opened + 50 * SECOND).count();
        assert!((1..=3).contains(&soon), "{}: {soon} times", tag.tag);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_leaves_the_plan_and_comes_back_is_neither_open_nor_unspent() {
    let lines = Lines::capture();
    let plan = host(BAD, 20, POLITE);
    let running = start(Mode::Continuous, vec![plan.clone()], troubled(AT_ONCE, || limit(1_200)));
    let replan = async |hosts: Vec<HostPlan>| {
        running.commands.send(Command::Replan(Plan { hosts })).await.unwrap();
        running.status().await
    };
    // In the midst of the first requests.
    for _ in 0..10 {
        replan(Vec::new()).await;
        replan(vec![plan.clone()]).await;
        pass(SECOND / 4).await;
    }
    let permits = running.script.permits();
    let mut pairs = permits.iter().zip(permits.iter().skip(2));
    assert!(pairs.all(|(first, later)| *later - *first >= SECOND / 2), "{permits:?}");
    pass(TROUBLE.0 + 2 * MINUTE).await;
    let before = running.script.asked().len();
    replan(Vec::new()).await;
    assert_eq!(lines.events(Level::INFO), ["registry_backing_off", "registry_recovered"], "it ends there");
    pass(MINUTE).await;
    replan(vec![plan.clone()]).await;
    pass(10 * MINUTE).await;
    assert_eq!(running.script.asked().len(), before);
    pass(TROUBLE.1).await;
    assert!(running.status().await.tags.iter().all(|tag| tag.condition.is_none()));
}

#[tokio::test(start_paused = true)]
async fn another_plan_while_a_probe_is_out_leaves_its_place_to_another() {
    let plan = host(BAD, 20, NO_RATE);
    let hangs = Duration::from_secs(30);
    let running = start(Mode::Continuous, vec![plan.clone()], troubled(hangs, || trouble("timeout")));
    pass(TROUBLE.0).await;
    for _ in 0..8 {
        // Whichever tag is being polled is gone, and comes back.
        for number in 0..20 {
            let mut other = plan.clone();
            other.tags.remove(number);
            running.commands.send(Command::Replan(Plan { hosts: vec![other] })).await.unwrap();
            running.commands.send(Command::Replan(Plan { hosts: vec![plan.clone()] })).await.unwrap();
        }
        pass(MINUTE).await;
    }
    pass(30 * MINUTE).await;
    assert!(
        running.status().await.tags.iter().all(|tag| tag.condition.is_none()),
        "it was probed all the same"
    );
    assert!(running.status().await.hosts[0].trouble.is_none());
}

#[tokio::test(start_paused = true)]
async fn polling_once_does_not_wait_for_a_host_that_stays_away() {
    for (answer, most) in [(limit as fn(u64) -> Result<Found, Trouble>, 1), (|_| trouble("connect"), 4)] {
        let begin = Instant::now();
        let script = Script::new(move |tag, _| match tag.host() {
            BAD => (AT_ONCE, answer(3_600)),
            _ => (AT_ONCE, resolved()),
        });
        let good = host("good.example.com", 20, NO_RATE);
        let plan = host(BAD, 60, Limits { max_connections: 1, ..NO_RATE });
        let (script, seen) = start(Mode::Once, vec![plan, good], script).finish().await;
        assert!(begin.elapsed() < 10 * SECOND, "{:?}", begin.elapsed());
        assert_eq!(seen.len(), 80, "each tag has its outcome");
        assert_eq!(
            seen.iter().filter(|seen| seen.outcome == Outcome::Unresolved { is_v2: false }).count(),
            60
        );
        let asked = script.asked_of_host(BAD).len();
        assert!((1..=most).contains(&asked), "asked {asked} times");
    }
}

#[tokio::test(start_paused = true)]
async fn polling_once_outlasts_an_accident() {
    let script = Script::new(|tag, _| match tag.repository() {
        "app-0" => (AT_ONCE, trouble("exchange")),
        _ => (AT_ONCE, resolved()),
    });
    let (_, seen) = start(Mode::Once, vec![host(BAD, 60, NO_RATE)], script).finish().await;
    assert_eq!(seen.iter().filter(|seen| seen.outcome == Outcome::Unresolved { is_v2: false }).count(), 1);
    assert_eq!(seen.len(), 60);
}

#[tokio::test(start_paused = true)]
async fn intervals_that_a_budget_cannot_bear_are_told_at_the_plan_and_when_they_change() {
    let lines = Lines::capture();
    // Four requests a second are wanted, and two allowed.
    let plan = host(BAD, 240, POLITE);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(AT_ONCE));
    let told = || {
        let lines = lines.from(Level::INFO).into_iter();
        lines.map(|(_, line)| (line["event"].clone(), line["wanted_ms"].clone(), line["interval_ms"].clone()))
    };
    let stretched = running.status().await.hosts[0].stretched.unwrap();
    assert_eq!(stretched.wanted, MINUTE);
    let line = |interval: Duration| {
        ("registry_interval_stretched".to_owned(), "60000".to_owned(), interval.as_millis().to_string())
    };
    assert_eq!(told().collect::<Vec<_>>(), [line(stretched.interval)]);
    let replan = async |plan: HostPlan| {
        running.commands.send(Command::Replan(Plan { hosts: vec![plan] })).await.unwrap();
        running.status().await.hosts[0].stretched
    };
    let mut same = plan.clone();
    same.tags.pop();
    assert_eq!(replan(same).await, Some(stretched), "one tag more or less moves nothing");
    let slower = Limits { requests_per_second: Some(1.0), ..POLITE };
    let twice = replan(HostPlan { limits: slower, ..plan.clone() }).await.unwrap();
    assert_eq!(told().collect::<Vec<_>>(), [line(stretched.interval), line(twice.interval)]);
    assert!(twice.interval >= 2 * stretched.interval - SECOND * 8);
    assert_eq!(replan(HostPlan { limits: NO_RATE, ..plan }).await, None);
    assert_eq!(told().count(), 2);
}

/// A registry that is well again long before anybody would look by itself, and what is said then.
async fn said_when_well_again(answer: fn() -> Result<Found, Trouble>, say: Command) -> Running {
    let begin = Instant::now();
    let script = Script::new(move |_, _| match begin.elapsed() < 90 * MINUTE {
        true => (AT_ONCE, answer()),
        false => (AT_ONCE, resolved()),
    });
    let running = start(Mode::Continuous, vec![host(BAD, 5, NO_RATE)], script);
    pass(90 * MINUTE).await;
    running.commands.send(say).await.unwrap();
    pass(SECOND).await;
    running
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_asked_for_cuts_a_wait_short() {
    let (reply, _) = oneshot::channel();
    let asks = [Command::Probe(vec![BAD.to_owned()]), Command::Poll { tags: Vec::new(), reply }];
    for say in asks {
        let running = said_when_well_again(|| trouble("connect"), say).await;
        assert!(running.status().await.tags.iter().all(|tag| tag.condition.is_none()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_another_host_cuts_no_wait_short() {
    let other = Command::Probe(vec!["other.example.com".to_owned()]);
    let running = said_when_well_again(|| trouble("connect"), other).await;
    assert!(running.status().await.hosts[0].trouble.is_some());
}

#[tokio::test(start_paused = true)]
async fn no_probe_goes_before_the_time_that_the_registry_named() {
    let running = said_when_well_again(|| limit(21_600), Command::Probe(vec![BAD.to_owned()])).await;
    assert_eq!(running.script.asked_of_host(BAD).len(), 1);
    pass(5 * HOUR).await;
    assert!(running.status().await.tags.iter().all(|tag| tag.condition.is_none()));
}
