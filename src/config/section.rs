//! Reading the keys of a table, each once, so that what is left over is unknown.

use super::problem::{Place, Problem, Problems};
use super::suggest::nearest;
use super::tree::{Node, Table, Value};
use super::value::named;

/// A value as typed, and where.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// A key as typed.
#[derive(Debug, Clone)]
pub(super) enum Typed<T> {
    /// It is not there.
    Absent,
    /// What is there is wrong, and that was told.
    Refused,
    /// It is there.
    Given(At<T>),
}

/// The keys of one table.
pub(super) struct Section<'p> {
    place: Place,
    entries: Table,
    known: Vec<&'static str>,
    problems: &'p mut Problems,
}

impl<T> Typed<T> {
    /// What was typed, if it can be used.
    pub(super) fn given(&self) -> Option<&At<T>> {
        match self {
            Self::Given(at) => Some(at),
            Self::Absent | Self::Refused => None,
        }
    }

    /// The bare value, if it can be used.
    pub(super) fn value(&self) -> Option<&T> {
        self.given().map(|at| &at.value)
    }

    /// The bare value, for good.
    pub(super) fn into_value(self) -> Option<T> {
        match self {
            Self::Given(at) => Some(at.value),
            Self::Absent | Self::Refused => None,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<'p> Section<'p> {
    /// Reads all keys of a table. What `keys` does not ask for is unknown.
    pub(super) fn read<T>(
        place: Place,
        entries: Table,
        problems: &'p mut Problems,
        keys: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut section = Self { place, entries, known: Vec::new(), problems };
        let read = keys(&mut section);
        section.refuse_the_rest();
        read
    }

    /// Where the table begins.
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    /// The key `name`, read by `reader`.
    pub(super) fn key<T>(
        &mut self,
        name: &'static str,
        reader: impl FnOnce(Node, &mut Problems) -> Option<T>,
    ) -> Typed<T> {
        let Some(node) = self.take(name) else { return Typed::Absent };
        let place = node.place.clone();
        reader(node, self.problems).map_or(Typed::Refused, |value| Typed::Given(At { value, place }))
    }

    /// The table `name`; where it is not there, all its keys are absent.
    pub(super) fn table<T>(&mut self, name: &'static str, keys: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let example = format!("{name} = {{ KEY = VALUE }}");
        let node = self.take(name);
        let table = node.and_then(|node| as_table(node, &example, self.problems));
        let (place, entries) = table.unwrap_or_else(|| (self.place(), Table::new()));
        Section::read(place, entries, self.problems, keys)
    }

    /// The table `name`, if it is there.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        keys: impl FnOnce(&mut Section<'_>) -> T,
    ) -> Typed<T> {
        let example = format!("{name} = {{ KEY = VALUE }}");
        self.key(name, |node, problems| {
            let (place, entries) = as_table(node, &example, problems)?;
            Some(Section::read(place, entries, problems, keys))
        })
    }

    /// The list of tables `name`, each of which begins with `[[name]]`.
    pub(super) fn tables<T>(&mut self, name: &'static str, keys: impl Fn(&mut Section<'_>) -> T) -> Vec<T> {
        let example = format!("[[{name}]] above the keys of each");
        let Some(Node { place, value }) = self.take(name) else { return Vec::new() };
        let nodes = match value.into_list() {
            Ok(nodes) => nodes,
            Err(value) => {
                self.problems.refuse(&place, &value, "a list of tables", &example).unwrap_or_default()
            }
        };
        let tables = nodes.into_iter().filter_map(|node| {
            let (place, entries) = as_table(node, &example, self.problems)?;
            Some(Section::read(place, entries, self.problems, &keys))
        });
        tables.collect()
    }

    /// The tables within `name`, each with a name that the user chose.
    pub(super) fn named_tables<T>(
        &mut self,
        name: &'static str,
        keys: impl Fn(&mut Section<'_>) -> T,
    ) -> Vec<(String, At<T>)> {
        let example = format!("[{name}.NAME] above its keys");
        let table = |node: Node, problems: &mut Problems| {
            let (place, entries) = as_table(node, &example, problems)?;
            Some(Section::read(place, entries, problems, &keys))
        };
        self.key(name, named(|_, _, _| Some(()), table)).into_value().unwrap_or_default()
    }

    fn take(&mut self, name: &'static str) -> Option<Node> {
        self.known.push(name);
        let position = self.entries.iter().position(|(key, _)| key == name)?;
        Some(self.entries.remove(position).1)
    }

    fn refuse_the_rest(self) {
        for (name, node) in self.entries {
            let fix = match nearest(&name, self.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("the keys here are {}", self.known.join(", ")),
            };
            self.problems.push(Problem::error(&node.place, "unknown key", fix));
        }
    }
}

pub(super) fn as_table(node: Node, example: &str, problems: &mut Problems) -> Option<(Place, Table)> {
    match node.value.into_table() {
        Ok(table) => Some((node.place, table)),
        Err(value) => problems.refuse(&node.place, &value, "a table", example),
    }
}

impl Problems {
    /// Tells that something else is expected. It returns nothing, in place of the value.
    pub(super) fn refuse<T>(
        &mut self,
        place: &Place,
        value: &Value,
        expected: &str,
        example: &str,
    ) -> Option<T> {
        let message = format!("should be {expected}, not {}", value.kind());
        self.push(Problem::error(place, message, format!("write {example}")).with_value(value));
        None
    }
}
