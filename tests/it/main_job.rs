//! The main job: a tag moves, a build starts with the immutable reference; nothing moves, nothing happens.

use std::fs;
use std::path::Path;

use serde_json::Value;

use reqwest::Method;

use crate::support::daemon::Home;
use crate::support::fake_registry::FakeRegistry;
use crate::support::watch_list::{Watch, watch_list};

/// What the builds of a home wrote down, a line each.
fn written(home: &Home) -> Vec<String> {
    let text = fs::read_to_string(home.path().join("builds.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// A command that writes down what it was given.
fn write_down(dir: &Path, what: &str) -> Vec<String> {
    let line = format!("echo \"{what}\" >> {}/builds.txt", dir.display());
    vec!["/bin/sh".into(), "-c".into(), line]
}

fn home(registry: &FakeRegistry, what: &str, watches: impl Fn(&[String]) -> Vec<Watch>) -> Home {
    let home = Home::new("");
    let run = write_down(home.path(), what);
    home.configure(&watch_list(&registry.host(), &watches(&run)));
    home
}

#[test]
fn a_moved_tag_starts_one_build_with_the_pinned_reference() {
    let registry = FakeRegistry::start();
    let first = registry.push("base", "1", 1);
    let home = home(&registry, "$BASEWATCH_BUILD $BASEWATCH_BASE_IMAGE $BASEWATCH_OLD_DIGEST", |run| {
        vec![Watch::new("app", &registry.host(), "base:1").run(run).every("100ms")]
    });
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let second = registry.push("base", "1", 2);
    daemon.wait_count("build_finished", 2);
    let polls = registry.count(Method::HEAD, "/v2/base");
    registry.wait_requests(polls + 3, Method::HEAD, "/v2/base");
    let (code, events) = daemon.stop();

    assert_eq!(code, Some(0));
    let host = &registry.host();
    assert_eq!(
        written(&home),
        [format!("app-1 {host}/base@{first} "), format!("app-2 {host}/base@{second} {first}")]
    );
    let named =
        |name: &str| events.iter().filter(|event| event["event"] == name).cloned().collect::<Vec<Value>>();
    assert_eq!(named("tag_resolved").len(), 1);
    let changed = named("image_changed");
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0]["digest"], second.to_string());
    assert_eq!(changed[0]["old_digest"], first.to_string());
    assert_eq!(changed[0]["fan_out"], 1);
    assert_eq!(named("build_finished").len(), 2);
}

#[test]
fn a_restart_without_a_push_builds_nothing_and_a_push_while_stopped_builds_once() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = home(&registry, "$BASEWATCH_BUILD $BASEWATCH_DIGEST", |run| {
        vec![Watch::new("app", &registry.host(), "base:1").run(run).every("100ms")]
    });
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    daemon.stop();
    let polled = |times: usize| {
        let polls = registry.count(Method::HEAD, "/v2/base");
        registry.wait_requests(polls + times, Method::HEAD, "/v2/base");
    };

    let daemon = home.start();
    polled(3);
    let (_, events) = daemon.stop();
    assert!(events.iter().all(|event| event["event"] != "trigger_fired"), "{events:?}");
    assert_eq!(written(&home).len(), 1);

    registry.push("base", "1", 2);
    let newest = registry.push("base", "1", 3);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    polled(3);
    daemon.stop();
    assert_eq!(written(&home).len(), 2);
    assert_eq!(written(&home)[1], format!("app-2 {newest}"));
}

#[test]
fn one_push_of_a_base_with_thirty_builds_is_one_line_with_its_fan_out() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = home(&registry, "$BASEWATCH_BUILD_CONFIG", |run| {
        let watch =
            |number| Watch::new(&format!("app-{number}"), &registry.host(), "base:1").run(run).every("100ms");
        (0..30).map(watch).collect()
    });
    let daemon = home.start();
    daemon.wait_count("build_finished", 30);
    registry.push("base", "1", 2);
    daemon.wait_count("build_finished", 60);
    let (_, events) = daemon.stop();
    let changed: Vec<&Value> = events.iter().filter(|event| event["event"] == "image_changed").collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0]["fan_out"], 30);
    let mut names = written(&home);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 30);
    assert_eq!(written(&home).len(), 60);
}

#[test]
fn two_images_of_one_watch_are_one_build_at_the_first_sight() {
    let registry = FakeRegistry::start();
    let base = registry.push("base", "1", 1);
    registry.push("tools", "1", 1);
    let home = home(&registry, "$BASEWATCH_BUILD $BASEWATCH_BASE_IMAGE", |run| {
        vec![Watch::new("app", &registry.host(), "base:1").and("tools:1").run(run).every("100ms")]
    });
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    // The other image moves: a build, on the base's own unchanged digest (S15).
    registry.push("tools", "1", 2);
    daemon.wait_count("build_finished", 2);
    daemon.stop();
    let host = &registry.host();
    assert_eq!(written(&home), [format!("app-1 {host}/base@{base}"), format!("app-2 {host}/base@{base}")]);
}

#[test]
fn once_polls_everything_runs_what_fires_and_tells_by_its_exit_code() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let watches = |run: &[String]| vec![Watch::new("app", &registry.host(), "base:1").run(run)];
    let home = home(&registry, "$BASEWATCH_BUILD", watches);
    let (code, _) = home.spawn(&["--once"], &[]).finish();
    assert_eq!(code, Some(0));
    assert_eq!(written(&home), ["app-1"]);
    let (code, _) = home.spawn(&["--once"], &[]).finish();
    assert_eq!((code, written(&home).len()), (Some(0), 1));

    registry.remove("base", "1");
    let (code, events) = home.spawn(&["--once"], &[]).finish();
    assert_eq!(code, Some(1));
    assert!(events.iter().any(|event| event["event"] == "tag_missing"), "{events:?}");

    registry.push("base", "1", 2);
    let fails = ["/bin/sh".to_owned(), "-c".to_owned(), "echo broken; exit 3".to_owned()];
    home.configure(&watch_list(&registry.host(), &watches(&fails)));
    let (code, events) = home.spawn(&["--once"], &[]).finish();
    assert_eq!(code, Some(1));
    let retrying = events.iter().find(|event| event["event"] == "build_retrying").unwrap();
    assert_eq!(retrying["exit"], 3);
}

#[test]
fn once_builds_a_config_that_is_new_on_a_tag_that_is_not_polled_any_more() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let host = registry.host();
    let stream = format!(
        "[[registry]]\nhost = \"{host}\"\ninsecure = true\n\
         [[image_stream]]\nname = \"base\"\n[[image_stream.tag]]\nname = \"1\"\n\
         from = {{ kind = \"DockerImage\", name = \"{host}/base:1\" }}\n\
         import_policy = {{ scheduled = false }}\n"
    );
    let config = |name: &str, run: &[String]| {
        format!(
            "[[build_config]]\nname = \"{name}\"\n[build_config.strategy]\ntype = \"Source\"\n\
             from = {{ name = \"base:1\" }}\ncommand = {run:?}\n\
             [[build_config.trigger]]\ntype = \"ImageChange\"\nimage_change = {{}}\n"
        )
    };
    let home = Home::new("");
    let run = write_down(home.path(), "$BASEWATCH_BUILD");
    home.configure(&(stream.clone() + &config("app", &run)));
    assert_eq!(home.spawn(&["--once"], &[]).finish().0, Some(0));
    assert_eq!(written(&home), ["app-1"]);
    registry.reset_counts();
    home.configure(&(stream + &config("app", &run) + &config("web", &run)));
    assert_eq!(home.spawn(&["--once"], &[]).finish().0, Some(0));
    assert_eq!(written(&home), ["app-1", "web-1"]);
    assert_eq!(registry.requests().len(), 0, "it was found before");
}

#[test]
fn a_state_directory_that_holds_something_else_loses_nothing_of_it() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let watches = |run: &[String]| vec![Watch::new("app", &registry.host(), "base:1").run(run)];
    let home = home(&registry, "$BASEWATCH_BUILD", watches);
    let foreign = home.state().join("builds/myproj/app-12/data");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, "precious").unwrap();
    for _ in 0..2 {
        assert_eq!(home.spawn(&["--once"], &[]).finish().0, Some(0));
        assert_eq!(fs::read_to_string(&foreign).unwrap(), "precious");
    }
}

#[test]
fn once_that_is_stopped_halfway_has_not_done_its_job() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = Home::new("");
    let run = ["/bin/sh", "-c", "exec sleep 1000"].map(str::to_owned);
    let watches = [Watch::new("app", &registry.host(), "base:1").run(&run)];
    let hasty = "\n[daemon]\ndrain_timeout = \"100ms\"\n";
    home.configure(&format!("{}{hasty}", watch_list(&registry.host(), &watches)));
    let daemon = home.spawn(&["--once"], &[]);
    daemon.wait_for("build_started");
    let (code, events) = daemon.stop();
    assert_eq!(code, Some(1));
    assert!(events.iter().all(|event| event["event"] != "build_finished"), "{events:?}");
}
