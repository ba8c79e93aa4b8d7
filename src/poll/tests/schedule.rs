use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::support::{MINUTE, NO_RATE, host, known};
use crate::image::TagRef;
use crate::poll::cohort::{self, Cohort, Layout, gather};
use crate::poll::schedule::Schedule;
use crate::poll::{HostPlan, Mode, TagPlan};

const QUARTER: Duration = Duration::from_mins(15);

/// Steady time at the start: some day in 2027.
fn some_day() -> impl Strategy<Value = Duration> {
    (1_790_000_000_000u64..1_810_000_000_000).prop_map(Duration::from_millis)
}

fn interval() -> impl Strategy<Value = Duration> {
    prop_oneof![100u64..2_000, 60_000u64..1_000_000, 3_600_000u64..90_000_000].prop_map(Duration::from_millis)
}

fn every(interval: Duration, mut host: HostPlan) -> HostPlan {
    host.tags.iter_mut().for_each(|tag| tag.interval = interval);
    host
}

/// The schedule of one host and its tags.
fn schedule(plan: &HostPlan, now: Duration) -> (Schedule, Vec<TagRef>) {
    let mut layout = Layout::default();
    let cohorts = gather(0, plan.clone(), &mut layout);
    (Schedule::new(cohorts, Mode::Continuous, now), layout.tags)
}

/// When each tag is due in `from..until`, if a round takes no time.
fn due_times(plan: &HostPlan, from: Duration, until: Duration) -> BTreeMap<TagRef, Vec<Duration>> {
    let (mut schedule, tags) = schedule(plan, from);
    let mut times: BTreeMap<TagRef, Vec<Duration>> = BTreeMap::new();
    while let Some(now) = schedule.next_due().filter(|due| *due < until) {
        let round = schedule.take_due(now).unwrap();
        for tag in &tags[round.tags.clone()] {
            times.entry(tag.clone()).or_default().push(now);
        }
        schedule.finish(&round, now);
    }
    times
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_tag_is_due_once_a_period_within_the_jitter(
        start in some_day(),
        interval in interval(),
        count in 1usize..120,
    ) {
        let plan = every(interval, known(host("registry.example.com", count, NO_RATE)));
        let times = due_times(&plan, start, start + 8 * interval);
        prop_assert_eq!(times.len(), count);
        for times in times.values() {
            prop_assert!((7..=9).contains(&times.len()), "due {} times in 8 periods", times.len());
            // Without the periods, all times lie within a tenth on either side of one phase.
            let phases = (0..).zip(times).map(|(period, due)| *due + 10 * interval - period * interval);
            let (earliest, latest) = (phases.clone().min().unwrap(), phases.max().unwrap());
            prop_assert!(latest - earliest <= interval / 5);
            prop_assert!(latest > earliest, "without jitter, every daemon in the world asks at the same moment");
        }
    }

    #[test]
    fn a_restart_moves_nothing(
        start in some_day(),
        interval in interval(),
        later in 0.0f64..3.0,
        count in 1usize..80,
    ) {
        let plan = every(interval, known(host("registry.example.com", count, NO_RATE)));
        let (restart, end) = (start + interval.mul_f64(later), start + 5 * interval);
        let mut undisturbed = due_times(&plan, start, end);
        undisturbed.values_mut().for_each(|times| times.retain(|due| *due > restart));
        prop_assert_eq!(due_times(&plan, restart, end), undisturbed);
    }

    #[test]
    fn every_tag_is_in_one_cohort_of_at_most_twenty(count in 0usize..400) {
        let plan = host("registry.example.com", count, NO_RATE);
        let mut layout = Layout::default();
        let cohorts = gather(0, plan.clone(), &mut layout);
        let positions: Vec<usize> = cohorts.iter().flat_map(|cohort| cohort.tags.clone()).collect();
        prop_assert_eq!(positions, (0..count).collect::<Vec<_>>());
        prop_assert!(cohorts.iter().all(|cohort| (1..=cohort::SIZE).contains(&cohort.tags.len())));
        let wanted: BTreeSet<TagRef> = plan.tags.into_iter().map(|plan| plan.tag).collect();
        prop_assert_eq!(layout.tags.into_iter().collect::<BTreeSet<_>>(), wanted);
    }

    #[test]
    fn a_tag_more_moves_no_cohort_but_its_own(start in some_day(), count in 1usize..300) {
        let all = every(QUARTER, known(host("registry.example.com", count + 1, NO_RATE)));
        let mut fewer = all.clone();
        fewer.tags.pop();
        let (before, after) = (
            due_times(&fewer, start, start + 2 * QUARTER),
            due_times(&all, start, start + 2 * QUARTER),
        );
        let moved = before.iter().filter(|(tag, times)| after[*tag] != **times).count();
        prop_assert!(moved <= cohort::SIZE, "{moved} tags moved");
    }

    #[test]
    fn a_host_is_asked_evenly(start in some_day(), name in "[a-z]{3,12}", count in 100usize..2_000) {
        let plan = every(QUARTER, known(host(&format!("{name}.example.com"), count, NO_RATE)));
        let times = due_times(&plan, start, start + 3 * QUARTER);
        let window = QUARTER / 5;
        let mut load = [0usize; 15];
        for due in times.values().flatten() {
            load[((*due - start).as_nanos() / window.as_nanos()) as usize] += 1;
        }
        let fair = count / 5;
        // A cohort is due at one instant, and jitter brings some together: a few cohorts more than its share.
        let most = 2 * fair + 2 * cohort::SIZE;
        prop_assert!(load.iter().all(|load| *load <= most), "{load:?} of {fair} each");
    }

    #[test]
    fn a_round_that_outlasts_its_slots_is_due_once_more_and_then_in_its_slot(
        start in some_day(),
        lasts in 0.0f64..5.0,
    ) {
        let plan = known(host("registry.example.com", 20, NO_RATE));
        let (mut schedule, _) = schedule(&plan, start);
        let undisturbed = &due_times(&plan, start, start + 12 * MINUTE)[&plan.tags[0].tag];
        let round = schedule.take_due(undisturbed[0]).unwrap();
        let end = undisturbed[0] + MINUTE.mul_f64(lasts);
        schedule.finish(&round, end);
        let mut next = || {
            let due = schedule.next_due().unwrap();
            let round = schedule.take_due(due.max(end)).unwrap();
            schedule.finish(&round, due.max(end));
            due
        };
        let passed = undisturbed.iter().skip(1).rfind(|due| **due <= end);
        let coming = undisturbed.iter().find(|due| **due > end).unwrap();
        if let Some(passed) = passed {
            prop_assert_eq!(next(), *passed, "the last slot that passed is kept");
        }
        prop_assert_eq!(next(), *coming);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_slot_that_passes_during_a_round_of_tags_that_cannot_wait_is_kept(
        start in some_day(),
        lasts in 0.0f64..5.0,
    ) {
        let mut plan = known(host("registry.example.com", 20, NO_RATE));
        let undisturbed = &due_times(&plan, start, start + 12 * MINUTE)[&plan.tags[0].tag];
        plan.tags[0].eager = true;
        let (mut schedule, _) = schedule(&plan, start);
        let eager = schedule.take_due(start).unwrap();
        prop_assert_eq!(eager.tags.len(), 1);
        let end = start + MINUTE.mul_f64(lasts);
        schedule.finish(&eager, end);
        let passed = undisturbed.iter().rfind(|due| **due <= end);
        let expected = passed.or(undisturbed.first()).copied();
        prop_assert_eq!(schedule.next_due(), expected, "the tags that were known are still due");
    }
}

#[test]
fn tags_that_cannot_wait_are_due_at_once_and_the_others_in_their_slot() {
    let start = Duration::from_secs(1_800_000_000);
    let mut plan = known(host("registry.example.com", 15, NO_RATE));
    plan.tags[3].eager = true;
    plan.tags[11].eager = true;
    let all = due_times(&plan, start, start + MINUTE * 2);
    for TagPlan { tag, eager, .. } in &plan.tags {
        assert_eq!(all[tag][0] == start, *eager, "{tag}");
        assert!(all[tag].iter().any(|due| *due > start), "{tag} has its slots too");
    }
}

#[test]
fn once_means_every_tag_at_once_and_never_again() {
    let start = Duration::from_secs(1_800_000_000);
    let mut layout = Layout::default();
    let cohorts = gather(0, known(host("registry.example.com", 50, NO_RATE)), &mut layout);
    let mut schedule = Schedule::new(cohorts, Mode::Once, start);
    let mut seen = Vec::new();
    while let Some(round) = schedule.take_due(start) {
        seen.extend(round.tags.clone());
        schedule.finish(&round, start);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
    assert_eq!(schedule.next_due(), None);
}

#[test]
fn another_host_login_or_interval_is_another_phase() {
    let start = Duration::from_secs(1_800_000_000);
    let first_due = |plan: HostPlan| schedule(&plan, start).0.next_due().unwrap();
    let plan = known(host("registry.example.com", 1, NO_RATE));
    let login = |name: &str| HostPlan { credential: Some(name.to_owned()), ..plan.clone() };
    let phases = [
        first_due(plan.clone()),
        first_due(login("ci")),
        first_due(login("deploy")),
        first_due(known(host("other.example.com", 1, NO_RATE))),
        first_due(every(MINUTE + Duration::from_secs(1), plan.clone())),
    ];
    assert_eq!(phases.iter().collect::<BTreeSet<_>>().len(), phases.len(), "{phases:?}");
}

#[test]
fn the_phase_is_the_same_in_every_version() {
    let plan = known(host("registry.example.com", 1, NO_RATE));
    let (schedule, _) = schedule(&plan, Duration::from_secs(1_800_000_000));
    assert_eq!(schedule.next_due(), Some(Duration::from_nanos(1_800_000_010_692_226_754)));
}

#[test]
fn no_interval_is_too_short_or_too_long() {
    let now = Duration::from_secs(1_800_000_000);
    for interval in [Duration::ZERO, Duration::from_nanos(1), Duration::from_hours(5_000_000), Duration::MAX]
    {
        let plan = every(interval, host("registry.example.com", 1, NO_RATE));
        let cohorts: Vec<Cohort> = gather(0, plan, &mut Layout::default());
        let coming = cohorts[0].period_after(now);
        assert!(cohorts[0].due(coming) > now, "{interval:?}");
    }
}
