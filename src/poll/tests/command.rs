//! What can be asked of polling while it goes on: a look now, and another plan.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::support::{
    MINUTE, NO_RATE, Running, Script, base, host, known, pass, resolved, start, start_with, trouble,
    trouble_of,
};
use crate::image::{Digest, TagRef};
use crate::poll::budget::Budget;
use crate::poll::{Command, HostPlan, Limits, Mode, Plan, Status, TagPlan, Trouble};
use crate::registry::{Depth, Known};

const SLOWLY: Duration = Duration::from_millis(300);
const HOUR: Duration = Duration::from_hours(1);

impl Running {
    async fn poll(&self, tags: &[&TagRef]) -> usize {
        let (reply, count) = oneshot::channel();
        let tags = tags.iter().map(|tag| (*tag).clone()).collect();
        self.commands.send(Command::Poll { tags, reply }).await.unwrap();
        count.await.unwrap()
    }

    async fn replan(&self, hosts: &[HostPlan]) {
        self.commands.send(Command::Replan(Plan { hosts: hosts.to_vec() })).await.unwrap();
        // The next answer comes after it.
        self.status().await;
    }
}

fn slowly_polled(name: &str, count: usize, limits: Limits) -> HostPlan {
    let mut plan = known(host(name, count, limits));
    plan.tags.iter_mut().for_each(|tag| tag.interval = 6 * HOUR);
    plan
}

fn names(plan: &HostPlan) -> BTreeSet<TagRef> {
    plan.tags.iter().map(|tag| tag.tag.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn tags_that_are_asked_for_are_polled_once_and_no_others() {
    let plan = slowly_polled("registry.example.com", 40, NO_RATE);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(SLOWLY));
    let (one, two) = (&plan.tags[3].tag, &plan.tags[30].tag);
    let stranger: TagRef = "registry.example.com/stranger:1".parse().unwrap();
    assert_eq!(running.poll(&[one, two, one, &stranger]).await, 2);
    pass(MINUTE).await;
    let asked: Vec<TagRef> = running.script.asked().into_iter().map(|asked| asked.tag).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked.into_iter().collect::<BTreeSet<_>>(), [one.clone(), two.clone()].into());
}

#[tokio::test(start_paused = true)]
async fn all_tags_are_polled_once_within_the_budget_and_in_their_slots_as_ever() {
    let polite = Limits { max_connections: 2, requests_per_second: Some(2.0) };
    let plan = known(host("registry.example.com", 60, polite));
    let undisturbed = start(Mode::Continuous, vec![plan.clone()], Script::steady(SLOWLY));
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(SLOWLY));
    let slot = |status: &Status| {
        let tags = status.tags.iter().map(|tag| (tag.tag.clone(), tag.next_poll.unwrap()));
        tags.min_by_key(|(_, next)| *next).unwrap()
    };
    pass(10 * MINUTE).await;
    let (first, wait) = slot(&undisturbed.status().await);
    pass(wait - Duration::from_millis(1)).await;
    let before = running.script.asked().len();
    // Half of its slots lie within what follows.
    assert_eq!(running.poll(&[]).await, 60);
    pass(MINUTE).await;
    let permits = running.script.permits();
    let mut pairs = permits.iter().zip(permits.iter().skip(2));
    assert!(pairs.all(|(first, later)| *later - *first >= Duration::from_millis(500)));
    let extra = running.script.asked_of(&first).len() - undisturbed.script.asked_of(&first).len();
    assert!(extra <= 1, "{first} was asked for {extra} times more");
    assert!(running.script.asked().len() - before >= 60);
    pass(10 * MINUTE).await;
    for tag in names(&plan) {
        let (asked, otherwise) = (running.script.asked_of(&tag), undisturbed.script.asked_of(&tag));
        assert!((otherwise.len()..=otherwise.len() + 1).contains(&asked.len()), "{tag}: {asked:?}");
        assert_eq!(asked.last(), otherwise.last(), "{tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_waits_already_is_not_asked_for_twice() {
    let plan = host("registry.example.com", 20, Limits { max_connections: 1, ..NO_RATE });
    let running = start(Mode::Continuous, vec![slowly(plan)], Script::steady(SLOWLY));
    pass(SLOWLY / 2).await;
    assert_eq!(running.poll(&[]).await, 20);
    assert_eq!(running.poll(&[]).await, 20);
    pass(MINUTE).await;
    assert_eq!(running.script.asked().len(), 20 + 1, "the one that was in flight is asked for again");
}

fn slowly(mut plan: HostPlan) -> HostPlan {
    plan.tags.iter_mut().for_each(|tag| tag.interval = 6 * HOUR);
    plan
}

#[tokio::test(start_paused = true)]
async fn the_same_plan_again_and_again_moves_no_poll() {
    let hosts = [known(host("one.example.com", 50, NO_RATE)), known(host("two.example.com", 30, NO_RATE))];
    let undisturbed = start(Mode::Continuous, hosts.to_vec(), Script::steady(SLOWLY));
    let running = start(Mode::Continuous, hosts.to_vec(), Script::steady(SLOWLY));
    for _ in 0..50 {
        running.replan(&hosts).await;
        pass(Duration::from_millis(7_123)).await;
    }
    assert!(running.script.asked().len() > 300);
    assert_eq!(running.script.asked(), undisturbed.script.asked());
}

#[tokio::test(start_paused = true)]
async fn another_plan_leaves_the_slots_of_the_tags_in_both_where_they_are() {
    let (kept, gone) =
        (known(host("kept.example.com", 30, NO_RATE)), known(host("gone.example.com", 5, NO_RATE)));
    let new = known(host("new.example.com", 5, NO_RATE));
    let undisturbed = start(Mode::Continuous, vec![kept.clone()], Script::steady(SLOWLY));
    let running = start(Mode::Continuous, vec![gone.clone(), kept.clone()], Script::steady(SLOWLY));
    pass(5 * MINUTE).await;
    let of_gone = running.script.asked_of_host("gone.example.com").len();
    running.replan(&[new.clone(), kept.clone()]).await;
    pass(5 * MINUTE).await;
    assert_eq!(running.script.asked_of_host("gone.example.com").len(), of_gone);
    assert!(running.script.asked_of_host("new.example.com").len() >= 4 * 5);
    for tag in names(&kept) {
        let (asked, otherwise) = (running.script.asked_of(&tag), undisturbed.script.asked_of(&tag));
        assert_eq!(asked.len(), otherwise.len(), "{tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_a_tag_outlasts_the_plan() {
    let script = Script::new(|tag, _| match tag.repository() {
        "app-2" => (SLOWLY, trouble("denied")),
        _ => (SLOWLY, resolved()),
    });
    let plan = host("registry.example.com", 10, NO_RATE);
    let running = start(Mode::Continuous, vec![plan.clone()], script);
    pass(5 * MINUTE).await;
    let before = running.status().await;
    let new = host("new.example.com", 1, NO_RATE);
    let mut rest = known(plan);
    rest.tags.remove(0);
    running.replan(&[new, rest.clone()]).await;
    let after = running.status().await;
    for tag in names(&rest) {
        let of = |status: &Status| {
            let tag = status.tags.iter().find(|status| status.tag == tag).unwrap().clone();
            (tag.last_success, tag.condition)
        };
        assert_eq!(of(&after), of(&before), "{tag}");
    }
    assert_eq!(after.hosts[1].failing, 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_tag_pointed_to_outlasts_the_plan_unless_the_plan_knows_better() {
    let plan = known(host("registry.example.com", 3, NO_RATE));
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(SLOWLY));
    pass(2 * MINUTE).await;
    let digest = resolved().unwrap().polled.digest().unwrap().clone();
    let stale = Known { digest: Digest::sha256_of(b"stale"), unread: false };
    let unread = Known { digest: digest.clone(), unread: true };
    let mut next = plan.clone();
    for (tag, known) in next.tags.iter_mut().zip([None, Some(stale), Some(unread)]) {
        tag.known = known;
        tag.depth = Depth::Moves;
    }
    running.replan(std::slice::from_ref(&next)).await;
    pass(2 * MINUTE).await;
    let given = |position: usize| {
        let mut asked = running.script.asked().into_iter();
        let first_after = asked.find(|asked| asked.at >= 2 * MINUTE && asked.tag == plan.tags[position].tag);
        first_after.unwrap().known
    };
    let running_known = Some(Known { digest: digest.clone(), unread: false });
    assert_eq!(given(0), running_known);
    assert_eq!(given(1), running_known, "polling has handed on what it knows");
    assert_eq!(given(2), Some(Known { digest, unread: true }), "what was never looked into is not there");
}

#[tokio::test(start_paused = true)]
async fn polls_of_tags_that_are_gone_are_dropped_and_the_others_go_on() {
    let script =
        Script::new(|_, asked| if asked == 0 { (MINUTE * 3, resolved()) } else { (SLOWLY, resolved()) });
    let plan = slowly(host("registry.example.com", 40, Limits { max_connections: 2, ..NO_RATE }));
    let mut running = start(Mode::Continuous, vec![plan.clone()], script);
    pass(MINUTE).await;
    let hanging: Vec<TagRef> = running.script.asked().into_iter().map(|asked| asked.tag).collect();
    assert_eq!(hanging.len(), 2);
    let mut rest = plan;
    rest.tags.retain(|tag| tag.tag != hanging[0]);
    running.replan(&[rest]).await;
    pass(MINUTE).await;
    assert_eq!(running.script.asked().len(), 3, "its connection is free");
    let seen = running.observations.recv().await.unwrap();
    assert_eq!(seen.tag, hanging[1]);
    assert_eq!(running.script.asked_of(&hanging[1]), [Duration::ZERO], "it is not asked for again");
    pass(HOUR).await;
    while let Ok(seen) = running.observations.try_recv() {
        assert_ne!(seen.tag, hanging[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_was_answered_before_the_plan_changed_holds_though_nobody_had_heard_of_it() {
    let count = AtomicUsize::new(0);
    let script = Script::new(move |_, _| match count.fetch_add(1, Ordering::Relaxed) {
        1 => {
            let wish = Some(Duration::from_secs(600));
            (SLOWLY * 2, Err(Trouble { retry_after: wish, ..trouble_of(Trouble::LIMIT) }))
        }
        _ => (SLOWLY / 2, resolved()),
    });
    let plan = slowly(host("registry.example.com", 40, NO_RATE));
    // Whoever is told of the first answer is slow, and the next two wait.
    let mut running = start_with(Mode::Continuous, vec![plan.clone()], script, base, 1);
    pass(MINUTE).await;
    let asked: Vec<TagRef> = running.script.asked().into_iter().map(|asked| asked.tag).collect();
    assert_eq!(asked.len(), 3);
    let mut rest = plan;
    rest.tags.retain(|tag| tag.tag != asked[2]);
    running.replan(&[rest]).await;
    let reader = async { while running.observations.recv().await.is_some() {} };
    tokio::select! {
        () = reader => {}
        () = pass(5 * MINUTE) => {}
    }
    assert_eq!(running.script.asked().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_due_or_under_way_when_the_plan_changes_is_not_lost() {
    let plan = slowly(host("registry.example.com", 60, NO_RATE));
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(SLOWLY));
    pass(SLOWLY * 5 / 2).await;
    let new = slowly(known(host("new.example.com", 5, NO_RATE)));
    running.replan(&[new, plan.clone()]).await;
    pass(MINUTE).await;
    for tag in names(&plan) {
        assert_eq!(running.script.asked_of(&tag).len(), 1, "{tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_passed_while_the_host_could_not_keep_up_is_not_lost_when_the_plan_changes() {
    let mut plan = known(host("registry.example.com", 20, Limits { max_connections: 1, ..NO_RATE }));
    plan.tags.iter_mut().for_each(|tag| tag.interval = HOUR);
    // A round takes 80 minutes.
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(4 * MINUTE));
    while running.script.asked().len() < 20 {
        pass(MINUTE).await;
    }
    let new = known(host("new.example.com", 0, NO_RATE));
    running.replan(&[new, plan]).await;
    pass(5 * MINUTE).await;
    assert!(running.script.asked().len() > 20, "it goes on at once");
}

#[tokio::test(start_paused = true)]
async fn tags_that_cannot_wait_any_more_or_matter_more_deeply_are_polled_at_once() {
    let plan = slowly_polled("registry.example.com", 10, NO_RATE);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(SLOWLY));
    pass(MINUTE).await;
    let mut next = plan.clone();
    next.tags[2].eager = true;
    next.tags[5].depth = Depth::Contents;
    next.tags.push(never_seen(&plan));
    running.replan(std::slice::from_ref(&next)).await;
    pass(MINUTE).await;
    let asked: BTreeSet<TagRef> = running.script.asked().into_iter().map(|asked| asked.tag).collect();
    let expected = [&next.tags[2], &next.tags[5], &next.tags[10]].map(|tag| tag.tag.clone());
    assert_eq!(asked, expected.into());
}

fn never_seen(plan: &HostPlan) -> TagPlan {
    let tag = format!("{}/never-seen:1", plan.host).parse().unwrap();
    TagPlan { tag, eager: true, ..plan.tags[0].clone() }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_changes_every_moment_brings_no_request_beyond_the_budget() {
    let polite = Limits { max_connections: 2, requests_per_second: Some(2.0) };
    let plan = host("registry.example.com", 40, polite);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(SLOWLY));
    for turn in 0..100 {
        let mut other = plan.clone();
        other.tags.remove(turn % 40);
        running.replan(&[other]).await;
        pass(Duration::from_millis(130)).await;
    }
    let permits = running.script.permits();
    let mut pairs = permits.iter().zip(permits.iter().skip(2));
    assert!(pairs.all(|(first, later)| *later - *first >= Duration::from_millis(500)), "{permits:?}");
}

#[tokio::test(start_paused = true)]
async fn other_limits_hold_from_the_change_on_even_for_who_waits() {
    let slow = Limits { max_connections: 1, requests_per_second: Some(1.0 / 600.0) };
    let plan = host("registry.example.com", 3, slow);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(SLOWLY));
    pass(MINUTE).await;
    assert_eq!(running.script.asked().len(), 1);
    running.replan(&[HostPlan { limits: NO_RATE, ..plan }]).await;
    pass(MINUTE / 2).await;
    assert!(running.script.asked().len() >= 3, "{:?}", running.script.asked());
}

proptest! {
    #[test]
    fn requests_that_are_spent_stay_spent_under_other_limits(
        before in 0.1f64..50.0,
        after in 0.1f64..50.0,
        spent in 1usize..20,
    ) {
        let limits = |rate| Limits { max_connections: 100, requests_per_second: Some(rate) };
        let now = Duration::from_secs(7);
        let mut budget = Budget::new(limits(before));
        let spent = (0..spent).take_while(|_| budget.take(now).is_ok()).count();
        budget.limit(limits(after), now);
        let left = (0..1_000).take_while(|_| budget.take(now).is_ok()).count();
        let burst = after.ceil().max(1.0) as usize;
        let slack = 1;
        prop_assert!(left + spent <= burst.max(spent) + slack, "{spent} and then {left} of {burst}");
        prop_assert!(left + spent + slack >= burst);
    }
}
