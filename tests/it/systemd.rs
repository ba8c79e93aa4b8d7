//! The daemon as a service of systemd: what it tells, and what its builds are not given.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};

use crate::support::daemon::Home;
use crate::support::fake_registry::{FakeRegistry, Fault};
use crate::support::service_manager::ServiceManager;
use crate::support::watch_list::{Watch, watch_list};

mod units;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// One watch that builds nothing, of an image that is there.
fn quiet_home(registry: &FakeRegistry) -> Home {
    registry.push("base", "1", 1);
    let watch = Watch::new("app", &registry.host(), "base:1").key("on_first", "\"record\"").every("100ms");
    Home::new(&watch_list(&registry.host(), &[watch]))
}

fn is_told_in_order(manager: &ServiceManager) {
    let registry = FakeRegistry::start();
    let home = quiet_home(&registry);
    let daemon = home.spawn(&[], &[("NOTIFY_SOCKET", manager.name())]);
    let first = manager.next();
    // Whoever is told that the daemon is up can ask it.
    UnixStream::connect(home.state().join("control.sock")).expect("the control socket answers");
    assert_eq!(first[0], "READY=1");
    assert!(first[1].starts_with("STATUS=0 of 1 tag ok, 0 builds running"), "{first:?}");
    daemon.wait_for("started");
    let statuses = manager.wait_status(|status| status.starts_with("1 of 1 tag ok"));
    assert!(statuses.last().unwrap().contains("last poll 2"), "{statuses:?}");
    let (code, _) = daemon.stop();
    assert_eq!(code, Some(0));
    let rest = manager.rest();
    assert_eq!(rest.iter().filter(|line| *line == "STOPPING=1").count(), 1, "{rest:?}");
    assert!(rest.iter().all(|line| line != "READY=1"), "{rest:?}");
    assert!(rest.last().unwrap().starts_with("STATUS=stopping: 1 of 1 tag ok"), "{rest:?}");
}

#[test]
fn the_service_manager_is_told_ready_then_the_status_then_the_stop() {
    is_told_in_order(&ServiceManager::start());
}

#[test]
fn an_abstract_socket_is_as_good_as_a_path() {
    is_told_in_order(&ServiceManager::start_abstract());
}

#[test]
fn the_status_tells_trouble_with_a_registry_and_its_end() {
    let manager = ServiceManager::start();
    let registry = FakeRegistry::start();
    let home = quiet_home(&registry);
    registry.fault("base", Fault::status(503));
    let daemon = home.spawn(&[], &[("NOTIFY_SOCKET", manager.name())]);
    manager.wait_status(|status| {
        status.starts_with("0 of 1 tag ok") && status.ends_with("; trouble with 1 tag of 1 registry")
    });
    registry.heal();
    manager.wait_status(|status| status.starts_with("1 of 1 tag ok") && !status.contains("trouble"));
    daemon.stop();
}

#[test]
fn a_wrong_configuration_ends_with_78_and_nothing_is_told() {
    let manager = ServiceManager::start();
    let home = Home::new("[[watch]]\nnonsense = 1\n");
    // The mistakes are told to a person, not logged.
    let mut command = Command::new(env!("CARGO_BIN_EXE_basewatch"));
    command.args(["run", "--config"]).arg(home.config()).arg("--state-dir").arg(home.state());
    let output = command.env("NOTIFY_SOCKET", manager.name()).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert_eq!(manager.rest(), [""; 0]);
}

#[test]
fn a_service_manager_that_cannot_be_reached_is_told_once_in_the_log_and_keeps_nothing_from_working() {
    for name in ["/nowhere/notify", "vsock:2:1234"] {
        let registry = FakeRegistry::start();
        let home = quiet_home(&registry);
        let daemon = home.start_with(&[], &[("NOTIFY_SOCKET", name)]);
        daemon.wait_for("tag_resolved");
        registry.wait_requests(registry.requests().len() + 5, reqwest::Method::HEAD, "/");
        let (code, events) = daemon.stop();
        assert_eq!(code, Some(0));
        let told = events.iter().filter(|event| event["event"] == "service_manager_unreachable").count();
        assert_eq!(told, 1, "{name}: {events:?}");
    }
}

/// A home whose one build says that it runs, and ends when it may.
fn home_with_a_build_that_waits(registry: &FakeRegistry) -> Home {
    registry.push("base", "1", 1);
    let home = Home::new("");
    let dir = home.path().display();
    let script = format!(": >{dir}/runs; until [ -e {dir}/may-end ]; do sleep 0.05; done");
    let run = ["/bin/sh".to_owned(), "-c".into(), script];
    home.configure(&watch_list(&registry.host(), &[Watch::new("app", &registry.host(), "base:1").run(&run)]));
    home
}

#[test]
fn a_stop_is_told_before_the_builds_are_waited_for() {
    let manager = ServiceManager::start();
    let registry = FakeRegistry::start();
    let home = home_with_a_build_that_waits(&registry);
    let daemon = home.spawn(&[], &[("NOTIFY_SOCKET", manager.name())]);
    crate::support::eventually("the build runs", || home.path().join("runs").exists().then_some(()));
    crate::support::daemon::signal(daemon.pid(), "TERM");
    let mut last = Vec::new();
    while !last.contains(&"STOPPING=1".to_owned()) {
        last = manager.next();
    }
    assert!(last[1].starts_with("STATUS=stopping: ") && last[1].contains("1 build running"), "{last:?}");
    fs::write(home.path().join("may-end"), "").unwrap();
    let (code, events) = daemon.finish();
    assert_eq!(code, Some(0));
    let finished: Vec<_> = events.iter().filter(|event| event["event"] == "build_finished").collect();
    assert_eq!(finished.len(), 1);
    assert_eq!(finished[0]["phase"], "Complete");
}

#[test]
fn a_build_is_given_nothing_of_what_the_service_manager_gave_the_daemon() {
    const GIVEN: [&str; 14] = [
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "CREDENTIALS_DIRECTORY",
        "MAINPID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "STATE_DIRECTORY",
        "RUNTIME_DIRECTORY",
        "CONFIGURATION_DIRECTORY",
        "SYSTEMD_EXEC_PID",
        "MEMORY_PRESSURE_WATCH",
    ];
    let manager = ServiceManager::start();
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = Home::new("");
    let dir = home.path().to_owned();
    // In a shell of its own, as redirecting opens descriptors too.
    let script = format!("env >{0}/environment; (ls /proc/$$/fd >{0}/descriptors); :", dir.display());
    let run = ["/bin/sh".to_owned(), "-c".into(), script];
    home.configure(&watch_list(&registry.host(), &[Watch::new("app", &registry.host(), "base:1").run(&run)]));

    let mut environment = vec![("NOTIFY_SOCKET", manager.name())];
    environment.extend(GIVEN.map(|name| (name, dir.to_str().unwrap())));
    // Descriptors of sockets that the service manager listened on begin at 3.
    let open = format!("exec 3<{0} 9<{0}", dir.display());
    let daemon = home.spawn_after(&open, &environment);
    daemon.wait_for("build_finished");
    daemon.stop();

    let given = fs::read_to_string(dir.join("environment")).unwrap();
    let names: Vec<&str> =
        given.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(names.contains(&"BASEWATCH_BUILD"), "{given}");
    let leaked: Vec<_> =
        names.iter().filter(|name| GIVEN.contains(*name) || **name == "NOTIFY_SOCKET").collect();
    assert!(leaked.is_empty(), "{leaked:?}");
    assert_eq!(fs::read_to_string(dir.join("descriptors")).unwrap(), "0\n1\n2\n");
    assert!(manager.rest().iter().all(|line| !line.contains("MAINPID")));
}
