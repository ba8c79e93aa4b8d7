//! Files that are written whole and synced: what builds are given, and the small tools that journal and snapshot share.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::controller::{BuildKey, BuildSpec, Records};
use crate::failpoint;

/// A spec is small; a file that is not is none of ours.
const LARGEST_SPEC: u64 = 4 << 20;

/// How many files of one group are synced one by one.
const SYNCED_SINGLY: usize = 16;

/// Where the specs of builds are: `specs/NAMESPACE/NAME-NUMBER.json`, private, because environment values are in them.
#[derive(Debug, Clone)]
pub struct Specs {
    dir: PathBuf,
}

/// Why what a build was given cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The file is not there, or cannot be read.
    #[error("read what build {build} was given from {path}: {source}")]
    Io {
        /// Whose.
        build: BuildKey,
        /// Where.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("what build {build} was given is damaged in {path}: {source}")]
    Damaged {
        /// Whose.
        build: BuildKey,
        /// Where.
        path: PathBuf,
        /// What came back.
        source: serde_json::Error,
    },
}

impl Specs {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("specs") }
    }

    /// What `build` was given. Blocks.
    ///
    /// # Errors
    /// If the file is gone or damaged.
    pub fn read(&self, build: &BuildKey) -> Result<BuildSpec, SpecError> {
        let path = self.path(build);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(LARGEST_SPEC).read_to_end(&mut bytes))
            .map_err(|source| SpecError::Io { build: build.clone(), path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|source| SpecError::Damaged {
            build: build.clone(),
            path,
            source,
        })
    }

    /// Writes all of `specs`, synced, before the records that name them. Many are synced by one call for the whole file
    /// system: thousands of single ones would hold up every decision for half a minute.
    pub(super) fn write(&self, specs: &[BuildSpec]) -> io::Result<()> {
        let at_once = specs.len() > SYNCED_SINGLY;
        let mut dirs = BTreeSet::new();
        for spec in specs {
            failpoint::reach("spec-before-write")?;
            let path = self.path(&spec.build);
            if let Some(dir) = path.parent() {
                create_private_dir(dir)?;
                dirs.insert(dir.to_owned());
            }
            write_beside(&path, &serde_json::to_vec(spec)?, !at_once)?;
        }
        if at_once {
            nix::unistd::syncfs(File::open(&self.dir)?)?;
        }
        specs.iter().try_for_each(|spec| put_in_place(&self.path(&spec.build)))?;
        dirs.iter().try_for_each(|dir| sync_dir(dir))
    }

    pub(super) fn remove(&self, build: &BuildKey) -> io::Result<()> {
        fs::remove_file(self.path(build))
    }

    /// Deletes the files that no record names: left by a crash between a file and its record, or after a record.
    pub(super) fn sweep(&self, records: &Records) {
        let named: HashSet<PathBuf> = records.builds.keys().map(|key| self.path(key)).collect();
        let namespaces = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let files =
            namespaces.flat_map(|namespace| fs::read_dir(namespace.path()).into_iter().flatten().flatten());
        for file in files.map(|file| file.path()).filter(|path| !named.contains(path)) {
            // What stays behind is swept another time.
            let _ = fs::remove_file(file);
        }
    }

    fn path(&self, build: &BuildKey) -> PathBuf {
        self.dir.join(build.config.namespace()).join(format!("{}.json", build.name()))
    }
}

/// Creates `dir` and its parents; the ones it makes are for us alone, and are there after a power cut.
pub(super) fn create_private_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let missing = dir.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.is_dir()).count();
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    dir.ancestors().skip(1).take(missing).try_for_each(sync_dir)
}

/// Writes a file that is there whole or not at all, private, and there after a power cut.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_synced_by(path, |file| file.write_all(bytes))
}

/// The same for what is too long to be put together first.
pub(super) fn write_synced_by(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = BufWriter::new(create_beside(path)?);
    write(&mut file)?;
    file.into_inner()?.sync_all()?;
    put_in_place(path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Writes what will be `path` to a file beside it.
fn write_beside(path: &Path, bytes: &[u8], synced: bool) -> io::Result<()> {
    let mut file = create_beside(path)?;
    file.write_all(bytes)?;
    if synced { file.sync_all() } else { Ok(()) }
}

fn create_beside(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(beside(path))
}

fn put_in_place(path: &Path) -> io::Result<()> {
    fs::rename(beside(path), path)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Makes the names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

/// The files in `dir` that are named by a number and `suffix`, lowest first; none if `dir` is not there.
pub(super) fn numbered_files(dir: &Path, suffix: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(number) = name.and_then(|name| name.strip_suffix(suffix)?.parse().ok()) {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}
