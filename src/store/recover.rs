//! How a state is opened: sled as it stands, what it lacks from the journal, and all of it anew if it is damaged.
//!
//! What is lost is told, and never means a build storm (D16).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::OpenError;
use super::database::{Database, Fault, Meta};
use super::journal::{self, Journal};
use super::schema::FORMAT;
use super::snapshot::{self, Head};
use super::spec;
use crate::controller::Records;
use crate::failpoint;

/// How a state was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// There was none: a first start.
    First,
    /// As it was left, but for this many transitions that a crash kept out of sled.
    Whole {
        /// Taken from the journal.
        replayed: usize,
    },
    /// Sled could not be used; everything was rebuilt from snapshot and journal.
    Rebuilt {
        /// Why.
        reason: String,
        /// Where the damaged database was put, if there was one.
        quarantine: Option<PathBuf>,
    },
    /// Something is gone: what is not known now may have been known before.
    Lost {
        /// What.
        reason: String,
        /// Where the damaged database was put, if there was one.
        quarantine: Option<PathBuf>,
    },
}

/// An opened state, before its thread starts.
pub(super) struct Found {
    pub(super) database: Database,
    pub(super) journal: Journal,
    pub(super) records: Records,
    pub(super) meta: Meta,
    pub(super) recovery: Recovery,
    /// The transition up to which sled was synced when the journal began.
    pub(super) journal_begins: u64,
}

/// A step from one format to the next, over all records.
pub(super) type Upgrade = fn(Records) -> Records;

/// `UPGRADES[n]` leads from format n + 1 to the next. There is one format so far.
const UPGRADES: &[Upgrade] = &[];

/// The file that stands for a loss nobody has allowed for yet.
const LOST: &str = "lost";

/// What sled, snapshot and journal come to, together.
struct Pieced {
    meta: Meta,
    records: Records,
    recovery: Recovery,
    /// Sled, if it can go on as it is; else it is written anew.
    database: Option<Database>,
}

impl Recovery {
    /// Whether something may have been known that is not known now.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        match self {
            Self::Lost { .. } => true,
            Self::First | Self::Whole { .. } | Self::Rebuilt { .. } => false,
        }
    }
}

/// Opens the state in `dir`.
pub(super) fn open(dir: &Path) -> Result<Found, OpenError> {
    open_with(dir, UPGRADES, FORMAT)
}

/// As [`open`], with the formats to know; apart, so that an upgrade can be tested before there is one.
pub(super) fn open_with(dir: &Path, upgrades: &[Upgrade], known: u32) -> Result<Found, OpenError> {
    let journals = dir.join("journal");
    let read = journal::read(&journals).map_err(OpenError::io("read the journal in", &journals))?;
    let mut pieced = piece_together(dir, &read, known)?;
    upgrade(dir, &mut pieced, upgrades, known)?;
    pieced.recovery = remember_loss(dir, pieced.recovery)?;
    let anew = pieced.database.is_none();
    let kept = pieced.database.take();
    // Without a database to keep, the snapshot comes first: only once it stands may the old database be cleared.
    let journal = match kept {
        Some(_) => Journal::resume(&journals, &read, pieced.meta.seq),
        None => begin_anew(dir, &pieced, &read),
    };
    let journal = journal.map_err(OpenError::io("write the journal in", &journals))?;
    let database = match kept {
        Some(database) => database,
        None => write_anew(dir, &pieced)?,
    };
    let Pieced { meta, records, recovery, .. } = pieced;
    let journal_begins = if anew { meta.seq } else { read.checkpoint() };
    Ok(Found { database, journal, records, meta, recovery, journal_begins })
}

/// A loss holds until [`forget_loss`]: the first process to meet it may not come so far as to act on it.
fn remember_loss(dir: &Path, recovery: Recovery) -> Result<Recovery, OpenError> {
    let path = dir.join(LOST);
    if let Recovery::Lost { reason, .. } = &recovery {
        spec::write_synced(&path, reason.as_bytes()).map_err(OpenError::io("remember a loss in", &path))?;
        return Ok(recovery);
    }
    match fs::read(&path) {
        Ok(reason) => {
            let reason = String::from_utf8_lossy(&reason).into_owned();
            Ok(Recovery::Lost { reason, quarantine: None })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(recovery),
        Err(error) => Err(OpenError::io("read", &path)(error)),
    }
}

/// What was lost has been allowed for, durably.
pub(super) fn forget_loss(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join(LOST)) {
        Ok(()) => spec::sync_dir(dir),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn piece_together(dir: &Path, read: &journal::Read, known: u32) -> Result<Pieced, OpenError> {
    let first = is_first(dir, read).map_err(OpenError::io("look into", dir))?;
    let opened = open_database(dir);
    if first && !matches!(opened, Ok(Some(_))) {
        let (meta, records, recovery) = (Meta::new(0), Records::default(), Recovery::First);
        return Ok(Pieced { meta, records, recovery, database: None });
    }
    let (database, meta) = match opened {
        Ok(Some(found)) => found,
        Ok(None) => return rebuild(dir, read, known, Fault::new("the database is gone")),
        Err(fault) => return rebuild(dir, read, known, fault),
    };
    if meta.format > known {
        return Err(OpenError::Newer { dir: dir.to_owned(), found: meta.format, known });
    }
    match catch_up(&database, meta, read) {
        Ok((records, replayed)) => Ok(go_on(database, meta, records, replayed, read)),
        Err(fault) => {
            drop(database);
            rebuild(dir, read, known, fault)
        }
    }
}

/// Sled's directory, opened, with what it says of itself; `None` if it is new.
fn open_database(dir: &Path) -> Result<Option<(Database, Meta)>, Fault> {
    let path = dir.join("db");
    if !path.exists() {
        return Ok(None);
    }
    let database = Database::open(&path)?;
    Ok(database.meta()?.map(|meta| (database, meta)))
}

/// Brings a sound sled up to the end of the journal; answers with all records and how many transitions it lacked.
pub(super) fn catch_up(
    database: &Database,
    meta: Meta,
    read: &journal::Read,
) -> Result<(Records, usize), Fault> {
    let checkpoint = read.checkpoint();
    if meta.seq < checkpoint {
        let ends = meta.seq;
        return Err(Fault::new(format!("it ends at transition {ends}, but was synced up to {checkpoint}")));
    }
    let mut records = database.load()?;
    let replayed = replay(read, meta.seq, &mut records);
    let lacking: Vec<_> = read.after(meta.seq).collect();
    for group in lacking.chunks(200) {
        let seq = group.last().map_or(meta.seq, |entry| entry.seq);
        database.put(group.iter().flat_map(|entry| &entry.records), seq)?;
    }
    Ok((records, replayed))
}

/// A sound sled, and a journal that may be less so. What is damaged in it matters only where sled does not have it.
fn go_on(database: Database, meta: Meta, records: Records, replayed: usize, read: &journal::Read) -> Pieced {
    let seq = read.entries.last().map_or(meta.seq, |entry| entry.seq.max(meta.seq));
    let unbroken = is_unbroken(read, meta.seq);
    if read.damaged == 0 && !read.entries.is_empty() && unbroken {
        let meta = Meta { seq, ..meta };
        return Pieced { meta, records, recovery: Recovery::Whole { replayed }, database: Some(database) };
    }
    if read.damaged > 0 && unbroken && read.sound_from <= meta.seq + 1 {
        let reason = format!("{} lines of the journal are damaged, and the database has them", read.damaged);
        let recovery = Recovery::Rebuilt { reason, quarantine: None };
        return Pieced { meta: Meta { seq, ..meta }, records, recovery, database: None };
    }
    let reason = match (read.entries.is_empty(), read.damaged) {
        (true, _) => "the journal is gone".to_owned(),
        (false, 0) => format!("the journal does not go on after transition {}", meta.seq),
        (false, lines) => format!("{lines} lines of the journal are damaged after transition {}", meta.seq),
    };
    let meta = Meta { format: meta.format, ..Meta::new(seq) };
    Pieced { meta, records, recovery: Recovery::Lost { reason, quarantine: None }, database: None }
}

/// Everything from the newest snapshot and the journal.
fn rebuild(dir: &Path, read: &journal::Read, known: u32, fault: Fault) -> Result<Pieced, OpenError> {
    if fault.of_the_system {
        return Err(OpenError::Database { path: dir.join("db"), reason: fault.reason });
    }
    let snapshots = dir.join("snapshot");
    let (snapshot, damaged) = snapshot::newest(&snapshots).map_err(OpenError::io("read", &snapshots))?;
    if let Some(found) = snapshot.as_ref().map(|snapshot| snapshot.head.format).filter(|found| *found > known)
    {
        return Err(OpenError::Newer { dir: dir.to_owned(), found, known });
    }
    let quarantine = quarantine(dir, &damaged).map_err(OpenError::io("put aside what is damaged in", dir))?;
    let (head, mut records) = match snapshot {
        Some(snapshot) => (Some(snapshot.head), snapshot.records),
        None => (None, Records::default()),
    };
    let from = head.map_or(0, |head| head.seq);
    replay(read, from, &mut records);
    let seq = read.entries.last().map_or(from, |entry| entry.seq.max(from));
    // Whole means: every transition since the snapshot, or since the beginning, is in the journal.
    let unbroken = read.damaged == 0 && is_unbroken(read, from) && !read.entries.is_empty();
    let reason = fault.reason;
    let (meta, recovery) = match head.filter(|_| unbroken) {
        Some(Head { format, store_id, .. }) => {
            (Meta { format, store_id, seq }, Recovery::Rebuilt { reason, quarantine })
        }
        None => {
            let format = head.map_or(FORMAT, |head| head.format);
            (Meta { format, ..Meta::new(seq) }, Recovery::Lost { reason, quarantine })
        }
    };
    Ok(Pieced { meta, records, recovery, database: None })
}

fn replay(read: &journal::Read, from: u64, records: &mut Records) -> usize {
    let mut replayed = 0;
    for entry in read.after(from) {
        for record in &entry.records {
            records.put(record.clone());
        }
        replayed += 1;
    }
    replayed
}

fn is_unbroken(read: &journal::Read, from: u64) -> bool {
    read.after(from).zip(from + 1..).all(|(entry, expected)| entry.seq == expected)
}

/// Whether nothing was ever decided here: at most a first start that was cut off. A directory with builds but no state
/// is a loss.
fn is_first(dir: &Path, read: &journal::Read) -> io::Result<bool> {
    let decided = read.damaged > 0 || read.after(0).next().is_some();
    let snapshots = spec::numbered_files(&dir.join("snapshot"), ".snap")?;
    if decided || snapshots.iter().any(|(seq, _)| *seq > 0) {
        return Ok(false);
    }
    for ours in ["specs", "builds", "quarantine"] {
        match fs::read_dir(dir.join(ours)) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Puts a damaged database and damaged snapshots where a person can look at them. Never deletes: they may be the only
/// trace of what was.
fn quarantine(dir: &Path, snapshots: &[PathBuf]) -> io::Result<Option<PathBuf>> {
    let damaged: Vec<PathBuf> = [dir.join("db")].into_iter().filter(|path| path.exists()).collect();
    if damaged.is_empty() && snapshots.is_empty() {
        return Ok(None);
    }
    let to = quarantine_dir(dir)?;
    for path in damaged.iter().chain(snapshots) {
        failpoint::reach("recover-before-quarantine")?;
        fs::rename(path, to.join(path.file_name().unwrap_or_default()))?;
    }
    spec::sync_dir(&to)?;
    spec::sync_dir(dir)?;
    Ok(Some(to))
}

/// A new directory to put damaged files into, named by the time.
fn quarantine_dir(dir: &Path) -> io::Result<PathBuf> {
    let to = dir.join("quarantine").join(Timestamp::now().strftime("%Y%m%dT%H%M%S%.6fZ").to_string());
    spec::create_private_dir(&to)?;
    Ok(to)
}

/// Brings records of an older format up to date; what was there before is exported first.
fn upgrade(dir: &Path, pieced: &mut Pieced, upgrades: &[Upgrade], known: u32) -> Result<(), OpenError> {
    let found = pieced.meta.format;
    if found > known {
        return Err(OpenError::Newer { dir: dir.to_owned(), found, known });
    }
    if found == known {
        return Ok(());
    }
    let exports = dir.join("exports");
    let path = exports.join(format!("format-{found}-{:020}.snap", pieced.meta.seq));
    let exported = spec::create_private_dir(&exports)
        .and_then(|()| snapshot::write_file(&path, Head::of(pieced.meta), &pieced.records));
    exported.map_err(OpenError::io("export the state before its upgrade to", &path))?;
    for step in upgrades.iter().skip(usize::try_from(found.saturating_sub(1)).unwrap_or(usize::MAX)) {
        pieced.records = step(std::mem::take(&mut pieced.records));
    }
    pieced.meta.format = known;
    pieced.database = None;
    Ok(())
}

/// Without a database that can go on: a snapshot to lean on first, then a journal that begins after it.
fn begin_anew(dir: &Path, pieced: &Pieced, read: &journal::Read) -> io::Result<Journal> {
    snapshot::write(&dir.join("snapshot"), Head::of(pieced.meta), &pieced.records)?;
    if read.damaged > 0 {
        let to = quarantine_dir(dir)?;
        fs::rename(dir.join("journal"), to.join("journal"))?;
        spec::sync_dir(&to)?;
    } else if read.newest.is_some() {
        // A line that a crash cut off is no damage only while it is the last of all.
        Journal::resume(&dir.join("journal"), read, pieced.meta.seq)?;
    }
    failpoint::reach("recover-before-journal")?;
    Journal::begin(&dir.join("journal"), pieced.meta.seq)
}

/// Writes sled anew. What it says of itself comes last: until then it is not taken for whole.
fn write_anew(dir: &Path, pieced: &Pieced) -> Result<Database, OpenError> {
    let path = dir.join("db");
    if path.exists() {
        // All that is in it was read, and is in the snapshot.
        fs::remove_dir_all(&path).map_err(OpenError::io("clear", &path))?;
    }
    let write = || {
        failpoint::reach("recover-before-database").map_err(|error| Fault::new(error.to_string()))?;
        let database = Database::open(&path)?;
        let records: Vec<_> = pieced.records.iter().collect();
        records.chunks(200).try_for_each(|group| database.put(group.iter(), 0))?;
        database.set_meta(pieced.meta)?;
        database.sync()?;
        Ok(database)
    };
    write().map_err(|fault: Fault| {
        // Half a database would be taken for a damaged one; the snapshot has it all.
        let _ = fs::remove_dir_all(&path);
        OpenError::Database { path: path.clone(), reason: fault.reason }
    })
}

impl Head {
    pub(super) fn of(meta: Meta) -> Self {
        Self { format: meta.format, store_id: meta.store_id, seq: meta.seq, records: 0 }
    }
}
