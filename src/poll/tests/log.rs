use std::time::Duration;

use tracing::Level;

use super::lines::Lines;
use super::support::{MINUTE, NO_RATE, Script, base, host, pass, resolved, start, trouble};
use crate::poll::Mode;

/// Polls one tag every minute for `time`; the registry answers by `kinds` in turn, `None` being a digest, and goes on
/// with the last.
async fn lines_of(kinds: &'static [Option<&'static str>], time: Duration) -> Lines {
    let lines = Lines::capture();
    let script = Script::new(|_, asked| {
        let kind = kinds.get(asked).or(kinds.last()).copied().flatten();
        (Duration::from_millis(40), kind.map_or_else(resolved, trouble))
    });
    let _running = start(Mode::Continuous, vec![host("registry.example.com", 1, NO_RATE)], script);
    pass(time).await;
    lines
}

#[tokio::test(start_paused = true)]
async fn a_missing_tag_is_told_once_however_often_it_is_missed() {
    let lines = lines_of(&[Some("missing")], 10 * MINUTE).await;
    let told = lines.from(Level::INFO);
    assert_eq!(told.len(), 1);
    let (level, fields) = &told[0];
    assert_eq!(*level, Level::WARN);
    let mut fields = fields.clone();
    let next_poll: u64 = fields.remove("next_poll_ms").unwrap().parse().unwrap();
    assert!(next_poll <= 72_000, "{next_poll} ms");
    let expected = [
        ("count", "1"),
        ("elapsed_ms", "40"),
        ("error", "registry answered: missing"),
        ("event", "tag_missing"),
        ("message", "tag is missing"),
        ("registry", "registry.example.com"),
        ("tag", "registry.example.com/app-0:1"),
    ];
    assert_eq!(fields, expected.into_iter().map(|(name, value)| (name, value.to_owned())).collect());
}

#[tokio::test(start_paused = true)]
async fn other_trouble_is_told_when_it_starts_when_its_kind_changes_and_when_it_ends() {
    const KINDS: [Option<&str>; 8] =
        [None, Some("denied"), Some("denied"), Some("refused"), Some("missing"), Some("missing"), None, None];
    let lines = lines_of(&KINDS, 10 * MINUTE).await;
    let events = ["tag_unresolved", "tag_unresolved", "tag_missing", "tag_recovered"];
    assert_eq!(lines.events(Level::INFO), events);
    let told = lines.from(Level::INFO);
    let field = |line: usize, name: &str| told[line].1[name].clone();
    let counts: Vec<String> = (0..4).map(|line| field(line, "count")).collect();
    assert_eq!(counts, ["1", "3", "4", "5"]);
    assert_eq!(told[3].0, Level::INFO);
    assert_eq!(field(3, "since"), base().to_string());
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_poll_is_a_line_for_debugging_only() {
    let lines = lines_of(&[None], 5 * MINUTE).await;
    assert_eq!(lines.events(Level::INFO), [""; 0]);
    let polls = lines.from(Level::DEBUG);
    assert!(polls.len() >= 5);
    for (_, fields) in polls {
        assert_eq!((&*fields["event"], &*fields["elapsed_ms"]), ("polled", "40"));
        assert_eq!(fields["digest"], resolved().unwrap().polled.digest().unwrap().to_string());
    }
}
