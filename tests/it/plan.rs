//! What `plan` foresees is what then happens, and nothing happens because of it.

use std::fs;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Home};
use crate::support::fake_registry::{FakeRegistry, Fault};
use crate::support::watch_list::{Watch, watch_list};

const FILLED_IN: [&str; 7] =
    ["/bin/echo", "{namespace}/{name}", "{base_image}", "{image}", "{digest}", "{build}", "a word"];

/// Polled at the start, and then not for hours.
fn app(registry: &FakeRegistry) -> Watch {
    let command = FILLED_IN.map(str::to_owned);
    Watch::new("app", &registry.host(), "base:1").every("6h").run(&command)
}

fn home(registry: &FakeRegistry, watches: &[Watch]) -> Home {
    Home::new(&watch_list(&registry.host(), watches))
}

fn builds(plan: &Value) -> Vec<(&str, &str)> {
    let builds = plan["builds"].as_array().unwrap().iter();
    builds.map(|build| (build["build"].as_str().unwrap(), build["outlook"].as_str().unwrap())).collect()
}

fn held(plan: &Value) -> Vec<(&str, &str)> {
    let held = plan["held"].as_array().unwrap().iter();
    held.map(|held| (held["build_config"].as_str().unwrap(), held["reason"].as_str().unwrap())).collect()
}

/// What a command prints that must succeed.
fn says(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Has all tags polled, and waits until there are so many ended builds.
fn poll_until_built(home: &Home, daemon: &Daemon, builds: usize) {
    home.ask(&["poll"]);
    daemon.wait_count("build_finished", builds);
}

#[test]
fn before_a_push_nothing_and_after_it_exactly_what_then_happens() {
    let registry = FakeRegistry::start();
    let old = registry.push("base", "1", 1);
    let home = home(&registry, &[app(&registry)]);
    let daemon = home.start();
    daemon.wait_for("build_finished");
    let plan = home.ask(&["plan"]);
    assert_eq!((builds(&plan), held(&plan)), (vec![], vec![]), "{plan}");
    assert_eq!(plan["looks"]["looked"], 1);
    assert!(says(&home, &["plan"]).starts_with("nothing would be built\n"));

    let new = registry.push("base", "1", 2);
    let (journal, events) = (home.journal_bytes(), daemon.events().len());
    let plan = home.ask(&["plan"]);
    assert_eq!(builds(&plan), [("default/app-2", "starts")]);
    let planned = &plan["builds"][0]["spec"];
    let reference = format!("{}/base@{new}", registry.host());
    assert_eq!(
        planned["command"],
        json!(["/bin/echo", "default/app", reference, reference, new.to_string(), "app-2", "a word"])
    );
    let cause = &planned["causes"][0];
    assert_eq!((&cause["old_digest"], &cause["image"]["digest"]), (&json!(old), &json!(new)));
    let text = says(&home, &["plan"]);
    assert!(text.contains("default/app-2  starts now") && text.contains("'a word'"), "{text}");
    let is_wide = |line: &&str| line.chars().count() > 100 && !line.trim().contains("sha256:");
    assert_eq!(text.lines().find(is_wide), None, "{text}");

    // Nothing came of it.
    assert_eq!(home.journal_bytes(), journal);
    assert_eq!(home.ask(&["builds"])["builds"].as_array().unwrap().len(), 1);
    assert_eq!(daemon.events().len(), events, "{:?}", daemon.events());
    assert_eq!(home.ask(&["plan"])["builds"], plan["builds"], "asked again it is the same");

    poll_until_built(&home, &daemon, 2);
    let built = home.ask(&["build", "show", "app-2"]);
    assert_eq!(&built["spec"], planned);
    assert_eq!(builds(&home.ask(&["plan"])), []);
    daemon.stop();
}

#[test]
fn attestations_that_moved_are_no_build_to_the_plan_nor_to_the_poll_after_it() {
    let registry = FakeRegistry::start();
    let images = [("linux/amd64", 1), ("linux/arm64", 1)];
    registry.push_platforms("base", "1", &images, 1);
    let home = home(&registry, &[app(&registry)]);
    let daemon = home.start();
    daemon.wait_for("build_finished");
    let journal = home.journal_bytes();
    registry.push_platforms("base", "1", &images, 2);
    assert_eq!(builds(&home.ask(&["plan"])), []);
    assert_eq!(home.journal_bytes(), journal);
    home.ask(&["poll"]);
    daemon.wait_for("index_moved");
    registry.push_platforms("base", "1", &[("linux/amd64", 1), ("linux/arm64", 2)], 3);
    assert_eq!(builds(&home.ask(&["plan"])), [("default/app-2", "starts")]);
    poll_until_built(&home, &daemon, 2);
    assert_eq!(daemon.all("image_changed").len(), 1);
    daemon.stop();
}

#[test]
fn two_moved_tags_of_one_config_are_two_builds_of_which_one_waits() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    registry.push("tools", "1", 1);
    let watch = app(&registry).and("tools:1").key("run_policy", "\"Serial\"");
    let home = home(&registry, &[watch]);
    let daemon = home.start();
    daemon.wait_for("build_finished");
    registry.push("base", "1", 2);
    registry.push("tools", "1", 2);
    let plan = home.ask(&["plan"]);
    assert_eq!(builds(&plan), [("default/app-2", "starts"), ("default/app-3", "queued")]);
    assert_eq!(plan["builds"][1]["behind"], "default/app-2");
    assert!(says(&home, &["plan"]).contains("after #2"));
    poll_until_built(&home, &daemon, 3);
    for (position, name) in [(0, "app-2"), (1, "app-3")] {
        let built = home.ask(&["build", "show", name]);
        assert_eq!(built["spec"]["causes"], plan["builds"][position]["spec"]["causes"]);
    }
    daemon.stop();
}

#[test]
fn an_assumed_digest_asks_no_registry_and_a_tag_that_is_not_watched_is_refused() {
    let registry = FakeRegistry::start();
    registry.push_platforms("base", "1", &[("linux/amd64", 1)], 1);
    registry.push("tools", "1", 1);
    let tools = Watch::new("lib", &registry.host(), "tools:1").every("6h");
    let home = home(&registry, &[app(&registry), tools]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 2);
    registry.push("tools", "1", 2);
    registry.reset_counts();
    let digest = format!("sha256:{}", "ab".repeat(32));
    let image = format!("{}/base:1@{digest}", registry.host());
    let plan = home.ask(&["plan", "--if", &image]);
    assert_eq!(builds(&plan), [("default/app-2", "starts")], "the move of the other tag is not known");
    assert_eq!(plan["builds"][0]["spec"]["base_image"]["digest"], digest);
    assert_eq!((&plan["looks"]["assumed"], &plan["looks"]["as_stored"]), (&json!(1), &json!(1)));
    let both = ["plan", "--if", &image, "--if", &format!("{}/tools:1@{digest}", registry.host())];
    assert_eq!(builds(&home.ask(&both)).len(), 2);
    assert_eq!(registry.requests().len(), 0);

    let stored = home.ask(&["configs"])[0]["digest"].as_str().unwrap().to_owned();
    let same = format!("{}/base:1@{stored}", registry.host());
    assert_eq!(builds(&home.ask(&["plan", "--if", &same])), [], "that is what it has");
    for (wrong, said) in [
        (format!("{}/other:1@{digest}", registry.host()), "is not watched"),
        (format!("{}/base:1", registry.host()), "names no digest"),
        (format!("{}/base:1@sha256:abc", registry.host()), "sha256:abc"),
    ] {
        let output = home.run(&["plan", "--if", &wrong]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{wrong}: {error}");
        assert!(error.contains(said), "{wrong}: {error}");
    }
    daemon.stop();
}

#[test]
fn a_new_file_is_told_apart_from_what_runs_and_changes_nothing() {
    let registry = FakeRegistry::start();
    for image in ["base", "tools", "extra"] {
        registry.push(image, "1", 1);
    }
    let tools = |name: &str| Watch::new(name, &registry.host(), "tools:1").every("6h");
    let home = home(&registry, &[app(&registry), tools("lib"), tools("old")]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 3);
    let journal = home.journal_bytes();
    let file: PathBuf = home.path().join("new.toml");
    let extra = Watch::new("extra", &registry.host(), "extra:1").every("6h");
    let edited = tools("lib").key("timeout", "\"2h\"");
    let renamed =
        Watch::new("web", &registry.host(), "base:1").every("6h").run(&FILLED_IN.map(str::to_owned));
    fs::write(&file, watch_list(&registry.host(), &[renamed, edited, extra])).unwrap();
    let new = file.to_str().unwrap();

    let plan = home.ask(&["plan", "--new", new]);
    let changes = &plan["changes"];
    assert_eq!(changes["renamed"], json!([{"from": "default/app", "to": "default/web"}]), "{plan}");
    assert_eq!(
        (&changes["added"], &changes["removed"]),
        (&json!(["default/extra"]), &json!(["default/old"]))
    );
    assert_eq!(changes["edited"][0]["name"], "default/lib");
    assert_eq!(builds(&plan), [("default/web-1", "starts")]);
    assert_eq!(plan["looks"]["unseen"], json!([format!("{}/extra:1", registry.host())]));
    assert_eq!(registry.count(Method::HEAD, "/v2/extra/"), 0, "nobody polls it yet");
    let text = says(&home, &["plan", "--new", new]);
    assert!(text.contains("renamed default/app to default/web: a new build config"), "{text}");
    assert!(text.contains("not looked at yet:"), "{text}");

    fs::write(&file, "[[watch]]\nimage = \"x\"\n").unwrap();
    let output = home.run(&["plan", "--new", new]);
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stdout).contains("new.toml:1:"), "{output:?}");
    let output = home.run(&["plan", "--new", new, "--json"]);
    let refused: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &refused["result"]), (Some(78), &json!("refused")));

    assert_eq!(home.journal_bytes(), journal);
    let names = home.ask(&["configs"]);
    let names: Vec<&Value> = names.as_array().unwrap().iter().map(|config| &config["build_config"]).collect();
    assert_eq!(names, ["default/app", "default/lib", "default/old"]);
    assert_eq!(builds(&home.ask(&["plan"])), []);
    daemon.stop();
}

#[test]
fn what_is_held_is_told_with_its_reason_and_with_what_waits() {
    let registry = FakeRegistry::start();
    let old = registry.push("base", "1", 1);
    let both = registry.push_platforms("multi", "1", &[("linux/amd64", 1), ("linux/arm64", 1)], 1);
    let arm = Watch::new("arm", &registry.host(), "multi:1").every("6h");
    let arm = arm.key("platforms", "[\"linux/arm64\"]");
    let home = home(&registry, &[app(&registry), arm.clone()]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 2);
    home.ask(&["pause", "app"]);
    let new = registry.push("base", "1", 2);
    let one = registry.push_platforms("multi", "1", &[("linux/amd64", 2)], 2);
    let plan = home.ask(&["plan"]);
    assert_eq!(builds(&plan), []);
    assert_eq!(held(&plan), [("default/app", "paused"), ("default/arm", "platform_missing")]);
    let waits = &plan["held"][0]["waits"][0];
    assert_eq!((&waits["old_digest"], &waits["digest"]), (&json!(old), &json!(new)));
    assert_eq!(plan["held"][1]["missing"], json!(["linux/arm64"]));
    let waits = &plan["held"][1]["waits"][0];
    assert_eq!((&waits["old_digest"], &waits["digest"]), (&json!(both), &json!(one)));
    let text = says(&home, &["plan"]);
    assert!(text.contains("default/arm waits for linux/arm64\n") && text.contains("paused"), "{text}");

    // More first builds at once than `hold_above` would be held.
    let file = home.path().join("new.toml");
    let first = Watch::new("first", &registry.host(), "base:1").every("6h");
    let list = watch_list(&registry.host(), &[app(&registry), arm, first]);
    fs::write(&file, format!("{list}\n[daemon]\nhold_above = 0\n")).unwrap();
    let plan = home.ask(&["plan", "--new", file.to_str().unwrap()]);
    assert!(held(&plan).contains(&("default/first", "first_start")), "{plan}");
    assert!(
        home.ask(&["status"])["held"].as_array().unwrap().iter().all(|held| held["reason"] != "first_start")
    );
    daemon.stop();
}

#[test]
fn a_tag_that_cannot_be_looked_at_is_taken_as_it_was() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    registry.push("tools", "1", 1);
    let tools = Watch::new("lib", &registry.host(), "tools:1").every("6h");
    let home = home(&registry, &[app(&registry), tools]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 2);
    registry.fault("base", Fault::status(403));
    registry.push("base", "1", 2);
    registry.push("tools", "1", 2);
    let plan = home.ask(&["plan"]);
    assert_eq!(builds(&plan), [("default/lib-2", "starts")]);
    let vain = &plan["looks"]["in_vain"][0];
    assert_eq!(vain["tag"], format!("{}/base:1", registry.host()));
    assert!(vain["error"].as_str().unwrap().contains("403"), "{vain}");
    assert_eq!(plan["looks"]["as_stored"], 0, "it is told once, among those that were looked at in vain");
    assert!(daemon.all("tag_unresolved").is_empty(), "a look is no poll");
    daemon.stop();
}
