//! Readers of plain values: text, numbers, durations, paths, lists and tables of them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use super::problem::{Place, Problems};
use super::section::At;
use super::suggest::nearest;
use super::tree::{Node, Value};

/// Any text, an empty one too.
pub(super) fn text(node: Node, problems: &mut Problems) -> Option<String> {
    let text = match node.value.into_text() {
        Ok(text) => text,
        Err(value) => return problems.refuse(&node.place, &value, "text", "it in quotes"),
    };
    // No path, argument or variable can hold a NUL.
    match text.contains('\0') {
        true => problems.wrong(&node.place, "holds a NUL character", Value::Text(text), "leave it out"),
        false => Some(text),
    }
}

/// A text with something in it.
pub(super) fn word(node: Node, problems: &mut Problems) -> Option<String> {
    let place = node.place.clone();
    match text(node, problems)? {
        text if text.is_empty() => {
            problems.wrong(&place, "is empty", "\"\"", "write something, or leave the key out")
        }
        text => Some(text),
    }
}

/// `true` or `false`.
pub(super) fn flag(node: Node, problems: &mut Problems) -> Option<bool> {
    match node.value.into_flag() {
        Ok(flag) => Some(flag),
        Err(value) => problems.refuse(&node.place, &value, "true or false", "it without quotes"),
    }
}

/// One of a few words, each with its meaning.
pub(super) fn choice<T: Copy>(
    choices: &'static [(&'static str, T)],
) -> impl Fn(Node, &mut Problems) -> Option<T> {
    move |node, problems| {
        let place = node.place.clone();
        let text = text(node, problems)?;
        if let Some((_, meaning)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let words = || choices.iter().map(|(word, _)| *word);
        let fix = match nearest(&text, words()) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => format!(
                "write {}",
                words().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
            ),
        };
        problems.wrong(&place, "is not a choice here", Value::Text(text), fix)
    }
}

/// A whole number.
pub(super) fn count<T>(range: RangeInclusive<T>) -> impl Fn(Node, &mut Problems) -> Option<T>
where
    T: Copy + Display + PartialOrd + TryFrom<i128>,
{
    move |node, problems| {
        let limits = format!("a whole number from {} to {}", range.start(), range.end());
        let Value::Integer(number) = node.value else {
            return problems.refuse(&node.place, &node.value, "a whole number", &limits);
        };
        let count = T::try_from(number).ok().filter(|count| range.contains(count));
        count.or_else(|| problems.wrong(&node.place, "is out of range", number, format!("write {limits}")))
    }
}

/// A number that need not be whole.
pub(super) fn number(range: RangeInclusive<f64>) -> impl Fn(Node, &mut Problems) -> Option<f64> {
    move |node, problems| {
        let limits = format!("a number from {} to {}", range.start(), range.end());
        let number = match &node.value {
            Value::Integer(number) => number.to_string().parse().ok(),
            Value::Float(number) => Some(*number),
            Value::Text(_) | Value::Flag(_) | Value::Date(_) | Value::List(_) | Value::Table(_) => None,
        };
        match number {
            None => problems.refuse(&node.place, &node.value, "a number", &limits),
            Some(number) if range.contains(&number) => Some(number),
            Some(_) => problems.wrong(&node.place, "is out of range", node.value, format!("write {limits}")),
        }
    }
}

/// A span of time as text: `"250ms"`, `"90s"`, `"1h 30m"`.
pub(super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(Node, &mut Problems) -> Option<Duration> {
    move |node, problems| {
        const EXAMPLE: &str = "it like \"250ms\", \"90s\", \"15m\" or \"6h\"";
        let Value::Text(text) = &node.value else {
            return problems.refuse(&node.place, &node.value, "a duration in quotes", EXAMPLE);
        };
        let Some(duration) = text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok())
        else {
            return problems.wrong(&node.place, "is not a duration", node.value, format!("write {EXAMPLE}"));
        };
        if range.contains(&duration) {
            return Some(duration);
        }
        let fix = format!("write one from {} to {}", spell(*range.start()), spell(*range.end()));
        problems.wrong(&node.place, "is out of range", node.value, fix)
    }
}

/// A path; a relative one starts at the directory of the file it is written in.
pub(super) fn path(node: Node, problems: &mut Problems) -> Option<PathBuf> {
    let dir = node.place.file.parent().map(PathBuf::from).unwrap_or_default();
    let path = dir.join(word(node, problems)?);
    // Where builds and the daemon stand later is not where this file was named.
    Some(std::path::absolute(&path).unwrap_or(path))
}

/// A list of values of one kind.
pub(super) fn list<T>(
    element: impl Fn(Node, &mut Problems) -> Option<T>,
) -> impl Fn(Node, &mut Problems) -> Option<Vec<At<T>>> {
    move |node, problems| {
        let nodes = match node.value.into_list() {
            Ok(nodes) => nodes,
            Err(value) => return problems.refuse(&node.place, &value, "a list", &format!("[{value}]")),
        };
        if nodes.is_empty() {
            return problems.wrong(&node.place, "is an empty list", "[]", "write at least one element");
        }
        let mut elements = Vec::with_capacity(nodes.len());
        let all = nodes.len();
        for node in nodes {
            let place = node.place.clone();
            elements.extend(element(node, problems).map(|value| At { value, place }));
        }
        (elements.len() == all).then_some(elements)
    }
}

/// A table of names that the user chose, in the order written.
pub(super) fn named<T>(
    check_name: impl Fn(&str, &Place, &mut Problems) -> Option<()>,
    element: impl Fn(Node, &mut Problems) -> Option<T>,
) -> impl Fn(Node, &mut Problems) -> Option<Vec<(String, At<T>)>> {
    move |node, problems| {
        let entries = match node.value.into_table() {
            Ok(entries) => entries,
            Err(value) => {
                return problems.refuse(&node.place, &value, "a table", "it like { name = \"value\" }");
            }
        };
        let mut elements = Vec::with_capacity(entries.len());
        let all = entries.len();
        for (name, node) in entries {
            let place = node.place.clone();
            let checked = check_name(&name, &place, problems);
            if let (Some(()), Some(value)) = (checked, element(node, problems)) {
                elements.push((name, At { value, place }));
            }
        }
        (elements.len() == all).then_some(elements)
    }
}

/// `1h 30m`, as it would be written.
pub(super) fn spell(duration: Duration) -> String {
    SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{duration:?}"), |signed| format!("{signed:#}"))
}
