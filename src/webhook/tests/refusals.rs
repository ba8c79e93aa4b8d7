use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::support::app;
use crate::webhook::answer::Refusal;
use crate::webhook::refusals::Refusals;

fn address(number: u32) -> IpAddr {
    IpAddr::from(number.to_be_bytes())
}

#[test]
fn an_address_is_told_of_once_then_counted_by_the_hour() {
    let (mut refusals, start) = (Refusals::default(), Instant::now());
    let wrong = Refusal::Unauthorized;
    let told = refusals.add(address(1), None, &wrong, start).unwrap();
    assert_eq!((told.actor, told.reason, told.count), (Some(address(1)), "unauthorized", 1));
    assert_eq!((told.config, told.error), (None, None));
    for _ in 0..99 {
        assert_eq!(refusals.add(address(1), None, &wrong, start), None);
    }
    assert!(refusals.add(address(2), None, &wrong, start).is_some(), "another address");
    let other = Refusal::Failed("the disk is full".to_owned());
    let told = refusals.add(address(1), Some(&app()), &other, start).unwrap();
    assert_eq!(told.error.as_deref(), Some("could not generate a build: the disk is full"));

    let hour = start + Duration::from_hours(1);
    assert_eq!(refusals.sweep(hour - Duration::from_secs(1)), []);
    let told = refusals.sweep(hour);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].actor, told[0].count), (Some(address(1)), 99));
    assert_eq!(refusals.sweep(hour), [], "told once");
    assert!(refusals.add(address(2), None, &wrong, hour).is_some(), "quiet for an hour, it begins anew");
    assert!(refusals.sweep(hour + Duration::from_hours(1)).is_empty());
}

#[test]
fn of_too_many_addresses_those_that_are_new_share_a_line() {
    let (mut refusals, now) = (Refusals::default(), Instant::now());
    let lines = (0..10_000).filter_map(|number| refusals.add(address(number), None, &Refusal::Method, now));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 1_025);
    assert_eq!(lines.last().unwrap().actor, None);
    let counted: u64 = refusals.sweep(now + Duration::from_hours(1)).iter().map(|told| told.count).sum();
    assert_eq!(counted + 1_025, 10_000);
}

#[test]
fn who_knew_a_secret_is_told_of_with_the_config_whoever_else_knocks() {
    let (mut refusals, now) = (Refusals::default(), Instant::now());
    for number in 0..2_000 {
        refusals.add(address(number), None, &Refusal::Method, now);
    }
    let failed = Refusal::Failed("the disk is full".to_owned());
    let told = refusals.add(address(9_000), Some(&app()), &failed, now).unwrap();
    assert_eq!((told.actor, told.config), (Some(address(9_000)), Some(app())));
    // A config and a reason are one line, from wherever the calls come, and it names the last.
    for number in 0..2_000 {
        assert_eq!(refusals.add(address(number), Some(&app()), &failed, now), None);
    }
    let lines = refusals.sweep(now + Duration::from_hours(1));
    let of_app: Vec<_> = lines.into_iter().filter(|told| told.config.is_some()).collect();
    assert_eq!((of_app.len(), of_app[0].count, of_app[0].actor), (1, 2_000, Some(address(1_999))));
    assert!(of_app[0].error.is_some());
}
