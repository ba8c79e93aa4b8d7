//! The files in `config/`: they are what a reader copies from.

use std::fs;
use std::path::Path;

use super::{Dir, problems};
use crate::config::{Loaded, SecretFiles, load};

fn sample() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/basewatch.toml")).unwrap()
}

/// A line that shows a key or begins a table, without the `# ` before it.
fn commented_out(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ")?;
    let is_key = line
        .split_once(" = ")
        .is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
    (is_key || line.starts_with('[')).then_some(line)
}

fn meaning(text: &str) -> Loaded {
    let dir = Dir::with(&[("main.toml", text)]);
    load(&dir.path("main.toml"), &SecretFiles::Skip).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_sample_as_shipped_changes_nothing() {
    assert_eq!(meaning(&sample()).settings, meaning("").settings);
}

#[test]
fn the_sample_shows_every_key_at_its_default() {
    let sample = sample();
    let lines = sample.lines().map(|line| commented_out(line).unwrap_or(line));
    let all: String = lines.clone().map(|line| format!("{line}\n")).collect();
    let is_default =
        |line: &str| line.contains(" = ") && !line.ends_with("# example") && !line.starts_with('#');
    let examples: String =
        lines.clone().filter(|line| !is_default(line)).map(|line| format!("{line}\n")).collect();
    assert!(lines.filter(|line| is_default(line)).count() > 15, "there are defaults to compare");
    let shown = meaning(&all.replace("docker.io/library/debian", "registry.example.com:5000/debian"));
    let left_out = meaning(&examples.replace("docker.io/library/debian", "registry.example.com:5000/debian"));
    assert_eq!(shown.settings, left_out.settings);
    assert_eq!(shown.warnings, [], "the sample is one to copy from");
}

#[test]
fn the_sample_shows_every_key_that_is_read() {
    let sample: Vec<&str> = sample().leak().lines().collect();
    let section = |header: &str| {
        let begin = sample.iter().position(|line| commented_out(line).unwrap_or(line) == header).unwrap();
        let rest = sample.iter().skip(begin + 1).map(|line| commented_out(line).unwrap_or(line));
        rest.take_while(|line| !line.starts_with('[')).collect::<Vec<_>>()
    };
    let all: Vec<&str> = sample.iter().map(|line| commented_out(line).unwrap_or(line)).collect();
    let cases = [
        ("[[watch]]", all.clone()),
        ("[template.x]", all.clone()),
        ("[watch.retry]", all.clone()),
        ("[watch.webhook]", all.clone()),
        ("[defaults]", section("[defaults]")),
        ("[[registry]]", section("[[registry]]")),
        ("[daemon]", section("[daemon]")),
        ("[log]", section("[log]")),
        ("[webhook]", section("[webhook]")),
        ("[[image_stream]]", all.clone()),
        ("[[image_stream.tag]]", all.clone()),
        ("[image_stream.tag.import_policy]", all.clone()),
        ("[[build_config]]", all.clone()),
        ("[build_config.strategy]", all.clone()),
        ("[build_config.source]", all.clone()),
        ("[[build_config.source.images]]", all.clone()),
        ("[runner.x]", all.clone()),
        ("[build_config.output]", all.clone()),
        ("[[build_config.trigger]]", all.clone()),
        ("[build_config.trigger.image_change]", all.clone()),
        ("[build_config.trigger.generic]", all),
    ];
    for (header, shown) in cases {
        for key in known_keys(header) {
            let begins = format!("{key} = ");
            let within = |line: &&str| {
                line.starts_with(&begins)
                    || line.contains(&format!("{{ {begins}"))
                    || line.contains(&format!(", {begins}"))
            };
            let is_run = header == "[defaults]" && key == "run";
            // A table may be shown by its header.
            let is_header = |line: &&str| line.trim_end_matches(']').ends_with(&format!(".{key}"));
            assert!(
                is_run || shown.iter().any(is_header) || shown.iter().any(within),
                "{key} of {header} is not shown"
            );
        }
    }
}

/// The keys that the reader names when it meets one it does not know.
fn known_keys(header: &str) -> Vec<String> {
    let bare = header.trim_matches(['[', ']']);
    let above: String =
        bare.match_indices('.').map(|(end, _)| format!("{}\n", above(&bare[..end]))).collect();
    let told = problems(&format!("{above}{header}\nzzzzzzzz = 1\n"));
    let list = told.iter().find_map(|line| line.split_once("the keys here are ")).unwrap().1;
    list.split(", ").map(str::to_owned).collect()
}

/// A table that another one stands in; a template's name stands in none.
fn above(name: &str) -> String {
    let is_list = !matches!(name, "template" | "runner" | "build_config.strategy" | "build_config.source");
    if is_list { format!("[[{name}]]") } else { String::new() }
}

#[test]
fn the_examples_load_without_a_warning() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let loaded = load(&file, &SecretFiles::Skip).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(loaded.warnings, [], "in {}", file.display());
    }
}
