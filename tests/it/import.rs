//! `basewatch import openshift` from outside: what goes where, and how it ends.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

const DOCUMENT: &str = include_str!("../../src/import/tests/document.yaml");

/// The document's blocks, each as it stands there.
const BLOCKS: [&str; 4] = [
    "kind: \"ImageStream\"\napiVersion: \"v1\"\nmetadata:\n  name: \"ruby-20-centos7\"",
    "strategy:\n  sourceStrategy:\n    from:\n      kind: \"ImageStreamTag\"\n      name: \"ruby-20-centos7:latest\"",
    "type: \"ImageChange\"\nimageChange: {}",
    "type: \"ImageChange\"\nimageChange:\n  from:\n    kind: \"ImageStreamTag\"\n    name: \"custom-image:latest\"",
];

fn import(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_basewatch"));
    command.args(["import", "openshift"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that ends before it has read its input is told by its exit code.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Whether `text` has the lines of `block` one after the other, be they further in or items of a list.
fn has_block(text: &str, block: &str) -> bool {
    let plain = |line: &str| line.trim_start().trim_start_matches("- ").trim_end().to_owned();
    let lines: Vec<String> = text.lines().map(plain).collect();
    let block: Vec<String> = block.lines().map(plain).collect();
    lines.windows(block.len()).any(|window| window == block)
}

#[test]
fn the_documents_blocks_are_imported_with_no_line_changed() {
    for block in BLOCKS {
        assert!(has_block(DOCUMENT, block), "{block}");
    }
    let output = import(&["-"], DOCUMENT);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let toml: toml::Table = text(&output.stdout).parse().unwrap();
    assert_eq!(toml["image_stream"][0]["name"].as_str(), Some("ruby-20-centos7"));
    let config = &toml["build_config"][0];
    assert_eq!(config["strategy"]["from"]["name"].as_str(), Some("ruby-20-centos7:latest"));
    let watched = config["trigger"][1]["image_change"]["from"]["name"].as_str();
    assert_eq!(watched, Some("custom-image:latest"));
    assert!(text(&output.stderr).contains("BuildConfig app: add `command`"), "{}", text(&output.stderr));
}

#[test]
fn what_is_refused_leaves_stdout_empty_unless_it_is_lenient() {
    let odd = format!("{DOCUMENT}  - type: \"ImageChanged\"\n");
    let strict = import(&["-"], &odd);
    assert_eq!(strict.status.code(), Some(1));
    assert_eq!(text(&strict.stdout), "");
    let line = "error: stdin: document 2: BuildConfig app: spec.triggers[2].type: is \"ImageChanged\"";
    assert!(text(&strict.stderr).contains(line), "{}", text(&strict.stderr));
    let lenient = import(&["-", "--lenient"], &odd);
    assert_eq!(lenient.status.code(), Some(0));
    assert!(text(&lenient.stderr).contains(line), "{}", text(&lenient.stderr));
    assert_eq!(text(&lenient.stdout), text(&import(&["-"], DOCUMENT).stdout));
}

#[test]
fn what_cannot_be_read_is_never_done_and_others_are_shown_only_if_it_is_lenient() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (good, bad) = (file("good.yaml", DOCUMENT), file("bad.yaml", "a: [b"));
    let strict = import(&[&good, &bad], "");
    assert_eq!((strict.status.code(), text(&strict.stdout)), (Some(1), String::new()));
    assert!(text(&strict.stderr).contains(&format!("error: {bad}: document 1: read it as YAML")));
    let lenient = import(&[&good, &bad, "--lenient"], "");
    assert_eq!(lenient.status.code(), Some(1));
    assert!(text(&lenient.stdout).contains("ruby-20-centos7"));
    let missing = import(&[&good, "/nowhere/x.yaml"], "");
    assert_eq!((missing.status.code(), text(&missing.stdout)), (Some(1), String::new()));
    assert!(text(&missing.stderr).contains("open /nowhere/x.yaml"), "{}", text(&missing.stderr));
}

#[test]
fn no_file_is_a_mistake_of_usage() {
    assert_eq!(import(&[], "").status.code(), Some(2));
    assert_eq!(import(&["-", "--with-everything"], "").status.code(), Some(2));
}
