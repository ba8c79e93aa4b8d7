//! What the documents promise, tried: configurations that can be copied can be used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn must_be_usable(config: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_basewatch"));
    let output = command.args(["validate", "--offline", "--config"]).arg(config).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}: {said}", config.display());
    assert!(!said.contains("warning"), "{}: {said}", config.display());
}

#[test]
fn the_readmes_configuration_can_be_used_as_it_stands() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<&str> =
        readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty(), "the README shows no configuration");
    for block in blocks {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("basewatch.toml"), block).unwrap();
        must_be_usable(&dir.path().join("basewatch.toml"));
    }
}

#[test]
fn the_demo_and_the_examples_can_be_used_as_they_stand() {
    must_be_usable(&root().join("config/demo.toml"));
    let examples: Vec<PathBuf> =
        fs::read_dir(root().join("config/examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(examples.len() > 3, "{examples:?}");
    examples.iter().for_each(|example| must_be_usable(example));
}

#[test]
fn the_readme_names_every_verb_and_no_other() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_basewatch")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let verbs =
        commands.lines().filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help");
    let verbs: Vec<&str> = verbs.collect();
    assert!(verbs.contains(&"run") && verbs.len() > 5, "{help}");
    for verb in verbs {
        assert!(
            readme.contains(&format!("`basewatch {verb}")) || readme.contains(&format!("`{verb}`")),
            "{verb}"
        );
    }
}
