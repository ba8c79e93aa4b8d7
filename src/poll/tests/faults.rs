//! Every fault that a registry can have, one by one: nothing resolves, nothing is forgotten, one line tells that it began
//! and one that it ended, and no other registry's tags are delayed.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;
use tracing::Level;

use super::lines::Lines;
use super::support::{MINUTE, Script, host, known, pass, resolved, start};
use crate::image::TagRef;
use crate::poll::{Command, HostPlan, Limits, Mode, Outcome, Plan, Trouble};
use crate::registry::{
    Advice, Answer, Error, Malformed, PasswordError, Redirect, Stage, Transport, Trouble as Of,
};

const BAD: &str = "bad.example.com";
const GOOD: &str = "good.example.com";
const SLOWLY: Duration = Duration::from_millis(300);
const POLITE: Limits = Limits { max_connections: 2, requests_per_second: Some(2.0) };
/// The fault lasts from here to there.
const FAULT: (Duration, Duration) = (Duration::from_mins(5), Duration::from_mins(20));

fn answer(status: u16, retry_after: Option<u64>) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        elsewhere: None,
        remark: None,
        retry_after: retry_after.map(Duration::from_secs),
    }
}

fn limit(seconds: Option<u64>) -> Of {
    let answer = answer(429, seconds);
    Of::TooManyRequests { retry_after: answer.retry_after, answer }
}

fn broken(stage: Stage) -> Of {
    Of::Transport(Transport { stage, reason: "it broke".to_owned(), hint: "" })
}

fn denied(status: u16) -> Of {
    Of::Denied { answer: answer(status, None), advice: Advice::None }
}

fn rejected() -> Of {
    Of::CredentialsRejected { username: "ci".to_owned(), password_file: "/etc/password".into() }
}

/// A registry of one tag has a fault, each answer to which takes `wait`.
async fn holds(fault: fn() -> Of, wait: Duration, told: [&str; 2]) {
    let lines = Lines::capture();
    let begin = Instant::now();
    let is_faulty = move || (FAULT.0..FAULT.1).contains(&begin.elapsed());
    let script = Script::new(move |tag, _| match tag.host() {
        BAD if is_faulty() => {
            let error = Error { tag: tag.clone(), trouble: fault() };
            (wait, Err(Trouble::from(&error)))
        }
        _ => (SLOWLY, resolved()),
    });
    let healthy = known(host(GOOD, 30, POLITE));
    let mut running = start(Mode::Continuous, vec![host(BAD, 1, POLITE), healthy.clone()], script);
    let undisturbed = start(Mode::Continuous, vec![healthy], Script::steady(SLOWLY));
    let bad_tag: TagRef = format!("{BAD}/app-0:1").parse().unwrap();

    pass(FAULT.0 + MINUTE * 5).await;
    let status = running.status().await;
    let tag = status.tags.iter().find(|status| status.tag == bad_tag).unwrap();
    assert!(tag.last_success.is_some(), "what is known of it stays");
    assert!(tag.condition.is_some());
    assert_eq!(lines.events(Level::INFO), told[..1], "it began");

    pass(MINUTE * 40).await;
    assert_eq!(lines.events(Level::INFO), told, "it ended");
    assert!(running.status().await.tags.iter().all(|tag| tag.condition.is_none()));
    assert!(running.script.asked_of_host(GOOD).len() > 30 * 40);
    assert_eq!(running.script.asked_of_host(GOOD), undisturbed.script.asked_of_host(GOOD));

    let asked = running.script.asked_of(&bad_tag);
    let in_vain = asked.iter().filter(|at| (FAULT.0..FAULT.1).contains(at)).count();
    running.observations.close();
    let mut outcomes = Vec::new();
    while let Some(seen) = running.observations.recv().await {
        outcomes.extend((seen.tag == bad_tag).then_some(seen.outcome));
    }
    let unresolved =
        outcomes.iter().filter(|outcome| **outcome == Outcome::Unresolved { is_v2: false }).count();
    assert_eq!(unresolved, in_vain, "nothing resolves while it lasts");
    assert!(in_vain > 0);
    let given = running.script.asked().into_iter().filter(|asked| asked.tag == bad_tag);
    assert!(given.skip(1).all(|asked| asked.known.is_some()), "what it pointed to is never forgotten");
}

const AT_ONCE: Duration = Duration::from_millis(20);
const TIMEOUT: Duration = Duration::from_secs(30);
const OWN: [&str; 2] = ["tag_unresolved", "tag_recovered"];
const MISSING: [&str; 2] = ["tag_missing", "tag_recovered"];
const HOSTS: [&str; 2] = ["registry_backing_off", "registry_recovered"];
const LOGIN: [&str; 2] = ["credential_rejected", "registry_recovered"];

macro_rules! faults {
    ($($claim:ident: $fault:expr, $wait:expr, $told:expr;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $claim() {
                holds(|| $fault, $wait, $told).await;
            }
        )*
    };
}

faults! {
    a_401_is_the_tags_own: denied(401), AT_ONCE, OWN;
    a_403_is_the_tags_own: denied(403), AT_ONCE, OWN;
    a_404_is_a_missing_tag: Of::Missing(answer(404, None)), AT_ONCE, MISSING;
    a_429_is_the_hosts: limit(None), AT_ONCE, HOSTS;
    a_429_with_half_a_minute_is_the_hosts: limit(Some(30)), AT_ONCE, HOSTS;
    a_429_with_half_an_hour_is_the_hosts: limit(Some(1_800)), AT_ONCE, HOSTS;
    a_429_with_a_moment_is_the_hosts: limit(Some(1)), AT_ONCE, HOSTS;
    a_500_of_one_repository_is_its_own: Of::Server(answer(500, None)), AT_ONCE, OWN;
    a_503_that_says_when_to_come_back_is_the_hosts: Of::Server(answer(503, Some(20))), AT_ONCE, HOSTS;
    garbage_is_the_tags_own: Of::Malformed(Malformed::NotAManifest("<html>".to_owned())), AT_ONCE, OWN;
    a_body_without_end_is_the_tags_own: Of::Malformed(Malformed::TooLarge(4)), SLOWLY, OWN;
    a_slow_body_is_the_hosts_if_nothing_tells_otherwise: broken(Stage::Timeout), TIMEOUT, HOSTS;
    a_host_that_hangs_is_left_alone: broken(Stage::Timeout), TIMEOUT, HOSTS;
    a_closed_connection_is_the_hosts: broken(Stage::Exchange), AT_ONCE, HOSTS;
    a_refused_connection_is_the_hosts: broken(Stage::Connect), AT_ONCE, HOSTS;
    a_name_that_is_unknown_is_the_hosts: broken(Stage::Dns), AT_ONCE, HOSTS;
    tls_without_trust_is_the_hosts: broken(Stage::Tls), AT_ONCE, HOSTS;
    a_redirect_within_the_host_that_never_ends_is_the_tags_own: Of::Redirect(Redirect::TooMany(10)), SLOWLY, OWN;
    a_redirect_to_a_host_without_tls_is_the_tags_own:
        Of::Redirect(Redirect::Insecure("cdn.example.com".to_owned())), SLOWLY, OWN;
    another_answer_is_the_tags_own: Of::Refused(answer(418, None)), AT_ONCE, OWN;
    a_manifest_that_contradicts_its_header_is_the_tags_own: Of::Malformed(Malformed::Schema1), AT_ONCE, OWN;
    a_wrong_login_is_the_logins: rejected(), AT_ONCE, LOGIN;
    a_password_that_cannot_be_read_is_the_logins:
        Of::Password { path: "/etc/password".into(), reason: PasswordError::Empty }, Duration::ZERO, LOGIN;
}

/// A plan of a host whose tags are polled every minute.
fn bad(count: usize) -> HostPlan {
    host(BAD, count, POLITE)
}

#[tokio::test(start_paused = true)]
async fn a_login_that_many_tags_need_is_told_once_and_is_not_the_hosts_trouble() {
    let lines = Lines::capture();
    let begin = Instant::now();
    let script = Script::new(move |tag, _| {
        // A few need no login.
        let needs_login = !["app-1", "app-2"].contains(&tag.repository());
        match needs_login && (FAULT.0..FAULT.1).contains(&begin.elapsed()) {
            true => (AT_ONCE, Err(Trouble::from(&Error { tag: tag.clone(), trouble: rejected() }))),
            false => (AT_ONCE, resolved()),
        }
    });
    let running = start(Mode::Continuous, vec![bad(30)], script);
    pass(FAULT.0 + 5 * MINUTE).await;
    let status = running.status().await;
    assert_eq!(status.hosts[0].failing, 28);
    let trouble = status.hosts[0].trouble.clone().unwrap();
    assert_eq!((trouble.condition.trouble.kind, trouble.closed_for), ("credentials_rejected", None));
    pass(30 * MINUTE).await;
    assert_eq!(lines.events(Level::INFO), LOGIN);
    assert_eq!(running.status().await.hosts[0].trouble, None);
}

#[tokio::test(start_paused = true)]
async fn that_a_login_is_accepted_again_is_told_even_if_the_host_had_trouble_meanwhile() {
    let lines = Lines::capture();
    let script = Script::new(|tag, asked| match asked {
        0 => (AT_ONCE, Err(Trouble::from(&Error { tag: tag.clone(), trouble: rejected() }))),
        1 => (AT_ONCE, Err(Trouble::from(&Error { tag: tag.clone(), trouble: broken(Stage::Connect) }))),
        _ => (AT_ONCE, resolved()),
    });
    let running = start(Mode::Continuous, vec![bad(1)], script);
    pass(5 * MINUTE).await;
    let told = lines.events(Level::INFO);
    assert_eq!(told[..2], ["credential_rejected", "registry_backing_off"]);
    assert_eq!(told[2..], ["registry_recovered", "registry_recovered"]);
    assert_eq!(running.status().await.hosts[0].trouble, None);
}

#[tokio::test(start_paused = true)]
async fn a_login_is_in_no_trouble_any_more_when_the_tags_that_needed_it_are_gone() {
    let lines = Lines::capture();
    let script = Script::new(|tag, _| match tag.repository() {
        "app-0" => (AT_ONCE, Err(Trouble::from(&Error { tag: tag.clone(), trouble: rejected() }))),
        _ => (AT_ONCE, resolved()),
    });
    let plan = bad(3);
    let running = start(Mode::Continuous, vec![plan.clone()], script);
    pass(5 * MINUTE).await;
    let replan = async |without: usize| {
        let mut other = plan.clone();
        other.tags.remove(without);
        running.commands.send(Command::Replan(Plan { hosts: vec![other] })).await.unwrap();
        running.status().await.hosts[0].trouble.clone()
    };
    assert!(replan(1).await.is_some(), "one that needs it is still there");
    assert_eq!(replan(0).await, None);
    assert_eq!(lines.events(Level::INFO), LOGIN);
}
