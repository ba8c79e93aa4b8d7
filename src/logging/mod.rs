//! The log: one line per change of state, on stderr.
//!
//! Every room tells what happened with `tracing`, a constant message and facts in fields (docs/events.md). This one
//! decides what a line looks like and how it leaves. It never blocks and never fails: who writes a line goes on at
//! once, whatever became of stderr.

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

#[cfg(test)]
pub(crate) mod capture;
#[cfg(test)]
pub(crate) mod catalog;
mod line;
mod sink;
#[cfg(test)]
mod tests;

pub use line::LONGEST_VALUE;
use line::{Line, Look};
pub use sink::Flush;
use sink::Sink;

/// The `[log]` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How a line looks.
    pub format: Format,
    /// What is worth a line.
    pub level: tracing::Level,
    /// Whether the output of builds goes to the log too, besides its file.
    pub build_output: BuildOutput,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, else JSON.
    Auto,
    /// For a person.
    Text,
    /// One flat object a line.
    Json,
}

/// Where the output of a build goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildOutput {
    /// To its file.
    File,
    /// To its file, and as `build_output` events to the log.
    Log,
}

/// Sends the log of the whole process to stderr from now on, panics included. Libraries are heard from `warn` up.
///
/// What is returned must live as long as lines are to be written: dropping it waits a moment for the last ones.
///
/// # Errors
/// If the process has a log already.
pub fn init(settings: &Settings) -> Result<Flush, TryInitError> {
    let (sink, flush) = sink::open(io::stderr());
    let layer = EventLayer { look: Look::on_stderr(settings.format), sink };
    Registry::default().with(heard(settings.level)).with(layer).try_init()?;
    std::panic::set_hook(Box::new(tell_panic));
    Ok(flush)
}

fn heard(level: tracing::Level) -> Targets {
    let libraries = LevelFilter::WARN.min(level.into());
    Targets::new().with_default(libraries).with_target(env!("CARGO_CRATE_NAME"), level)
}

/// A panic is a bug, and a line of the log like any other.
fn tell_panic(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let location = info.location().map(tracing::field::display);
    let task = tokio::task::try_id().map(tracing::field::display);
    let backtrace = std::backtrace::Backtrace::capture();
    let captured = backtrace.status() == std::backtrace::BacktraceStatus::Captured;
    let backtrace = captured.then(|| tracing::field::display(backtrace));
    tracing::error!(
        event = "panic",
        error = info.payload_as_str(),
        thread = thread.name(),
        task,
        location,
        backtrace,
        "a bug: please report it",
    );
}

/// Renders what happens and hands it on.
struct EventLayer {
    look: Look,
    sink: Sink,
}

impl<S: Subscriber> Layer<S> for EventLayer {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let now = jiff::Timestamp::now();
        if let Some(lines) = self.sink.take_lost() {
            self.sink.write_lost(self.look.render(&Line::lost(lines), now), lines);
        }
        let line = Line::of(event);
        let text = self.look.render(&line, now);
        match line.is_output() {
            true => self.sink.write_output(text),
            false => self.sink.write(text),
        }
    }
}

impl Look {
    fn on_stderr(format: Format) -> Self {
        let terminal = io::stderr().is_terminal();
        match format {
            Format::Json => Self::Json,
            Format::Auto if !terminal => Self::Json,
            Format::Auto | Format::Text if terminal && std::env::var_os("NO_COLOR").is_none() => Self::Colour,
            Format::Auto | Format::Text => Self::Plain,
        }
    }
}
