//! Registries without digests, and those that only seem to be: through the daemon, over restarts.

use std::fs;

use reqwest::Method;
use serde_json::Value;

use crate::support::daemon::{Daemon, Home};
use crate::support::fake_registry::{FakeRegistry, Speaks};
use crate::support::proxy::Proxy;
use crate::support::watch_list::{Watch, watch_list};
use crate::support::{RealRegistry, eventually};

const WRITE_DOWN: &str =
    "echo \"$BASEWATCH_BUILD $BASEWATCH_BASE_IMAGE digest=$BASEWATCH_DIGEST\" >> builds.txt";
const TAG_PATH: &str = "/v1/repositories/library/app/tags/latest";

/// Watches `app:latest`; each build writes down what it was given.
fn watches(host: &str, registry_keys: &str, watch: impl Fn(Watch) -> Watch) -> Home {
    let home = Home::new("");
    let run = ["/bin/sh", "-c", WRITE_DOWN].map(str::to_owned);
    let dir = format!("\"{}\"", home.path().display());
    let app = Watch::new("app", host, "app:latest").run(&run).every("200ms").key("working_dir", &dir);
    let list = watch_list(host, &[watch(app)]);
    home.configure(&list.replace("insecure = true\n", &format!("insecure = true\n{registry_keys}\n")));
    home
}

fn home(registry: &FakeRegistry, registry_keys: &str) -> Home {
    watches(&registry.host(), registry_keys, |watch| watch)
}

fn v1_registry() -> FakeRegistry {
    let registry = FakeRegistry::start();
    registry.speak(Speaks::V1);
    registry
}

fn written(home: &Home) -> Vec<String> {
    let text = fs::read_to_string(home.path().join("builds.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn v1_build(registry: &FakeRegistry, number: u64) -> String {
    format!("app-{number} {}/library/app:latest digest=", registry.host())
}

/// Waits until the tag was asked for three times more, so that what was to come of it has.
fn three_polls(registry: &FakeRegistry, method: &Method, path: &str) {
    let so_far = registry.count(method.clone(), path);
    registry.wait_requests(so_far + 3, method.clone(), path);
}

fn image_id(home: &Home) -> Value {
    home.ask(&["status"])["tags"][0]["image_id"].clone()
}

fn stop(daemon: Daemon) {
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn s26_a_v1_tag_is_built_once_whatever_its_id_does_and_over_restarts() {
    let registry = v1_registry();
    registry.push_v1("library/app", "latest", 1);
    let home = home(&registry, "");
    let daemon = home.start();
    let told = daemon.wait_for("v1_fires_once");
    assert_eq!(told["image"], format!("{}/library/app:latest", registry.host()));
    daemon.wait_for("build_finished");

    let moved = registry.push_v1("library/app", "latest", 2);
    eventually("the new id", || (image_id(&home) == moved.to_string()).then_some(()));
    three_polls(&registry, &Method::GET, TAG_PATH);
    assert!(daemon.all("image_changed").is_empty() && daemon.all("v1_fires_once").len() == 1);
    stop(daemon);
    registry.push_v1("library/app", "latest", 3);
    let daemon = home.start();
    three_polls(&registry, &Method::GET, TAG_PATH);
    stop(daemon);
    assert_eq!(written(&home), [v1_build(&registry, 1)]);
}

#[test]
fn s26_an_unchanged_poll_of_a_v1_tag_is_one_request_and_no_byte_in_the_journal() {
    let registry = v1_registry();
    registry.push_v1("library/app", "latest", 1);
    let home = home(&registry, "");
    let daemon = home.start();
    daemon.wait_for("build_finished");
    let journal = home.journal_bytes();
    registry.reset_counts();
    three_polls(&registry, &Method::GET, TAG_PATH);
    assert!(registry.requests().iter().all(|request| request.path == TAG_PATH));
    assert_eq!(home.journal_bytes(), journal);
    stop(daemon);
}

#[test]
fn s26_a_v1_tag_that_is_missing_at_first_is_built_when_it_appears() {
    let registry = v1_registry();
    registry.push_v1("library/app", "another", 1);
    let home = home(&registry, "");
    let daemon = home.start();
    daemon.wait_for("tag_missing");
    assert!(written(&home).is_empty());
    registry.push_v1("library/app", "latest", 1);
    daemon.wait_for("build_finished");
    registry.push_v1("library/app", "latest", 2);
    three_polls(&registry, &Method::GET, TAG_PATH);
    stop(daemon);
    assert_eq!(written(&home), [v1_build(&registry, 1)]);
}

#[test]
fn s26_a_v1_tag_that_is_recorded_at_first_is_never_built() {
    let registry = v1_registry();
    registry.push_v1("library/app", "latest", 1);
    let home = watches(&registry.host(), "", |watch| watch.key("on_first", "\"record\""));
    let daemon = home.start();
    daemon.wait_for("trigger_recorded");
    registry.push_v1("library/app", "latest", 2);
    three_polls(&registry, &Method::GET, TAG_PATH);
    stop(daemon);
    assert!(written(&home).is_empty());
}

#[test]
fn s27_every_answer_says_that_v1_fires_once_and_shows_the_id_and_that_the_reference_is_mutable() {
    let registry = v1_registry();
    let id = registry.push_v1("library/app", "latest", 1).to_string();
    let home = home(&registry, "");
    let daemon = home.start();
    daemon.wait_for("build_finished");
    let reference = format!("{}/library/app:latest", registry.host());
    let tag = registry.tag("app", "latest").to_string();

    let status = home.ask(&["status"])["tags"][0].clone();
    assert_eq!((&status["image"], &status["image_id"]), (&reference.clone().into(), &id.clone().into()));
    assert_eq!((&status["mutable"], &status["fires_once"]), (&true.into(), &true.into()));
    let config = home.ask(&["configs"])[0].clone();
    assert_eq!((&config["image_id"], &config["mutable"]), (&id.clone().into(), &true.into()));
    assert_eq!(config["triggers"][0]["fires_once"], true);
    let base_image = home.ask(&["build", "show", "app-1"])["spec"]["base_image"].clone();
    assert_eq!(
        (&base_image["reference"], &base_image["image_id"]),
        (&reference.clone().into(), &id.clone().into())
    );
    assert_eq!(base_image["mutable"], true);
    let found = home.ask(&["resolve", &tag]);
    assert_eq!((&found["image"], &found["image_id"]), (&reference.clone().into(), &id.clone().into()));
    assert_eq!((&found["mutable"], &found["fires_once"]), (&true.into(), &true.into()));

    for command in [&["status"][..], &["configs"], &["build", "show", "app-1"], &["resolve", &tag]] {
        let text = String::from_utf8(home.run(command).stdout).unwrap();
        for word in ["v1: fires once", "mutable", &id[.."v1id:".len() + 12]] {
            assert!(text.contains(word), "{command:?} does not say `{word}`:\n{text}");
        }
    }
    let build_file = home.state().join("builds/default/app-1/build.json");
    let build: Value = serde_json::from_slice(&fs::read(build_file).unwrap()).unwrap();
    assert_eq!(
        (&build["base_image"]["reference"], &build["base_image"]["image_id"]),
        (&reference.into(), &id.into())
    );
    assert_eq!(build["base_image"].get("digest"), None);
    stop(daemon);
}

#[test]
fn f44_a_v1_registry_that_becomes_v2_is_one_build_more_and_then_as_any_other_and_never_v1_again() {
    let registry = v1_registry();
    registry.push_v1("library/app", "latest", 1);
    let home = home(&registry, "");
    let daemon = home.start();
    daemon.wait_for("build_finished");
    let pinned = |digest| format!("{}/app@{digest} digest={digest}", registry.host());

    let first = registry.push("app", "latest", 1);
    registry.speak(Speaks::V2);
    daemon.wait_count("build_finished", 2);
    three_polls(&registry, &Method::HEAD, "/v2/app/");
    stop(daemon);
    let daemon = home.start();
    three_polls(&registry, &Method::HEAD, "/v2/app/");
    let second = registry.push("app", "latest", 2);
    daemon.wait_count("build_finished", 1);
    let builds =
        [v1_build(&registry, 1), format!("app-2 {}", pinned(&first)), format!("app-3 {}", pinned(&second))];
    assert_eq!(written(&home), builds);

    // A v1 registry in its place, with the tag and all: what it was is stored.
    registry.speak(Speaks::V1);
    let trouble = daemon.wait_for("tag_unresolved");
    assert!(trouble["error"].as_str().unwrap().contains("was one before"), "{trouble}");
    stop(daemon);
    registry.reset_counts();
    let daemon = home.start();
    daemon.wait_for("tag_unresolved");
    three_polls(&registry, &Method::HEAD, "/v2/app/");
    assert_eq!(registry.count(Method::GET, "/v1/"), 0);
    let status = home.ask(&["status"])["tags"][0].clone();
    assert_eq!(status["digest"], second.to_string(), "what was found last is kept");
    stop(daemon);
    assert_eq!(written(&home), builds);
}

#[test]
fn d10_a_tag_that_is_missing_proves_its_host_v2_over_a_restart() {
    let registry = FakeRegistry::start();
    let home = home(&registry, "");
    let daemon = home.start();
    daemon.wait_for("tag_missing");
    stop(daemon);
    registry.speak(Speaks::V1);
    registry.push_v1("library/app", "latest", 1);
    registry.reset_counts();
    let daemon = home.start();
    daemon.wait_for("tag_unresolved");
    three_polls(&registry, &Method::HEAD, "/v2/app/");
    stop(daemon);
    assert_eq!(registry.count(Method::GET, "/v1/"), 0);
    assert!(written(&home).is_empty());
}

#[test]
fn d10_the_verdict_is_written_once_and_unchanged_polls_write_nothing() {
    let registry = FakeRegistry::start();
    registry.push("app", "latest", 1);
    let home = home(&registry, "");
    assert_eq!(home.spawn(&["--once"], &[]).finish().0, Some(0));
    let journals = || {
        let files = fs::read_dir(home.state().join("journal")).unwrap();
        let lines = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        lines.map(|text| text.matches("v2_since").count()).sum::<usize>()
    };
    assert_eq!(journals(), 1);
    let bytes = home.journal_bytes();
    assert_eq!(home.spawn(&["--once"], &[]).finish().0, Some(0));
    assert_eq!((journals(), home.journal_bytes()), (1, bytes));
}

#[test]
fn the_api_that_is_set_is_obeyed_also_against_what_is_stored() {
    let registry = FakeRegistry::start();
    registry.speak(Speaks::Both);
    registry.push_v1("library/app", "latest", 1);
    let digest = registry.push("app", "latest", 1);
    let home = home(&registry, "api = \"v2\"");
    let daemon = home.start();
    daemon.wait_for("build_finished");
    stop(daemon);
    assert_eq!(registry.count(Method::GET, "/v1/"), 0);

    // The host is stored as v2 now, and the user says otherwise: no build of it, as that is no new image.
    home.configure(&fs::read_to_string(home.config()).unwrap().replace("api = \"v2\"", "api = \"v1\""));
    registry.reset_counts();
    let daemon = home.start();
    three_polls(&registry, &Method::GET, TAG_PATH);
    assert!(daemon.all("v1_fires_once").is_empty(), "no build of it will start");
    stop(daemon);
    assert!(registry.requests().iter().all(|request| request.path.starts_with("/v1/")));
    assert_eq!(written(&home), [format!("app-1 {}/app@{digest} digest={digest}", registry.host())]);
}

#[test]
fn an_api_that_there_is_not_is_told_with_its_line() {
    let home = Home::new("[[registry]]\nhost = \"registry.example.com\"\napi = \"v3\"\n");
    let output = home.run(&["validate"]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("basewatch.toml:3") && text.contains("api"), "{text}");
}

/// A docker-registry behind a page: nothing is built, nothing forgotten, nothing taken for v1, and it goes on after.
fn a_page_is_no_image(status: u16) {
    let registry = RealRegistry::plain();
    let first = registry.push("app", "latest", 1);
    let proxy = Proxy::start(registry.host());
    let home = watches(&proxy.host(), "", |watch| watch);
    let daemon = home.start();
    daemon.wait_for("build_finished");

    let kept = |daemon: &Daemon| {
        let trouble = daemon.wait_for("tag_unresolved");
        let shown = proxy.pages_shown("/v2/app/");
        eventually("three polls more", || (proxy.pages_shown("/v2/app/") >= shown + 3).then_some(()));
        let tag = home.ask(&["status"])["tags"][0].clone();
        assert_eq!((&tag["digest"], tag.get("fires_once")), (&first.to_string().into(), None));
        assert_eq!(tag["condition"]["kind"], "unresolved");
        assert!(daemon.all("v1_fires_once").is_empty() && daemon.all("image_changed").is_empty());
        assert_eq!(proxy.pages_shown("/v1/"), 0, "v1 was tried");
        trouble["error"].as_str().unwrap().to_owned()
    };
    proxy.show_page(status);
    let error = kept(&daemon);
    let is_an_outage = status >= 500;
    assert_eq!(error.contains("was one before"), !is_an_outage, "{error}");
    stop(daemon);
    let daemon = home.start();
    kept(&daemon);

    let second = registry.push("app", "latest", 2);
    proxy.let_through();
    daemon.wait_for("tag_recovered");
    daemon.wait_for("build_finished");
    stop(daemon);
    let build = |number, digest| format!("app-{number} {}/app@{digest} digest={digest}", proxy.host());
    assert_eq!(written(&home), [build(1, &first), build(2, &second)]);
}

#[test]
fn d10_a_404_page_before_a_v2_registry_builds_nothing_and_forgets_nothing_over_a_restart() {
    a_page_is_no_image(404);
}

#[test]
fn d10_a_200_page_before_a_v2_registry_builds_nothing_and_forgets_nothing_over_a_restart() {
    a_page_is_no_image(200);
}

#[test]
fn d10_a_503_page_before_a_v2_registry_builds_nothing_and_forgets_nothing_over_a_restart() {
    a_page_is_no_image(503);
}
