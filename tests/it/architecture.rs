//! Who may know whom. The house stays as ARCHITECTURE.md draws it because this reads the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms that anybody may name. They know nobody.
const ANYBODY: &[&str] = &["text", "file"];

/// Each room, and the rooms it may name besides those.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("file", &[]),
    ("image", &[]),
    ("import", &[]),
    ("dockerfile", &[]),
    ("failpoint", &[]),
    ("systemd", &[]),
    ("logging", &[]),
    ("controller", &["image"]),
    ("registry", &["image"]),
    ("poll", &["image", "registry"]),
    ("store", &["controller", "failpoint"]),
    ("runner", &["controller", "dockerfile", "image", "logging", "failpoint"]),
    ("config", &["image", "controller", "registry", "poll", "daemon", "logging", "webhook"]),
    ("webhook", &["controller", "control"]),
    ("control", &["controller", "image"]),
    ("cli", &["config", "control", "daemon", "image", "import", "logging", "registry", "runner", "systemd"]),
    (
        "daemon",
        &[
            "config",
            "control",
            "controller",
            "failpoint",
            "image",
            "logging",
            "poll",
            "registry",
            "runner",
            "store",
            "systemd",
            "webhook",
        ],
    ),
];

/// What only some files may name.
const RESERVED: &[(&str, &[&str])] = &[
    ("sled", &["store/"]),
    ("oci_distribution", &["registry/", "image/reference.rs"]),
    ("process::Command", &["runner/", "registry/keychain.rs"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && name != "tests" {
            sources(&entry, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(entry);
        }
    }
}

/// Every source file that is not a test, by its path under `src`, without comments.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let text = |path: &PathBuf| {
        let lines = fs::read_to_string(path).unwrap();
        let lines = lines.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.fold(String::new(), |text, line| text + line + "\n")
    };
    paths.iter().map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), text(path))).collect()
}

fn room(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

/// The rooms that a text names: `crate::room` and the names in `use crate::{…}`.
fn named(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for after in text.split("crate::").skip(1) {
        let (names, depth_one) = match after.strip_prefix('{') {
            Some(list) => (list, true),
            None => (after, false),
        };
        let mut depth = 0;
        let mut word = String::new();
        for character in names.chars() {
            match character {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                _ if depth > 0 => {}
                'a'..='z' | '_' => word.push(character),
                ',' if depth_one => rooms.extend(first_word(&mut word)),
                ':' if depth_one => word.push(':'),
                ' ' | '\n' if depth_one => {}
                _ if depth_one && character != '}' => word.push(character),
                _ => break,
            }
        }
        rooms.extend(first_word(&mut word));
    }
    rooms
}

fn first_word(word: &mut String) -> Option<String> {
    let taken = std::mem::take(word);
    let first = taken.split(':').next().unwrap_or_default().to_owned();
    first.starts_with(|character: char| character.is_ascii_lowercase()).then_some(first)
}

#[test]
fn a_room_names_only_the_rooms_it_may_know() {
    let code = code();
    assert!(code.len() > 30, "the sources were not found");
    let mut wrong = Vec::new();
    for (path, text) in code.iter().filter(|(path, _)| !["lib.rs", "main.rs"].contains(&path.as_str())) {
        let room = room(path);
        let Some((_, may)) = MAY_KNOW.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{path}: the room {room} is not in the table"));
            continue;
        };
        let allowed = |other: &str| other == room || ANYBODY.contains(&other) || may.contains(&other);
        for other in named(text).iter().filter(|other| !allowed(other)) {
            wrong.push(format!("{path} names crate::{other}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_reserved_is_named_only_where_it_may_be() {
    let mut wrong = Vec::new();
    for (path, text) in code() {
        for (word, places) in RESERVED {
            let allowed = places.iter().any(|place| path.starts_with(place));
            if text.contains(word) && !allowed {
                wrong.push(format!("{path} names {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reading_of_imports_finds_them() {
    let text = "use crate::image::TagRef;\nuse crate::{config, poll::{Plan, Mode},\n    store};\nlet x = crate::daemon::run();";
    let rooms: Vec<String> = named(text).into_iter().collect();
    assert_eq!(rooms, ["config", "daemon", "image", "poll", "store"]);
}
