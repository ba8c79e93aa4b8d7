//! What the commands answer when something is wrong: the message, and the exit code.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::daemon::Home;
use crate::support::fake_registry::FakeRegistry;
use crate::support::watch_list::{Watch, watch_list};

#[test]
fn five_mistakes_in_two_files_are_five_messages_and_exit_code_78() {
    let home = Home::new(
        r#"[[watch]]
image = "docker.io/library/debian@sha256:0000000000000000000000000000000000000000000000000000000000000000"
run = ["make"]

[[watch]]
image = "registry.example.com/team/app:1"
run = "make image"
intervall = "15m"
"#,
    );
    let more = home.path().join("conf.d");
    fs::create_dir(&more).unwrap();
    fs::write(more.join("more.toml"), "[[watch]]\nimage = \"registry.example.com/team/tool:1\"\nrun = [\"make\"]\ntimeout = \"soon\"\nrun_policy = \"Sometimes\"\n").unwrap();

    let output = home.run(&["validate"]);
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(78), "{said}");
    let places =
        ["basewatch.toml:2:", "basewatch.toml:7:", "basewatch.toml:8:", "more.toml:4:", "more.toml:5:"];
    for place in places {
        assert_eq!(said.matches(place).count(), 1, "{place} in\n{said}");
    }
    let output = home.run(&["validate", "--json"]);
    assert_eq!(output.status.code(), Some(78));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["problems"].as_array().unwrap().len(), 5, "{answer}");
    assert_eq!(home.run(&["run"]).status.code(), Some(78));
}

#[test]
fn a_daemon_that_is_not_there_is_exit_code_69_and_names_where_it_was_looked_for() {
    let home = Home::new("");
    for verb in [
        &["status"][..],
        &["plan"],
        &["configs"],
        &["builds"],
        &["build", "show", "app-1"],
        &["release", "--all"],
    ] {
        let output = home.run(verb);
        assert_eq!(output.status.code(), Some(69), "{verb:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("control.sock"), "{verb:?}");
        assert!(output.stdout.is_empty(), "{verb:?}");
    }
}

#[test]
fn builds_find_their_files_wherever_the_daemon_was_started() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = Home::new("");
    let run = ["/bin/sh", "-c", "test -s \"$BASEWATCH_BUILD_FILE\" && pwd > here"].map(str::to_owned);
    let watch = Watch::new("app", &registry.host(), "base:1").run(&run);
    home.configure(&watch_list(&registry.host(), &[watch]));
    let relative = ["run", "--once", "--config", "basewatch.toml", "--state-dir", "state"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_basewatch"));
    let output = command.args(relative).current_dir(home.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(home.state().join("builds/default/app-1/here").exists(), "{said}");
    let socket = home.path().canonicalize().unwrap().join("state/control.sock");
    assert!(said.contains(&format!("\"socket\":\"{}\"", socket.display())), "{said}");
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = Home::new(&watch_list(&registry.host(), &[Watch::new("app", &registry.host(), "base:1")]));
    let daemon = home.start();
    assert_eq!(home.spawn(&[], &[]).finish().0, Some(1));
    assert_eq!(home.ask(&["status"])["tags"].as_array().unwrap().len(), 1);
    daemon.stop();
}

#[test]
fn builds_can_be_listed_shown_read_and_called_off() {
    let registry = FakeRegistry::start();
    let digest = registry.push("base", "1", 1);
    let home = Home::new("");
    let run = [
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        "echo made from $BASEWATCH_BASE_IMAGE; exec sleep 1000".to_owned(),
    ];
    let watch = Watch::new("app", &registry.host(), "base:1").run(&run).key("labels", "{ team = \"pay\" }");
    home.configure(&watch_list(&registry.host(), &[watch]));
    let daemon = home.start();
    daemon.wait_for("build_started");
    let made = format!("made from {}/base@{digest}", &registry.host());
    crate::support::eventually("the build's output", || {
        let logs = home.run(&["build", "logs", "app-1"]);
        String::from_utf8_lossy(&logs.stdout).contains(&made).then_some(())
    });
    let builds = home.ask(&["builds", "--build-config", "app"]);
    assert_eq!(builds["builds"][0]["phase"], "Running");
    let detail = home.ask(&["build", "show", "app-1"]);
    assert_eq!(detail["spec"]["labels"]["team"], "pay");

    let output = home.run(&["build", "cancel", "app-1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(daemon.wait_for("build_finished")["phase"], "Cancelled");
    let again = home.run(&["build", "cancel", "app-1"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(home.run(&["build", "show", "app-9"]).status.code(), Some(1));
    assert_eq!(home.run(&["release", "nobody"]).status.code(), Some(1));
    daemon.stop();
}

#[test]
fn a_stop_waits_for_a_build_and_then_ends_it_to_run_again() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = Home::new("");
    let run = ["/bin/sh".to_owned(), "-c".to_owned(), "exec sleep 1000".to_owned()];
    let watch = Watch::new("app", &registry.host(), "base:1").run(&run);
    home.configure(&format!(
        "{}\n[daemon]\ndrain_timeout = \"100ms\"\n",
        watch_list(&registry.host(), &[watch])
    ));
    let daemon = home.start();
    daemon.wait_for("build_started");
    let (code, events) = daemon.stop();
    assert_eq!(code, Some(0));
    assert!(events.iter().any(|event| event["event"] == "build_interrupted"), "{events:?}");
    let daemon = home.start();
    let again = daemon.wait_for("build_started");
    assert_eq!((&again["build"], &again["attempt"]), (&"default/app-1".into(), &2.into()));
    daemon.kill();
}
