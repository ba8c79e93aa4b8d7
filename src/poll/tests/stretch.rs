use std::time::Duration;

use proptest::prelude::*;

use super::support::{MINUTE, host};
use crate::poll::cohort::{Layout, gather};
use crate::poll::stretch::{Stretch, Stretched};
use crate::poll::{HostPlan, Limits};

fn plan(count: usize, interval: Duration, rate: Option<f64>) -> HostPlan {
    let limits = Limits { max_connections: 2, requests_per_second: rate };
    let mut plan = host("registry.example.com", count, limits);
    plan.tags.iter_mut().for_each(|tag| tag.interval = interval);
    plan
}

#[test]
fn intervals_that_a_budget_bears_are_kept() {
    for plan in [plan(120, MINUTE, Some(2.0)), plan(100_000, MINUTE, None), plan(0, MINUTE, Some(1.0))] {
        let stretch = Stretch::of(&plan);
        assert_eq!(stretch.apply(MINUTE), MINUTE);
        assert_eq!(stretch.told(&plan), None);
    }
}

#[test]
fn each_interval_of_a_host_is_stretched_by_the_same_factor() {
    // 240 tags a minute and 60 an hour, at two a second.
    let mut plan = plan(240, MINUTE, Some(2.0));
    plan.tags.extend(self::plan(60, 60 * MINUTE, None).tags);
    let stretch = Stretch::of(&plan);
    let factor = stretch.apply(MINUTE).div_duration_f64(MINUTE);
    assert!((2.0..2.13).contains(&factor), "{factor}");
    assert!((stretch.apply(60 * MINUTE).div_duration_f64(60 * MINUTE) - factor).abs() < 1e-9);
    let told = Stretched { wanted: MINUTE, interval: stretch.apply(MINUTE) };
    assert_eq!(stretch.told(&plan), Some(told));
}

#[test]
fn no_rate_and_no_interval_makes_no_sense() {
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300] {
        for interval in [Duration::ZERO, Duration::MAX, MINUTE] {
            let plan = plan(3, interval, Some(rate));
            assert!(Stretch::of(&plan).apply(interval) >= interval.min(Duration::from_hours(1_000_000)));
        }
    }
}

#[test]
fn cohorts_keep_the_stretched_interval() {
    let plan = plan(240, MINUTE, Some(2.0));
    let interval = Stretch::of(&plan).apply(MINUTE);
    for cohort in gather(0, plan, &mut Layout::default()) {
        let period = cohort.period_after(Duration::from_secs(1_800_000_000));
        let hundred = cohort.due(period + 100) - cohort.due(period);
        assert!((hundred.div_duration_f64(interval) - 100.0).abs() <= 0.2, "{hundred:?}");
    }
}

proptest! {
    #[test]
    fn what_is_asked_for_fits_the_budget_and_wastes_little_of_it(
        count in 1usize..2_000,
        seconds in 1u64..10_000,
        rate in 0.1f64..100.0,
    ) {
        let plan = plan(count, Duration::from_secs(seconds), Some(rate));
        let interval = Stretch::of(&plan).apply(Duration::from_secs(seconds));
        let asked = count as f64 / interval.as_secs_f64();
        prop_assert!(asked <= rate * (1.0 + 1e-6));
        if interval > Duration::from_secs(seconds) {
            prop_assert!(asked >= rate * 16.0 / 17.0 - 1e-6, "{} of {}", asked, rate);
        }
    }
}
