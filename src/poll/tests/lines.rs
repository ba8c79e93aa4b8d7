//! What polling logs, as data.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry;

pub(super) type Line = (Level, BTreeMap<&'static str, String>);

/// What this thread logs, line by line, for as long as this lives.
pub(super) struct Lines {
    all: Recorder,
    _company: Dispatch,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Line>>>);

impl Lines {
    pub(super) fn capture() -> Self {
        let all = Recorder::default();
        // With a single subscriber alive, tracing asks only the current thread whether a line is wanted, and remembers
        // the answer for all; a test on another thread would speak for this one.
        let company = Dispatch::new(registry());
        let guard = tracing::subscriber::set_default(registry().with(all.clone()));
        Self { all, _company: company, _guard: guard }
    }

    /// The lines of `level` and above.
    pub(super) fn from(&self, level: Level) -> Vec<Line> {
        self.all.0.lock().unwrap().iter().filter(|(of, _)| *of <= level).cloned().collect()
    }

    pub(super) fn events(&self, level: Level) -> Vec<String> {
        self.from(level).into_iter().map(|(_, fields)| fields["event"].clone()).collect()
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
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
