//! How facts read on a terminal: short, harmless, and in colour only there.

use std::io::{self, IsTerminal};

use jiff::Timestamp;

use crate::control::protocol::{Digest, ImageId, Phase};
pub(super) use crate::text::harmless;

/// How an answer is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Whether stdout is a terminal that may be coloured.
    pub(super) colour: bool,
    /// What "ago" counts from.
    pub(super) now: Timestamp,
}

/// What a piece of text is worth to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Title,
    Good,
    Busy,
    Bad,
}

impl Style {
    /// For stdout as it is.
    pub(super) fn of_stdout() -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, now: Timestamp::now() }
    }

    /// `text`, coloured if that is wanted.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Title => "1",
            Tone::Good => "32",
            Tone::Busy => "33",
            Tone::Bad => "31",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// How long ago `then` was: `3d`.
    pub(super) fn since(self, then: Timestamp) -> String {
        span(self.now.as_second() - then.as_second())
    }

    /// When `then` will be: `in 4m`.
    pub(super) fn until(self, then: Timestamp) -> String {
        match then.as_second() - self.now.as_second() {
            seconds if seconds > 0 => format!("in {}", span(seconds)),
            _ => "now".to_owned(),
        }
    }
}

/// A time in its largest unit, rounded down; a clock that was set back makes it 0.
pub(super) fn span(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{}s", seconds.max(0)),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `sha256:` and the first 12 digits: enough to tell two apart.
pub(super) fn short(digest: &Digest) -> String {
    let digest = digest.to_string();
    digest.get(..19).unwrap_or(&digest).to_owned()
}

/// What is said of everything on a v1 registry: it has no identity to tell one image from the next by (S27).
pub(super) const FIRES_ONCE: &str = "v1: fires once";

/// `sha256:` or `v1id:` and some digits, whichever there is.
pub(super) fn short_image(digest: Option<&Digest>, image_id: Option<ImageId>) -> Option<String> {
    let short_id = |id: ImageId| id.to_string().chars().take("v1id:".len() + 12).collect();
    digest.map(short).or_else(|| image_id.map(short_id))
}

/// What stands in a cell for what is not known.
pub(super) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// What a phase is worth to the reader.
pub(super) fn tone(phase: Phase) -> Tone {
    match phase {
        Phase::Complete => Tone::Good,
        Phase::New | Phase::Pending | Phase::Running => Tone::Busy,
        Phase::Failed | Phase::Error => Tone::Bad,
        Phase::Cancelled => Tone::Plain,
    }
}

/// At most `width` characters of `text`: what is left out is in the middle, because names differ at their ends.
pub(super) fn shorten(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let head = width / 2;
    let tail = width.saturating_sub(head + 1);
    text.chars().take(head).chain(['…']).chain(text.chars().skip(length - tail)).collect()
}
