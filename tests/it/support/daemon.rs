//! The real binary, as a service manager would run it: a config, a state directory, a log on stderr.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything is waited for before a test gives up. Generous: it is a deadline, not a timing.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A home for daemons that follow one another: the same config and state.
#[derive(Debug)]
pub(crate) struct Home {
    dir: TempDir,
}

/// A running daemon. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    events: Vec<Value>,
    /// What is not JSON has no business on stderr.
    strays: Vec<String>,
    closed: bool,
}

impl Home {
    /// A home whose config is `config`, with `[log] format = "json"` and builds in its own state directory.
    pub(crate) fn new(config: &str) -> Self {
        let home = Self { dir: TempDir::new().unwrap() };
        home.configure(config);
        home
    }

    pub(crate) fn configure(&self, config: &str) {
        let log = if config.contains("[log]") { "" } else { "\n[log]\nformat = \"json\"\n" };
        fs::write(self.config(), format!("{config}{log}")).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("basewatch.toml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// How many bytes the journal has: nothing may be written where nothing happened.
    pub(crate) fn journal_bytes(&self) -> u64 {
        let files = fs::read_dir(self.state().join("journal")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    }

    /// Starts a daemon and waits until it is up.
    pub(crate) fn start(&self) -> Daemon {
        self.start_with(&[], &[])
    }

    pub(crate) fn start_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Daemon {
        let daemon = self.spawn(arguments, environment);
        daemon.wait_for("started");
        daemon
    }

    /// Starts a daemon that may not come up.
    pub(crate) fn spawn(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Daemon {
        Self::launch(self.command(&["run"]), arguments, environment)
    }

    /// As [`Home::spawn`], by a shell that first does as `script` says.
    pub(crate) fn spawn_after(&self, script: &str, environment: &[(&str, &str)]) -> Daemon {
        let run = self.command(&["run"]);
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(format!("{script}\nexec \"$@\""))
            .arg("sh")
            .arg(run.get_program())
            .args(run.get_args());
        Self::launch(shell, &[], environment)
    }

    fn launch(mut command: Command, arguments: &[&str], environment: &[(&str, &str)]) -> Daemon {
        let child = command
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let log = Arc::new(Log::default());
        let (stderr, lines) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || lines.fill(BufReader::new(stderr)));
        Daemon { child, log }
    }

    /// Runs a command of basewatch to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command with `--json` and reads its answer.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_basewatch"));
        command.args(arguments).arg("--config").arg(self.config()).env_remove("BASEWATCH_CONFIG");
        if arguments.first().is_some_and(|verb| *verb == "run") {
            command.arg("--state-dir").arg(self.state());
        } else if !["validate", "resolve"].contains(arguments.first().unwrap()) {
            command.arg("--socket").arg(self.state().join("control.sock"));
        }
        command
    }
}

impl Daemon {
    /// Everything logged so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.log.lines.lock().unwrap().events.clone()
    }

    /// The events of one name so far.
    pub(crate) fn all(&self, name: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == name).collect()
    }

    /// Waits for the first event of this name.
    pub(crate) fn wait_for(&self, name: &str) -> Value {
        self.wait_count(name, 1).remove(0)
    }

    /// Waits until there are `count` events of this name, and answers with all there are.
    pub(crate) fn wait_count(&self, name: &str, count: usize) -> Vec<Value> {
        self.wait_until(&format!("{count} x {name}"), |events| {
            let all: Vec<Value> = events.iter().filter(|event| event["event"] == name).cloned().collect();
            (all.len() >= count).then_some(all)
        })
    }

    /// Waits until `find` finds something in the log.
    pub(crate) fn wait_until<T>(&self, what: &str, find: impl Fn(&[Value]) -> Option<T>) -> T {
        let until = Instant::now() + DEADLINE;
        let mut lines = self.log.lines.lock().unwrap();
        loop {
            if let Some(found) = find(&lines.events) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.closed {
                panic!(
                    "waited for {what}; the log has:\n{}\nand strays {:?}",
                    dump(&lines.events),
                    lines.strays
                );
            }
            lines = self.log.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and waits for the end. Answers with the exit code and the whole log.
    pub(crate) fn stop(mut self) -> (Option<i32>, Vec<Value>) {
        signal(self.pid(), "TERM");
        self.end()
    }

    /// kill -9. Answers with the whole log.
    pub(crate) fn kill(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        self.end().1
    }

    /// Waits until it ends by itself.
    pub(crate) fn finish(mut self) -> (Option<i32>, Vec<Value>) {
        self.end()
    }

    fn end(&mut self) -> (Option<i32>, Vec<Value>) {
        let status = super::eventually("the daemon to end", || self.child.try_wait().unwrap());
        let mut lines = self.log.lines.lock().unwrap();
        while !lines.closed {
            lines = self.log.more.wait_timeout(lines, DEADLINE).unwrap().0;
        }
        assert!(lines.strays.is_empty(), "not JSON on stderr: {:?}", lines.strays);
        (status.code(), lines.events.clone())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    fn fill(&self, reader: impl BufRead) {
        for line in reader.lines().map_while(Result::ok) {
            let mut lines = self.lines.lock().unwrap();
            match serde_json::from_str(&line) {
                Ok(event) => lines.events.push(event),
                Err(_) => lines.strays.push(line),
            }
            self.more.notify_all();
        }
        self.lines.lock().unwrap().closed = true;
        self.more.notify_all();
    }
}

/// Sends a signal by name.
pub(crate) fn signal(pid: u32, name: &str) {
    let done = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().unwrap();
    assert!(done.success());
}

fn dump(events: &[Value]) -> String {
    let lines: Vec<String> = events.iter().rev().take(60).rev().map(Value::to_string).collect();
    lines.join("\n")
}
