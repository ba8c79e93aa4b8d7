//! The store's thread: commits, and the checkpoints between them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::database::{Database, Fault, Meta};
use super::journal::{Entry, Journal};
use super::recover::Found;
use super::snapshot::{self, Head};
use super::{CommitError, Group, Specs, journal, line};
use crate::controller::{BuildKey, Record};

/// A journal this long is worth a checkpoint.
const CHECKPOINT_BYTES: u64 = 8 << 20;

/// A journal this old is worth a checkpoint, however short it is.
const CHECKPOINT_AFTER: Duration = Duration::from_hours(24);

/// How long a database that failed is left alone before it is opened again.
const REOPEN_AFTER: Duration = Duration::from_secs(10);

/// Everything that is written to.
#[derive(Debug)]
pub(super) struct Writer {
    dir: PathBuf,
    /// `None` after a fault. The journal goes on alone, and sled catches up when it can be opened again.
    database: Option<Database>,
    failed_at: Option<Instant>,
    journal: Journal,
    specs: Specs,
    meta: Meta,
    /// The newest transition that a snapshot has.
    checkpointed: u64,
    /// When that was; at the latest, when this process began.
    checkpointed_at: Instant,
    /// At which length of the journal the next checkpoint is tried.
    checkpoint_at: u64,
}

impl Writer {
    pub(super) fn new(dir: &Path, found: Found, specs: Specs) -> Self {
        Self {
            dir: dir.to_owned(),
            database: Some(found.database),
            failed_at: None,
            checkpointed: found.journal_begins,
            checkpointed_at: Instant::now(),
            checkpoint_at: CHECKPOINT_BYTES,
            journal: found.journal,
            specs,
            meta: found.meta,
        }
    }

    /// Stores all of `group`, or none of it.
    pub(super) fn commit(&mut self, group: &Group) -> Result<(), CommitError> {
        let failed = |what| move |source| CommitError::Io { what, source };
        self.specs.write(&group.specs).map_err(failed("what builds are given"))?;
        let lines = self.lines(group).map_err(failed("a transition"))?;
        self.journal.append(&lines).map_err(failed("the journal"))?;
        self.meta.seq += group.transitions.len() as u64;
        // The group is stored now. Whatever happens to sled, the journal has it.
        let records = group.transitions.iter().flatten();
        if let Some(Err(fault)) = self.database.as_ref().map(|database| database.put(records, self.meta.seq))
        {
            self.lose_database(&fault);
        }
        Ok(())
    }

    fn lines(&self, group: &Group) -> io::Result<Vec<u8>> {
        let mut lines = Vec::new();
        for (seq, records) in (self.meta.seq + 1..).zip(&group.transitions) {
            let records: Vec<Record> = records.clone();
            line::write(&mut lines, &Entry { seq, at: group.at, checkpoint: false, records })?;
        }
        Ok(lines)
    }

    /// What can be done once whoever asked has the answer: mend sled, write a checkpoint.
    pub(super) fn tidy(&mut self) {
        let rested = self.failed_at.is_none_or(|at| at.elapsed() >= REOPEN_AFTER);
        if self.database.is_none() && rested {
            self.reopen();
        }
        let old = self.checkpointed_at.elapsed() >= CHECKPOINT_AFTER && self.meta.seq > self.checkpointed;
        if self.journal.len() >= self.checkpoint_at || old {
            self.checkpoint_or_tell();
        }
    }

    pub(super) fn discard(&self, build: &BuildKey) {
        match self.specs.remove(build) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(event = "build_files_left", %build, %error, "cannot remove what a build was given");
            }
            _ => {}
        }
    }

    /// The last checkpoint, so that the next start has nothing to replay.
    pub(super) fn close(&mut self) {
        if self.database.is_none() {
            self.reopen();
        }
        if self.meta.seq > self.checkpointed {
            self.checkpoint_or_tell();
        }
    }

    fn checkpoint_or_tell(&mut self) {
        self.checkpoint_at = self.journal.len() + CHECKPOINT_BYTES;
        self.checkpointed_at = Instant::now();
        match self.checkpoint() {
            Ok(()) => self.checkpoint_at = CHECKPOINT_BYTES,
            Err(fault) => tracing::warn!(
                event = "store_failed",
                what = "checkpoint",
                error = %fault,
                "checkpoint not written; the journal goes on"
            ),
        }
    }

    /// sled synced, a snapshot beside it, a new journal, and what is no longer needed deleted; in this order.
    fn checkpoint(&mut self) -> Result<(), Fault> {
        let Some(database) = &self.database else { return Ok(()) };
        let io = |error: io::Error| Fault::new(error.to_string());
        database.sync()?;
        let oldest =
            snapshot::write(&self.dir.join("snapshot"), Head::of(self.meta), database).map_err(io)?;
        self.journal = Journal::begin(&self.dir.join("journal"), self.meta.seq).map_err(io)?;
        self.checkpointed = self.meta.seq;
        self.journal.forget_up_to(oldest).map_err(io)
    }

    fn lose_database(&mut self, fault: &Fault) {
        tracing::error!(
            event = "store_failed",
            what = "database",
            error = %fault,
            "database failed; the journal goes on, and the database is opened again"
        );
        self.database = None;
        self.failed_at = Some(Instant::now());
    }

    /// sled stays broken after a full disk, until it is opened anew. What it missed is in the journal.
    fn reopen(&mut self) {
        match self.reopened() {
            Ok(database) => {
                self.database = Some(database);
                self.failed_at = None;
                tracing::info!(
                    event = "store_recovered",
                    what = "database",
                    "database caught up with the journal"
                );
            }
            Err(fault) => {
                self.failed_at = Some(Instant::now());
                tracing::debug!(
                    event = "store_failed",
                    what = "database",
                    error = %fault,
                    "database is still failing"
                );
            }
        }
    }

    fn reopened(&self) -> Result<Database, Fault> {
        let database = Database::open(&self.dir.join("db"))?;
        let read = journal::read(&self.dir.join("journal")).map_err(|error| Fault::new(error.to_string()))?;
        let meta = database.meta()?.ok_or_else(|| Fault::new("it is empty"))?;
        let ends = read.entries.last().map_or(0, |entry| entry.seq);
        if read.damaged > 0 || ends != self.meta.seq {
            return Err(Fault::new(format!("the journal ends at {ends} instead of {}", self.meta.seq)));
        }
        super::recover::catch_up(&database, meta, &read)?;
        Ok(database)
    }
}
