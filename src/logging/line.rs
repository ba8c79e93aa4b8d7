//! What a line says and how it looks. Whatever a value holds, it stays inside its line and its field.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde::Serializer;
use serde::ser::SerializeMap;
use serde_json::{Number, Value};
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};

use crate::text::{harmless, is_unsafe};

/// The longest value, in bytes: more is cut off. The end of a build's output, 20 lines, fits.
const LONGEST_VALUE: usize = 16 * 1024;

/// Names that a line has of its own; a library's field of that name is left out.
const OWN_NAMES: [&str; 5] = ["timestamp", "level", "event", "target", "message"];

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// One flat JSON object.
    Json,
    /// Text.
    Plain,
    /// Text with colours.
    Colour,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    level: Level,
    /// The stable name of what happened.
    event: Option<String>,
    /// Which part of the program speaks; told where there is no `event`.
    target: String,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

/// Gathers the fields of an event into a line.
struct Gather {
    line: Line,
    /// Whether it is our own event, and not a library's.
    ours: bool,
}

impl Line {
    /// What `event` says.
    pub(super) fn of(event: &tracing::Event<'_>) -> Self {
        let metadata: &Metadata<'_> = event.metadata();
        let ours = metadata.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"));
        let mut gather = Gather { line: Self::empty(*metadata.level(), metadata.target()), ours };
        event.record(&mut gather);
        gather.line
    }

    /// Lines could not be written, and it cannot be told which.
    pub(super) fn lost(lines: u64) -> Self {
        let mut line = Self::empty(Level::WARN, "");
        let event = "log_lines_lost";
        line.event = Some(event.to_owned());
        line.message = String::from("stderr took no more lines for a while");
        line.fields.push(("lines", lines.into()));
        line
    }

    fn empty(level: Level, target: &str) -> Self {
        Self { level, event: None, target: target.to_owned(), message: String::new(), fields: Vec::new() }
    }

    fn set(&mut self, name: &'static str, value: Value) {
        match self.fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name, value)),
        }
    }
}

impl Gather {
    fn text(&mut self, name: &'static str, text: String) {
        let text = cut(text);
        match name {
            "message" => self.line.message = text,
            "event" if self.ours => self.line.event = Some(text),
            // The `log` crate's records arrive under one target and tell the real one in a field.
            "log.target" => self.line.target = text,
            _ => self.field(name, Value::String(text)),
        }
    }

    fn field(&mut self, name: &'static str, value: Value) {
        if !OWN_NAMES.contains(&name) && !name.starts_with("log.") {
            self.line.set(name, value);
        }
    }
}

impl Visit for Gather {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value.to_owned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field.name(), Number::from_f64(value).map_or(Value::Null, Value::Number));
    }
}

impl Look {
    /// The line, its newline included.
    pub(super) fn render(self, line: &Line, now: Timestamp) -> String {
        match self {
            Self::Json => json(line, now),
            Self::Plain => text(line, now, false),
            Self::Colour => text(line, now, true),
        }
    }
}

fn json(line: &Line, now: Timestamp) -> String {
    let mut text = Vec::new();
    // Writing to a Vec cannot fail, nor can a text, a number or a bool.
    let _ = object(line, now, &mut serde_json::Serializer::new(&mut text));
    text.push(b'\n');
    String::from_utf8(text).unwrap_or_default()
}

/// By hand, because the order of the names is for people too.
fn object<S: Serializer>(line: &Line, now: Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(None)?;
    object.serialize_entry("timestamp", &format_args!("{now:.3}"))?;
    object.serialize_entry("level", &line.level.as_str().to_lowercase())?;
    match &line.event {
        Some(event) => object.serialize_entry("event", event)?,
        None => object.serialize_entry("target", &line.target)?,
    }
    for (name, value) in &line.fields {
        object.serialize_entry(name, value)?;
    }
    object.serialize_entry("message", &line.message)?;
    object.end()
}

fn text(line: &Line, now: Timestamp, colour: bool) -> String {
    let (bold, dim, off) = if colour { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let level = if colour { level_colour(line.level) } else { "" };
    let name = line.event.as_ref().unwrap_or(&line.target);
    let mut text = format!("{dim}{now:.3}{off} {level}{:5}{off} {bold}{}{off}: ", line.level, harmless(name));
    text.push_str(&harmless(&line.message));
    for (name, value) in &line.fields {
        // Writing to a String cannot fail.
        let _ = write!(text, " {dim}{name}={off}{}", text_value(value));
    }
    text.push('\n');
    text
}

fn level_colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG | Level::TRACE => "\x1b[2m",
    }
}

fn text_value(value: &Value) -> String {
    match value {
        Value::String(text) if needs_quotes(text) => format!("{text:?}"),
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// Whether a value could be taken for something else than one value.
fn needs_quotes(text: &str) -> bool {
    text.is_empty() || text.contains([' ', '=', '"', '\\']) || text.contains(is_unsafe)
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST_VALUE {
        text.truncate(text.floor_char_boundary(LONGEST_VALUE));
        text.push('…');
    }
    text
}
