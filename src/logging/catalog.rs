//! docs/events.md as data, for the tests that hold the log to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// What the table says of one event.
#[derive(Debug)]
pub(crate) struct Row {
    levels: BTreeSet<String>,
    fields: BTreeSet<String>,
}

/// The rows of the table, by event.
pub(crate) fn table() -> BTreeMap<String, Row> {
    let rows = document().lines().filter(|line| line.starts_with("| `")).map(row).collect::<Vec<_>>();
    let count = rows.len();
    let table: BTreeMap<String, Row> = rows.into_iter().collect();
    assert_eq!(table.len(), count, "an event has two rows in docs/events.md");
    table
}

/// The example lines below the table.
pub(crate) fn examples() -> Vec<Map<String, Value>> {
    let text = document();
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Every event that the sources log.
pub(crate) fn in_sources() -> BTreeSet<String> {
    let mut events = BTreeSet::new();
    for file in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        let named = text.split("event = \"").skip(1);
        events.extend(named.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    events
}

/// Every line of our own that has no event, by the file that logs it.
pub(super) fn without_event() -> Vec<String> {
    let mut without = Vec::new();
    for file in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        without.extend(eventless(&text).into_iter().map(|call| format!("{name}: {call}")));
    }
    without
}

/// The calls in `text` that log a line whose first field is not its event.
pub(super) fn eventless(text: &str) -> Vec<&str> {
    const CALLS: [&str; 5] = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];
    let calls = CALLS.iter().flat_map(move |call| text.match_indices(call));
    let calls = calls.filter_map(move |(at, call)| {
        let first_field = text.get(at + call.len()..)?.trim_start();
        let named = ["event =", "event,"].iter().any(|start| first_field.starts_with(start));
        (!named).then(|| text.get(at..)?.lines().next())?
    });
    calls.collect()
}

/// Fails unless the table allows `line`: its event, its level and each of its fields.
pub(crate) fn check(line: &Map<String, Value>) {
    let table = table();
    let event = line.get("event").and_then(Value::as_str).unwrap_or_else(|| panic!("no event: {line:?}"));
    let row = table.get(event).unwrap_or_else(|| panic!("{event} is not in docs/events.md"));
    let level = line["level"].as_str().unwrap();
    assert!(row.levels.contains(level), "{event} is {level}, the table says {:?}", row.levels);
    for name in
        line.keys().filter(|name| !["timestamp", "level", "event", "message"].contains(&name.as_str()))
    {
        assert!(row.fields.contains(name), "{event} has a field `{name}` that is not in the table");
    }
}

fn row(line: &str) -> (String, Row) {
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let [event, levels, _, fields] = cells[..] else { panic!("not four cells: {line}") };
    let words =
        |cell: &str| cell.split([' ', ',', '`']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    (event.trim_matches('`').to_owned(), Row { levels: words(levels), fields: words(fields) })
}

/// The whole text.
pub(super) fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.md")).unwrap()
}

/// The sources but for the tests.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let (dirs, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let is_test = |path: &PathBuf| {
        ["tests.rs", "catalog.rs", "capture.rs"]
            .iter()
            .any(|name| path.file_name().is_some_and(|file| file == *name))
    };
    let below = dirs.iter().filter(|dir| !dir.ends_with("tests")).flat_map(|dir| sources(dir));
    files.into_iter().filter(|file| !is_test(file)).chain(below).collect()
}
