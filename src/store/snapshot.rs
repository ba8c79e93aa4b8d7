//! All records in one file, written at a checkpoint: what a damaged sled is rebuilt from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{line, spec};
use crate::controller::{Record, Records};
use crate::failpoint;

/// How many are kept: the newest, and the one before, should the newest be damaged.
const KEPT: usize = 2;

/// A snapshot that was read and found whole.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) head: Head,
    pub(super) records: Records,
}

/// The first line of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format: u32,
    pub(super) store_id: Uuid,
    /// The newest transition that is in here.
    pub(super) seq: u64,
    /// How many lines follow.
    pub(super) records: usize,
}

/// Where the records of a snapshot are.
pub(super) trait Source {
    /// How many there are.
    fn count(&self) -> io::Result<usize>;

    /// Hands each of them to `take`, until that fails.
    fn each(&self, take: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()>;
}

impl Source for Records {
    fn count(&self) -> io::Result<usize> {
        Ok(self.len())
    }

    fn each(&self, take: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        self.iter().try_for_each(take)
    }
}

/// The newest whole snapshot in `dir`, and the newer ones that are damaged.
pub(super) fn newest(dir: &Path) -> io::Result<(Option<Snapshot>, Vec<PathBuf>)> {
    let mut damaged = Vec::new();
    for (_, path) in spec::numbered_files(dir, ".snap")?.into_iter().rev() {
        match parse(&fs::read(&path)?) {
            Some(snapshot) => return Ok((Some(snapshot), damaged)),
            None => damaged.push(path),
        }
    }
    Ok((None, damaged))
}

/// Writes `records` as the snapshot at `head.seq`, and deletes those that are no longer needed. Answers with the `seq`
/// of the oldest one that is kept: older journals are not needed either.
pub(super) fn write(dir: &Path, head: Head, records: &impl Source) -> io::Result<u64> {
    spec::create_private_dir(dir)?;
    failpoint::reach("snapshot-before-write")?;
    write_file(&dir.join(format!("{:020}.snap", head.seq)), head, records)?;
    failpoint::reach("snapshot-before-prune")?;
    let files = spec::numbered_files(dir, ".snap")?;
    let surplus = files.len().saturating_sub(KEPT);
    for (_, path) in files.iter().take(surplus) {
        fs::remove_file(path)?;
    }
    Ok(files.get(surplus).map_or(head.seq, |(seq, _)| *seq))
}

/// Writes a copy of everything to `path`, one record at a time.
pub(super) fn write_file(path: &Path, head: Head, records: &impl Source) -> io::Result<()> {
    let head = Head { records: records.count()?, ..head };
    spec::write_synced_by(path, |file| {
        line::write(file, &head)?;
        records.each(&mut |record| line::write(file, &record))
    })
}

fn parse(bytes: &[u8]) -> Option<Snapshot> {
    let mut lines = line::split(bytes).map(|(_, line, whole)| whole.then_some(line));
    let head: Head = line::read(lines.next()??)?;
    let mut records = Records::default();
    let mut count = 0;
    for line in lines {
        records.put(line::read::<Record>(line?)?);
        count += 1;
    }
    (count == head.records).then_some(Snapshot { head, records })
}
