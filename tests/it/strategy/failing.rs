//! Builds that go wrong half-way, or are ended there.

use std::fs::{self, File};
use std::process::Command;

use super::app;
use crate::support::RealRegistry;
use crate::support::process::output_of;
use crate::support::workshop::Workshop;

#[test]
fn a_push_that_fails_is_told_and_the_commit_is_kept() {
    let workshop = Workshop::new();
    workshop.make("default/base:1", "", &[]);
    let closed = RealRegistry::htpasswd("ci", "right");
    let repository = workshop.repository("app");
    let commit = repository.commit(&[("Dockerfile", "FROM base\nRUN echo made > /made\n")]);
    let host = closed.host();
    let rest = format!(
        "source = {{ git = {{ uri = \"{}\", ref = \"main\" }} }}\noutput = {{ to = \"{host}/team/app:1\" }}",
        repository.uri()
    );
    let registry = format!("\n[[registry]]\nhost = \"{host}\"\ninsecure = true\n");
    workshop.configure(&(app("Docker", "tool = \"buildah\"", &rest) + &registry));
    let daemon = workshop.start();
    let ended = workshop.ended(&daemon, "app-1");
    let log = workshop.log("app-1");
    assert_eq!((&ended["phase"], &ended["exit"]), (&"Failed".into(), &125.into()), "{ended}\n{log}");
    assert!(log.contains("basewatch: buildah push failed: exit status: 125"), "{log}");
    let shown = workshop.home.ask(&["build", "show", "app-1"]);
    assert_eq!(shown["commit"], *commit);
    assert_eq!(shown["images"].as_array().map_or(0, Vec::len), 0, "{shown}");
    daemon.stop();
}

#[test]
fn a_dockerfile_that_is_a_pipe_or_has_no_end_is_told_and_not_waited_for() {
    let workshop = Workshop::new();
    workshop.make("default/base:1", "", &[]);
    let directory = workshop.directory("site");
    let dockerfile = directory.join("Dockerfile");
    let rest = format!("source = {{ directory = {directory:?} }}");
    workshop.configure(&app("Docker", "", &rest));

    output_of(Command::new("mkfifo").arg(&dockerfile));
    let daemon = workshop.start();
    assert_eq!(workshop.ended(&daemon, "app-1")["phase"], "Failed");
    let log = workshop.log("app-1");
    assert!(log.contains("basewatch: Dockerfile: read it: not a regular file"), "{log}");

    fs::remove_file(&dockerfile).unwrap();
    // It takes no room on the disk.
    File::create_new(&dockerfile).unwrap().set_len(64 << 20).unwrap();
    workshop.home.ask(&["start", "app"]);
    assert_eq!(workshop.ended(&daemon, "app-2")["phase"], "Failed");
    let log = workshop.log("app-2");
    assert!(log.contains("basewatch: Dockerfile: it is larger than 1048576 bytes"), "{log}");
    daemon.stop();
}

/// The processes whose command line has this word.
fn running(word: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
    let lines = processes.filter_map(|path| fs::read_to_string(path).ok());
    lines.filter(|line| line.contains(word)).collect()
}

/// The processes of a build.
fn of_build(id: &str) -> usize {
    let entry = format!("BASEWATCH_BUILD_ID={id}");
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("environ"));
    processes
        .filter(|path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).contains(&entry))
        .count()
}

#[test]
fn a_cancel_in_the_middle_of_a_run_leaves_no_process() {
    let workshop = Workshop::new();
    workshop.make("default/base:1", "", &[]);
    let directory = workshop.directory("site");
    // A number that no other process has on its command line.
    let long = (10_000_000_u64 + u64::from(std::process::id())).to_string();
    let dockerfile = format!("FROM base\nRUN trap '' TERM; echo up $((6 * 7)); sleep {long}; echo over\n");
    fs::write(directory.join("Dockerfile"), dockerfile).unwrap();
    let rest = format!("source = {{ directory = {directory:?} }}");
    workshop.configure(&app("Docker", "tool = \"buildah\"", &rest));
    let daemon = workshop.start();
    crate::support::eventually("the RUN to begin", || workshop.log("app-1").contains("up 42").then_some(()));
    let shown = workshop.home.ask(&["build", "show", "app-1"]);
    let id = shown["id"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned();
    assert!(!running(&long).is_empty() && of_build(&id) > 1, "it runs");

    workshop.home.ask(&["build", "cancel", "app-1"]);
    assert_eq!(workshop.ended(&daemon, "app-1")["phase"], "Cancelled");
    assert_eq!((running(&long), of_build(&id)), (Vec::new(), 0));
    assert!(!workshop.home.state().join("builds/default/app-1/work").exists());
    daemon.stop();
}
