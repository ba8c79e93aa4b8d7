use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::SignedDuration;

use super::support::{
    FOR_EVER, MINUTE, NO_RATE, Script, base, host, known, pass, resolved, start, start_with, trouble,
};
use crate::image::TagRef;
use crate::poll::{Command, HostPlan, Limits, Mode, Outcome};

const SLOWLY: Duration = Duration::from_millis(300);
const POLITE: Limits = Limits { max_connections: 2, requests_per_second: Some(2.0) };

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("r{number}.example.com")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_tags_in_five_rounds_are_asked_for_exactly_five_hundred_times() {
    let plan = host("registry.example.com", 100, NO_RATE);
    let mut running = start(Mode::Continuous, vec![plan.clone()], Script::steady(SLOWLY));
    for _ in 0..500 {
        let observation = running.observations.recv().await.unwrap();
        assert_eq!(observation.outcome, Outcome::Resolved(resolved().unwrap()));
    }
    for tag in &plan.tags {
        assert_eq!(running.script.asked_of(&tag.tag).len(), 5, "{}", tag.tag);
    }
    assert_eq!(running.script.asked().len(), 500);
}

#[tokio::test(start_paused = true)]
async fn once_polls_each_tag_exactly_once_and_returns() {
    let hosts: Vec<HostPlan> = names(3).iter().map(|name| known(host(name, 50, POLITE))).collect();
    let wanted: BTreeSet<TagRef> =
        hosts.iter().flat_map(|host| host.tags.iter().map(|tag| tag.tag.clone())).collect();
    let script = Script::new(|tag, _| match tag.tag() {
        "1" if tag.repository() == "app-7" => (SLOWLY, trouble("timeout")),
        _ => (SLOWLY, resolved()),
    });
    let (script, observations) = start(Mode::Once, hosts, script).finish().await;
    assert_eq!(script.asked().len(), 150);
    assert_eq!(
        observations.iter().filter(|seen| matches!(seen.outcome, Outcome::Unresolved { .. })).count(),
        3
    );
    assert_eq!(observations.into_iter().map(|seen| seen.tag).collect::<BTreeSet<_>>(), wanted);
}

#[tokio::test(start_paused = true)]
async fn each_of_ten_hosts_is_asked_as_if_it_were_alone() {
    let hosts: Vec<HostPlan> = names(10).iter().map(|name| host(name, 30, POLITE)).collect();
    let (together, _) = start(Mode::Once, hosts.clone(), Script::steady(SLOWLY)).finish().await;
    for plan in hosts {
        let name = plan.host.clone();
        let (alone, _) = start(Mode::Once, vec![plan], Script::steady(SLOWLY)).finish().await;
        assert_eq!(together.asked_of_host(&name), alone.asked_of_host(&name));
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_delays_no_other_host_by_a_millisecond() {
    let others: Vec<HostPlan> = names(4).iter().map(|name| host(name, 30, POLITE)).collect();
    let hosts = [vec![host("hanging.example.com", 60, POLITE)], others.clone()].concat();
    let script = Script::new(|tag, _| match tag.host() {
        "hanging.example.com" => (FOR_EVER, resolved()),
        _ => (SLOWLY, resolved()),
    });
    let with = start(Mode::Continuous, hosts, script);
    let without = start(Mode::Continuous, others.clone(), Script::steady(SLOWLY));
    pass(5 * MINUTE).await;
    for HostPlan { host, .. } in &others {
        let asked = with.script.asked_of_host(host);
        assert!(asked.len() >= 4 * 30, "{host} was asked {} times", asked.len());
        assert_eq!(asked, without.script.asked_of_host(host));
    }
    assert_eq!(with.script.asked_of_host("hanging.example.com").len(), POLITE.max_connections);
}

#[tokio::test(start_paused = true)]
async fn a_cohort_is_polled_one_tag_after_the_other() {
    let wide = Limits { max_connections: 16, ..NO_RATE };
    let (script, _) = start(Mode::Once, vec![host("registry.example.com", 20, wide)], Script::steady(SLOWLY))
        .finish()
        .await;
    let asked = script.asked();
    for (position, poll) in asked.iter().enumerate() {
        assert_eq!(poll.at, SLOWLY * position as u32);
    }
    assert_eq!(script.most_in_flight("registry.example.com"), 1);
}

#[tokio::test(start_paused = true)]
async fn every_tag_of_a_host_is_in_exactly_one_group_of_tags_that_share_a_token() {
    let hosts = [host("one.example.com", 60, NO_RATE), host("two.example.com", 10, NO_RATE)];
    let (script, _) = start(Mode::Once, hosts.to_vec(), Script::steady(SLOWLY)).finish().await;
    let asked = script.asked();
    assert!(asked.iter().all(|poll| poll.group.contains(&poll.tag)));
    let groups: BTreeSet<Vec<TagRef>> = asked.into_iter().map(|poll| poll.group).collect();
    let mut sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [10, 10, 25, 25]);
    assert_eq!(groups.into_iter().flatten().collect::<BTreeSet<_>>().len(), 70);
}

#[tokio::test(start_paused = true)]
async fn no_host_has_more_polls_in_flight_than_connections() {
    for max_connections in [1, 2, 5] {
        let limits = Limits { max_connections, requests_per_second: None };
        let plan = host("registry.example.com", 200, limits);
        let (script, _) = start(Mode::Once, vec![plan], Script::steady(SLOWLY)).finish().await;
        assert_eq!(script.most_in_flight("registry.example.com"), max_connections);
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_of_a_poll_spends_the_budget_of_its_host() {
    let script = Script::steady(Duration::ZERO).requests_per_poll(3);
    let (script, _) =
        start(Mode::Once, vec![host("registry.example.com", 20, POLITE)], script).finish().await;
    let permits = script.permits();
    assert_eq!(permits.len(), 60);
    let burst = POLITE.max_connections;
    let pairs = permits.iter().zip(permits.iter().skip(burst));
    assert!(pairs.into_iter().all(|(first, later)| *later - *first >= Duration::from_millis(500)));
    let took = permits[59] - permits[0];
    assert!(took < Duration::from_secs(30), "the rate is used up: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tags_never_exceed_the_rate_and_each_has_its_turn() {
    let mut plan = known(host("registry.example.com", 1_000, POLITE));
    plan.tags.iter_mut().for_each(|tag| tag.interval = 15 * MINUTE);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(Duration::from_millis(20)));
    pass(45 * MINUTE).await;
    let permits = running.script.permits();
    let busiest = permits
        .iter()
        .map(|from| permits.iter().filter(|at| (*from..*from + Duration::from_secs(1)).contains(at)).count());
    assert!(busiest.max().unwrap() <= 4, "two a second, and a burst of two");
    for tag in &plan.tags {
        let asked = running.script.asked_of(&tag.tag);
        assert!((2..=4).contains(&asked.len()), "{} was asked for at {asked:?}", tag.tag);
        let gaps = asked.iter().zip(asked.iter().skip(1)).map(|(before, after)| *after - *before);
        assert!(gaps.max().unwrap() < 20 * MINUTE, "{} was asked for at {asked:?}", tag.tag);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_keep_up_is_asked_at_its_full_rate_and_every_tag_alike() {
    // 240 tags a minute at two a second: every tag has its turn every two minutes.
    let plan = host("registry.example.com", 240, POLITE);
    let running = start(Mode::Continuous, vec![plan.clone()], Script::steady(Duration::from_millis(20)));
    pass(20 * MINUTE).await;
    let asked = running.script.permits().len();
    assert!((2_380..=2_402).contains(&asked), "asked {asked} times in 1,200 seconds");
    for tag in &plan.tags {
        let turns = running.script.asked_of(&tag.tag).len();
        assert!((8..=12).contains(&turns), "{} had {turns} turns", tag.tag);
    }
}

#[tokio::test(start_paused = true)]
async fn setting_the_clock_brings_neither_a_burst_nor_a_gap() {
    let plan = known(host("registry.example.com", 60, NO_RATE));
    let undisturbed = start(Mode::Continuous, vec![plan.clone()], Script::steady(SLOWLY));
    let shift = Arc::new(AtomicI64::new(0));
    let wall = {
        let shift = Arc::clone(&shift);
        move || base() + SignedDuration::from_hours(shift.load(Ordering::Relaxed))
    };
    let shifted = start_with(Mode::Continuous, vec![plan], Script::steady(SLOWLY), wall, 100_000);
    for hours in [3, -5, 100, -2_000] {
        pass(2 * MINUTE).await;
        shift.store(hours, Ordering::Relaxed);
    }
    pass(2 * MINUTE).await;
    assert!(shifted.script.asked().len() > 500);
    assert_eq!(shifted.script.asked(), undisturbed.script.asked());
}

#[tokio::test(start_paused = true)]
async fn polling_ends_at_once_however_it_is_ended() {
    let hanging = || {
        let script = Script::steady(FOR_EVER);
        start(Mode::Continuous, vec![host("hanging.example.com", 5, NO_RATE)], script)
    };
    let running = hanging();
    running.commands.send(Command::Stop).await.unwrap();
    running.task.await.unwrap();

    let running = hanging();
    drop(running.commands);
    running.task.await.unwrap();

    let running = hanging();
    drop(running.observations);
    running.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_does_not_listen_holds_up_polls_but_not_commands() {
    let plan = host("registry.example.com", 100, NO_RATE);
    let mut running = start_with(Mode::Once, vec![plan], Script::steady(SLOWLY), base, 1);
    pass(MINUTE).await;
    assert_eq!(running.script.asked().len(), 1 + NO_RATE.max_connections);
    assert_eq!(running.status().await.hosts[0].in_flight, NO_RATE.max_connections);
    let mut heard = 0;
    while running.observations.recv().await.is_some() {
        heard += 1;
    }
    assert_eq!(heard, 100, "nothing was dropped");
}
