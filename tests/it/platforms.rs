//! What moves in a multi-platform image starts a build if it is what the build is for, and costs no request more than it
//! must. Each run of the daemon is one look at each tag.

use std::fs;

use reqwest::Method;
use serde_json::Value;

use crate::support::RealRegistry;
use crate::support::daemon::Home;
use crate::support::fake_registry::{ANY, FakeRegistry, Fault};
use crate::support::watch_list::{Watch, watch_list};

const BOTH: [(&str, u64); 2] = [("linux/amd64", 1), ("linux/arm64", 1)];
const NEW_ARM: [(&str, u64); 2] = [("linux/amd64", 1), ("linux/arm64", 2)];

/// A platform, or for the real registry an architecture, and the seed of its image.
type Images = &'static [(&'static str, u64)];

/// A registry with an index, and someone who looks at it.
struct Scene {
    registry: FakeRegistry,
    home: Home,
}

/// What one look brought.
#[derive(Debug, PartialEq)]
struct Look {
    /// Events that tell of the tag and of builds, in order.
    events: Vec<String>,
    heads: usize,
    gets: usize,
}

impl Scene {
    /// After the first build, on an index with attestations; `keys` are of the watch.
    fn new(keys: &[(&str, &str)]) -> Self {
        let registry = FakeRegistry::start();
        registry.push_platforms("base", "1", &BOTH, 1);
        let scene = Self { home: Home::new(""), registry };
        scene.configure(keys);
        let first = scene.look();
        assert_eq!(first.events, ["tag_resolved", "trigger_fired", "build_finished"], "{first:?}");
        scene
    }

    fn configure(&self, keys: &[(&str, &str)]) {
        let watch = Watch::new("app", &self.registry.host(), "base:1");
        let watch = keys.iter().fold(watch, |watch, (key, value)| watch.key(key, value));
        self.home.configure(&watch_list(&self.registry.host(), &[watch]));
    }

    /// Moves the tag.
    fn push(&self, images: &[(&str, u64)], noise: u64) {
        self.registry.push_platforms("base", "1", images, noise);
    }

    /// The daemon starts, looks once, does what comes of it, and ends.
    fn look(&self) -> Look {
        self.registry.reset_counts();
        let (_, events) = self.home.spawn(&["--once"], &[]).finish();
        let named = events.iter().map(|event| event["event"].as_str().unwrap().to_owned());
        const TOLD: [&str; 8] = [
            "tag_resolved",
            "image_changed",
            "index_moved",
            "tag_held",
            "tag_missing",
            "tag_unresolved",
            "trigger_fired",
            "build_finished",
        ];
        let (heads, gets) = self.registry.heads_and_gets();
        Look { events: named.filter(|name| TOLD.contains(&name.as_str())).collect(), heads, gets }
    }

    fn quiet(&self) {
        let journal = self.home.journal_bytes();
        assert_eq!(self.look(), look(&[], 1, 0), "nothing moved");
        assert_eq!(self.home.journal_bytes(), journal);
    }
}

fn look(events: &[&str], heads: usize, gets: usize) -> Look {
    Look { events: events.iter().map(|event| (*event).to_owned()).collect(), heads, gets }
}

const BUILT: [&str; 3] = ["image_changed", "trigger_fired", "build_finished"];

#[test]
fn an_unchanged_index_is_one_head_and_is_never_looked_into() {
    let scene = Scene::new(&[]);
    assert_eq!(scene.registry.heads_and_gets(), (1, 0), "not even at first sight");
    scene.quiet();
    scene.quiet();
}

#[test]
fn attestations_that_move_are_a_line_and_no_build() {
    let scene = Scene::new(&[]);
    scene.push(&BOTH, 2);
    assert_eq!(scene.look(), look(&["index_moved"], 1, 2), "the new index and the old one");
    scene.quiet();
    scene.push(&BOTH, 3);
    assert_eq!(scene.look(), look(&["index_moved"], 1, 1), "the old one is known by now");
    scene.quiet();
    let gets: Vec<String> = scene.registry.requests().iter().map(|request| request.path.clone()).collect();
    assert!(gets.iter().all(|path| path.ends_with("/manifests/1")), "{gets:?}");
}

#[test]
fn a_running_daemon_reads_each_index_once() {
    let scene = Scene::new(&[("interval", "\"100ms\"")]);
    scene.registry.reset_counts();
    let daemon = scene.home.start();
    for (noise, reads) in [(2, 2), (3, 3), (4, 4)] {
        scene.push(&BOTH, noise);
        daemon.wait_count("index_moved", reads - 1);
        let heads = scene.registry.count(Method::HEAD, "/");
        scene.registry.wait_requests(heads + 3, Method::HEAD, "/");
        assert_eq!(scene.registry.count(Method::GET, "/"), reads);
    }
    let (_, events) = daemon.stop();
    assert!(events.iter().all(|event| event["event"] != "trigger_fired"), "{events:?}");
}

#[test]
fn an_index_is_fetched_by_digest_and_never_by_tag() {
    let scene = Scene::new(&[]);
    scene.push(&NEW_ARM, 2);
    assert_eq!(scene.look(), look(&BUILT, 1, 2));
    let requests = scene.registry.requests();
    let gets: Vec<&str> = requests
        .iter()
        .filter(|request| request.method == Method::GET)
        .map(|request| request.path.as_str())
        .collect();
    assert!(gets.iter().all(|path| path.starts_with("/v2/base/manifests/sha256:")), "{gets:?}");
}

#[test]
fn the_image_of_another_platform_starts_nothing_for_a_list_without_it_and_a_build_by_default() {
    let amd_only = Scene::new(&[("platforms", "[\"linux/amd64\"]")]);
    assert_eq!(amd_only.registry.heads_and_gets(), (1, 1), "a list looks into the index once");
    amd_only.quiet();
    amd_only.push(&NEW_ARM, 1);
    assert_eq!(amd_only.look(), look(&["index_moved"], 1, 1));
    amd_only.quiet();
    amd_only.push(&[("linux/amd64", 2), ("linux/arm64", 2)], 1);
    assert_eq!(amd_only.look(), look(&BUILT, 1, 1));
    amd_only.quiet();

    let default = Scene::new(&[]);
    default.push(&NEW_ARM, 1);
    assert_eq!(default.look(), look(&BUILT, 1, 2));
    default.quiet();
}

#[test]
fn a_platform_that_vanishes_and_returns_unchanged_starts_nothing() {
    let scene = Scene::new(&[]);
    scene.push(&BOTH[..1], 2);
    assert_eq!(scene.look(), look(&["index_moved"], 1, 2));
    scene.push(&BOTH, 3);
    assert_eq!(scene.look(), look(&["index_moved"], 1, 1));
    scene.quiet();
    scene.push(&BOTH[1..], 4);
    assert_eq!(scene.look().events, ["index_moved"]);
    scene.push(&NEW_ARM, 5);
    assert_eq!(scene.look(), look(&BUILT, 1, 1), "it returned, and another is new");
}

#[test]
fn a_platform_that_is_missing_holds_and_is_built_once_when_it_is_back() {
    let scene = Scene::new(&[("platforms", "[\"linux/amd64\", \"linux/arm64\"]"), ("interval", "\"100ms\"")]);
    scene.push(&[("linux/amd64", 2)], 2);
    let daemon = scene.home.start();
    let held = daemon.wait_for("tag_held");
    assert_eq!(held["platforms"], "linux/arm64");
    scene.push(&[("linux/amd64", 2)], 3);
    daemon.wait_for("index_moved");
    let configs = scene.home.ask(&["configs"]);
    assert_eq!(configs[0]["held"][0]["reason"], "platform_missing", "{configs}");
    assert_eq!(configs[0]["held"][0]["missing"][0], "linux/arm64");
    assert!(configs[0]["stale_since"].is_string(), "the new image for amd64 waits");
    let status = scene.home.ask(&["status"]);
    assert_eq!(status["totals"]["held"], 1);
    assert!(status["held"][0]["since"].is_string(), "{status}");
    let shown = String::from_utf8(scene.home.run(&["status"]).stdout).unwrap();
    assert!(shown.contains("platform_missing linux/arm64"), "{shown}");

    scene.push(&[("linux/amd64", 2), ("linux/arm64", 2)], 4);
    daemon.wait_for("build_finished");
    let (_, events) = daemon.stop();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("tag_held"), count("trigger_fired")), (1, 1), "each once");
    scene.quiet();
}

#[test]
fn a_hold_outlives_a_restart_and_a_platform_that_is_back_unchanged_ends_it_without_a_build() {
    let scene = Scene::new(&[("platforms", "[\"linux/amd64\", \"linux/arm64\"]")]);
    scene.push(&BOTH[..1], 2);
    assert_eq!(scene.look(), look(&["index_moved", "tag_held"], 1, 1));
    scene.quiet();
    scene.push(&BOTH, 3);
    assert_eq!(scene.look(), look(&["index_moved"], 1, 1));
    scene.quiet();
}

#[test]
fn where_the_registry_deleted_the_old_index_a_move_fires() {
    let scene = Scene::new(&[]);
    let old = scene.registry.push_platforms("base", "1", &BOTH, 1);
    scene.push(&BOTH, 2);
    scene.registry.remove("base", &old.to_string());
    assert_eq!(scene.look(), look(&BUILT, 1, 2), "nobody knows what changed");
    scene.push(&BOTH, 3);
    assert_eq!(scene.look(), look(&["index_moved"], 1, 1), "now it is known");
}

#[test]
fn under_index_any_move_fires_and_nothing_is_read() {
    let scene = Scene::new(&[("platforms", "\"index\"")]);
    for noise in 2..5 {
        scene.push(&BOTH, noise);
        assert_eq!(scene.look(), look(&BUILT, 1, 0));
    }
    scene.quiet();
}

#[test]
fn another_choice_of_platforms_starts_nothing_by_itself() {
    let scene = Scene::new(&[]);
    scene.push(&BOTH, 2);
    assert_eq!(scene.look().events, ["index_moved"]);
    let choices = [("\"index\"", 0), ("[\"linux/arm64\"]", 0), ("\"all\"", 0)];
    for (choice, gets) in choices {
        scene.configure(&[("platforms", choice)]);
        assert_eq!(scene.look(), look(&[], 1, gets), "{choice}");
    }
    let unread = Scene::new(&[]);
    unread.configure(&[("platforms", "[\"linux/amd64\"]")]);
    assert_eq!(unread.look(), look(&[], 1, 1), "a list must know what is there");
    unread.quiet();
}

#[test]
fn an_index_that_cannot_be_read_is_trouble_of_the_tag_until_it_can() {
    let scene = Scene::new(&[]);
    let faults = [
        Fault::status(500).on(Method::GET),
        Fault::status(404).on(Method::GET),
        Fault::endless_body().on(Method::GET),
        Fault::status(200).body("{\"schemaVersion\":2,\"manifests\":[]}").on(Method::GET),
    ];
    for fault in faults {
        scene.registry.heal();
        scene.push(&NEW_ARM, 2);
        scene.registry.fault(ANY, fault.clone());
        let Look { events, heads, .. } = scene.look();
        assert_eq!((events, heads), (vec!["tag_unresolved".to_owned()], 1), "{fault:?}");
    }
    scene.registry.heal();
    assert_eq!(scene.look(), look(&BUILT, 1, 2), "what was known before is compared");
}

#[test]
fn trouble_with_the_old_index_that_may_pass_is_waited_for() {
    let scene = Scene::new(&[]);
    let old = scene.registry.push_platforms("base", "1", &BOTH, 1);
    scene.push(&BOTH, 2);
    scene.registry.fault(ANY, Fault::status(503).of(&old).times(2));
    assert_eq!(scene.look().events, ["tag_unresolved"]);
    assert_eq!(scene.look().events, ["tag_unresolved"]);
    assert_eq!(scene.look(), look(&["index_moved"], 1, 2));
}

#[test]
fn a_build_is_told_the_digests_of_its_platforms_where_they_are_known() {
    let scene = Scene::new(&[]);
    let file = |name: &str| -> Value {
        let path = scene.home.state().join("builds/default").join(name).join("build.json");
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    assert!(file("app-1")["base_image"]["platforms"].is_null(), "nothing was read");
    scene.push(&NEW_ARM, 2);
    scene.look();
    let build = file("app-2");
    let platforms = build["base_image"]["platforms"].as_object().unwrap();
    assert_eq!(platforms.keys().collect::<Vec<_>>(), ["linux/amd64", "linux/arm64"]);
    assert_eq!(build["causes"][0]["image"]["platforms"], build["base_image"]["platforms"]);
    let reference = build["base_image"]["reference"].as_str().unwrap();
    assert!(
        reference.ends_with(build["base_image"]["digest"].as_str().unwrap()),
        "the index itself is built from"
    );
    let daemon = scene.home.start();
    let status = scene.home.ask(&["status"]);
    assert_eq!(status["tags"][0]["platforms"], build["base_image"]["platforms"], "{status}");
    daemon.stop();
}

#[test]
fn resolve_tells_the_manifest_for_a_platform_or_which_there_are() {
    let scene = Scene::new(&[]);
    let image = format!("{}/base:1", scene.registry.host());
    let arm = scene.home.ask(&["resolve", &image, "--platform", "linux/aarch64"]);
    assert_eq!(arm["platform"], "linux/arm64");
    let digest = arm["digest"].as_str().unwrap();
    assert_eq!(arm["image"], format!("{}/base@{digest}", scene.registry.host()));
    assert_eq!(arm["index"], scene.home.ask(&["resolve", &image])["digest"]);
    assert_ne!(arm["index"], arm["digest"]);
    let shown =
        String::from_utf8(scene.home.run(&["resolve", &image, "--platform", "linux/arm64"]).stdout).unwrap();
    assert!(shown.contains(digest) && shown.contains("linux/arm64 of sha256:"), "{shown}");

    let output = scene.home.run(&["resolve", &image, "--platform", "linux/s390x"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no linux/s390x") && said.contains("it has linux/amd64, linux/arm64"), "{said}");
    assert_eq!(scene.home.run(&["resolve", &image, "--platform", "linux"]).status.code(), Some(2));

    let single = scene.registry.push("base", "2", 1);
    let image = format!("{}/base:2", scene.registry.host());
    let found = scene.home.ask(&["resolve", &image, "--platform", "linux/s390x"]);
    assert_eq!(found["digest"], single.to_string());
    let shown = scene.home.run(&["resolve", &image, "--platform", "linux/s390x"]).stdout;
    assert!(String::from_utf8_lossy(&shown).contains("single manifest"));
}

#[test]
fn a_list_of_platforms_holds_against_a_registry_that_is_not_ours() {
    let registry = RealRegistry::plain();
    let home = Home::new("");
    let watch =
        |name: &str, platforms: &str| Watch::new(name, registry.host(), "base:1").key("platforms", platforms);
    let watches = [
        watch("amd", "[\"linux/amd64\"]"),
        watch("both", "[\"linux/amd64\", \"linux/arm64\"]"),
        watch("all", "\"all\""),
    ];
    home.configure(&watch_list(registry.host(), &watches));
    let fired = || {
        let (code, events) = home.spawn(&["--once"], &[]).finish();
        assert_eq!(code, Some(0), "{events:?}");
        let fired = events.iter().filter(|event| event["event"] == "trigger_fired");
        let mut names: Vec<String> =
            fired.map(|event| event["build_config"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let moves: [(Images, &[&str]); 7] = [
        (&[("amd64", 1), ("arm64", 1)], &["default/all", "default/amd", "default/both"]),
        (&[("amd64", 1), ("arm64", 2)], &["default/all", "default/both"]),
        (&[("arm64", 2), ("amd64", 1)], &[]),
        (&[("amd64", 1)], &[]),
        (&[("amd64", 2)], &["default/all", "default/amd"]),
        (&[("amd64", 2), ("arm64", 3)], &["default/all", "default/both"]),
        (&[("amd64", 2), ("arm64", 3), ("s390x", 1)], &["default/all"]),
    ];
    for (images, expected) in moves {
        registry.push_index("base", "1", images);
        assert_eq!(fired(), expected, "{images:?}");
        assert_eq!(fired(), [""; 0], "a second look after {images:?}");
    }
}
