//! sled, kept at arm's length: it may panic on a damaged file, and its flush is no fsync.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use sled::Transactional;
use sled::transaction::{ConflictableTransactionError, TransactionError};
use uuid::Uuid;

use super::schema::{self, FORMAT, Kind};
use super::snapshot::Source;
use crate::controller::{Record, Records};
use crate::failpoint;

/// The open database.
#[derive(Debug)]
pub(super) struct Database {
    db: sled::Db,
    meta: sled::Tree,
    /// In the order of [`Kind::ALL`].
    trees: [sled::Tree; 5],
    dir: PathBuf,
}

/// What stands in `meta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) format: u32,
    pub(super) store_id: Uuid,
    /// The newest transition that is in here.
    pub(super) seq: u64,
}

/// The database cannot be used as it is.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Fault {
    pub(super) reason: String,
    /// It is no fault of the database: the disk is full, or we may not write there.
    pub(super) of_the_system: bool,
}

impl Fault {
    /// The database is damaged, or is not what it should be.
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), of_the_system: false }
    }

    fn sled(doing: &str, error: &sled::Error) -> Self {
        let of_the_system = matches!(error, sled::Error::Io(error) if is_of_the_system(error));
        Self { reason: format!("{doing} it: {error}"), of_the_system }
    }
}

/// Whether an error tells of the disk or of our rights, and nothing of what is on the disk.
fn is_of_the_system(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull, WouldBlock};
    let kinds = [PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull, WouldBlock];
    let too_many_files = [nix::libc::EMFILE, nix::libc::ENFILE];
    kinds.contains(&error.kind()) || error.raw_os_error().is_some_and(|code| too_many_files.contains(&code))
}

const META_FORMAT: &[u8] = b"format";
const META_STORE_ID: &[u8] = b"store_id";
const META_SEQ: &[u8] = b"seq";

impl Database {
    /// Opens or creates it.
    pub(super) fn open(dir: &Path) -> Result<Self, Fault> {
        guarded("open", || {
            // The controller is the read model, so the cache may be small. The background flush is sled's only
            // garbage collection; at its default of half a second it would write although nothing happens.
            let config = sled::Config::new().path(dir).cache_capacity(8 << 20).flush_every_ms(Some(30_000));
            let db = config.open()?;
            let trees = [
                db.open_tree(Kind::Tags.tree())?,
                db.open_tree(Kind::Triggers.tree())?,
                db.open_tree(Kind::Configs.tree())?,
                db.open_tree(Kind::Builds.tree())?,
                db.open_tree(Kind::Registries.tree())?,
            ];
            let meta = db.open_tree("meta")?;
            Ok(Self { db, meta, trees, dir: dir.to_owned() })
        })
    }

    /// What it says of itself; `None` if it is new.
    pub(super) fn meta(&self) -> Result<Option<Meta>, Fault> {
        let bad = || Fault::new("what it says of itself cannot be read");
        guarded("read", || {
            let (format, id, seq) =
                (self.meta.get(META_FORMAT)?, self.meta.get(META_STORE_ID)?, self.meta.get(META_SEQ)?);
            Ok((format, id, seq))
        })
        .and_then(|found| match found {
            (None, None, None) => Ok(None),
            (Some(format), Some(id), Some(seq)) => Ok(Some(Meta {
                format: u32::from_be_bytes((*format).try_into().map_err(|_| bad())?),
                store_id: Uuid::from_slice(&id).map_err(|_| bad())?,
                seq: u64::from_be_bytes((*seq).try_into().map_err(|_| bad())?),
            })),
            _ => Err(bad()),
        })
    }

    /// Sets what it says of itself.
    pub(super) fn set_meta(&self, meta: Meta) -> Result<(), Fault> {
        guarded("write", || {
            self.meta.insert(META_FORMAT, &meta.format.to_be_bytes())?;
            self.meta.insert(META_STORE_ID, meta.store_id.as_bytes())?;
            self.meta.insert(META_SEQ, &meta.seq.to_be_bytes())?;
            Ok(())
        })
    }

    /// Every record; a single one that cannot be read is a fault of the whole.
    pub(super) fn load(&self) -> Result<Records, Fault> {
        let mut records = Records::default();
        let put = |record| {
            records.put(record);
            ControlFlow::Continue(())
        };
        self.scan(put).map(|()| records)
    }

    /// Hands every record to `take`, until it wants no more.
    fn scan(&self, mut take: impl FnMut(Record) -> ControlFlow<()>) -> Result<(), Fault> {
        // The iterator itself may panic on a damaged page, so the whole scan is guarded.
        let damaged = |kind: Kind| Fault::new(format!("a record in its tree {} is damaged", kind.tree()));
        guarded("read", || {
            for (kind, tree) in Kind::ALL.into_iter().zip(&self.trees) {
                for row in tree {
                    let (key, value) = row?;
                    let Some(record) = schema::decode(kind, &key, &value) else {
                        return Ok(Err(damaged(kind)));
                    };
                    if take(record).is_break() {
                        return Ok(Ok(()));
                    }
                }
            }
            Ok(Ok(()))
        })?
    }

    /// Stores `records` and that they are everything up to `seq`, as one transaction.
    pub(super) fn put<'a>(&self, records: impl Iterator<Item = &'a Record>, seq: u64) -> Result<(), Fault> {
        let unreadable =
            |error: serde_json::Error| Fault::new(format!("a record cannot be written: {error}"));
        let rows: Vec<_> = records.map(schema::encode).collect::<Result<_, _>>().map_err(unreadable)?;
        failpoint::reach("database-before-put").map_err(|error| Fault::new(error.to_string()))?;
        guarded("write", || {
            let [tags, triggers, configs, builds, registries] = &self.trees;
            let done = (tags, triggers, configs, builds, registries, &self.meta).transaction(
                |(tags, triggers, configs, builds, registries, meta)| {
                    for row in &rows {
                        let tree = match row.kind {
                            Kind::Tags => tags,
                            Kind::Triggers => triggers,
                            Kind::Configs => configs,
                            Kind::Builds => builds,
                            Kind::Registries => registries,
                        };
                        match &row.value {
                            Some(value) => tree.insert(row.key.as_slice(), value.as_slice())?,
                            None => tree.remove(row.key.as_slice())?,
                        };
                    }
                    meta.insert(META_SEQ, &seq.to_be_bytes())?;
                    Ok::<(), ConflictableTransactionError<std::convert::Infallible>>(())
                },
            );
            match done {
                Ok(()) => Ok(()),
                Err(TransactionError::Storage(error)) => Err(error),
                Err(TransactionError::Abort(never)) => match never {},
            }
        })
    }

    /// Makes everything so far survive a power cut: sled's flush hands it to the kernel, fsync to the disk.
    pub(super) fn sync(&self) -> Result<(), Fault> {
        failpoint::reach("database-before-sync").map_err(|error| Fault::new(error.to_string()))?;
        guarded("flush", || self.db.flush())?;
        let synced = sync_files(&self.dir).and_then(|()| sync_files(&self.dir.join("blobs")));
        synced.map_err(|error| Fault::new(format!("sync it: {error}")))
    }
}

impl Source for Database {
    fn count(&self) -> io::Result<usize> {
        guarded("count", || Ok(self.trees.iter().map(sled::Tree::len).sum())).map_err(io::Error::other)
    }

    fn each(&self, take: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        let mut taken = Ok(());
        let take = |record| {
            taken = take(record);
            if taken.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        self.scan(take).map_err(io::Error::other)?;
        taken
    }
}

impl Meta {
    /// What a state says that begins now.
    pub(super) fn new(seq: u64) -> Self {
        Self { format: FORMAT, store_id: Uuid::new_v4(), seq }
    }
}

fn sync_files(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if !path.is_file() {
            continue;
        }
        match File::open(&path) {
            Ok(file) => file.sync_all()?,
            // sled replaces its snapshot files as it likes; one that just went needs no sync.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    super::spec::sync_dir(dir)
}

/// sled panics on some damaged files; here that is an answer like any other.
fn guarded<T>(doing: &str, f: impl FnOnce() -> sled::Result<T>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault::sled(doing, &error)),
        Err(_) => Err(Fault::new(format!("{doing} it: sled panicked, as it does on a damaged file"))),
    }
}
