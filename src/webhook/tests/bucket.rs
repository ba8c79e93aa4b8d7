use std::time::Duration;

use tokio::time::Instant;

use crate::controller::ConfigKey;
use crate::webhook::bucket::Buckets;

#[test]
fn a_config_may_save_up_for_five_seconds_and_another_is_not_touched() {
    let (mut buckets, start) = (Buckets::default(), Instant::now());
    let (app, other) = (ConfigKey::new("default", "app"), ConfigKey::new("default", "other"));
    let mut taken = |config, after| buckets.take(config, 2.0, start + Duration::from_millis(after));
    for _ in 0..10 {
        assert_eq!(taken(&app, 0), Ok(()));
    }
    assert_eq!(taken(&app, 0), Err(Duration::from_millis(500)));
    assert_eq!(taken(&other, 0), Ok(()));
    assert_eq!(taken(&app, 500), Ok(()));
    assert!(taken(&app, 600).is_err());
    for _ in 0..10 {
        assert_eq!(taken(&app, 3_600_000), Ok(()), "and no longer than that");
    }
    assert!(taken(&app, 3_600_000).is_err());
}

#[test]
fn however_slow_the_rate_five_calls_may_come_at_once() {
    let (mut buckets, now) = (Buckets::default(), Instant::now());
    let app = ConfigKey::new("default", "app");
    for _ in 0..5 {
        assert_eq!(buckets.take(&app, 1e-300, now), Ok(()));
    }
    assert_eq!(buckets.take(&app, 1e-300, now), Err(Duration::MAX));
    buckets.keep(|_| false);
    assert_eq!(buckets.take(&app, 1e-300, now), Ok(()), "what has no hooks is forgotten");
}
