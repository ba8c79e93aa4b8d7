//! Each failure point in turn: what is about to be done to the world fails, or the daemon dies right there.
//!
//! Compiled in with the feature `failpoints` only: `make test-failpoints`.

use reqwest::Method;
use serde_json::Value;

use crate::support::daemon::Home;
use crate::support::fake_registry::FakeRegistry;
use crate::support::inetd::Inetd;
use crate::support::watch_list::{Watch, watch_list};

/// Where a commit and its effects can break: before each thing that is done to the world.
const BEFORE_EFFECTS: &[&str] = &[
    "spec-before-write",
    "journal-before-append",
    "journal-before-sync",
    "database-before-put",
    "engine-before-effect",
    "runner-before-survivors",
    "runner-before-directory",
    "runner-before-spawn",
    "runner-before-accepted",
    "runner-before-ended",
];

/// Where a checkpoint can break.
const CHECKPOINT: &[&str] = &[
    "database-before-sync",
    "snapshot-before-write",
    "snapshot-before-prune",
    "journal-before-begin",
    "journal-before-forget",
];

/// Where opening a state can break that is new, or must be rebuilt.
const OPENING: &[&str] = &[
    "snapshot-before-write",
    "snapshot-before-prune",
    "recover-before-journal",
    "journal-before-begin",
    "recover-before-database",
    "database-before-sync",
];

fn home(registry: &FakeRegistry) -> Home {
    registry.push("base", "1", 1);
    let watch =
        Watch::new("app", &registry.host(), "base:1").every("100ms").key("retry", "{ backoff = \"100ms\" }");
    Home::new(&watch_list(&registry.host(), &[watch]))
}

/// Every push that was seen has exactly one build, and it is Complete.
fn one_complete_build_each(home: &Home, pushes: usize) {
    let answer = home.ask(&["builds"]);
    let builds = answer["builds"].as_array().unwrap();
    let mut images: Vec<String> = builds.iter().map(|build| base_image(home, build)).collect();
    images.sort();
    images.dedup();
    assert_eq!((builds.len(), images.len()), (pushes, pushes), "{answer}");
    assert!(builds.iter().all(|build| build["phase"] == "Complete"), "{answer}");
}

fn base_image(home: &Home, build: &Value) -> String {
    let detail = home.ask(&["build", "show", build["build"].as_str().unwrap()]);
    detail["spec"]["base_image"]["reference"].as_str().unwrap().to_owned()
}

#[test]
fn a_death_at_any_point_of_a_commit_or_a_start_loses_and_doubles_nothing() {
    for point in BEFORE_EFFECTS {
        let registry = FakeRegistry::start();
        let home = home(&registry);
        let dies = home.spawn(&[], &[("FAILPOINTS", &format!("{point}=return(abort)"))]);
        let (code, _) = dies.finish();
        assert_eq!(code, None, "{point} was never reached");

        let daemon = home.start();
        crate::support::eventually(point, || {
            let builds = home.ask(&["builds"]);
            (builds["builds"][0]["phase"] == "Complete").then_some(())
        });
        registry.push("base", "1", 2);
        daemon.wait_until(point, |events| {
            let finished =
                |event: &&Value| event["event"] == "build_finished" && event["build"] == "default/app-2";
            events.iter().find(finished).map(|_| ())
        });
        one_complete_build_each(&home, 2);
        assert_eq!(daemon.stop().0, Some(0), "{point}");
    }
}

/// Its first attempt waits for ever, under a lock that the kernel frees with it, and has nothing in its environment
/// that could find it.
const NAMELESS: &str = r#"
exec env -i HERE="$HERE" ATTEMPT="$BASEWATCH_ATTEMPT" /bin/bash -c '
cd "$HERE"
exec 9>lock
flock -n 9 || echo "$ATTEMPT" >> overlaps
echo "$ATTEMPT" >> started
[ "$ATTEMPT" != 1 ] || sleep 1000'
"#;

#[test]
fn a_build_without_an_environment_is_ended_before_its_next_attempt() {
    for points in ["runner-before-accepted=return(abort)", ""] {
        let registry = FakeRegistry::start();
        registry.push("base", "1", 1);
        let home = Home::new("");
        let run = ["/bin/bash".to_owned(), "-c".to_owned(), NAMELESS.to_owned()];
        let here = format!("{{ HERE = \"{}\" }}", home.path().display());
        let watch = Watch::new("app", &registry.host(), "base:1").run(&run).key("env", &here);
        home.configure(&watch_list(&registry.host(), &[watch]));

        let daemon = home.spawn(&[], &[("FAILPOINTS", points)]);
        let started = home.path().join("started");
        crate::support::eventually("the first attempt", || started.exists().then_some(()));
        daemon.kill();
        let daemon = home.start();
        assert_eq!(daemon.wait_for("build_finished")["phase"], "Complete", "{points}");
        daemon.stop();
        assert_eq!(std::fs::read_to_string(&started).unwrap(), "1\n2\n", "{points}");
        assert!(!home.path().join("overlaps").exists(), "{points}: two attempts were alive together");
    }
}

#[test]
fn a_fault_of_the_disk_is_told_and_overcome() {
    for point in ["spec-before-write", "journal-before-append", "journal-before-sync"] {
        let registry = FakeRegistry::start();
        let home = home(&registry);
        // Three times it fails, then the disk is well again.
        let daemon = home.spawn(&[], &[("FAILPOINTS", &format!("{point}=3*return"))]);
        assert_eq!(daemon.wait_for("store_failed")["what"], "journal", "{point}");
        daemon.wait_for("store_recovered");
        daemon.wait_for("build_finished");
        one_complete_build_each(&home, 1);
        assert_eq!(daemon.stop().0, Some(0), "{point}");
    }
}

#[test]
fn a_database_that_fails_holds_nothing_up_and_catches_up() {
    let registry = FakeRegistry::start();
    let home = home(&registry);
    let daemon = home.spawn(&[], &[("FAILPOINTS", "database-before-put=2*off->1*return")]);
    assert_eq!(daemon.wait_for("store_failed")["what"], "database");
    daemon.wait_for("build_finished");
    one_complete_build_each(&home, 1);
    assert_eq!(daemon.stop().0, Some(0));
    let daemon = home.start();
    one_complete_build_each(&home, 1);
    assert!(daemon.all("state_recovered").is_empty(), "{:?}", daemon.events());
    daemon.stop();
}

#[test]
fn a_death_or_a_fault_at_a_checkpoint_loses_nothing() {
    for point in CHECKPOINT {
        for action in ["return", "return(abort)"] {
            let registry = FakeRegistry::start();
            let home = home(&registry);
            home.start().wait_for("build_finished");
            let daemon = home.start_with(&[], &[("FAILPOINTS", &format!("{point}={action}"))]);
            registry.push("base", "1", 2);
            daemon.wait_for("build_finished");
            let (code, _) = daemon.stop();
            assert_eq!(code, if action == "return" { Some(0) } else { None }, "{point} {action}");
            let daemon = home.start();
            one_complete_build_each(&home, 2);
            daemon.stop();
        }
    }
}

#[test]
fn a_first_start_that_dies_anywhere_is_a_first_start_again() {
    for point in OPENING {
        let registry = FakeRegistry::start();
        let home = home(&registry);
        let (code, _) = home.spawn(&[], &[("FAILPOINTS", &format!("{point}=return(abort)"))]).finish();
        assert_eq!(code, None, "{point} was never reached");
        let daemon = home.start();
        daemon.wait_for("build_finished");
        assert!(daemon.all("state_recovered").is_empty(), "{point}: {:?}", daemon.events());
        one_complete_build_each(&home, 1);
        daemon.stop();
    }
}

#[test]
fn a_rebuild_that_dies_anywhere_is_done_again_and_loses_nothing() {
    for point in OPENING.iter().chain(&["recover-before-quarantine"]) {
        let registry = FakeRegistry::start();
        let home = home(&registry);
        let daemon = home.start();
        daemon.wait_for("build_finished");
        daemon.kill();
        let database = home.state().join("db/db");
        std::fs::File::options().write(true).open(&database).unwrap().set_len(100).unwrap();
        let (code, _) = home.spawn(&[], &[("FAILPOINTS", &format!("{point}=return(abort)"))]).finish();
        assert_eq!(code, None, "{point} was never reached");
        let daemon = home.start();
        let polls = registry.count(Method::HEAD, "/v2/base");
        registry.wait_requests(polls + 2, Method::HEAD, "/v2/base");
        one_complete_build_each(&home, 1);
        let lost = |event: &Value| event["event"] == "state_recovered" && event["level"] == "error";
        assert!(!daemon.events().iter().any(lost), "{point}: {:?}", daemon.events());
        daemon.stop();
    }
}

#[test]
fn a_database_is_not_cleared_before_its_snapshot_stands() {
    let registry = FakeRegistry::start();
    let home = home(&registry);
    let daemon = home.start();
    daemon.wait_for("build_finished");
    daemon.stop();
    // All there is stands in the database alone.
    std::fs::remove_dir_all(home.state().join("journal")).unwrap();
    std::fs::remove_dir_all(home.state().join("snapshot")).unwrap();
    let full = "snapshot-before-write=return;recover-before-database=return";
    let (code, _) = home.spawn(&[], &[("FAILPOINTS", full)]).finish();
    assert_eq!(code, Some(1));
    let daemon = home.start();
    one_complete_build_each(&home, 1);
    daemon.stop();
}

#[test]
fn a_reload_that_cannot_be_stored_is_refused_and_the_old_configuration_runs_on() {
    let registry = FakeRegistry::start();
    let home = home(&registry);
    let daemon = home.start();
    daemon.wait_for("build_finished");
    daemon.stop();
    let watch = Watch::new("app", &registry.host(), "base:1").every("100ms").key("paused", "true");
    // Nothing is written before the reload; of what follows from it, the pause would be the first.
    let daemon = home.start_with(&[], &[("FAILPOINTS", "journal-before-append=1*return->off")]);
    home.configure(&watch_list(&registry.host(), &[watch]));
    let refused = home.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("nothing was changed: mend the disk and ask again"), "{said}");
    assert_eq!(daemon.wait_for("reload_refused")["actor"], "command");
    assert_eq!(home.ask(&["configs"])[0]["triggers"][0]["paused"], false);
    registry.push("base", "1", 2);
    daemon.wait_for("build_finished");
    assert_eq!(home.ask(&["reload"])["edited"][0]["keys"][0], "paused");
    assert_eq!(home.ask(&["configs"])[0]["triggers"][0]["paused"], true);
    daemon.stop();
}

#[test]
fn nothing_is_loaded_while_the_state_cannot_be_stored() {
    let registry = FakeRegistry::start();
    let home = home(&registry);
    let daemon = home.spawn(&[], &[("FAILPOINTS", "journal-before-append=return")]);
    daemon.wait_for("store_failed");
    let refused = home.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("the state cannot be stored: "), "{said}");
    crate::support::daemon::signal(daemon.pid(), "HUP");
    daemon.wait_count("reload_refused", 2);
    daemon.kill();
}

/// Where the daemon can die while a socket runner has a build.
const SOCKET: &[&str] = &[
    "socket-before-files",
    "socket-before-start",
    "socket-before-accepted",
    "socket-before-ended",
    "socket-before-acknowledge",
];

/// Where an instance of a socket runner can die.
const INSTANCE: &[&str] = &[
    "instance-before-attempt",
    "runner-before-survivors",
    "runner-before-spawn",
    "runner-before-end",
    "instance-before-outcome",
    "instance-before-ended",
    "instance-before-forget",
];

/// A home whose one build runs in a runner, under a lock that the kernel frees with it.
fn home_with_runner(registry: &FakeRegistry) -> Home {
    registry.push("base", "1", 1);
    let home = Home::new("");
    let text = "cd \"$HERE\"; exec 9>lock; flock -n 9 || echo overlap >> overlaps; echo out";
    let run = ["/bin/bash".to_owned(), "-c".to_owned(), text.to_owned()];
    let here = format!("{{ HERE = \"{}\" }}", home.path().display());
    let watch = Watch::new("app", &registry.host(), "base:1").run(&run).key("env", &here);
    let watch = watch.key("runner", "\"box\"");
    let at = crate::support::inetd::socket(&home.path().join("box"));
    let runner = format!("\n[runner.box]\nsocket = \"{}\"\n", at.display());
    home.configure(&(watch_list(&registry.host(), &[watch]) + &runner));
    home
}

#[test]
fn a_daemon_that_dies_anywhere_beside_a_runner_loses_and_doubles_nothing() {
    for point in SOCKET {
        let registry = FakeRegistry::start();
        let home = home_with_runner(&registry);
        let _runner = Inetd::start(&home.path().join("box"));
        let (code, _) = home.spawn(&[], &[("FAILPOINTS", &format!("{point}=return(abort)"))]).finish();
        assert_eq!(code, None, "{point} was never reached");
        let daemon = home.start();
        crate::support::eventually(point, || {
            let builds = home.ask(&["builds"]);
            (builds["builds"][0]["phase"] == "Complete").then_some(())
        });
        one_complete_build_each(&home, 1);
        assert!(!home.path().join("overlaps").exists(), "{point}: two attempts were alive together");
        daemon.stop();
    }
}

#[test]
fn an_instance_that_dies_anywhere_loses_no_build_and_doubles_none() {
    for point in INSTANCE {
        let registry = FakeRegistry::start();
        let home = home_with_runner(&registry);
        let dies = format!("{point}=return(abort)");
        let runner = Inetd::start_with(&home.path().join("box"), &[("FAILPOINTS", &dies)]);
        let daemon = home.start();
        // The first instance dies there, and so would each that follows: they are well again once it has.
        crate::support::eventually(point, || runner.has_aborted().then_some(()));
        runner.set_environment(&[]);
        assert_eq!(daemon.wait_for("build_finished")["phase"], "Complete", "{point}");
        one_complete_build_each(&home, 1);
        assert!(!home.path().join("overlaps").exists(), "{point}: two attempts were alive together");
        daemon.stop();
    }
}
