//! `basewatch import openshift` from outside: what goes where, and how it ends.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use basewatch::config::{self, SecretFiles};
use serde_json::Value;

use crate::support::daemon::{Daemon, Home};
use crate::support::fake_registry::FakeRegistry;

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
    assert!(
        text(&output.stderr)
            .contains("BuildConfig app: spec.source: names no repository: add `source`, or a `command`"),
        "{}",
        text(&output.stderr)
    );
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
fn json_is_one_object_and_an_empty_output_says_why() {
    let output = import(&["-", "--json"], DOCUMENT);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["toml"], text(&import(&["-"], DOCUMENT).stdout));
    let plain = text(&import(&["-"], DOCUMENT).stderr);
    let lines: Vec<&str> =
        answer["report"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(lines, plain.lines().collect::<Vec<_>>());
    let refused = import(&["-"], "kind: BuildConfig\nmetadata: {name: app}");
    let said = text(&refused.stderr);
    assert!(
        said.lines().last().unwrap().starts_with("nothing was written") && said.contains("--lenient"),
        "{said}"
    );
}

#[test]
fn no_file_is_a_mistake_of_usage() {
    assert_eq!(import(&[], "").status.code(), Some(2));
    assert_eq!(import(&["-", "--with-everything"], "").status.code(), Some(2));
}

/// A home whose main file says where image streams are, and whose conf.d is to have what was imported.
fn home(host: &str) -> Home {
    let home = Home::new(&format!(
        "[defaults]\nnamespace = \"mynamespace\"\nsystem_registry = \"{host}\"\ninterval = \"100ms\"\n\n\
         [[registry]]\nhost = \"{host}\"\ninsecure = true\n"
    ));
    fs::create_dir(home.path().join("conf.d")).unwrap();
    home
}

/// Puts what is imported of `yaml` into the home; whoever imports adds the command by hand, as the report says.
fn bring_in(home: &Home, arguments: &[&str], yaml: &str, command: Option<&str>) {
    let output = import(&[&["-"], arguments].concat(), yaml);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let toml = text(&output.stdout);
    let head = "[build_config.strategy]\n";
    assert!(toml.contains(head), "{toml}");
    let toml = match command {
        Some(command) => toml.replace(head, &format!("{head}command = [\"/bin/sh\", \"-c\", {command:?}]\n")),
        None => toml,
    };
    fs::write(home.path().join("conf.d/openshift.toml"), toml).unwrap();
}

/// A command that writes down what each build was given.
fn write_down(home: &Home) -> String {
    format!("echo $BASEWATCH_BUILD $BASEWATCH_BASE_IMAGE >> {}/builds.txt", home.path().display())
}

fn written(home: &Home) -> Vec<String> {
    let text = fs::read_to_string(home.path().join("builds.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn wait_finished(daemon: &Daemon, build: &str) -> Value {
    daemon.wait_until(&format!("the end of {build}"), |events| {
        let end = |event: &&Value| event["event"] == "build_finished" && event["build"] == build;
        events.iter().find(end).cloned()
    })
}

#[test]
fn the_documents_blocks_validate_beside_a_main_file_and_run_with_a_command() {
    let registry = FakeRegistry::start();
    let base = registry.push("mynamespace/ruby-20-centos7", "latest", 1);
    registry.push("mynamespace/custom-image", "latest", 1);
    let home = home(&registry.host());
    bring_in(&home, &[], DOCUMENT, None);
    let valid = home.run(&["validate"]);
    assert_eq!(valid.status.code(), Some(0), "{}", text(&valid.stdout));

    bring_in(&home, &[], DOCUMENT, Some(&write_down(&home)));
    let daemon = home.start();
    wait_finished(&daemon, "mynamespace/app-1");
    registry.push("mynamespace/custom-image", "latest", 2);
    wait_finished(&daemon, "mynamespace/app-2");
    let new_base = registry.push("mynamespace/ruby-20-centos7", "latest", 2);
    let end = wait_finished(&daemon, "mynamespace/app-3");
    assert_eq!(end["phase"], "Complete", "{end}");
    let repository = format!("{}/mynamespace/ruby-20-centos7", registry.host());
    let given = |build: &str, digest: &dyn std::fmt::Display| format!("{build} {repository}@{digest}");
    assert_eq!(written(&home), [given("app-1", &base), given("app-2", &base), given("app-3", &new_base)]);
}

#[test]
fn s20_a_paused_trigger_is_paused_once_it_is_loaded() {
    let home = home("registry.example.com");
    bring_in(&home, &[], include_str!("../../src/import/tests/paused.yaml"), None);
    let loaded = config::load(&home.config(), &SecretFiles::Skip).unwrap();
    let [config] = loaded.settings.controller.build_configs.as_slice() else { panic!("one build config") };
    let [trigger] = config.triggers.as_slice() else { panic!("one trigger") };
    assert!(trigger.paused);
    assert_eq!(&*trigger.from.named, "mynamespace/custom-image:latest");
    assert!(!config.paused, "only the trigger is");
}

#[test]
fn a_build_config_with_every_field_validates_once_its_secrets_are_there() {
    let home = home("registry.example.com");
    for arguments in [&[][..], &["--with-status"]] {
        bring_in(&home, arguments, include_str!("../../src/import/tests/every_field.yaml"), None);
        let valid = home.run(&["validate", "--offline"]);
        assert_eq!(valid.status.code(), Some(0), "{}", text(&valid.stdout));
    }
}

/// The digest of the image for this host in an index of the fake registry.
async fn child(registry: &FakeRegistry, repository: &str, tag: &str) -> String {
    let url = format!("{}/v2/{repository}/manifests/{tag}", registry.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let accept = "application/vnd.oci.image.index.v1+json";
    let answer = client.get(url).header(reqwest::header::ACCEPT, accept).send().await.unwrap();
    let index: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let architecture = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
    let mut children = index["manifests"].as_array().unwrap().iter();
    let child = children.find(|child| child["platform"]["architecture"] == architecture).unwrap();
    child["digest"].as_str().unwrap().to_owned()
}

/// What `oc get -o yaml` would print of a config that is built from a child of an index (F10) and follows an image that
/// is pushed to the cluster's own registry, after 41 builds.
fn exported(host: &str, child: &str, pushed: &str) -> String {
    format!(
        "apiVersion: v1
kind: List
items:
- apiVersion: image.openshift.io/v1
  kind: ImageStream
  metadata: {{name: base, namespace: mynamespace}}
  spec:
    tags:
    - name: latest
      from: {{kind: DockerImage, name: \"{host}/upstream/base:latest\"}}
      importPolicy: {{scheduled: true}}
- apiVersion: build.openshift.io/v1
  kind: BuildConfig
  metadata: {{name: app, namespace: mynamespace}}
  spec:
    strategy: {{sourceStrategy: {{from: {{kind: ImageStreamTag, name: \"base:latest\"}}}}}}
    triggers:
    - type: ConfigChange
    - {{type: ImageChange, imageChange: {{}}}}
    - {{type: ImageChange, imageChange: {{from: {{kind: ImageStreamTag, name: \"pushed:latest\"}}}}}}
  status:
    lastVersion: 41
    imageChangeTriggers:
    - {{from: {{name: \"base:latest\", namespace: mynamespace}}, lastTriggeredImageID: \"{host}/upstream/base@{child}\"}}
    - {{from: {{name: \"pushed:latest\"}}, lastTriggeredImageID: \"registry.cluster:5000/mynamespace/pushed@{pushed}\"}}
"
    )
}

#[tokio::test]
async fn the_stored_ids_start_no_storm_and_the_next_push_is_the_next_number() {
    let registry = FakeRegistry::start();
    registry.push_index("upstream/base", "latest", 1);
    let pushed = registry.push("mynamespace/pushed", "latest", 1);
    let before = child(&registry, "upstream/base", "latest").await;
    let home = home(&registry.host());
    let yaml = exported(&registry.host(), &before, &pushed.to_string());
    bring_in(&home, &["--with-status"], &yaml, Some(&write_down(&home)));
    let daemon = home.start();
    daemon.wait_count("tag_resolved", 2);

    // Had the first looks built something, it would be number 42.
    registry.push_index("upstream/base", "latest", 2);
    let after = child(&registry, "upstream/base", "latest").await;
    assert_ne!(before, after);
    wait_finished(&daemon, "mynamespace/app-42");
    assert_eq!(written(&home), [format!("app-42 {}/upstream/base@{after}", registry.host())]);

    registry.push("mynamespace/pushed", "latest", 2);
    wait_finished(&daemon, "mynamespace/app-43");
    assert_eq!(daemon.all("build_queued").len(), 2, "one for each push");
}

#[test]
fn without_the_stored_ids_the_first_looks_are_one_first_build() {
    let registry = FakeRegistry::start();
    registry.push_index("upstream/base", "latest", 1);
    let pushed = registry.push("mynamespace/pushed", "latest", 1);
    let home = home(&registry.host());
    let yaml = exported(&registry.host(), "sha256:0", &pushed.to_string());
    bring_in(&home, &[], &yaml, Some(&write_down(&home)));
    let daemon = home.start();
    wait_finished(&daemon, "mynamespace/app-1");
}
