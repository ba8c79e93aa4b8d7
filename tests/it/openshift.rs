//! Image change triggers as OpenShift's documentation tells them (section 8.7.3), row by row of semantics.md section 2: the
//! long form, on a registry that is not ours.

use std::fs;

use reqwest::Method;
use serde_json::Value;

use crate::support::RealRegistry;
use crate::support::daemon::{Daemon, Home};
use crate::support::fake_registry::{FakeRegistry, Tokens};
use crate::support::watch_list::mynamespace;

/// The document's image stream and build config, in TOML: a Source strategy on the stream's `latest`, and two triggers.
fn document(host: &str, other_trigger: &str) -> String {
    let streams = mynamespace(host);
    format!(
        r#"{streams}
[[build_config]]
name = "app"

[build_config.strategy]
type = "Source"
from = {{ kind = "ImageStreamTag", name = "ruby-20-centos7:latest" }}
command = ["/bin/sh", "-c", "echo $BASEWATCH_CAUSE $BASEWATCH_BASE_IMAGE $BASEWATCH_IMAGE $BASEWATCH_TAG"]

[[build_config.trigger]]
type = "ImageChange"
image_change = {{}}

[[build_config.trigger]]
type = "ImageChange"
image_change = {{ {other_trigger} }}
"#
    )
}

const OTHER: &str = r#"from = { kind = "ImageStreamTag", name = "custom-image:latest" }"#;

/// What a command says that must succeed.
fn says(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The builds of the config, oldest first, by what they were made from.
fn bases(home: &Home) -> Vec<String> {
    let answer = home.ask(&["builds"]);
    let names = answer["builds"].as_array().unwrap().iter().rev().map(|build| build["build"].clone());
    let base = |name: Value| {
        let detail = home.ask(&["build", "show", name.as_str().unwrap()]);
        detail["spec"]["base_image"]["reference"].as_str().unwrap().to_owned()
    };
    names.map(base).collect()
}

/// What the build printed.
fn printed(home: &Home, build: &str) -> String {
    let log = fs::read_to_string(home.state().join("builds/mynamespace").join(build).join("log")).unwrap();
    log.lines().filter(|line| !line.starts_with("---")).collect()
}

fn pending(daemon: &Daemon, digest: &impl ToString) {
    let digest = digest.to_string();
    daemon.wait_until(&format!("a pending {digest}"), |events| {
        let pending = |event: &&Value| event["event"] == "change_pending" && event["digest"] == *digest;
        events.iter().find(pending).map(|_| ())
    });
}

#[test]
fn s16_the_documents_example_builds_with_what_was_pushed_and_keeps_it_when_the_other_image_moves() {
    let registry = RealRegistry::plain();
    let host = registry.host();
    let ruby = registry.push("mynamespace/ruby-20-centos7", "latest", 1);
    registry.push("mynamespace/custom-image", "latest", 1);
    let home = Home::new(&document(host, OTHER));
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);

    let pinned = format!("{host}/mynamespace/ruby-20-centos7@{ruby}");
    let yaml = says(&home, &["build", "show", "app-1", "-o", "yaml"]);
    let from = format!(
        "  strategy:\n    type: Source\n    sourceStrategy:\n      from:\n        kind: DockerImage\n        name: {pinned}\n"
    );
    assert!(yaml.contains(&from), "{yaml}");

    // S15: the other image starts a build, and the strategy keeps its own.
    let other = registry.push("mynamespace/custom-image", "latest", 2);
    daemon.wait_count("build_finished", 2);
    assert_eq!(bases(&home), [pinned.as_str(), pinned.as_str()]);
    let other = format!("{host}/mynamespace/custom-image@{other}");
    assert_eq!(
        printed(&home, "app-2"),
        format!("image-change {pinned} {other} mynamespace/custom-image:latest")
    );

    // S1: the strategy's own image moves, and the next build is of it.
    let newer = registry.push("mynamespace/ruby-20-centos7", "latest", 2);
    daemon.wait_count("build_finished", 3);
    assert_eq!(bases(&home)[2], format!("{host}/mynamespace/ruby-20-centos7@{newer}"));
    let (code, events) = daemon.stop();
    assert_eq!(code, Some(0));
    assert_eq!(events.iter().filter(|event| event["event"] == "build_queued").count(), 3);
}

#[test]
fn s01_a_moved_tag_is_one_build_and_none_in_the_next_three_polls() {
    let registry = FakeRegistry::start();
    registry.push("mynamespace/ruby-20-centos7", "latest", 1);
    registry.push("mynamespace/custom-image", "latest", 1);
    let home = Home::new(&document(&registry.host(), OTHER));
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    registry.push("mynamespace/ruby-20-centos7", "latest", 2);
    daemon.wait_count("build_finished", 2);
    let path = "/v2/mynamespace/ruby-20-centos7";
    let polls = registry.count(Method::HEAD, path);
    // The fourth is sent when the third was decided on.
    registry.wait_requests(polls + 4, Method::HEAD, path);
    let (_, events) = daemon.stop();
    assert_eq!(events.iter().filter(|event| event["event"] == "build_queued").count(), 2);
}

#[test]
fn s06_a_stream_is_asked_for_at_the_system_registry_in_its_namespace() {
    let registry = FakeRegistry::start();
    registry.push("mynamespace/ruby-20-centos7", "latest", 1);
    registry.push("mynamespace/custom-image", "latest", 1);
    let home = Home::new(&document(&registry.host(), OTHER));
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    daemon.stop();
    let asked = "/v2/mynamespace/ruby-20-centos7/manifests/latest";
    assert!(registry.count(Method::HEAD, asked) > 0, "{asked}");
}

#[test]
fn s04_a_stream_a_strategy_and_a_trigger_are_enough() {
    let registry = FakeRegistry::start();
    let digest = registry.push("default/base", "latest", 1);
    let host = &registry.host();
    let home = Home::new(&format!(
        r#"
[defaults]
system_registry = "{host}"
[[registry]]
host = "{host}"
insecure = true
[[image_stream]]
name = "base"
[[build_config]]
name = "app"
[build_config.strategy]
type = "Docker"
from = {{ name = "base:latest" }}
command = ["/bin/true"]
[[build_config.trigger]]
type = "ImageChange"
"#
    ));
    let daemon = home.start();
    daemon.wait_for("build_finished");
    assert_eq!(bases(&home), [format!("{host}/default/base@{digest}")]);
    daemon.stop();
}

#[test]
fn s13_a_tag_that_moves_while_its_build_waits_leaves_the_build_as_it_was_made() {
    let registry = FakeRegistry::start();
    let first = registry.push("mynamespace/ruby-20-centos7", "latest", 1);
    registry.push("mynamespace/custom-image", "latest", 1);
    let text = document(&registry.host(), OTHER);
    // What runs holds the queue until its file is there.
    let home = Home::new("");
    let gate = home.path().join("go");
    let wait = format!("while ! test -e {}; do sleep 0.05; done; echo $BASEWATCH_BASE_IMAGE", gate.display());
    home.configure(
        &text.replace("echo $BASEWATCH_CAUSE $BASEWATCH_BASE_IMAGE $BASEWATCH_IMAGE $BASEWATCH_TAG", &wait),
    );
    let daemon = home.start();
    daemon.wait_count("build_started", 1);
    // Serial: this one waits, and the tag moves on meanwhile.
    let second = registry.push("mynamespace/ruby-20-centos7", "latest", 2);
    daemon.wait_count("build_queued", 2);
    let third = registry.push("mynamespace/ruby-20-centos7", "latest", 3);
    daemon.wait_count("build_queued", 3);
    fs::write(gate, "").unwrap();
    daemon.wait_count("build_finished", 3);
    let host = registry.host();
    let expected =
        [first, second, third].map(|digest| format!("{host}/mynamespace/ruby-20-centos7@{digest}"));
    assert_eq!(bases(&home), expected);
    assert_eq!([1, 2, 3].map(|number| printed(&home, &format!("app-{number}"))), expected);
    daemon.stop();
}

#[test]
fn s18_what_moved_while_paused_in_the_configuration_is_one_build_of_the_newest() {
    paused_from_the_start(Resume::Configuration);
}

#[test]
fn s19_paused_from_the_start_builds_nothing_until_a_command_resumes_it() {
    paused_from_the_start(Resume::Command);
}

#[derive(Clone, Copy, PartialEq)]
enum Resume {
    Configuration,
    Command,
}

/// A, B, C while it is paused: nothing, over a restart too; resumed: one build with C; resumed again: nothing.
fn paused_from_the_start(how: Resume) {
    let registry = FakeRegistry::start();
    let path = "/v2/mynamespace/ruby-20-centos7";
    let push = |seed| registry.push("mynamespace/ruby-20-centos7", "latest", seed);
    let looked_again = || {
        let polls = registry.count(Method::HEAD, path);
        registry.wait_requests(polls + 3, Method::HEAD, path);
    };
    let first = push(1);
    registry.push("mynamespace/custom-image", "latest", 1);
    let resumed = document(&registry.host(), &format!("{OTHER}, paused = true"));
    let configured = resumed.replace("image_change = {}", "image_change = { paused = true }");
    let home = Home::new(&configured);
    let daemon = home.start();
    pending(&daemon, &first);
    pending(&daemon, &push(2));
    daemon.stop();

    let daemon = home.start();
    let newest = push(3);
    pending(&daemon, &newest);
    looked_again();
    assert!(daemon.all("build_queued").is_empty(), "it is paused after a restart, too");
    let resume = || match how {
        Resume::Configuration => {
            home.configure(&resumed);
            says(&home, &["reload"])
        }
        Resume::Command => says(&home, &["resume", "app", "--trigger", "mynamespace/ruby-20-centos7:latest"]),
    };
    resume();
    daemon.wait_count("build_finished", 1);
    resume();
    looked_again();
    assert_eq!(bases(&home), [format!("{}/mynamespace/ruby-20-centos7@{newest}", registry.host())]);
    daemon.stop();

    // The word that counts outlives a restart, and what a command said outlives the same configuration (D20).
    let daemon = home.start();
    looked_again();
    assert!(daemon.all("build_queued").is_empty() && daemon.all("trigger_paused").is_empty());
    let fourth = push(4);
    daemon.wait_count("build_finished", 1);
    assert_eq!(
        bases(&home).last(),
        Some(&format!("{}/mynamespace/ruby-20-centos7@{fourth}", registry.host()))
    );
    daemon.stop();
}

#[test]
fn s02_a_stream_on_a_registry_that_wants_a_token_builds_as_on_any_other() {
    let registry = FakeRegistry::start();
    registry.want_tokens(&Tokens::new());
    registry.push("mynamespace/ruby-20-centos7", "latest", 1);
    registry.push("mynamespace/custom-image", "latest", 1);
    let home = Home::new(&document(&registry.host(), OTHER));
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let moved = registry.push("mynamespace/ruby-20-centos7", "latest", 2);
    daemon.wait_count("build_finished", 2);
    assert_eq!(bases(&home)[1], format!("{}/mynamespace/ruby-20-centos7@{moved}", registry.host()));
    daemon.stop();
}

#[test]
fn s14_what_a_build_runs_is_handed_the_pinned_image_and_never_the_tag() {
    let registry = FakeRegistry::start();
    let digest = registry.push("mynamespace/ruby-20-centos7", "latest", 1);
    registry.push("mynamespace/custom-image", "latest", 1);
    let text = document(&registry.host(), OTHER);
    let home = Home::new(&text.replace(
        "command = [\"/bin/sh\", \"-c\", \"echo $BASEWATCH_CAUSE $BASEWATCH_BASE_IMAGE $BASEWATCH_IMAGE $BASEWATCH_TAG\"]",
        "command = [\"/bin/sh\", \"-c\", \"echo $0; env\", \"{base_image}\"]",
    ));
    let daemon = home.start();
    daemon.wait_for("build_finished");
    let pinned = format!("{}/mynamespace/ruby-20-centos7@{digest}", registry.host());
    let log = says(&home, &["build", "logs", "app-1"]);
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines.contains(&pinned.as_str()), "the argument: {log}");
    assert!(lines.contains(&format!("BASEWATCH_BASE_IMAGE={pinned}").as_str()), "the environment: {log}");
    let mutable = format!("{}/mynamespace/ruby-20-centos7:latest", registry.host());
    // One label of the image to come is the name of its base, as the OCI's annotation has it.
    let label = format!("org.opencontainers.image.base.name={mutable}");
    let named: Vec<&str> = lines.into_iter().filter(|line| line.contains(&mutable)).collect();
    assert!(matches!(named[..], [line] if line.ends_with(&label)), "{log}");
    daemon.stop();
}
