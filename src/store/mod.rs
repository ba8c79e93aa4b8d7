//! Makes decisions durable, and finds them again.
//!
//! The *journal* is the commit point: a group of transitions is one append and one fdatasync. Behind it stands sled,
//! which is what is opened and read at the next start; what it lacks is replayed from the journal. At times a
//! *checkpoint* writes a snapshot beside it and begins a new journal. If sled is damaged, or older than it should be,
//! it is put aside and rebuilt from snapshot and journal (D16). Only this room names sled.
//!
//! ```text
//!  commit ──▶ specs/…json ──▶ journal/…log ──▶ db/ (sled)        each step fsynced before the next, but the last
//!                                  └ at times ──▶ snapshot/…snap
//! ```
//!
//! A std thread owns all of it, because fsync blocks.

mod database;
mod journal;
mod line;
mod recover;
mod schema;
mod snapshot;
mod spec;
mod writer;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::controller::{BuildKey, Record, Records, Transition};

pub use recover::Recovery;
pub use spec::{SpecError, Specs};
use writer::Writer;

/// The open store. Dropping it without [`Store::close`] is safe, and makes the next start a little slower.
#[derive(Debug)]
pub struct Store {
    commands: mpsc::Sender<Command>,
    dir: PathBuf,
    specs: Specs,
    thread: Option<thread::JoinHandle<()>>,
    /// Held for as long as the store is open.
    _lock: File,
}

/// What opening a store brings.
#[derive(Debug)]
pub struct Opened {
    /// The store itself.
    pub store: Store,
    /// Everything that is stored.
    pub records: Records,
    /// The id that build ids are derived from; a new one after a loss, so that no build id is used twice.
    pub store_id: Uuid,
    /// How the state was found.
    pub recovery: Recovery,
}

/// Why the state could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the state in {0} is in use by another basewatch: stop that one, or give this one a --state-dir of its own"
    )]
    Locked(PathBuf),
    /// A newer release wrote it.
    #[error(
        "the state in {dir} has format {found}, and this release knows formats up to {known}: use a newer release"
    )]
    Newer {
        /// Where.
        dir: PathBuf,
        /// What stands there.
        found: u32,
        /// What this release writes.
        known: u32,
    },
    /// The file system said no.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// Sled said no, twice: before and after its directory was put aside.
    #[error("open the database in {path}: {reason}")]
    Database {
        /// Where.
        path: PathBuf,
        /// What came back.
        reason: String,
    },
}

/// Why a group of transitions was not stored. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The file system said no.
    #[error("store {what}: {source}; nothing is decided until it can be stored")]
    Io {
        /// What was being written.
        what: &'static str,
        /// What came back.
        source: io::Error,
    },
    /// The store's thread is gone, which only a panic in it can cause.
    #[error("the store has stopped: restart basewatch")]
    Stopped,
}

enum Command {
    Commit(Group, oneshot::Sender<Result<(), CommitError>>),
    Discard(BuildKey),
    Close(oneshot::Sender<()>),
}

/// What is stored together.
#[derive(Debug, Default)]
struct Group {
    at: Timestamp,
    transitions: Vec<Vec<Record>>,
    specs: Vec<crate::controller::BuildSpec>,
}

impl Store {
    /// Opens the state in `dir`, mending what a crash or a fault of the disk left behind.
    ///
    /// # Errors
    /// If another process has it, a newer release wrote it, or the disk does not let us.
    pub fn open(dir: &Path) -> Result<Opened, OpenError> {
        let lock = lock(dir)?;
        let mut found = recover::open(dir)?;
        let specs = Specs::new(dir);
        let (records, store_id) = (std::mem::take(&mut found.records), found.meta.store_id);
        let recovery = found.recovery.clone();
        // After a loss a file without a record may be the only trace of a build.
        if !recovery.is_loss() {
            specs.sweep(&records);
        }
        let (commands, inbox) = mpsc::channel();
        let writer = Writer::new(dir, found, specs.clone());
        let spawned = thread::Builder::new().name("store".to_owned()).spawn(move || serve(writer, &inbox));
        let thread = spawned.map_err(OpenError::io("start the store's thread for", dir))?;
        let store = Self { commands, dir: dir.to_owned(), specs, thread: Some(thread), _lock: lock };
        Ok(Opened { store, records, store_id, recovery })
    }

    /// A loss that opening told of has been allowed for: the next start need not hear of it again.
    ///
    /// # Errors
    /// If that cannot be noted; then the next start hears of it again, and loses nothing by that.
    pub fn forget_loss(&self) -> io::Result<()> {
        recover::forget_loss(&self.dir)
    }

    /// Stores all of `group`, or none of it. When this returns, it is on disk.
    ///
    /// # Errors
    /// If it could not be stored. It may be tried again.
    pub async fn commit(&self, group: &[Transition]) -> Result<(), CommitError> {
        let durable = || group.iter().filter(|transition| transition.is_durable());
        let group = Group {
            at: Timestamp::now(),
            transitions: durable().map(|transition| transition.records.clone()).collect(),
            specs: durable().flat_map(|transition| transition.specs.iter().cloned()).collect(),
        };
        if group.transitions.is_empty() {
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Commit(group, reply)).map_err(|_| CommitError::Stopped)?;
        answer.await.map_err(|_| CommitError::Stopped)?
    }

    /// Where the builds' specs are found.
    #[must_use]
    pub fn specs(&self) -> &Specs {
        &self.specs
    }

    /// Deletes what a build was given, after its record is gone.
    pub fn discard(&self, build: BuildKey) {
        // A store that has stopped leaves a file behind, which the next start sweeps.
        let _ = self.commands.send(Command::Discard(build));
    }

    /// Writes a checkpoint and lets go of the state.
    pub async fn close(mut self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Close(reply)).is_ok() {
            let _ = done.await;
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How often the thread looks whether a checkpoint is due although nothing is asked of it.
const LOOK: Duration = Duration::from_hours(1);

/// The store's thread: one command after the other.
fn serve(mut writer: Writer, inbox: &mpsc::Receiver<Command>) {
    loop {
        match inbox.recv_timeout(LOOK) {
            Ok(Command::Commit(group, reply)) => {
                // Whoever asked may have gone; what is stored is stored all the same.
                let _ = reply.send(writer.commit(&group));
                writer.tidy();
            }
            Ok(Command::Discard(build)) => writer.discard(&build),
            Ok(Command::Close(reply)) => {
                writer.close();
                let _ = reply.send(());
                return;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => writer.tidy(),
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// One process has the state. The lock goes with the process, however it ends.
fn lock(dir: &Path) -> Result<File, OpenError> {
    spec::create_private_dir(dir).map_err(OpenError::io("create the state directory", dir))?;
    let path = dir.join("lock");
    let options = File::options().create(true).truncate(false).write(true).open(&path);
    let file = options.map_err(OpenError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(OpenError::io("lock", &path)(error)),
    }
}

impl OpenError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

#[cfg(test)]
mod tests;
