//! Builds that a person asks for, from the command line to the command that runs.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::Value;

use crate::support::daemon::{Daemon, Home};
use crate::support::fake_registry::{ANY, FakeRegistry, Fault};
use crate::support::watch_list::{Watch, mynamespace, watch_list};
use crate::support::{RealRegistry, eventually};

/// What OpenShift says of a tag that was never resolved (F34).
fn unresolved(host: &str) -> String {
    format!(
        "basewatch: Error resolving ImageStreamTag {host}/base:1 in namespace default: \
         unable to find latest tagged image\n"
    )
}

/// A home with one watch, `app`, that writes down what its builds are given. It looks at its tag once an hour, so that
/// nothing is known sooner than it is asked for.
fn home(host: &str, keys: &[(&str, &str)]) -> Home {
    let home = Home::new("");
    let line =
        "echo \"$BASEWATCH_BUILD $BASEWATCH_CAUSE $BASEWATCH_BASE_IMAGE $GREETING\" >> \"$HERE\"/builds.txt";
    let run = ["/bin/sh", "-c", line].map(str::to_owned);
    let here = format!("{{ HERE = \"{}\", GREETING = \"good day\" }}", home.path().display());
    let mut app = Watch::new("app", host, "base:1").run(&run).key("env", &here);
    for (name, value) in
        [("interval", "\"1h\"")].iter().filter(|(name, _)| keys.iter().all(|key| key.0 != *name))
    {
        app = app.key(name, value);
    }
    for (name, value) in keys {
        app = app.key(name, value);
    }
    home.configure(&watch_list(host, &[app]));
    home
}

fn written(home: &Home) -> Vec<String> {
    let text = fs::read_to_string(home.path().join("builds.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The exit code of a command, and all that it says.
fn says(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let output = home.run(arguments);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// The name of the build that a start answers with.
fn build_of(answer: &Value) -> String {
    answer["build"]["build"].as_str().unwrap().to_owned()
}

fn wait_finished(daemon: &Daemon, build: &str) -> Value {
    daemon.wait_until(&format!("the end of {build}"), |events| {
        let ended = |event: &&Value| event["event"] == "build_finished" && event["build"] == build;
        events.iter().find(ended).cloned()
    })
}

/// Every request for a manifest is answered with a 503.
fn down() -> Fault {
    Fault::status(503)
}

#[test]
fn s24_a_start_before_the_tag_was_ever_resolved_is_refused_and_uses_no_number() {
    let registry = FakeRegistry::start();
    let host = registry.host();
    let home = home(&host, &[]);
    let daemon = home.start();
    daemon.wait_for("tag_missing");
    assert_eq!(says(&home, &["start", "app"]), (Some(1), unresolved(&host)));
    assert_eq!(says(&home, &["start", "app", "--dry-run"]), (Some(1), unresolved(&host)));
    assert_eq!(home.ask(&["builds"])["builds"], Value::Array(Vec::new()));

    // Known now, without a trigger's help: the numbers begin at 1 all the same.
    let digest = registry.push("base", "1", 1);
    let started = home.ask(&["start", "app", "--refresh"]);
    assert_eq!(build_of(&started), "default/app-1");
    wait_finished(&daemon, "default/app-1");
    assert_eq!(written(&home), [format!("app-1 manual {host}/base@{digest} good day")]);

    // While the registry is down, what is known is built.
    registry.fault(ANY, down());
    let (code, said) = says(&home, &["start", "app", "--wait"]);
    assert_eq!((code, said.as_str()), (Some(0), "default/app-2 is queued\ndefault/app-2 is Complete\n"));
    assert_eq!(written(&home)[1], format!("app-2 manual {host}/base@{digest} good day"));
    let queued = daemon.all("build_queued");
    assert_eq!((&queued[1]["cause"], &queued[1]["actor"]), (&"manual".into(), &"command".into()));
}

#[test]
fn s25_two_starts_without_a_look_between_them_have_the_same_reference() {
    let registry = FakeRegistry::start();
    let first = registry.push("base", "1", 1);
    let home = home(&registry.host(), &[]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    registry.push("base", "1", 2);
    for build in ["default/app-2", "default/app-3"] {
        assert_eq!(build_of(&home.ask(&["start", "app"])), build);
        wait_finished(&daemon, build);
        let shown = home.ask(&["build", "show", build]);
        assert_eq!(shown["spec"]["base_image"]["digest"], first.to_string());
        assert_eq!(shown["spec"]["causes"][0]["type"], "manual");
    }
}

#[test]
fn s17_a_rebuild_has_the_images_of_the_earlier_build_and_touches_no_trigger() {
    let registry = RealRegistry::plain();
    let (host, before) = (registry.host().to_owned(), registry.push("base", "1", 1));
    let home = home(&host, &[("interval", "\"100ms\"")]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let after = registry.push("base", "1", 2);
    daemon.wait_count("build_finished", 2);
    drop(registry);

    let (code, said) = says(&home, &["build", "rebuild", "app-1", "--env", "GREETING=hello", "--wait"]);
    assert_eq!((code, said.as_str()), (Some(0), "default/app-3 is queued\ndefault/app-3 is Complete\n"));
    assert_eq!(
        written(&home),
        [
            format!("app-1 image-change {host}/base@{before} good day"),
            format!("app-2 image-change {host}/base@{after} good day"),
            format!("app-3 rebuild {host}/base@{before} hello"),
        ]
    );
    let shown = home.ask(&["build", "show", "app-3"]);
    assert_eq!(shown["spec"]["causes"][0]["rebuild_of"], "default/app-1");
    let trigger = home.ask(&["configs"])[0]["triggers"][0].clone();
    assert_eq!(trigger["stored"], after.to_string(), "the trigger still has the newest");
    let (_, yaml) = says(&home, &["build", "show", "app-3", "-o", "yaml"]);
    assert!(yaml.contains("openshift.io/build.clone-of: app-1\n"), "{yaml}");
    assert!(yaml.contains(&format!("name: {host}/base@{before}\n")), "{yaml}");

    fs::remove_file(home.state().join("specs/default/app-2.json")).unwrap();
    let (code, said) = says(&home, &["build", "rebuild", "app-2"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("build default/app-2 cannot be made again"), "{said}");
    assert!(said.contains("`basewatch start default/app`"), "{said}");
    assert_eq!(home.ask(&["builds"])["builds"].as_array().unwrap().len(), 3, "no number is used");
}

#[test]
fn a_refresh_asks_first_and_is_one_build_of_what_it_found() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = home(&registry.host(), &[]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let newest = registry.push("base", "1", 2);
    let (code, _) = says(&home, &["start", "app", "--refresh", "--wait"]);
    assert_eq!(code, Some(0));
    let builds = home.ask(&["builds"])["builds"].as_array().unwrap().clone();
    assert_eq!(builds.len(), 2, "the trigger has the image of the start: {builds:?}");
    assert_eq!(builds[0]["cause"], "manual");
    assert_eq!(home.ask(&["status"])["tags"][0]["digest"], newest.to_string(), "what was found is known now");
    assert!(written(&home)[1].contains(&newest.to_string()));
    assert_eq!(daemon.all("trigger_fired").len(), 1);

    // What the look found is no news to the next poll.
    let polls = registry.count(Method::HEAD, "/v2/base");
    home.ask(&["poll"]);
    registry.wait_requests(polls + 1, Method::HEAD, "/v2/base");
    assert_eq!(build_of(&home.ask(&["start", "app"])), "default/app-3", "no other was made meanwhile");
}

#[test]
fn a_refresh_that_fails_builds_nothing_and_says_what_the_registry_said() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = home(&registry.host(), &[]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    registry.remove("base", "1");
    let (code, said) = says(&home, &["start", "app", "--refresh"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("404") && said.contains("nothing was built"), "{said}");
    assert_eq!(home.ask(&["builds"])["builds"].as_array().unwrap().len(), 1);
    assert!(daemon.all("tag_missing").is_empty(), "polling has not heard of it");
}

#[test]
fn a_refresh_needs_only_the_image_that_the_build_is_made_from() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = Home::new("");
    let app = Watch::new("app", &registry.host(), "base:1").and("never-pushed:1").every("1h");
    home.configure(&watch_list(&registry.host(), &[app]));
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let newest = registry.push("base", "1", 2);
    let (code, said) = says(&home, &["start", "app", "--refresh", "--wait"]);
    assert_eq!(code, Some(0), "{said}");
    let spec = home.ask(&["build", "show", "app-2"])["spec"].clone();
    assert_eq!(spec["base_image"]["digest"], newest.to_string());
}

#[test]
fn a_refresh_needs_the_image_sources_as_well() {
    let registry = FakeRegistry::start();
    registry.push("mynamespace/ruby-20-centos7", "latest", 1);
    registry.push("mynamespace/custom-image", "latest", 1);
    let home = Home::new("");
    home.configure(&format!(
        r#"{}
        [[build_config]]
        name = "app"
        source = {{ images = [{{ from = {{ name = "custom-image:latest" }}, as = ["tools"] }}] }}
        [build_config.strategy]
        type = "Docker"
        from = {{ name = "ruby-20-centos7:latest" }}
        command = ["true"]
        [[build_config.trigger]]
        type = "ImageChange"
        "#,
        mynamespace(&registry.host())
    ));
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    registry.remove("mynamespace/custom-image", "latest");
    let (code, said) = says(&home, &["start", "app", "--refresh"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("404") && said.contains("nothing was built"), "{said}");
    assert_eq!(home.ask(&["builds"])["builds"].as_array().unwrap().len(), 1);
}

#[test]
fn a_dry_run_shows_the_command_and_stores_nothing() {
    let registry = FakeRegistry::start();
    let digest = registry.push("base", "1", 1);
    let run = "[\"/bin/echo\", \"{name}\", \"{base_image}\"]";
    let home = Home::new("");
    let app = Watch::new("app", &registry.host(), "base:1").every("1h").key("run", run);
    home.configure(&watch_list(&registry.host(), &[app]));
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let journal = home.journal_bytes();
    let answer = home.ask(&["start", "app", "--dry-run", "--env", "TOKEN=hush"]);
    let pinned = format!("{}/base@{digest}", registry.host());
    assert_eq!(answer["dry_run"], true);
    assert_eq!(answer["spec"]["command"], serde_json::json!(["/bin/echo", "app", pinned]));
    assert_eq!(answer["spec"]["env"], serde_json::json!(["TOKEN"]));
    let (code, said) = says(&home, &["start", "app", "--dry-run", "--refresh"]);
    assert_eq!(code, Some(0));
    assert!(said.contains(&format!("command     /bin/echo app {pinned}\n")), "{said}");
    assert!(said.contains("cause       manual\n"), "{said}");
    assert_eq!(home.journal_bytes(), journal, "nothing is stored");
    assert!(!home.state().join("specs/default/app-2.json").exists());
    assert_eq!(home.ask(&["builds"])["builds"].as_array().unwrap().len(), 1);
}

#[test]
fn the_same_key_twice_is_one_build_also_after_a_restart() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = home(&registry.host(), &[]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let first = home.ask(&["start", "app", "--key", "nightly-1"]);
    assert_eq!((build_of(&first).as_str(), &first["existed"]), ("default/app-2", &false.into()));
    let again = home.ask(&["start", "app", "--key", "nightly-1", "--refresh"]);
    assert_eq!((build_of(&again).as_str(), &again["existed"]), ("default/app-2", &true.into()));
    wait_finished(&daemon, "default/app-2");
    daemon.stop();

    let _daemon = home.start();
    let again = home.ask(&["build", "rebuild", "app-1", "--key", "nightly-1"]);
    assert_eq!((build_of(&again).as_str(), &again["existed"]), ("default/app-2", &true.into()));
    assert_eq!(build_of(&home.ask(&["start", "app", "--key", "nightly-2"])), "default/app-3");
}

#[test]
fn a_question_that_makes_no_sense_is_refused_and_says_why() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = home(&registry.host(), &[]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let long = "k".repeat(129);
    for (arguments, word) in [
        (vec!["start", "nope"], "there is no build config nope"),
        (vec!["start", "app", "--env", "BASEWATCH_IMAGE=x"], "BASEWATCH_IMAGE is not yours to set"),
        (vec!["start", "app", "--key", &long], "at most 128"),
        (vec!["build", "rebuild", "app-9"], "there is no build app-9"),
    ] {
        let (code, said) = says(&home, &arguments);
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    says(&home, &["pause", "app", "--all-builds", "--reason", "freeze"]);
    for verb in [vec!["start", "app"], vec!["start", "app", "--refresh"], vec!["build", "rebuild", "app-1"]] {
        let (code, said) = says(&home, &verb);
        assert_eq!(code, Some(1), "{verb:?}");
        assert!(said.contains("paused by command since") && said.contains("(freeze)"), "{said}");
        assert!(said.contains("`basewatch resume default/app --all-builds`"), "{said}");
    }
    assert_eq!(daemon.all("build_queued").len(), 1);
}

#[test]
fn a_wait_ends_with_1_if_the_build_is_not_complete() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = Home::new("");
    let run = ["/bin/sh", "-c", "exit ${CODE:-0}"].map(str::to_owned);
    let app = Watch::new("app", &registry.host(), "base:1").run(&run).every("1h");
    home.configure(&watch_list(&registry.host(), &[app.key("retry", "{ attempts = 1 }")]));
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let (code, said) = says(&home, &["start", "app", "--env", "CODE=3", "--wait"]);
    let told = "default/app-2 is queued\ndefault/app-2 is Failed, exit 3\n";
    assert_eq!((code, said.as_str()), (Some(1), told));

    let output = home.run(&["start", "app", "--wait", "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &answer["build"]["phase"]), (Some(0), &"Complete".into()));
}

/// Lets every build pass from now on: the FIFO becomes an empty file, and who waits at the old one is let go.
fn open_gate(gate: &Path) {
    let fifo = fs::File::options().read(true).write(true).open(gate).unwrap();
    let new = gate.with_extension("new");
    fs::write(&new, "").unwrap();
    fs::rename(new, gate).unwrap();
    drop(fifo);
}

/// A home whose builds wait at a gate, a FIFO, if they are told where that is.
fn gated(registry: &FakeRegistry) -> (Home, PathBuf) {
    let home = Home::new("");
    let gate = home.path().join("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let run = ["/bin/sh", "-c", "test -z \"$GATED\" || cat \"$GATED\""].map(str::to_owned);
    let app = Watch::new("app", &registry.host(), "base:1").run(&run).every("1h");
    home.configure(&watch_list(&registry.host(), &[app]));
    (home, gate)
}

#[test]
fn a_wait_outlasts_a_daemon_that_is_killed_and_started_again() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let (home, gate) = gated(&registry);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let config = home.config();
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_basewatch"));
    waiting.args(["start", "app", "--wait", "--env"]).arg(format!("GATED={}", gate.display()));
    waiting.arg("--config").arg(config).arg("--socket").arg(home.state().join("control.sock"));
    let mut waiting =
        waiting.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // What it says is its answer: a daemon that died before that could be asked nothing more about the build.
    let mut answers = BufReader::new(waiting.stdout.take().unwrap());
    let mut said = String::new();
    answers.read_line(&mut said).unwrap();
    daemon.wait_count("build_started", 2);
    daemon.kill();

    let daemon = home.start();
    daemon.wait_for("build_started");
    let id = home.ask(&["build", "show", "app-2"])["id"].clone();
    open_gate(&gate);
    answers.read_to_string(&mut said).unwrap();
    assert_eq!(
        (waiting.wait().unwrap().code(), said.as_str()),
        (Some(0), "default/app-2 is queued\ndefault/app-2 is Complete\n")
    );
    let shown = home.ask(&["build", "show", "app-2"]);
    assert_eq!((&shown["id"], &shown["attempts"]), (&id, &2.into()), "the same build, in its second attempt");
}

#[test]
fn who_stops_waiting_leaves_the_build_running() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let (home, gate) = gated(&registry);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_basewatch"));
    waiting.args(["start", "app", "--wait", "--env"]).arg(format!("GATED={}", gate.display()));
    waiting.arg("--config").arg(home.config()).arg("--socket").arg(home.state().join("control.sock"));
    let mut waiting =
        waiting.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    daemon.wait_count("build_started", 2);
    crate::support::daemon::signal(waiting.id(), "INT");
    assert!(!eventually("the command to end", || waiting.try_wait().unwrap()).success());
    assert_eq!(home.ask(&["build", "show", "app-2"])["phase"], "Running");
    open_gate(&gate);
    let finished = wait_finished(&daemon, "default/app-2");
    assert_eq!(finished["phase"], "Complete");
}

/// The document's own example, with a strategy of this type: it is made from `ruby-20-centos7:latest`, and another image
/// starts it, too.
fn openshift(host: &str, strategy: &str, env: &str) -> Home {
    let home = Home::new("");
    let (here, streams) = (home.path().display(), mynamespace(host));
    home.configure(&format!(
        r#"{streams}
        [[build_config]]
        name = "app"
        source = {{ git = {{ uri = "https://git.test/app.git", ref = "main" }} }}

        [build_config.strategy]
        type = "{strategy}"
        from = {{ kind = "ImageStreamTag", name = "ruby-20-centos7:latest" }}
        command = ["/bin/sh", "-c", "echo $BASEWATCH_BUILD {{base_image}} $OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE >> {here}/builds.txt"]
        env = [{env}]

        [[build_config.trigger]]
        type = "ImageChange"
        image_change = {{}}

        [[build_config.trigger]]
        type = "ImageChange"
        image_change = {{ from = {{ kind = "ImageStreamTag", name = "custom-image:latest" }} }}
        "#
    ));
    home
}

#[test]
fn s16_the_documents_source_build_is_shown_as_openshift_would() {
    let registry = RealRegistry::plain();
    let ruby = registry.push("mynamespace/ruby-20-centos7", "latest", 1);
    let home = openshift(registry.host(), "Source", "");
    let configured = fs::read_to_string(home.config()).unwrap();
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let pinned = format!("{}/mynamespace/ruby-20-centos7@{ruby}", registry.host());
    let strategy = format!(
        "  strategy:\n    type: Source\n    sourceStrategy:\n      from:\n        kind: DockerImage\n        name: {pinned}\n"
    );
    let (_, first) = says(&home, &["build", "show", "app-1", "-o", "yaml"]);
    assert!(first.contains(&strategy), "{first}");
    assert!(first.contains(&format!("imageID: {pinned}\n")), "{first}");

    // Another image is a cause, and the strategy has its own.
    let custom = registry.push("mynamespace/custom-image", "latest", 2);
    daemon.wait_count("build_finished", 2);
    let (_, second) = says(&home, &["build", "show", "app-2", "-o", "yaml"]);
    assert!(second.contains(&strategy), "{second}");
    let cause = format!(
        "  - message: Image change\n    imageChangeBuild:\n      imageID: {}/mynamespace/custom-image@{custom}\n      \
         fromRef:\n        kind: ImageStreamTag\n        name: custom-image:latest\n        namespace: mynamespace\n",
        registry.host()
    );
    assert!(second.contains(&cause), "{second}");
    assert!(second.contains("uri: https://git.test/app.git\n"), "{second}");
    assert_eq!(fs::read_to_string(home.config()).unwrap(), configured, "the configuration is as it was");
}

#[test]
fn s24_a_tag_of_an_image_stream_is_told_without_its_namespace_and_found_with_it() {
    let registry = FakeRegistry::start();
    let home = openshift(&registry.host(), "Custom", "");
    let daemon = home.start();
    daemon.wait_count("tag_missing", 2);
    let (code, said) = says(&home, &["start", "app"]);
    let sentence = "basewatch: Error resolving ImageStreamTag ruby-20-centos7:latest in namespace mynamespace: \
                    unable to find latest tagged image\n";
    assert_eq!((code, said.as_str()), (Some(1), sentence));

    let tag = "mynamespace/custom-image:latest";
    let status = home.ask(&["status", tag]);
    assert_eq!(status["tags"][0]["tag"], format!("{}/{tag}", registry.host()));
    assert_eq!(status["tags"].as_array().unwrap().len(), 1);
    assert_eq!(home.ask(&["poll", tag])["asked"], 1);
    let paused = home.ask(&["pause", "app", "--trigger", tag]);
    assert_eq!(paused["paused"][0]["tag"], format!("{}/{tag}", registry.host()));
}

#[test]
fn s23_a_custom_builds_image_is_its_own_whatever_is_asked_for() {
    let registry = FakeRegistry::start();
    let ruby = registry.push("mynamespace/ruby-20-centos7", "latest", 1);
    let name = "OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE";
    let env = format!(
        "{{ name = \"FIRST\", value = \"1\" }}, {{ name = \"{name}\", value = \"old\" }}, {{ name = \"LAST\", value = \"3\" }}"
    );
    let home = openshift(&registry.host(), "Custom", &env);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let (code, said) = says(&home, &["start", "app", "--env", &format!("{name}=mine"), "--wait"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with(&format!("warning: {name} is what basewatch sets it to")), "{said}");
    let pinned = format!("{}/mynamespace/ruby-20-centos7@{ruby}", registry.host());
    assert_eq!(written(&home), [format!("app-1 {pinned} {pinned}"), format!("app-2 {pinned} {pinned}")]);
    let (_, yaml) = says(&home, &["build", "show", "app-2", "-o", "yaml"]);
    let env = format!(
        "      env:\n      - name: FIRST\n      - name: {name}\n        value: {pinned}\n      - name: LAST\n"
    );
    assert!(yaml.contains("  - message: Manually triggered\n") && yaml.contains(&env), "{yaml}");
}
