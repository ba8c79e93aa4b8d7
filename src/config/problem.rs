//! What is wrong with a configuration, where, and how to put it right.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// How much of a key or a value is shown.
pub(super) const WORD: usize = 60;
/// How long a message may be, with what it quotes.
const SENTENCE: usize = 400;

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) file: Arc<Path>,
    /// Counted from 1; none for a file as a whole.
    pub(super) line: Option<usize>,
    /// `watch[3].interval`; empty for a file as a whole.
    pub(super) key: String,
}

/// One thing to put right, or to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the configuration can be used all the same.
    pub severity: Severity,
    /// The file it is in, as it was named.
    #[serde(serialize_with = "path_as_text")]
    pub file: Arc<Path>,
    /// The line, counted from 1; none for a file as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The path of the key, positions counted from 0 within the file: `watch[3].interval`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What was written, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What to write instead.
    pub fix: String,
    #[serde(skip)]
    nature: Nature,
}

/// Whether a configuration with this problem can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but is probably not what was meant.
    Warning,
}

/// What a problem follows from, to keep one mistake from being told twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// A part of a file could not be read: nobody knows what stands there.
    Unread,
    /// A value is not TOML, but its key could be read.
    Malformed,
    /// Something is not there; it may stand in a part of a file that could not be read.
    Absence,
    /// What is written is wrong in itself.
    Content,
}

/// Every problem of a configuration, in the order of its files and lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    errors: usize,
    left_out: usize,
}

impl Place {
    /// A file as a whole.
    pub(super) fn file(file: &Arc<Path>) -> Self {
        Self { file: Arc::clone(file), line: None, key: String::new() }
    }
}

impl fmt::Display for Place {
    /// `FILE:LINE`: how one problem points to another place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

impl Problem {
    pub(super) fn error(place: &Place, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: Arc::clone(&place.file),
            line: place.line,
            key: place.key.clone(),
            message: shorten(&message.into(), SENTENCE),
            value: None,
            fix: shorten(&fix.into(), SENTENCE),
            nature: Nature::Content,
        }
    }

    pub(super) fn warning(place: &Place, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message, fix) }
    }

    /// A part of a file could not be read: nobody knows what stands there.
    pub(super) fn unread(place: &Place, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { nature: Nature::Unread, ..Self::error(place, message, fix) }
    }

    /// A value is not TOML, but its key could be read.
    pub(super) fn malformed(place: &Place, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { nature: Nature::Malformed, ..Self::error(place, message, fix) }
    }

    /// Something is not there. This is told only if all parts of all files could be read.
    pub(super) fn absence(place: &Place, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { nature: Nature::Absence, ..Self::error(place, message, fix) }
    }

    fn line_of_file(&self) -> (Arc<Path>, Option<usize>) {
        (Arc::clone(&self.file), self.line)
    }

    /// Shows what was written.
    pub(super) fn with_value(mut self, value: impl fmt::Display) -> Self {
        self.value = Some(shorten(&value.to_string(), WORD));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))?;
        f.write_str(match self.severity {
            Severity::Error => ": ",
            Severity::Warning => ": warning: ",
        })?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, " ({value})"))?;
        write!(f, "; {}", self.fix)
    }
}

impl Problems {
    /// How many are kept; the others are only counted.
    const KEPT: usize = 1_000;

    pub(super) fn push(&mut self, problem: Problem) {
        if problem.severity == Severity::Error {
            self.errors += 1;
        }
        match self.list.len() < Self::KEPT {
            true => self.list.push(problem),
            false => self.left_out += 1,
        }
    }

    /// Tells what is wrong with a value. It returns nothing, in place of the value.
    pub(super) fn wrong<T>(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        value: impl fmt::Display,
        fix: impl Into<String>,
    ) -> Option<T> {
        self.push(Problem::error(place, message, fix).with_value(value));
        None
    }

    /// Whether the configuration cannot be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The problems, those of the main file first, then by file and line.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are, in one phrase: `5 errors and 1 warning`.
    #[must_use]
    pub fn summary(&self) -> String {
        let warnings = self.list.len() + self.left_out - self.errors;
        match (self.errors, warnings) {
            (errors, 0) => counted(errors, "error"),
            (0, warnings) => counted(warnings, "warning"),
            (errors, warnings) => {
                format!("{} and {}", counted(errors, "error"), counted(warnings, "warning"))
            }
        }
    }

    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.list
    }

    /// Puts the list in order, and takes out what may only follow from text that is not TOML.
    pub(super) fn settle(&mut self, main: &Path) {
        self.list.sort_by_key(|problem| (&*problem.file != main, Arc::clone(&problem.file), problem.line));
        let is_broken = |problem: &&Problem| matches!(problem.nature, Nature::Unread | Nature::Malformed);
        let broken: HashSet<_> = self.list.iter().filter(is_broken).map(Problem::line_of_file).collect();
        let all_read = self.list.iter().all(|problem| problem.nature != Nature::Unread);
        let mut told = HashSet::new();
        self.list.retain(|problem| {
            let line = problem.line_of_file();
            let kept = match problem.nature {
                Nature::Unread | Nature::Malformed => told.insert(line),
                Nature::Absence => all_read,
                Nature::Content => !broken.contains(&line),
            };
            if !kept && problem.severity == Severity::Error {
                self.errors -= 1;
            }
            kept
        });
    }
}

impl fmt::Display for Problems {
    /// One line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.list.iter().enumerate() {
            let separator = if position == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

impl Serialize for Problems {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

/// At most so many characters of what was written, in one line.
pub(super) fn shorten(text: &str, shown: usize) -> String {
    let plain = |character: char| if character.is_control() { '␣' } else { character };
    let mut short: String = text.chars().take(shown).map(plain).collect();
    if text.chars().nth(shown).is_some() {
        short.push('…');
    }
    short
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

// A path need not be text; JSON must be.
fn path_as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}
