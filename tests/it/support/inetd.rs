//! What systemd does for a socket runner: an instance for each connection, with the connection as standard input.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::daemon::signal;
use super::eventually;

/// A socket runner. Dropping it ends its instances, and their builds with them.
#[derive(Debug)]
pub(crate) struct Inetd {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    environment: Mutex<Vec<(String, String)>>,
    instances: Mutex<Vec<Child>>,
    is_over: AtomicBool,
}

impl Inetd {
    /// A runner that has all it needs in `dir`.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    /// The same, whose instances have these variables.
    pub(crate) fn start_with(dir: &Path, environment: &[(&str, &str)]) -> Self {
        fs::create_dir_all(dir).unwrap();
        let shared = Shared {
            dir: dir.to_owned(),
            environment: Mutex::new(owned(environment)),
            instances: Mutex::default(),
            is_over: AtomicBool::new(false),
        };
        let _ = fs::remove_file(socket(dir));
        let listener = UnixListener::bind(socket(dir)).unwrap();
        let shared = Arc::new(shared);
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accepting.accept(&listener));
        Self { shared, thread: Some(thread) }
    }

    /// What the next instances have for variables.
    #[cfg(feature = "failpoints")]
    pub(crate) fn set_environment(&self, environment: &[(&str, &str)]) {
        *self.shared.environment.lock().unwrap() = owned(environment);
    }

    /// Whether an instance died as a failure point wants it.
    #[cfg(feature = "failpoints")]
    pub(crate) fn has_aborted(&self) -> bool {
        let mut instances = self.shared.instances.lock().unwrap();
        let aborted =
            |child: &mut Child| child.try_wait().unwrap().is_some_and(|status| status.code().is_none());
        instances.iter_mut().any(aborted)
    }

    /// The instances that run, oldest first.
    pub(crate) fn instances(&self) -> Vec<u32> {
        let mut instances = self.shared.instances.lock().unwrap();
        let running = |child: &mut Child| child.try_wait().unwrap().is_none().then(|| child.id());
        instances.iter_mut().filter_map(running).collect()
    }

    /// What the runner keeps of builds: their own directories, and what it knows of them.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        let state = self.shared.dir.join("state");
        let names = |dir: &Path| -> Vec<PathBuf> {
            fs::read_dir(dir).map_or_else(|_| Vec::new(), |all| all.map(|one| one.unwrap().path()).collect())
        };
        let builds =
            names(&state).into_iter().filter(|path| !path.ends_with("spool") && !path.ends_with("home"));
        builds.chain(names(&state.join("spool"))).collect()
    }

    /// The end of an attempt, once it is stored here.
    pub(crate) fn outcome(&self) -> Option<String> {
        let spool = fs::read_dir(self.shared.dir.join("state/spool")).ok()?;
        spool.flatten().find_map(|build| fs::read_to_string(build.path().join("outcome.json")).ok())
    }

    /// What the instances logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.shared.dir.join("log")).unwrap_or_default()
    }
}

fn owned(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// Where a runner in `dir` is to be reached.
pub(crate) fn socket(dir: &Path) -> PathBuf {
    dir.join("runner.sock")
}

impl Shared {
    fn accept(&self, listener: &UnixListener) {
        for connection in listener.incoming() {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let log = File::options().create(true).append(true).open(self.dir.join("log")).unwrap();
            let environment = self.environment.lock().unwrap().clone();
            let instance = Command::new(env!("CARGO_BIN_EXE_basewatch"))
                .args(["runner", "--state-dir"])
                .arg(self.dir.join("state"))
                .envs(environment)
                .stdin(Stdio::from(OwnedFd::from(connection.unwrap())))
                .stdout(Stdio::null())
                .stderr(log)
                .spawn();
            self.instances.lock().unwrap().push(instance.unwrap());
        }
    }
}

impl Drop for Inetd {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        drop(UnixStream::connect(socket(&self.shared.dir)));
        let _ = self.thread.take().unwrap().join();
        for instance in self.instances() {
            signal(instance, "TERM");
        }
        if !std::thread::panicking() {
            eventually("the instances to end", || self.instances().is_empty().then_some(()));
        }
        let _ = fs::remove_file(socket(&self.shared.dir));
    }
}
