use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry;

use super::support::{MINUTE, NO_RATE, Script, base, host, pass, resolved, start, trouble};
use crate::poll::Mode;

type Line = (Level, BTreeMap<&'static str, String>);

/// What was logged, line by line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    /// The lines of `level` and above.
    fn from(&self, level: Level) -> Vec<Line> {
        self.0.lock().unwrap().iter().filter(|(of, _)| *of <= level).cloned().collect()
    }

    fn events(&self, level: Level) -> Vec<String> {
        self.from(level).into_iter().map(|(_, fields)| fields["event"].clone()).collect()
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        struct Fields(BTreeMap<&'static str, String>);
        impl Visit for Fields {
            fn record_str(&mut self, field: &Field, value: &str) {
                self.0.insert(field.name(), value.to_owned());
            }
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0.insert(field.name(), format!("{value:?}"));
            }
        }
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push((*event.metadata().level(), fields.0));
    }
}

/// Polls one tag every minute for `time`; the registry answers by `kinds` in turn, `None` being a digest, and goes on
/// with the last.
async fn lines_of(kinds: &'static [Option<&'static str>], time: Duration) -> Lines {
    let lines = Lines::default();
    // With a single subscriber alive, tracing asks only the current thread whether a line is wanted, and remembers
    // the answer for all; a test on another thread would speak for this one.
    let _company = Dispatch::new(registry());
    let _guard = tracing::subscriber::set_default(registry().with(lines.clone()));
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
