//! Why a Dockerfile is not rewritten. Whoever shows it says which file "it" is.

use std::io;

use super::line::LONGEST_LINE;
use super::{LARGEST, MOST_STAGES};
use crate::text;

/// Why a Dockerfile cannot be read or rewritten: what was found, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DockerfileError {
    /// The file could not be opened or read, or is no regular file.
    #[error("read it: {0}")]
    Read(#[source] io::Error),
    /// There is too much of it.
    #[error("it is larger than {LARGEST} bytes, which no Dockerfile is: name the right file")]
    TooLarge,
    /// A program, an archive, or text that is not UTF-8.
    #[error("it is not a Dockerfile: line {line} holds a NUL byte; name the right file, or save it as UTF-8")]
    Binary {
        /// Where the byte is.
        line: usize,
    },
    /// An instruction holds bytes that are no text.
    #[error("it is not a Dockerfile: the instruction in line {line} is not UTF-8; save it as UTF-8")]
    NotUtf8 {
        /// Where the instruction begins.
        line: usize,
    },
    /// Builders refuse such a line.
    #[error("line {line} is longer than {LONGEST_LINE} bytes, and no builder reads it: split it")]
    LongLine {
        /// The line.
        line: usize,
    },
    /// The escape directive names a character that is none.
    #[error("line {line}: the escape directive must name \\ or `, and names {value}")]
    Escape {
        /// The line of the directive.
        line: usize,
        /// What it names.
        value: String,
    },
    /// The text of a heredoc has no end, so that what follows cannot be told from it.
    #[error("line {line}: the heredoc {name} never ends: write a line with {name} alone where it does")]
    Heredoc {
        /// Where its instruction begins.
        line: usize,
        /// The word that ends it.
        name: String,
    },
    /// There is a FROM without an image.
    #[error("line {line}: FROM names no image: write FROM IMAGE")]
    NoImage {
        /// Where the FROM is.
        line: usize,
    },
    /// There is no FROM, not even an empty one.
    #[error("there is no FROM in it, so that it builds nothing: begin it with FROM IMAGE")]
    NoFrom,
    /// There are too many stages.
    #[error("it has more than {MOST_STAGES} stages: split it")]
    TooManyStages,
    /// What is to be built is not there.
    #[error("there is no stage {target} in it: the target must be {stages}")]
    Target {
        /// The stage that was asked for.
        target: String,
        /// Those that there are, in words.
        stages: String,
    },
    /// The text would not mean the image.
    #[error("{0} cannot stand in a Dockerfile: it is no image reference")]
    Reference(String),
    /// A variable's name would not be read as one.
    #[error(
        "the environment variable {0} cannot be set in a Dockerfile: use letters, digits, _, - and . in its name"
    )]
    VariableName(String),
    /// A variable's value cannot be written. The message does not show it.
    #[error(
        "the environment variable {0} cannot be set in a Dockerfile: its value has more than one line, or a NUL"
    )]
    VariableValue(String),
    /// The instruction would be a line that builders refuse.
    #[error(
        "the environment is longer than {LONGEST_LINE} bytes, more than a Dockerfile can set: give less by env"
    )]
    LongEnvironment,
}

/// The most of a stranger's word that a message shows, in characters.
const LONGEST_WORD: usize = 80;

/// A stranger's word for a message: harmless, and not too much of it.
pub(super) fn shown(word: &str) -> String {
    let cut: String = word.chars().take(LONGEST_WORD).collect();
    let dots = if cut.len() < word.len() { "…" } else { "" };
    text::harmless(&cut) + dots
}
