use std::time::Duration;

use proptest::prelude::*;

use crate::poll::budget::{Budget, Limits};

fn budget(max_connections: usize, rate: f64) -> Budget {
    Budget::new(Limits { max_connections, requests_per_second: Some(rate) })
}

fn burst(connections: usize, rate: f64) -> f64 {
    (connections as f64).min(rate.ceil()).max(1.0)
}

/// Takes as a caller does that waits as long as it is told, `idle` between one request and the next.
fn departures(budget: &mut Budget, idle: &[Duration]) -> Vec<Duration> {
    let mut now = Duration::from_secs(7);
    let depart = |idle: &Duration| {
        now += *idle;
        while let Err(wait) = budget.take(now) {
            now += wait;
        }
        now
    };
    idle.iter().map(depart).collect()
}

proptest! {
    #[test]
    fn requests_never_exceed_the_rate_over_any_window(
        connections in 1usize..20,
        rate in 0.05f64..2000.0,
        idle in prop::collection::vec(0u64..3_000, 1..120),
    ) {
        let idle: Vec<Duration> = idle.into_iter().map(Duration::from_millis).collect();
        let left = departures(&mut budget(connections, rate), &idle);
        for (first, start) in left.iter().enumerate() {
            for (last, end) in left.iter().enumerate().skip(first) {
                let allowed = burst(connections, rate) + (*end - *start).as_secs_f64() * rate;
                prop_assert!((last - first + 1) as f64 <= allowed + 1e-6);
            }
        }
    }

    #[test]
    fn a_caller_that_never_idles_is_given_the_whole_rate(connections in 1usize..20, rate in 0.05f64..2000.0) {
        let left = departures(&mut budget(connections, rate), &vec![Duration::ZERO; 200]);
        let took = (left[199] - left[0]).as_secs_f64();
        let ideal = (200.0 - burst(connections, rate)) / rate;
        prop_assert!((took - ideal).abs() < 1e-5, "{took} s instead of {ideal} s");
    }
}

#[test]
fn as_many_requests_leave_at_once_as_there_are_connections() {
    let mut budget = budget(3, 3.0);
    let now = Duration::from_secs(100);
    assert_eq!((0..3).map(|_| budget.take(now)).collect::<Vec<_>>(), [Ok(()); 3]);
    let third = Duration::from_nanos(333_333_334);
    assert_eq!(budget.take(now), Err(third));
    assert_eq!(budget.take(now), Err(third), "a refusal spends nothing");
    assert_eq!(budget.take(now + third), Ok(()));
}

#[test]
fn many_connections_at_a_low_rate_send_no_flood() {
    for (connections, rate, at_once) in
        [(100, 1.0, 1), (100, 0.2, 1), (100, 2.5, 3), (2, 2.0, 2), (2, 50.0, 2)]
    {
        let mut budget = budget(connections, rate);
        let now = Duration::from_secs(100);
        let left = (0..connections + 1).take_while(|_| budget.take(now).is_ok()).count();
        assert_eq!(left, at_once, "{connections} connections at {rate} a second");
    }
}

#[test]
fn without_a_rate_nothing_waits() {
    let mut budget = Budget::new(Limits { max_connections: 1, requests_per_second: None });
    assert!((0..10_000).all(|_| budget.take(Duration::ZERO).is_ok()));
}

#[test]
fn a_rate_that_makes_no_sense_is_the_slowest_there_is() {
    for rate in [0.0, -3.0, f64::NAN, 1e-300] {
        let mut budget = budget(1, rate);
        assert_eq!(budget.take(Duration::ZERO), Ok(()));
        assert_eq!(budget.take(Duration::ZERO), Err(Duration::from_hours(1)), "{rate}");
    }
    assert!((0..100).all(|_| budget(1, f64::INFINITY).take(Duration::ZERO).is_ok()));
}
