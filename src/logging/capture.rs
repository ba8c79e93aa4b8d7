//! What was logged, for tests: every line as the object that the JSON form prints.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

use super::line::Look;
use super::{EventLayer, sink};

/// Runs `tell` and returns the lines it logged on this thread.
pub(crate) fn lines(tell: impl FnOnce()) -> Vec<Map<String, Value>> {
    let text = text(Look::Json, tell);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs `tell` and returns the text it logged on this thread.
pub(super) fn text(look: Look, tell: impl FnOnce()) -> String {
    let written = Written::default();
    let (sink, flush) = sink::open(written.clone());
    let subscriber = Registry::default().with(EventLayer { look, sink });
    tracing::subscriber::with_default(subscriber, tell);
    drop(flush);
    written.text()
}

#[derive(Clone, Default)]
pub(super) struct Written(pub(super) Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
