//! The journal: one line per transition, appended and synced. What is in it has happened.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{line, spec};
use crate::controller::Record;
use crate::failpoint;

/// The journal that is written to. Older ones stand beside it until no snapshot needs them.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    file: File,
    /// How many bytes of `file` are known to be good.
    len: u64,
    /// Behind these bytes may stand what a failed append left: it must go before anything else is appended.
    dirty: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Counted over the whole life of the state, without gaps.
    pub(super) seq: u64,
    /// When, for a person who reads it.
    pub(super) at: Timestamp,
    /// Not a transition but a mark: up to `seq`, sled was flushed and synced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) checkpoint: bool,
    /// What was stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) records: Vec<Record>,
}

/// What the journals of a state hold.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// In order of `seq`.
    pub(super) entries: Vec<Entry>,
    /// Lines that could not be read, other than one cut off at the very end: damage, not a crash.
    pub(super) damaged: usize,
    /// The first transition after the last of these lines: what came before may be missing. 0 without damage.
    pub(super) sound_from: u64,
    /// The newest journal file and how much of it is good.
    pub(super) newest: Option<(PathBuf, u64)>,
}

impl Read {
    /// The newest `seq` up to which sled was once synced.
    pub(super) fn checkpoint(&self) -> u64 {
        self.entries.iter().filter(|entry| entry.checkpoint).map(|entry| entry.seq).max().unwrap_or(0)
    }

    /// The transitions after `seq`.
    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.seq > seq && !entry.checkpoint)
    }
}

impl Entry {
    /// A mark that sled is synced up to `seq`.
    fn mark(seq: u64) -> Self {
        Self { seq, at: Timestamp::now(), checkpoint: true, records: Vec::new() }
    }
}

/// Reads every journal in `dir`. A line that a crash cut off is the end of it; any other bad line is damage.
pub(super) fn read(dir: &Path) -> io::Result<Read> {
    let mut read = Read::default();
    let files = files(dir)?;
    let mut after_damage = false;
    for (position, (_, path)) in files.iter().enumerate() {
        let newest = position + 1 == files.len();
        let bytes = fs::read(path)?;
        let mut good = 0;
        for (at, text, whole) in line::split(&bytes) {
            match line::read(text).filter(|_| whole) {
                Some(entry) => {
                    let entry: Entry = entry;
                    if std::mem::take(&mut after_damage) {
                        read.sound_from = entry.seq;
                    }
                    read.entries.push(entry);
                    good = at + text.len() + 1;
                }
                None if newest && at + text.len() + usize::from(whole) == bytes.len() => {}
                None => {
                    read.damaged += 1;
                    after_damage = true;
                }
            }
        }
        if newest {
            read.newest = Some((path.clone(), good as u64));
        }
    }
    if after_damage {
        read.sound_from = u64::MAX;
    }
    read.entries.sort_by_key(|entry| (entry.seq, entry.checkpoint));
    Ok(read)
}

impl Journal {
    /// Goes on with the newest journal, or begins the first.
    pub(super) fn resume(dir: &Path, read: &Read, seq: u64) -> io::Result<Self> {
        let Some((path, len)) = &read.newest else { return Self::begin(dir, seq) };
        let file = File::options().append(true).open(path)?;
        // A line that a crash cut off was never acknowledged; it must not stand in front of a whole one.
        file.set_len(*len)?;
        file.sync_all()?;
        Ok(Self { dir: dir.to_owned(), file, len: *len, dirty: false })
    }

    /// Begins a new journal after `seq`, up to which sled is synced.
    pub(super) fn begin(dir: &Path, seq: u64) -> io::Result<Self> {
        spec::create_private_dir(dir)?;
        let path = dir.join(format!("{:020}.log", seq + 1));
        let mut mark = Vec::new();
        line::write(&mut mark, &Entry::mark(seq))?;
        failpoint::reach("journal-before-begin")?;
        spec::write_synced(&path, &mark)?;
        let file = File::options().append(true).open(&path)?;
        Ok(Self { dir: dir.to_owned(), file, len: mark.len() as u64, dirty: false })
    }

    /// Appends `lines` and syncs them: the commit point. If that fails nothing of them remains.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self
            .cut_back()
            .and_then(|()| failpoint::reach("journal-before-append"))
            .and_then(|()| self.file.write_all(lines))
            .and_then(|()| failpoint::reach("journal-before-sync"))
            .and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.len += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // If this fails too, it is done before the next append.
                self.dirty = true;
                let _ = self.cut_back();
                Err(error)
            }
        }
    }

    /// Removes what a failed append left: half a line must not stand in front of a whole one.
    fn cut_back(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.set_len(self.len)?;
            self.file.sync_all()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Deletes the journals that hold nothing after `seq`, but never this one.
    pub(super) fn forget_up_to(&self, seq: u64) -> io::Result<()> {
        failpoint::reach("journal-before-forget")?;
        let files = files(&self.dir)?;
        for pair in files.windows(2) {
            if let [(_, path), (next_begins, _)] = pair
                && *next_begins <= seq + 1
            {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// The journals in `dir` with the number of their first transition, oldest first.
fn files(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    spec::numbered_files(dir, ".log")
}
