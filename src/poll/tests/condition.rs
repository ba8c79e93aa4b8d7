use jiff::Timestamp;

use super::support::trouble_of;
use crate::poll::backoff::Blame;
use crate::poll::condition::{Condition, Health, News};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// What came of a poll, and whose trouble it was.
type Outcome = Result<(), (&'static str, Blame)>;

fn note(health: &mut Health, outcome: Outcome, second: i64) -> Option<News<'_>> {
    match outcome {
        Ok(()) => health.succeed(at(second)),
        Err((kind, blame)) => health.fail(trouble_of(kind), blame, at(second)),
    }
}

#[derive(Debug, PartialEq)]
enum Told {
    Nothing,
    /// The kind, and how many polls failed by then.
    Trouble(&'static str, u32),
    /// How many polls had failed.
    Recovered(u32),
}

fn check(table: impl IntoIterator<Item = (Outcome, Told)>) {
    let mut health = Health::default();
    for (second, (outcome, expected)) in (0..).zip(table) {
        let told = match note(&mut health, outcome, second) {
            None => Told::Nothing,
            Some(News::Trouble(condition)) => Told::Trouble(condition.trouble.kind, condition.count),
            Some(News::Recovered(condition)) => Told::Recovered(condition.count),
        };
        assert_eq!(told, expected, "after {second} s");
    }
}

fn own(kind: &'static str) -> Outcome {
    Err((kind, Blame::Tag))
}

fn hosts(kind: &'static str) -> Outcome {
    Err((kind, Blame::Host))
}

#[test]
fn trouble_is_news_when_it_starts_and_when_its_kind_changes_and_when_it_ends() {
    check([
        (Ok(()), Told::Nothing),
        (own("missing"), Told::Trouble("missing", 1)),
        (own("missing"), Told::Nothing),
        (own("denied"), Told::Trouble("denied", 3)),
        (own("denied"), Told::Nothing),
        (own("missing"), Told::Trouble("missing", 5)),
        (Ok(()), Told::Recovered(5)),
        (Ok(()), Told::Nothing),
        (own("missing"), Told::Trouble("missing", 1)),
    ]);
}

#[test]
fn trouble_of_the_host_or_of_the_login_is_no_news_of_the_tag() {
    check([
        (hosts("connect"), Told::Nothing),
        (hosts("timeout"), Told::Nothing),
        (Err(("credentials_rejected", Blame::Login)), Told::Nothing),
        (Ok(()), Told::Nothing),
    ]);
}

#[test]
fn what_was_told_of_a_tag_is_told_neither_again_nor_left_open_when_the_host_has_trouble_meanwhile() {
    check([
        (hosts("connect"), Told::Nothing),
        (own("missing"), Told::Trouble("missing", 2)),
        (hosts("connect"), Told::Nothing),
        (own("missing"), Told::Nothing),
        (hosts("connect"), Told::Nothing),
        (Ok(()), Told::Recovered(5)),
    ]);
}

#[test]
fn a_condition_counts_from_its_first_failure_and_shows_the_last() {
    let mut health = Health::default();
    note(&mut health, Ok(()), 1);
    note(&mut health, hosts("timeout"), 2);
    note(&mut health, own("refused"), 3);
    let condition = Condition { trouble: trouble_of("refused"), since: at(2), count: 2 };
    assert_eq!(health.condition.as_deref(), Some(&condition));
    assert_eq!(health.last_success, Some(at(1)), "trouble takes nothing back");
    assert_eq!(note(&mut health, Ok(()), 4), Some(News::Recovered(Box::new(condition))));
    assert_eq!((health.last_success, health.condition), (Some(at(4)), None));
}

#[test]
fn a_tag_is_doubted_while_its_host_proved_well_and_it_did_not() {
    for kind in ["timeout", "exchange", "server_error", "connect", "too_many_requests"] {
        let mut health = Health::default();
        health.host_recovered();
        assert!(!health.is_doubted(), "it accused nobody");
        note(&mut health, hosts(kind), 1);
        assert!(!health.is_doubted());
        health.host_recovered();
        assert!(health.is_doubted(), "{kind}");
        note(&mut health, own(kind), 2);
        assert!(health.is_doubted(), "{kind}");
        note(&mut health, Ok(()), 3);
        assert!(!health.is_doubted());
    }
}
