//! A look beside the polls: within the budgets, told to nobody else, and without a trace in what polling knows.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Level;

use super::lines::Lines;
use super::support::{MINUTE, NO_RATE, Running, Script, host, known, pass, resolved, start, trouble_of};
use crate::image::{Descriptor, Digest, Found, TagRef};
use crate::poll::{Command, HostPlan, Limits, Mode, Plan, Trouble, Until};
use crate::registry::Known;

const AT_ONCE: Duration = Duration::from_millis(20);
const HOUR: Duration = Duration::from_hours(1);
const HOST: &str = "registry.example.com";

type Answer = (TagRef, Result<Found, Trouble>);

impl Running {
    async fn look(&self, tags: &[TagRef]) -> mpsc::Receiver<Answer> {
        let (reply, answers) = mpsc::channel(1_000);
        self.commands.send(Command::Look { tags: tags.to_vec(), reply }).await.unwrap();
        answers
    }
}

/// All answers, once there will be no more.
async fn all(mut answers: mpsc::Receiver<Answer>) -> BTreeMap<TagRef, Result<Found, Trouble>> {
    let mut all = BTreeMap::new();
    while let Some((tag, result)) = answers.recv().await {
        assert!(all.insert(tag, result).is_none(), "answered twice");
    }
    all
}

/// Tags whose slots are hours away.
fn resting(name: &str, count: usize, limits: Limits) -> HostPlan {
    let mut plan = known(host(name, count, limits));
    plan.tags.iter_mut().for_each(|tag| tag.interval = 24 * HOUR);
    plan
}

fn tags(plan: &HostPlan) -> Vec<TagRef> {
    plan.tags.iter().map(|tag| tag.tag.clone()).collect()
}

fn digest_of(text: &str) -> Result<Found, Trouble> {
    let media_type = "application/vnd.oci.image.index.v1+json".into();
    let digest = Digest::sha256_of(text.as_bytes());
    Ok(Descriptor { digest, media_type, accept_version: 1 }.into())
}

#[tokio::test(start_paused = true)]
async fn a_look_keeps_to_the_budget_and_to_one_exchange_at_a_time() {
    let limits = Limits { max_connections: 3, requests_per_second: Some(2.0) };
    let plan = resting(HOST, 30, limits);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(AT_ONCE));
    let (first, second) = (running.look(&tags(&plan)).await, running.look(&tags(&plan)[..5]).await);
    let (first, second) = (all(first).await, all(second).await);
    assert_eq!((first.len(), second.len()), (30, 5));
    assert!(first.values().chain(second.values()).all(Result::is_ok));
    let permits = running.script.permits();
    assert_eq!(permits.len(), 35);
    let mut pairs = permits.iter().zip(permits.iter().skip(2));
    assert!(pairs.all(|(first, later)| *later - *first >= Duration::from_millis(500)), "{permits:?}");
    assert_eq!(running.script.most_in_flight(HOST), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_keeps_no_other_waiting() {
    let (slow, quick) = (resting("slow.example.com", 1, NO_RATE), resting("quick.example.com", 3, NO_RATE));
    let script = Script::new(|tag, _| match tag.host() {
        "slow.example.com" => (HOUR, resolved()),
        _ => (AT_ONCE, resolved()),
    });
    let running = start(Mode::Continuous, vec![slow.clone(), quick.clone()], script);
    let mut answers = running.look(&[tags(&slow), tags(&quick)].concat()).await;
    let begin = Instant::now();
    for _ in 0..3 {
        let (tag, result) = answers.recv().await.unwrap();
        assert!(tag.host() == "quick.example.com" && result.is_ok());
    }
    assert!(begin.elapsed() < MINUTE);
}

#[tokio::test(start_paused = true)]
async fn nobody_else_is_told_and_no_poll_moves() {
    let lines = Lines::capture();
    let plan = known(host(HOST, 40, NO_RATE));
    let undisturbed = start(Mode::Continuous, vec![plan.clone()], Script::steady(AT_ONCE));
    let mut running = start(Mode::Continuous, vec![plan.clone()], Script::steady(AT_ONCE));
    assert_eq!(all(running.look(&tags(&plan)).await).await.len(), 40);
    assert_eq!(running.script.asked().len(), 40);
    assert!(running.observations.try_recv().is_err(), "there was an observation");
    let status = running.status().await;
    assert!(status.tags.iter().all(|tag| tag.last_success.is_none()));
    pass(5 * MINUTE).await;
    for tag in tags(&plan) {
        let polled: Vec<Duration> = running.script.asked_of(&tag).into_iter().skip(1).collect();
        assert_eq!(polled, undisturbed.script.asked_of(&tag), "{tag}");
    }
    assert!(lines.events(Level::INFO).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_move_that_a_look_has_seen_is_still_a_move_to_the_next_poll() {
    let mut plan = known(host(HOST, 1, NO_RATE));
    let old = Known { digest: Digest::sha256_of(b"old"), unread: true };
    plan.tags[0].known = Some(old.clone());
    let mut running =
        start(Mode::Continuous, vec![plan.clone()], Script::new(|_, _| (AT_ONCE, digest_of("new"))));
    let answers = all(running.look(&tags(&plan)).await).await;
    assert_eq!(answers.into_values().next().unwrap(), digest_of("new"));
    pass(2 * MINUTE).await;
    let asked = running.script.asked();
    assert_eq!(asked[0].known.as_ref(), Some(&old), "the look compares as a poll does");
    assert_eq!(asked[1].known.as_ref(), Some(&old), "and the poll after it as if there had been none");
    assert_eq!(asked[2].known.as_ref().unwrap().digest, Digest::sha256_of(b"new"));
    assert!(running.observations.recv().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_left_alone_answers_with_its_trouble_at_once() {
    let script = Script::new(|tag, asked| match (tag.host(), asked) {
        (HOST, 0) => (AT_ONCE, Err(Trouble { retry_after: Some(HOUR), ..trouble_of(Trouble::LIMIT) })),
        _ => (AT_ONCE, resolved()),
    });
    let (mut bad, good) = (host(HOST, 5, NO_RATE), resting("good.example.com", 2, NO_RATE));
    bad.tags.iter_mut().for_each(|tag| tag.interval = 24 * HOUR);
    let running = start(Mode::Continuous, vec![bad.clone(), good.clone()], script);
    pass(MINUTE).await;
    let before = running.script.asked_of_host(HOST).len();
    let begin = Instant::now();
    let answers = all(running.look(&[tags(&bad), tags(&good)].concat()).await).await;
    assert!(begin.elapsed() < Duration::from_secs(1));
    for (tag, result) in answers {
        match tag.host() {
            HOST => assert_eq!(result.unwrap_err().kind, Trouble::LIMIT, "{tag}"),
            _ => assert!(result.is_ok(), "{tag}"),
        }
    }
    assert_eq!(running.script.asked_of_host(HOST).len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_a_look_brings_holds_for_polls_and_is_told_of_the_host_alone() {
    let lines = Lines::capture();
    let plan = known(host(HOST, 20, NO_RATE));
    let wish = Duration::from_secs(600);
    let script = Script::new(move |_, _| {
        (AT_ONCE, Err(Trouble { retry_after: Some(wish), ..trouble_of(Trouble::LIMIT) }))
    });
    let running = start(Mode::Continuous, vec![plan.clone()], script);
    let answers = all(running.look(&tags(&plan)).await).await;
    assert!(answers.values().all(Result::is_err), "the others answer with the trouble of the first");
    let looked = running.script.asked();
    assert_eq!(looked.len(), 1);
    assert_eq!(lines.events(Level::INFO), ["registry_backing_off"]);
    let status = running.status().await;
    let trouble = status.hosts[0].trouble.as_ref().unwrap();
    assert_eq!(trouble.condition.trouble.kind, Trouble::LIMIT);
    assert!(trouble.closed_for.unwrap() > wish - MINUTE);
    assert!(status.tags.iter().all(|tag| tag.condition.is_none()), "no poll of a tag has failed");
    pass(20 * MINUTE).await;
    assert_eq!(lines.events(Level::INFO), ["registry_backing_off"], "it is the same trouble to the polls");
    let next = running.script.asked()[1].at;
    assert!(next >= looked[0].at + wish, "{next:?}");
    assert!(next < looked[0].at + wish.mul_f64(1.1) + MINUTE + AT_ONCE, "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_of_no_use_to_a_look_is_told_until_it_is_of_use_to_one() {
    let lines = Lines::capture();
    let script = Script::new(|_, asked| match asked {
        0 => (AT_ONCE, Err(trouble_of("credentials_rejected"))),
        _ => (AT_ONCE, resolved()),
    });
    let plan = resting(HOST, 1, NO_RATE);
    let running = start(Mode::Continuous, vec![plan.clone()], script);
    assert!(all(running.look(&tags(&plan)).await).await.values().all(Result::is_err));
    assert_eq!(lines.events(Level::INFO), ["credential_rejected"]);
    assert!(running.status().await.hosts[0].trouble.is_some());
    assert!(all(running.look(&tags(&plan)).await).await.values().all(Result::is_ok));
    assert_eq!(lines.events(Level::INFO), ["credential_rejected", "registry_recovered"]);
    assert!(running.status().await.hosts[0].trouble.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_a_look_has_closed_opens_again_although_no_tag_of_it_has_a_next_poll() {
    let mut plan = known(host(HOST, 3, NO_RATE));
    plan.tags.iter_mut().for_each(|tag| tag.until = Until::Asked);
    let script = Script::new(|_, asked| match asked {
        0..4 => (AT_ONCE, Err(trouble_of("connect"))),
        _ => (AT_ONCE, resolved()),
    });
    let running = start(Mode::Continuous, vec![plan.clone()], script);
    let tag = tags(&plan)[1].clone();
    assert!(all(running.look(std::slice::from_ref(&tag)).await).await.values().all(Result::is_err));
    pass(10 * MINUTE).await;
    assert_eq!(running.script.asked_of(&tag).len(), 5, "it is probed until it answers, and then no more");
    assert_eq!(running.script.asked().len(), 5);
    let answers = all(running.look(&tags(&plan)[1..]).await).await;
    assert_eq!(answers[&tag], resolved());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_closed_meanwhile_is_not_waited_for() {
    // The poll that closes the host begins with the look and ends later: the second tag waits at the gate by then.
    let script = Script::new(|tag, _| match tag.repository() {
        "app-0" => (3 * AT_ONCE, Err(Trouble { retry_after: Some(HOUR), ..trouble_of(Trouble::LIMIT) })),
        _ => (AT_ONCE, resolved()),
    });
    let mut plan = resting(HOST, 10, Limits { max_connections: 2, requests_per_second: Some(2.0) });
    plan.tags[0].eager = true;
    let running = start(Mode::Continuous, vec![plan.clone()], script);
    let begin = Instant::now();
    let answers = all(running.look(&tags(&plan)[1..]).await).await;
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(answers.len(), 9);
    assert!(answers.values().filter(|result| result.is_err()).count() >= 7, "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_the_registry_wants_left_alone_is_not_asked_for() {
    // It closed its host before others succeeded there: the registry's wish is its own now.
    let wish = || {
        (AT_ONCE, Err(Trouble { retry_after: Some(Duration::from_secs(60)), ..trouble_of("server_error") }))
    };
    let script = Script::new(move |tag, _| match tag.repository() {
        "app-0" => wish(),
        _ => (AT_ONCE, resolved()),
    });
    let plan = host(HOST, 4, Limits { max_connections: 1, ..NO_RATE });
    let running = start(Mode::Continuous, vec![plan.clone()], script);
    pass(30 * Duration::from_secs(1)).await;
    let tag = plan.tags[0].tag.clone();
    let before = running.script.asked_of(&tag).len();
    assert!(before > 0);
    let answers = all(running.look(std::slice::from_ref(&tag)).await).await;
    assert_eq!(answers[&tag].as_ref().unwrap_err().kind, "server_error");
    assert_eq!(running.script.asked_of(&tag).len(), before);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_calls_the_rest_off() {
    let plan = resting(HOST, 100, Limits { max_connections: 1, requests_per_second: Some(1.0) });
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(AT_ONCE));
    let mut answers = running.look(&tags(&plan)).await;
    assert!(answers.recv().await.unwrap().1.is_ok());
    drop(answers);
    pass(10 * MINUTE).await;
    assert!(running.script.asked().len() <= 2, "{}", running.script.asked().len());
    let again = all(running.look(&tags(&plan)[..1]).await).await;
    assert!(again.values().all(Result::is_ok), "the next one need not wait for it");
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_nobody_polls_is_told_apart() {
    let plan = resting(HOST, 1, NO_RATE);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(AT_ONCE));
    let here: TagRef = format!("{HOST}/stranger:1").parse().unwrap();
    let elsewhere: TagRef = "elsewhere.example.com/stranger:1".parse().unwrap();
    let answers = all(running.look(&[here.clone(), elsewhere.clone(), tags(&plan)[0].clone()]).await).await;
    for stranger in [&here, &elsewhere] {
        assert_eq!(answers[stranger].as_ref().unwrap_err().kind, Trouble::NOT_POLLED);
    }
    assert!(answers[&tags(&plan)[0]].is_ok());
    assert_eq!(running.script.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_plan_takes_what_is_gone_out_of_a_look() {
    let plan = resting(HOST, 10, Limits { max_connections: 1, requests_per_second: Some(1.0) });
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(AT_ONCE));
    let mut answers = running.look(&tags(&plan)).await;
    let (first, _) = answers.recv().await.unwrap();
    let (gone, kept) = (plan.tags[9].tag.clone(), plan.tags[5].tag.clone());
    assert!(first != gone && first != kept);
    let mut rest = plan.clone();
    rest.tags.retain(|tag| tag.tag != gone);
    let new = resting("a-new-one.example.com", 3, NO_RATE);
    running.commands.send(Command::Replan(Plan { hosts: vec![new, rest] })).await.unwrap();
    let answers = all(answers).await;
    assert_eq!(answers[&gone].as_ref().unwrap_err().kind, Trouble::NOT_POLLED);
    assert!(answers[&kept].is_ok());
    assert!(running.script.asked_of(&gone).is_empty());
}

#[tokio::test(start_paused = true)]
async fn polling_once_looks_at_nothing_besides() {
    let plan = host(HOST, 1, NO_RATE);
    let running = start(Mode::Once, vec![plan.clone()], Script::steady(MINUTE));
    let answers = all(running.look(&tags(&plan)).await).await;
    assert_eq!(answers[&tags(&plan)[0]].as_ref().unwrap_err().kind, Trouble::POLLED_ONCE);
    assert_eq!(running.finish().await.0.asked().len(), 1);
}
