//! What is said of an import beside the TOML.

use std::collections::HashMap;
use std::fmt;

use crate::text::harmless;

/// How much a line of the report weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It was not carried over, or something is to be done by hand. The import is done.
    Told,
    /// OpenShift would refuse it, or nothing here can stand for it. It is left out.
    Refused,
    /// It is no YAML or JSON that can be read.
    Unreadable,
}

/// One line of the report. It shows no value of a field that may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How much it weighs.
    pub weight: Weight,
    /// Where it was read, such as `app.yaml: document 2`.
    pub origin: String,
    /// The object, such as `BuildConfig shop/app`; empty if it is of no single one.
    pub object: String,
    /// The field, such as `spec.nodeSelector`; empty if it is of the whole object.
    pub path: String,
    /// What there is to say.
    pub text: String,
}

/// Where an object was read.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) file: String,
    /// Among those of the file with something in them, from 1.
    pub(super) document: usize,
    /// Where in a list or template, such as `items[3]`.
    pub(super) item: String,
}

/// What was found while an object was read: a line that does not know yet whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remark {
    pub(super) weight: Weight,
    pub(super) path: String,
    pub(super) text: String,
}

/// The lines so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    lines: Vec<Line>,
}

impl Report {
    /// Adds what was found in an object.
    pub(super) fn add(&mut self, origin: &Origin, object: &str, remarks: Vec<Remark>) {
        self.lines.extend(remarks.into_iter().map(|Remark { weight, path, text }| Line {
            weight,
            origin: origin.to_string(),
            object: object.to_owned(),
            path,
            text,
        }));
    }

    /// Adds something that is of no single field.
    pub(super) fn say(&mut self, weight: Weight, origin: &Origin, object: &str, text: impl Into<String>) {
        self.add(origin, object, vec![Remark { weight, path: String::new(), text: text.into() }]);
    }

    /// Adds something that is of no single object, once.
    pub(super) fn say_once(&mut self, text: String) {
        let (origin, object, path) = (String::new(), String::new(), String::new());
        let line = Line { weight: Weight::Told, origin, object, path, text };
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    pub(super) fn unreadable(&mut self, origin: &Origin, error: &str) {
        self.say(Weight::Unreadable, origin, "", error);
    }

    /// All lines, object by object as they were met; those that are of no single object come last.
    pub(super) fn into_lines(self) -> Vec<Line> {
        let mut places: HashMap<(String, String), usize> = HashMap::new();
        let mut placed = Vec::with_capacity(self.lines.len());
        for line in self.lines {
            let next = if line.origin.is_empty() { usize::MAX } else { places.len() };
            let place = *places.entry((line.origin.clone(), line.object.clone())).or_insert(next);
            placed.push((place, line));
        }
        // A stable sort: within an object the order stays.
        placed.sort_by_key(|(place, _)| *place);
        placed.into_iter().map(|(_, line)| line).collect()
    }
}

impl Remark {
    pub(super) fn told(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { weight: Weight::Told, path: path.into(), text: text.into() }
    }

    pub(super) fn refused(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { weight: Weight::Refused, path: path.into(), text: text.into() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: document {}", self.file, self.document)?;
        if self.item.is_empty() { Ok(()) } else { write!(f, ", {}", self.item) }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.weight > Weight::Told {
            write!(f, "error: {}: ", harmless(&self.origin))?;
        }
        for part in [&self.object, &self.path].into_iter().filter(|part| !part.is_empty()) {
            write!(f, "{}: ", harmless(part))?;
        }
        f.write_str(&harmless(&self.text))
    }
}
