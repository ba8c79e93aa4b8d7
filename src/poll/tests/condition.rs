use jiff::Timestamp;

use crate::poll::condition::{Condition, Health, News, Trouble};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn failed(kind: &'static str) -> Result<(), Trouble> {
    Err(Trouble { kind, message: format!("it was {kind}") })
}

#[test]
fn trouble_is_news_when_it_starts_and_when_its_kind_changes_and_when_it_ends() {
    #[derive(Debug, PartialEq)]
    enum Told {
        Nothing,
        /// The kind, and how many polls failed by then.
        Trouble(&'static str, u32),
        /// How many polls had failed.
        Recovered(u32),
    }
    let table = [
        (Ok(()), Told::Nothing),
        (failed("missing"), Told::Trouble("missing", 1)),
        (failed("missing"), Told::Nothing),
        (failed("timeout"), Told::Trouble("timeout", 3)),
        (failed("timeout"), Told::Nothing),
        (failed("missing"), Told::Trouble("missing", 5)),
        (Ok(()), Told::Recovered(5)),
        (Ok(()), Told::Nothing),
        (failed("missing"), Told::Trouble("missing", 1)),
    ];
    let mut health = Health::default();
    for (second, (result, expected)) in (0..).zip(table) {
        let told = match health.note(result, at(second)) {
            None => Told::Nothing,
            Some(News::Trouble(condition)) => Told::Trouble(condition.trouble.kind, condition.count),
            Some(News::Recovered(condition)) => Told::Recovered(condition.count),
        };
        assert_eq!(told, expected, "after {second} s");
    }
}

#[test]
fn a_condition_counts_from_its_first_failure_and_shows_the_last() {
    let mut health = Health::default();
    health.note(Ok(()), at(1));
    health.note(failed("timeout"), at(2));
    health.note(failed("refused"), at(3));
    let trouble = Trouble { kind: "refused", message: "it was refused".to_owned() };
    let condition = Condition { trouble, since: at(2), count: 2 };
    assert_eq!(health.condition.as_deref(), Some(&condition));
    assert_eq!(health.last_success, Some(at(1)), "trouble takes nothing back");
    assert_eq!(health.note(Ok(()), at(4)), Some(News::Recovered(Box::new(condition))));
    assert_eq!((health.last_success, health.condition), (Some(at(4)), None));
}
