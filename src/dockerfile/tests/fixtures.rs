//! The files in `fixtures`: NAME.in becomes NAME.out, to the byte.
//!
//! After a change that is meant, `BASEWATCH_WRITE_FIXTURES=1 cargo test --lib dockerfile` writes the second of each
//! pair anew; read the difference before you commit it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{CHANGES, Changes};
use crate::dockerfile::{DockerfileError, Rewritten, rewrite};

/// Pairs that are not about the base and the image sources alone.
fn changes(name: &str, env: &'static Env) -> Changes<'static> {
    let target = |target| Changes { target: Some(target), ..CHANGES };
    match name {
        "image_sources_without_a_base" => Changes { base: None, ..CHANGES },
        "target_by_name" => target("test"),
        "target_by_number" => target("1"),
        "target_in_another_case" => target("bUILD"),
        "target_stands_on_an_earlier_one" => target("dev"),
        "env_of_the_built_stage" => Changes { built_env: &env.built, target: Some("build"), ..CHANGES },
        _ if name.starts_with("env_behind_joints") => Changes { built_env: &env.built, ..CHANGES },
        "env_behind_a_heredoc" | "env_behind_an_open_run" => Changes { built_env: &env.built, ..CHANGES },
        _ if name.starts_with("env_") => Changes { env: &env.each, built_env: &env.built, ..CHANGES },
        _ => CHANGES,
    }
}

struct Env {
    each: Vec<(String, String)>,
    built: Vec<(String, String)>,
}

fn env() -> &'static Env {
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let each = pairs(&[("HTTP_PROXY", "http://proxy:3128/?a=b&c"), ("GREETING", "it's $HOME \"here\" \\")]);
    Box::leak(Box::new(Env { each, built: pairs(&[("OPENSHIFT_BUILD_NAME", "app-7")]) }))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dockerfile/tests/fixtures")
}

/// The files that end so, by name.
pub(super) fn files(extension: &str) -> BTreeMap<String, Vec<u8>> {
    let paths = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    paths
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect()
}

fn rewritten(name: &str, text: &[u8]) -> Result<Rewritten, DockerfileError> {
    rewrite(text, &changes(name, env()))
}

#[test]
fn every_fixture_becomes_its_pair_to_the_byte() {
    let (before, mut after) = (files("in"), files("out"));
    if std::env::var_os("BASEWATCH_WRITE_FIXTURES").is_some() {
        for (name, text) in &before {
            let new = rewritten(name, text).unwrap().text;
            fs::write(directory().join(format!("{name}.out")), new).unwrap();
        }
        after = files("out");
    }
    assert!(before.len() >= 40, "only {} fixtures were found", before.len());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "each is a pair");
    let mut wrong = Vec::new();
    for (name, text) in &before {
        match rewritten(name, text) {
            Ok(new) if new.text == after[name] => {}
            Ok(new) => wrong.push(format!("{name}:\n{}", String::from_utf8_lossy(&new.text))),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn without_changes_no_byte_of_a_fixture_changes() {
    for (name, text) in files("in") {
        let same = rewrite(&text, &Changes::default()).unwrap();
        assert_eq!(same.text, text, "{name}");
        assert_eq!(same.replaced, [], "{name}");
    }
}

#[test]
fn what_was_replaced_is_told_by_line() {
    let text = b"FROM tools\n\nFROM --platform=$P \\\n  deb\\\nian AS x\nRUN --mount=type=bind,\\\nfrom=\"tools\" y\n";
    let replaced = rewrite(text, &CHANGES).unwrap().replaced;
    let told: Vec<_> = replaced.iter().map(|one| (one.line, one.old.as_str(), one.new.as_str())).collect();
    let tools = super::SOURCES[0].reference;
    assert_eq!(told, [(1, "tools", tools), (4, "debian", super::BASE), (7, "tools", tools)]);
}
