//! What is known of one build on disk, under its lock.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::fcntl::OFlag;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use uuid::Uuid;

use super::super::attempt::Over;
use super::super::directory::{Directory, open_plain, remove};
use super::super::wire::{REPLY_LIMIT, Report};
use crate::controller::Ended;
use crate::failpoint;

/// Where the files of all builds are that builds do not see.
pub(super) const SPOOL: &str = "spool";
/// How much an attempt's log may be longer than what is kept of its output: by the remarks in it.
const ROOM: u64 = 64 << 10;
/// How the names end of what is only left to be deleted.
const GONE: &str = ".gone";
/// How often the lock is tried that others delete as often.
const TRIES: usize = 100;

/// A build that nobody else looks after, as long as this lives.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
    directory: Directory,
    /// The kernel gives it back with the process, however that ends.
    lock: File,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// Which attempt.
    pub(super) attempt: u32,
    /// Whether something of it could not be ended: the next attempt must find it.
    #[serde(default)]
    pub(super) left: bool,
    /// What the daemon is told.
    pub(super) report: Report,
}

/// What a file says.
enum Said<T> {
    /// There is none.
    Nothing,
    /// What nobody here has written.
    Nonsense,
    /// This.
    This(T),
}

/// What is known of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It was never started here, or is forgotten.
    Nothing,
    /// It was started, and nothing tells how it ended. Its log is no longer than this.
    Started(u64),
    /// It is over. Its log is no longer than this.
    Ended(Box<Stored>, u64),
}

/// The highest attempt that was started, or told to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    attempt: u32,
    #[serde(default)]
    gone: bool,
    /// How much of its output is kept.
    #[serde(default)]
    log_limit: u64,
}

impl Stored {
    /// What is stored of an attempt that is over.
    pub(super) fn of(over: Over) -> Self {
        let Ended { build: _, attempt, outcome, images, commit, tail, elapsed } = over.ended;
        Self { attempt, left: over.left.is_some(), report: Report { outcome, images, commit, tail, elapsed } }
    }
}

impl Spool {
    /// Takes the build, waiting for whoever has it. Blocks.
    pub(super) fn hold(state_dir: &Path, id: Uuid) -> io::Result<Self> {
        let held = Self::lock(state_dir, id, |lock| lock.lock().map(|()| true))?;
        held.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// Takes the build, if nobody has it. Blocks only on the disk.
    pub(super) fn try_hold(state_dir: &Path, id: Uuid) -> io::Result<Option<Self>> {
        Self::lock(state_dir, id, |lock| match lock.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        })
    }

    fn lock(
        state_dir: &Path,
        id: Uuid,
        take: impl Fn(&File) -> io::Result<bool>,
    ) -> io::Result<Option<Self>> {
        let dir = dir(state_dir, id);
        let path = dir.join("lock");
        for _ in 0..TRIES {
            make(state_dir, &dir)?;
            let mut options = OpenOptions::new();
            let lock = match open_plain(options.write(true).create(true).truncate(false).mode(0o600), &path) {
                Ok(lock) => lock,
                // Whoever had the build forgot it right now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                // Nobody can have taken it for a lock.
                Err(_) if is_no_file(&path) => {
                    set_aside(&path)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !take(&lock)? {
                return Ok(None);
            }
            // The lock of a file that was deleted meanwhile keeps nobody out.
            let theirs = fs::metadata(&path).map(|found| (found.dev(), found.ino())).ok();
            let ours = lock.metadata().map(|found| (found.dev(), found.ino()))?;
            if theirs == Some(ours) {
                let directory = Directory::at(state_dir.join(id.to_string()));
                return Ok(Some(Self { dir, directory, lock }));
            }
        }
        Err(io::Error::other("its lock was deleted again and again"))
    }

    /// The build's own directory.
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Where the output of the attempt is. A build finds no such file in its own directory: what it does to a log there
    /// is its own affair.
    pub(super) fn log_file(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Notes that `attempt` is started from now on; false if it must not be. What is there of an earlier one goes. Where
    /// the note makes no sense, a newer one may have been started: then only the next can be.
    pub(super) fn take(&self, attempt: u32, log_limit: u64) -> io::Result<bool> {
        match self.noted()? {
            Said::This(noted) if noted.attempt >= attempt => return Ok(false),
            Said::Nonsense => {
                self.bury(attempt)?;
                return Ok(false);
            }
            Said::This(_) | Said::Nothing => {}
        }
        self.note(Noted { attempt, gone: false, log_limit })?;
        remove(&self.outcome())?;
        remove(&self.log_file())?;
        Ok(true)
    }

    /// Notes that `attempt` is gone, and cannot be started any more.
    pub(super) fn bury(&self, attempt: u32) -> io::Result<()> {
        match self.noted()? {
            Said::This(noted) if noted.attempt > attempt => Ok(()),
            Said::This(_) | Said::Nonsense | Said::Nothing => {
                self.note(Noted { attempt, gone: true, log_limit: 0 })
            }
        }
    }

    /// What is known of `attempt`. Asking makes it younger. Where the files make no sense, it is what can be relied on
    /// without them: an attempt without an end was cut off, and one without a note is gone.
    pub(super) fn find(&self, attempt: u32) -> io::Result<Known> {
        let log_limit = match self.noted()? {
            Said::This(noted) if noted.attempt == attempt && !noted.gone => noted.log_limit,
            Said::This(_) | Said::Nonsense | Said::Nothing => return Ok(Known::Nothing),
        };
        // Where it cannot be made younger, it is only swept earlier.
        let file = open_plain(OpenOptions::new().write(true), &self.attempt());
        let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
        let length = log_limit.saturating_add(ROOM);
        Ok(match read::<Stored>(&self.outcome())? {
            Said::This(stored) if stored.attempt == attempt => Known::Ended(Box::new(stored), length),
            Said::This(_) | Said::Nonsense | Said::Nothing => Known::Started(length),
        })
    }

    /// Stores how an attempt ended, so that it survives a power cut.
    pub(super) fn store(&self, stored: &Stored) -> io::Result<()> {
        failpoint::reach("instance-before-outcome")?;
        self.put(&self.outcome(), stored)
    }

    /// Lets go of the build, and tells what is to be deleted then: whoever comes next neither waits for that nor finds
    /// any of it. What is `left` keeps what the next attempt needs to end it.
    pub(super) fn forget(&self, left: bool) -> io::Result<Vec<PathBuf>> {
        failpoint::pass("instance-before-forget");
        if left {
            remove(&self.log_file())?;
            remove(&self.outcome())?;
            return Ok(Vec::new());
        }
        // What is known goes also where the files cannot: the next attempt lays them out anew.
        let files = match set_aside(self.directory.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            files => files.map(Some),
        };
        let known = set_aside(&self.dir)?;
        self.lock.unlock()?;
        Ok(files?.into_iter().chain([known]).collect())
    }

    /// Where other instances join the one that has the build.
    pub(super) fn listen(&self) -> io::Result<UnixListener> {
        remove(&self.dir.join("sock"))?;
        let (dir, path) = socket(&self.dir)?;
        let listener = UnixListener::bind(path)?;
        drop(dir);
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    fn noted(&self) -> io::Result<Said<Noted>> {
        read(&self.attempt())
    }

    fn note(&self, noted: Noted) -> io::Result<()> {
        self.put(&self.attempt(), &noted)
    }

    fn put(&self, path: &Path, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_vec(value)?;
        let fresh = path.with_extension("new");
        remove(&fresh)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(&text)?;
        file.sync_all()?;
        if is_no_file(path) {
            set_aside(path)?;
        }
        fs::rename(&fresh, path)?;
        File::open(&self.dir)?.sync_all()
    }

    fn attempt(&self) -> PathBuf {
        self.dir.join("attempt")
    }

    fn outcome(&self) -> PathBuf {
        self.dir.join("outcome.json")
    }
}

/// Where what is known of a build is.
pub(super) fn dir(state_dir: &Path, id: Uuid) -> PathBuf {
    state_dir.join(SPOOL).join(id.to_string())
}

/// Connects to the instance that has the build. Where too many wait for it already, it fails at once.
pub(super) async fn connect(state_dir: &Path, id: Uuid) -> io::Result<UnixStream> {
    let (_dir, path) = socket(&dir(state_dir, id))?;
    UnixStream::connect(path).await
}

/// Whether something is there that is not a plain file: a build's doing.
fn is_no_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| !found.is_file())
}

/// Gives what is at `path` a name that nothing else has, and tells it. It stays beside, since to move a directory
/// elsewhere takes the right to write to it.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}{GONE}", Uuid::new_v4()));
    let aside = PathBuf::from(name);
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// When anybody last asked for the build, if that can be told.
pub(super) fn last_asked(dir: &Path) -> Option<SystemTime> {
    let found = fs::metadata(dir.join("attempt")).or_else(|_| fs::metadata(dir.join("lock")));
    found.and_then(|found| found.modified()).ok()
}

/// A name for the socket that is short enough wherever it is: the kernel takes 108 bytes. It leads there as long as the
/// directory that comes with it is open.
fn socket(dir: &Path) -> io::Result<(File, PathBuf)> {
    let flags = OFlag::O_DIRECTORY.bits();
    let dir = OpenOptions::new().read(true).custom_flags(flags).open(dir)?;
    let path = format!("/proc/self/fd/{}/sock", dir.as_raw_fd()).into();
    Ok((dir, path))
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Said<T>> {
    let file = match open_plain(OpenOptions::new().read(true), path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Said::Nothing),
        Err(_) if is_no_file(path) => return Ok(Said::Nonsense),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(REPLY_LIMIT as u64).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).map_or(Said::Nonsense, Said::This))
}

/// What was only left to be deleted, and is not by now: of whoever was ended meanwhile, and what was in the way.
pub(super) fn set_aside_before(state_dir: &Path) -> Vec<PathBuf> {
    let is_gone = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(GONE));
        name.and_then(|name| name.rsplit_once('.')).is_some_and(|(_, id)| Uuid::parse_str(id).is_ok())
    };
    let dirs = [state_dir.to_owned(), state_dir.join(SPOOL)];
    let entries = dirs.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_gone).collect()
}

/// Deletes all of it, as far as that can be.
pub(super) fn delete(paths: &[PathBuf]) -> io::Result<()> {
    paths.iter().map(|path| remove(path)).fold(Ok(()), io::Result::and)
}

/// Makes the directory of a build.
fn make(state_dir: &Path, dir: &Path) -> io::Result<()> {
    make_plain(&state_dir.join(SPOOL))?;
    make_plain(dir)
}

/// Makes a directory for nobody else, whatever is in its place.
pub(super) fn make_plain(dir: &Path) -> io::Result<()> {
    if fs::symlink_metadata(dir).is_ok_and(|found| !found.is_dir()) {
        set_aside(dir)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
