//! A parsed file as a tree in which every node knows where it was written.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::problem::{Place, Problem, Problems, WORD, shorten};

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What TOML knows.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i128),
    Float(f64),
    Flag(bool),
    Date(String),
    List(Vec<Node>),
    Table(Table),
}

/// Keys and values in the order written.
pub(super) type Table = Vec<(String, Node)>;

/// Where the lines of a text begin.
pub(super) struct Lines(Vec<usize>);

/// Turns what the parser found in one file into a tree.
pub(super) struct Planter<'a> {
    pub(super) file: &'a Arc<Path>,
    pub(super) lines: &'a Lines,
    pub(super) problems: &'a mut Problems,
}

impl Value {
    /// What it is, for a person.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Date(_) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The text, or what it is instead.
    pub(super) fn into_text(self) -> Result<String, Self> {
        if let Self::Text(text) = self { Ok(text) } else { Err(self) }
    }

    /// Whether it is true, or what it is instead.
    pub(super) fn into_flag(self) -> Result<bool, Self> {
        if let Self::Flag(flag) = self { Ok(flag) } else { Err(self) }
    }

    /// The elements, or what it is instead.
    pub(super) fn into_list(self) -> Result<Vec<Node>, Self> {
        if let Self::List(nodes) = self { Ok(nodes) } else { Err(self) }
    }

    /// The keys, or what it is instead.
    pub(super) fn into_table(self) -> Result<Table, Self> {
        if let Self::Table(table) = self { Ok(table) } else { Err(self) }
    }
}

impl fmt::Display for Value {
    /// As TOML, but without the entries of a table: those of an environment may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Date(date) => f.write_str(date),
            Self::List(nodes) => {
                f.write_str("[")?;
                for (position, node) in nodes.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", node.value)?;
                }
                f.write_str("]")
            }
            Self::Table(_) => f.write_str("{…}"),
        }
    }
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(ends.map(|(end, _)| end + 1)).collect())
    }

    /// The line that holds the byte at `offset`, counted from 1.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }

    /// Where the line that is counted `line` begins.
    pub(super) fn start(&self, line: usize) -> usize {
        self.0.get(line - 1).copied().unwrap_or_default()
    }
}

impl Planter<'_> {
    /// Tables within tables; the configuration itself needs four.
    const MAX_DEPTH: usize = 16;

    /// The tree of a whole file.
    pub(super) fn document(&mut self, table: DeTable<'_>) -> Table {
        self.table(table, "", 0)
    }

    fn table(&mut self, table: DeTable<'_>, path: &str, depth: usize) -> Table {
        // The parser sorts by name; people and environments go by the order written.
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut nodes = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let line = self.lines.at(key.span().start);
            let name = key.into_inner().into_owned();
            let dot = if path.is_empty() { "" } else { "." };
            let place = self.place(line, format!("{path}{dot}{}", key_text(&name)));
            nodes.push((name, self.node(value.into_inner(), place, depth)));
        }
        nodes
    }

    fn list(&mut self, array: DeArray<'_>, path: &str, depth: usize) -> Vec<Node> {
        let mut nodes = Vec::with_capacity(array.len());
        for (position, value) in array.into_iter().enumerate() {
            let place = self.place(self.lines.at(value.span().start), format!("{path}[{position}]"));
            nodes.push(self.node(value.into_inner(), place, depth));
        }
        nodes
    }

    fn node(&mut self, value: DeValue<'_>, place: Place, depth: usize) -> Node {
        if depth >= Self::MAX_DEPTH {
            self.problems.push(Problem::unread(&place, "is nested too deep", "no key needs that"));
            take_apart(value);
            return Node { place, value: Value::List(Vec::new()) };
        }
        let value = match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => Value::Integer(integer(&number)),
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Value::Flag(flag),
            DeValue::Datetime(date) => Value::Date(date.to_string()),
            DeValue::Array(array) => Value::List(self.list(array, &place.key, depth + 1)),
            DeValue::Table(table) => Value::Table(self.table(table, &place.key, depth + 1)),
        };
        Node { place, value }
    }

    fn place(&self, line: usize, key: String) -> Place {
        Place { file: Arc::clone(self.file), line: Some(line), key }
    }
}

/// Adds what a further file says: top-level lists append, tables take in new keys, and nothing is set twice.
pub(super) fn merge(into: &mut Table, from: Table, problems: &mut Problems) {
    for (name, node) in from {
        let known = into.iter_mut().find(|(known, _)| *known == name).map(|(_, node)| node);
        match (known, node) {
            (None, node) => into.push((name, node)),
            (Some(Node { value: Value::List(into), .. }), Node { value: Value::List(from), .. }) => {
                into.extend(from);
            }
            (Some(Node { value: Value::Table(into), .. }), Node { value: Value::Table(from), .. }) => {
                merge_keys(into, from, problems);
            }
            (Some(known), node) => problems.push(set_twice(&node, &known.place)),
        }
    }
}

fn merge_keys(into: &mut Table, from: Table, problems: &mut Problems) {
    let known: HashMap<String, Place> =
        into.iter().map(|(name, node)| (name.clone(), node.place.clone())).collect();
    for (name, node) in from {
        match known.get(&name) {
            None => into.push((name, node)),
            Some(first) => problems.push(set_twice(&node, first)),
        }
    }
}

fn set_twice(node: &Node, first: &Place) -> Problem {
    let message = format!("is set a second time, first at {first}");
    Problem::error(&node.place, message, "keep one of the two").with_value(&node.value)
}

/// A key as it may be written in a path.
fn key_text(name: &str) -> String {
    let bare = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    match !name.is_empty() && name.chars().all(bare) {
        true => shorten(name, WORD),
        false => format!("\"{}\"", shorten(name, WORD)),
    }
}

/// A number out of all proportion becomes the largest there is: no key allows that one either.
fn integer(number: &DeInteger<'_>) -> i128 {
    i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(i128::MAX)
}

/// Drops a value. Dotted keys in inline tables nest thousands deep, and dropping it whole would recurse.
pub(super) fn take_apart(value: DeValue<'_>) {
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            DeValue::Array(array) => rest.extend(array.into_iter().map(toml::Spanned::into_inner)),
            DeValue::Table(table) => rest.extend(table.into_iter().map(|(_, value)| value.into_inner())),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
}
