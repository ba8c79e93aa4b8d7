//! Builds in a socket runner: what becomes of them when the daemon, the instance or the runner goes away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::daemon::{Daemon, Home, signal};
use crate::support::eventually;
use crate::support::fake_registry::FakeRegistry;
use crate::support::inetd::{Inetd, socket};
use crate::support::process::Process;
use crate::support::watch_list::{Watch, watch_list};

/// It tells its process, holds a lock for as long as it lives, prints much, waits at a gate, and prints more.
const BUILD: &str = r#"
cd "$HERE"
exec 9>lock
flock -n 9 || echo "$BASEWATCH_ATTEMPT" >> overlaps
echo "$$" > "pid.$BASEWATCH_ATTEMPT"
seq 1 20000
cat gate > /dev/null
seq 20001 40000
echo '{"images":[{"reference":"host/app:1","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}' > "$BASEWATCH_RESULT_FILE"
"#;

/// A home with one watch, whose builds run in a runner, and a registry with its image.
struct Place {
    home: Home,
    _registry: FakeRegistry,
}

impl Place {
    fn new() -> Self {
        Self::with(BUILD, |watch| watch)
    }

    fn with(script: &str, change: impl FnOnce(Watch) -> Watch) -> Self {
        let registry = FakeRegistry::start();
        registry.push("base", "1", 1);
        let home = Home::new("");
        made(Command::new("mkfifo").arg(home.path().join("gate")));
        let run = ["/bin/bash".to_owned(), "-c".to_owned(), script.to_owned()];
        let here = format!("{{ HERE = \"{}\" }}", home.path().display());
        let watch = Watch::new("app", &registry.host(), "base:1").run(&run).every("100ms").key("env", &here);
        let watches = [change(watch.key("runner", "\"box\""))];
        let at = socket(&home.path().join("box"));
        let runner = format!("\n[runner.box]\nsocket = \"{}\"\n", at.display());
        home.configure(&(watch_list(&registry.host(), &watches) + &runner));
        Self { home, _registry: registry }
    }

    fn runner(&self) -> Inetd {
        Inetd::start(&self.home.path().join("box"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// From now on every build passes: the FIFO becomes an empty file, and who waits at the old one is let go.
    fn open_gate(&self) {
        let waits = fs::File::options().read(true).write(true).open(self.path("gate")).unwrap();
        fs::write(self.path("open"), "").unwrap();
        fs::rename(self.path("open"), self.path("gate")).unwrap();
        drop(waits);
    }

    /// The daemon's own copy of the output.
    fn log(&self) -> String {
        fs::read_to_string(self.home.state().join("builds/default/app-1/log")).unwrap_or_default()
    }

    fn build(&self) -> Value {
        self.home.ask(&["build", "show", "app-1"])
    }

    /// The process of an attempt, once it waits at the gate and the daemon has its output.
    fn at_the_gate(&self, attempt: u32) -> u32 {
        eventually("the build at its gate", || self.log().contains("\n20000\n").then_some(()));
        fs::read_to_string(self.path(&format!("pid.{attempt}"))).unwrap().trim().parse().unwrap()
    }

    /// The build ends in its first attempt, and nothing of it is left but what the daemon has.
    fn ends_whole(&self, daemon: Daemon, runner: &Inetd) {
        finished(&daemon);
        self.one_whole_attempt();
        nothing_kept(runner);
        daemon.stop();
    }

    /// The first attempt is the only one, and its output is whole and there once.
    fn one_whole_attempt(&self) {
        let build = self.build();
        assert_eq!(
            (&build["phase"], &build["attempts"]),
            (&Value::from("Complete"), &Value::from(1)),
            "{build}"
        );
        let numbers: String = (1..=40000).map(|number| format!("{number}\n")).collect();
        let log = self.log();
        let (header, output) = log.split_once('\n').unwrap();
        assert!(header.starts_with("--- attempt 1 started "), "{header}");
        assert!(output == numbers, "{} bytes in place of {}", output.len(), numbers.len());
        assert!(!self.path("pid.2").exists() && !self.path("overlaps").exists());
    }
}

/// A place whose build waits at its gate, and the process of that.
fn at_work() -> (Place, Inetd, Daemon, u32) {
    let place = Place::new();
    let runner = place.runner();
    let daemon = place.home.start();
    let pid = place.at_the_gate(1);
    (place, runner, daemon, pid)
}

fn made(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn finished(daemon: &Daemon) -> Value {
    daemon.wait_for("build_finished")
}

/// Nothing is left at the runner once the daemon has stored the end.
fn nothing_kept(runner: &Inetd) {
    eventually("the runner to forget", || runner.kept().is_empty().then_some(()));
    eventually("the instances to end", || runner.instances().is_empty().then_some(()));
}

#[test]
fn a_build_in_a_socket_runner_is_one_like_any_other() {
    let place = Place::new();
    let runner = place.runner();
    place.open_gate();
    let daemon = place.home.start();
    assert_eq!(daemon.wait_for("started")["runner"], "socket: box");
    assert_eq!(finished(&daemon)["phase"], "Complete");
    place.one_whole_attempt();
    assert_eq!(place.build()["images"][0]["reference"], "host/app:1");
    let logs = place.home.run(&["build", "logs", "app-1"]);
    assert!(String::from_utf8_lossy(&logs.stdout).contains("\n20001\n"));
    nothing_kept(&runner);
    assert_eq!(daemon.stop().0, Some(0));
    let said = runner.log();
    assert!(said.contains("attempt_taken") && said.contains("attempt_ended"), "{said}");
}

#[test]
fn a_build_outlives_a_daemon_that_is_killed_and_its_output_goes_on() {
    let (place, runner, daemon, pid) = at_work();
    daemon.kill();
    assert!(is_alive(pid));
    let daemon = place.home.start();
    place.open_gate();
    place.ends_whole(daemon, &runner);
}

#[test]
fn a_daemon_that_stops_does_not_wait_for_its_runners() {
    let (place, runner, daemon, pid) = at_work();
    let (code, events) = daemon.stop();
    assert_eq!(code, Some(0));
    assert!(events.iter().all(|event| event["event"] != "build_interrupted"), "{events:?}");
    assert!(is_alive(pid));
    let daemon = place.home.start();
    place.open_gate();
    place.ends_whole(daemon, &runner);
}

#[test]
fn what_ends_while_the_daemon_is_away_is_found_when_it_is_back() {
    let place = Place::new();
    let runner = place.runner();
    let daemon = place.home.start();
    place.at_the_gate(1);
    daemon.kill();
    place.open_gate();
    eventually("the end to be stored", || runner.outcome());
    eventually("the instance to end", || runner.instances().is_empty().then_some(()));
    let daemon = place.home.start();
    place.ends_whole(daemon, &runner);
}

#[test]
fn an_instance_that_dies_with_its_build_is_followed_by_a_second_attempt() {
    let (place, runner, daemon, pid) = at_work();
    for pid in runner.instances().into_iter().chain([pid]) {
        signal(pid, "KILL");
    }
    assert_eq!(daemon.wait_for("build_interrupted")["attempt"], 1);
    place.open_gate();
    assert_eq!(finished(&daemon)["phase"], "Complete");
    assert_eq!(place.build()["attempts"], 2);
    assert!(!place.path("overlaps").exists());
    nothing_kept(&runner);
    daemon.stop();
}

#[test]
fn what_an_instance_leaves_behind_is_ended_before_the_next_attempt() {
    let (place, runner, daemon, pid) = at_work();
    let [instance] = runner.instances()[..] else { panic!("{:?}", runner.instances()) };
    signal(instance, "KILL");
    daemon.wait_for("build_interrupted");
    assert!(!is_alive(pid), "{pid} is alive");
    place.open_gate();
    assert_eq!(finished(&daemon)["phase"], "Complete");
    assert!(!place.path("overlaps").exists(), "two attempts were alive together");
    daemon.stop();
}

#[test]
fn an_instance_that_is_stopped_cuts_its_build_off() {
    let (place, runner, daemon, pid) = at_work();
    signal(runner.instances()[0], "TERM");
    daemon.wait_for("build_interrupted");
    assert!(!is_alive(pid));
    place.open_gate();
    assert_eq!(finished(&daemon)["phase"], "Complete");
    nothing_kept(&runner);
    daemon.stop();
}

#[test]
fn a_cancel_reaches_the_build_also_after_a_restart() {
    for restarted in [false, true] {
        let place = Place::new();
        let runner = place.runner();
        let mut daemon = place.home.start();
        let pid = place.at_the_gate(1);
        if restarted {
            daemon.kill();
            daemon = place.home.start();
        }
        place.home.ask(&["build", "cancel", "app-1"]);
        assert_eq!(finished(&daemon)["phase"], "Cancelled");
        assert!(!is_alive(pid));
        nothing_kept(&runner);
        daemon.stop();
    }
}

#[test]
fn a_build_that_takes_too_long_is_ended_by_its_instance() {
    let place = Place::with("echo $$ > \"$HERE/pid.1\"; sleep 1000", |watch| {
        watch.key("timeout", "\"1s\"").key("retry", "{ attempts = 1 }")
    });
    let runner = place.runner();
    let daemon = place.home.start();
    eventually("the build", || place.path("pid.1").exists().then_some(()));
    daemon.kill();
    eventually("the end to be stored", || runner.outcome());
    let daemon = place.home.start();
    let end = finished(&daemon);
    assert_eq!(end["phase"], "Failed", "{end}");
    assert_eq!(place.build()["attempts"], 1);
    nothing_kept(&runner);
    daemon.stop();
}

#[test]
fn a_runner_that_is_not_there_is_waited_for() {
    let place = Place::new();
    place.open_gate();
    let daemon = place.home.start();
    let trouble = daemon.wait_for("runner_unreachable");
    assert_eq!((&trouble["runner"], &trouble["build"]), (&"box".into(), &"default/app-1".into()));
    assert!(trouble["error"].as_str().unwrap().contains("start its socket unit"), "{trouble}");
    let runner = place.runner();
    daemon.wait_for("runner_recovered");
    finished(&daemon);
    place.one_whole_attempt();
    nothing_kept(&runner);
    assert_eq!(daemon.all("runner_unreachable").len(), 1);
    daemon.stop();
}

#[test]
fn a_build_that_waits_for_its_runner_can_be_called_off() {
    let place = Place::new();
    let daemon = place.home.start();
    daemon.wait_for("runner_unreachable");
    place.home.ask(&["build", "cancel", "app-1"]);
    assert_eq!(finished(&daemon)["phase"], "Cancelled");
    daemon.stop();
}

#[test]
fn an_attempt_is_not_given_up_while_its_runner_cannot_be_asked() {
    let place = Place::new();
    let runner = place.runner();
    let daemon = place.home.start();
    place.at_the_gate(1);
    daemon.kill();
    let (here, away) = (socket(&place.path("box")), place.path("away"));
    fs::rename(&here, &away).unwrap();
    let daemon = place.home.start();
    daemon.wait_for("runner_unreachable");
    assert_eq!(place.build()["phase"], "Running");
    fs::rename(&away, &here).unwrap();
    place.open_gate();
    place.ends_whole(daemon, &runner);
}

#[test]
fn a_run_that_ends_by_itself_waits_for_its_runners() {
    let place = Place::new();
    let runner = place.runner();
    place.open_gate();
    let (code, _) = place.home.spawn(&["--once"], &[]).finish();
    assert_eq!(code, Some(0));
    assert!(runner.kept().is_empty(), "{:?}", runner.kept());
    assert!(place.log().ends_with("\n40000\n"));
}

#[test]
fn a_failed_build_tells_its_last_lines_and_what_it_was() {
    let place = Place::with("echo last words; exit 7", |watch| watch.key("retry", "{ attempts = 1 }"));
    let runner = place.runner();
    let daemon = place.home.start();
    let end = finished(&daemon);
    assert_eq!(
        (&end["phase"], &end["exit"], &end["tail"]),
        (&"Failed".into(), &7.into(), &"last words".into())
    );
    nothing_kept(&runner);
    daemon.stop();
}

/// The same by systemd's own means.
#[test]
fn a_build_runs_where_systemd_listens() {
    let place = Place::new();
    place.open_gate();
    let dir = place.path("box");
    fs::create_dir_all(&dir).unwrap();
    let mut listens = Command::new("systemd-socket-activate");
    let is_there = Command::new(listens.get_program()).arg("--version").output().is_ok();
    assert!(
        is_there,
        "systemd-socket-activate is missing: it is in the package systemd, which `make tools` installs"
    );
    listens.args(["--inetd", "-a", "-l"]).arg(socket(&dir)).arg(env!("CARGO_BIN_EXE_basewatch"));
    listens.args(["runner", "--state-dir"]).arg(dir.join("state")).stderr(std::process::Stdio::null());
    let _listens = Process::start(&mut listens);
    let daemon = place.home.start();
    finished(&daemon);
    place.one_whole_attempt();
    eventually("the runner to forget", || is_empty(&dir.join("state/spool")).then_some(()));
    daemon.stop();
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}
