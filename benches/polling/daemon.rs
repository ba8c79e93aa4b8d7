//! The daemon's own program with a watch list of one image per tag, and what the kernel knows of a process.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::CONNECTIONS;

/// As systemd/basewatch.service has it.
const MALLOC: (&str, &str) = ("MALLOC_TRIM_THRESHOLD_", "131072");

/// A process stops and ends within this time, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often each tag is polled in a second: the shortest interval that a configuration may ask for.
pub(crate) const RATE: usize = 10;

/// The image behind a tag's number.
pub(crate) fn image(number: usize) -> String {
    format!("team-{}/base-{number}", number % 50)
}

/// A configuration and a state, for daemons that follow one another.
pub(crate) struct Home(TempDir);

/// A running daemon. Dropping it kills it.
pub(crate) struct Daemon(Child);

impl Home {
    /// A watch of each of `tags` images. A first look only records, so that nothing is ever built.
    pub(crate) fn new(host: &str, tags: usize) -> anyhow::Result<Self> {
        let mut text = format!(
            "[[registry]]\nhost = \"{host}\"\ninsecure = true\nmax_connections = {CONNECTIONS}\n\
             [defaults]\ninterval = \"100ms\"\non_first = \"record\"\nrun = [\"/bin/true\"]\n"
        );
        for number in 0..tags {
            writeln!(text, "[[watch]]\nname = \"app-{number}\"\nimage = \"{host}/{}:1\"", image(number))?;
        }
        let home = Self(TempDir::new()?);
        fs::write(home.config(), text)?;
        Ok(home)
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("basewatch.toml")
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("log")
    }

    /// How many bytes the journal has.
    pub(crate) fn journal_bytes(&self) -> anyhow::Result<u64> {
        let files = fs::read_dir(self.state().join("journal")).context("read the journal's directory")?;
        files.map(|file| Ok(file?.metadata()?.len())).sum()
    }

    /// Starts `basewatch run`.
    pub(crate) fn start(&self, arguments: &[&str]) -> anyhow::Result<Daemon> {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_basewatch")), arguments)
    }

    /// Starts `basewatch run` under another program, which runs what follows its own arguments.
    pub(crate) fn start_under(&self, mut other: Command) -> anyhow::Result<Daemon> {
        other.arg(env!("CARGO_BIN_EXE_basewatch"));
        self.start_by(other, &[])
    }

    fn start_by(&self, mut command: Command, arguments: &[&str]) -> anyhow::Result<Daemon> {
        command.arg("run").args(arguments).arg("--config").arg(self.config());
        command.arg("--state-dir").arg(self.state()).env(MALLOC.0, MALLOC.1);
        let log = fs::File::create(self.log())?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        Ok(Daemon(child.with_context(|| format!("start {}", command.get_program().display()))?))
    }

    /// The end of the log, for when something went wrong.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }
}

impl Daemon {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Lets it stand still, and returns when it does.
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let stat = format!("/proc/{}/stat", self.pid());
        within_patience("the daemon to stand still", || {
            let stat = fs::read_to_string(&stat).context("read the daemon's state")?;
            let state = stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with('T'));
            Ok(state.unwrap_or_default().then_some(()))
        })
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Stops it in good order.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.signal(Signal::SIGTERM)?;
        self.finish()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        let status = within_patience("the daemon to end", || Ok(self.0.try_wait()?))?;
        anyhow::ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill(Pid::from_raw(self.pid().try_into()?), signal).with_context(|| format!("send {signal}"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The CPU time of all threads of a process so far, user and system, in nanoseconds.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).context("read the threads of a process")?;
    let of = |task: std::io::Result<fs::DirEntry>| {
        let path = task?.path().join("schedstat");
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let time = text.split(' ').next().context("an empty schedstat")?;
        Ok(time.parse::<u64>()?)
    };
    tasks.map(of).sum()
}

/// The most memory that a process ever had, in bytes.
pub(crate) fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("read the status of a process")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(peak.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

fn within_patience<T>(what: &str, mut find: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find()? {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < until, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
