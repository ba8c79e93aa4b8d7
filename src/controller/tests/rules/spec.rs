//! What a build is given: pinned references, and a command with its placeholders filled in (S13, invariant 2).

use std::path::Path;

use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::Children;

/// The words of a command after a build was made of it.
fn filled<const N: usize>(words: [&str; N]) -> Vec<String> {
    let mut config = watch("app", &["debian", "node"]);
    config.strategy.command = words.map(str::to_owned).into();
    let mut mind = Mind::start([config]);
    mind.see("debian", "A");
    mind.see("node", "B");
    mind.complete("app-1");
    mind.see("node", "C");
    mind.spec("app-2").command.clone()
}

fn pinned(name: &str, version: &str) -> String {
    format!("registry.test/{name}@{}", digest(version))
}

#[test]
fn each_placeholder_is_filled_in_wherever_it_stands() {
    let command = filled(["{namespace}/{name}", "-t={build}", "{base_image}", "{image}", "{digest}"]);
    let expected =
        ["default/app", "-t=app-2", &pinned("debian", "A"), &pinned("node", "C"), &digest("C").to_string()];
    assert_eq!(command, expected);
    assert_eq!(PLACEHOLDERS.len(), 6, "each of them is above");
}

#[test]
fn any_other_brace_stays_as_it_is() {
    let words = ["{x}", "${HOME}", "{", "}", "{name", "a}b", "{ name }", "{}", "{NAME}", ""];
    assert_eq!(filled(words), words);
    assert_eq!(
        filled(["{{name}}", "{x{name}", "awk '{print $1}' {name}"]),
        ["{app}", "{xapp", "awk '{print $1}' app"]
    );
}

#[test]
fn what_was_filled_in_is_not_looked_at_again() {
    let mut config = watch("app", &["debian"]);
    config.key = ConfigKey::new("default", "{build}");
    config.strategy.command = ["{name}".to_owned()].into();
    let mut mind = Mind::start([config.clone()]);
    mind.see("debian", "A");
    let key = BuildKey { config: config.key, number: 1 };
    assert!(mind.controller.records().builds.contains_key(&key));
    assert_eq!(mind.spec_of(&key).command, ["{build}"]);
}

#[test]
fn the_working_directory_is_filled_in_too() {
    let mut config = watch("app", &["debian"]);
    config.strategy.working_dir = Some(Path::new("/srv/{name}/{x}").into());
    let mut mind = Mind::start([config]);
    mind.see("debian", "A");
    assert_eq!(mind.spec("app-1").working_dir.as_deref(), Some("/srv/app/{x}".as_ref()));
}

#[test]
fn a_build_is_given_what_its_config_says_and_what_its_causes_found() {
    let mut config = watch("app", &["debian", "node"]);
    config.strategy.env = [("K".to_owned(), "{name}".to_owned())].into();
    config.labels.insert("team".to_owned(), "pay".to_owned());
    let mut mind = Mind::start([config.clone()]);
    mind.see("debian", "A");
    mind.see("node", "A");
    mind.see("node", "B");
    let spec = mind.spec("app-2");
    assert_eq!(
        (&spec.env, &spec.labels, spec.timeout),
        (&config.strategy.env.to_vec(), &config.labels, config.policy.timeout)
    );
    assert_eq!(&*spec.base().reference, pinned("debian", "A"), "the other image is not substituted");
    let image = PinnedImage {
        named: "node".into(),
        tag: tag("node"),
        reference: pinned("node", "B").into(),
        digest: Some(digest("B")),
        image_id: None,
        platforms: Children::new(),
    };
    let cause = Cause::ImageChange { image: image.clone(), old_digest: Some(digest("A")) };
    assert_eq!(spec.causes, [cause]);
    assert_eq!(spec.main_image(), Some((&image, Some(&digest("A")))));
    assert_eq!(spec.causes[0].name(), "image-change");
}

#[test]
fn what_a_build_is_given_survives_being_written_and_read() {
    let mut mind = Mind::start([watch("app", &["debian", "node"])]);
    mind.see("debian", "A");
    mind.see("node", "A");
    let text = serde_json::to_string(mind.spec("app-1")).unwrap();
    let read: BuildSpec = serde_json::from_str(&text).unwrap();
    assert_eq!(&read, mind.spec("app-1"));
}

#[test]
fn an_edit_of_the_config_changes_no_build_that_was_made() {
    let mut mind = Mind::start([serial(watch("app", &["debian"]))]);
    mind.see("debian", "A");
    mind.see("debian", "B");
    let before = mind.spec("app-2").clone();
    let mut edited = serial(watch("app", &["debian"]));
    edited.strategy.command = ["false".to_owned()].into();
    mind.load([edited]);
    mind.complete("app-1");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
    assert_eq!(mind.spec("app-2"), &before);
}
