//! Tags for which one success is enough (D8, F6).

use std::time::Duration;

use tokio::sync::oneshot;

use super::support::{MINUTE, NO_RATE, Running, Script, host, known, pass, resolved, start, trouble};
use crate::image::TagRef;
use crate::poll::{Command, HostPlan, Limits, Mode, Plan, Until};
use crate::registry::Depth;

const AT_ONCE: Duration = Duration::from_millis(20);
const HOST: &str = "registry.example.com";

impl Running {
    async fn poll_now(&self, tag: &TagRef) {
        let (reply, count) = oneshot::channel();
        self.commands.send(Command::Poll { tags: vec![tag.clone()], reply }).await.unwrap();
        assert_eq!(count.await.unwrap(), 1);
    }

    async fn go_on_with(&self, plan: &HostPlan) {
        self.commands.send(Command::Replan(Plan { hosts: vec![plan.clone()] })).await.unwrap();
        self.status().await;
    }

    /// Whether `tag` has a next poll.
    async fn has_next(&self, tag: &TagRef) -> bool {
        let status = self.status().await;
        status.tags.iter().find(|status| status.tag == *tag).unwrap().next_poll.is_some()
    }
}

/// Ten tags, of which the first is polled `until` then.
fn plan(until: Until) -> (HostPlan, TagRef) {
    let mut plan = host(HOST, 10, NO_RATE);
    plan.tags[0].until = until;
    let tag = plan.tags[0].tag.clone();
    (plan, tag)
}

#[tokio::test(start_paused = true)]
async fn one_success_is_enough_and_the_others_are_polled_as_ever() {
    let (plan, tag) = plan(Until::Found);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(AT_ONCE));
    pass(10 * MINUTE).await;
    assert_eq!(running.script.asked_of(&tag).len(), 1);
    assert!(running.script.asked_of(&plan.tags[1].tag).len() > 8);
    assert!(!running.has_next(&tag).await);
    assert!(running.has_next(&plan.tags[1].tag).await);
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_for_again_until_that_succeeds() {
    let (plan, tag) = plan(Until::Found);
    let script = Script::new(|tag, asked| match (tag.repository(), asked) {
        ("app-0", 0..3) => (AT_ONCE, trouble("denied")),
        _ => (AT_ONCE, resolved()),
    });
    let running = start(Mode::Continuous, vec![plan], script);
    pass(2 * MINUTE).await;
    assert!(running.has_next(&tag).await);
    pass(10 * MINUTE).await;
    assert_eq!(running.script.asked_of(&tag).len(), 4);
    assert!(!running.has_next(&tag).await);
}

#[tokio::test(start_paused = true)]
async fn it_is_polled_once_for_each_time_that_somebody_asks() {
    for before in [Until::Found, Until::Asked] {
        let (plan, tag) = plan(before);
        let running = start(Mode::Continuous, vec![known(plan)], Script::steady(AT_ONCE));
        pass(5 * MINUTE).await;
        let asked = running.script.asked_of(&tag).len();
        assert_eq!(asked, usize::from(before == Until::Found));
        for more in 1..=2 {
            running.poll_now(&tag).await;
            pass(5 * MINUTE).await;
            assert_eq!(running.script.asked_of(&tag).len(), asked + more);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_is_served_once_the_host_is_well_although_the_slot_of_the_tag_passes_meanwhile() {
    let mut plan = known(host(HOST, 1, NO_RATE));
    plan.tags[0].until = Until::Asked;
    let tag = plan.tags[0].tag.clone();
    // The host is in trouble for longer than an interval: its probes come 1, 2, 4, ... seconds after one another.
    let script = Script::new(|_, asked| match asked {
        0..8 => (AT_ONCE, trouble("connect")),
        _ => (AT_ONCE, resolved()),
    });
    let running = start(Mode::Continuous, vec![plan], script);
    running.poll_now(&tag).await;
    pass(30 * MINUTE).await;
    assert_eq!(running.script.asked_of(&tag).len(), 9);
    assert!(running.status().await.hosts[0].trouble.is_none());
}

#[tokio::test(start_paused = true)]
async fn it_stays_done_over_another_plan_however_often_that_comes() {
    let (mut plan, tag) = plan(Until::Found);
    // One connection and slow answers: each plan finds the round of the cohort half done.
    plan.limits = Limits { max_connections: 1, ..NO_RATE };
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(Duration::from_secs(3)));
    pass(MINUTE).await;
    assert_eq!(running.script.asked_of(&tag).len(), 1);
    for position in 1..10 {
        let mut other = plan.clone();
        other.tags[position].interval = 2 * MINUTE;
        running.go_on_with(&other).await;
        pass(MINUTE + Duration::from_secs(7)).await;
    }
    assert_eq!(running.script.asked_of(&tag).len(), 1);
    assert!(running.script.asked().len() > 50);
}

#[tokio::test(start_paused = true)]
async fn another_plan_can_have_it_polled_for_good_and_back() {
    let (plan, tag) = plan(Until::Found);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(AT_ONCE));
    pass(5 * MINUTE).await;
    let mut for_good = plan.clone();
    for_good.tags[0].until = Until::Gone;
    running.go_on_with(&for_good).await;
    pass(5 * MINUTE).await;
    let asked = running.script.asked_of(&tag).len();
    assert!(asked > 3, "{asked}");
    let mut back = plan;
    back.tags[0].until = Until::Asked;
    running.go_on_with(&back).await;
    pass(5 * MINUTE).await;
    assert_eq!(running.script.asked_of(&tag).len(), asked);
}

#[tokio::test(start_paused = true)]
async fn another_plan_that_looks_deeper_has_it_polled_until_that_succeeds() {
    let (plan, tag) = plan(Until::Found);
    let script = Script::new(|tag, asked| match (tag.repository(), asked) {
        ("app-0", 1..4) => (AT_ONCE, trouble("denied")),
        _ => (AT_ONCE, resolved()),
    });
    let running = start(Mode::Continuous, vec![plan.clone()], script);
    pass(5 * MINUTE).await;
    assert_eq!(running.script.asked_of(&tag).len(), 1);
    let mut deeper = plan;
    deeper.tags[0].depth = Depth::Contents;
    running.go_on_with(&deeper).await;
    pass(10 * MINUTE).await;
    assert_eq!(running.script.asked_of(&tag).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn another_plan_that_knows_it_from_before_does_not_end_what_was_not_found_since() {
    let (plan, tag) = plan(Until::Found);
    let script = Script::new(|tag, asked| match (tag.repository(), asked) {
        ("app-0", 0..4) => (AT_ONCE, trouble("denied")),
        _ => (AT_ONCE, resolved()),
    });
    let running = start(Mode::Continuous, vec![plan.clone()], script);
    pass(MINUTE / 2).await;
    for interval in [MINUTE, 2 * MINUTE] {
        let mut other = plan.clone();
        other.tags[0].until = Until::Asked;
        other.tags[1].interval = interval;
        running.go_on_with(&other).await;
    }
    pass(10 * MINUTE).await;
    assert_eq!(running.script.asked_of(&tag).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn polling_once_passes_over_what_was_found_before() {
    for (until, expected) in [(Until::Found, 10), (Until::Asked, 9)] {
        let running = start(Mode::Once, vec![plan(until).0], Script::steady(AT_ONCE));
        let (script, observations) = running.finish().await;
        assert_eq!((script.asked().len(), observations.len()), (expected, expected));
    }
}
