//! A build's own directory, `<state_dir>/builds/NS/NAME-NUMBER`: `build.json`, `result.json`, `log`,
//! `handle`, while an attempt by a built-in strategy runs `work.json` and `work`, and of such a one also `commit`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::fcntl::OFlag;
use serde::Serialize;
use uuid::Uuid;

use super::handle::Handle;
use super::strategy;
use crate::controller::{
    BuildKey, BuildSpec, Cause, PinnedImage, PinnedSource, Revision, Source, StrategyKind, StrategyOptions,
};

/// Where a built-in strategy works, from the build's own directory.
pub(super) const WORK: &str = "work";
/// How that of an attempt that is over is called, until it is removed.
const OLD_WORK: &str = "work.old-";
/// Where it notes the commit that it checked out, from there too.
pub(super) const COMMIT: &str = "commit";
/// A handle is much shorter.
const HANDLE_LIMIT: u64 = 256;

/// Where the files of one build are.
#[derive(Debug, Clone)]
pub(super) struct Directory(PathBuf);

/// Why the files of an attempt could not be laid out.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {path}: {source}")]
pub(super) struct DirectoryError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// `build.json`: everything about the build but the values of its environment, and those of build arguments that only the
/// driver is to know.
#[derive(Debug, Serialize)]
struct BuildFile<'a> {
    build: String,
    build_config: &'a str,
    namespace: &'a str,
    number: u64,
    id: Uuid,
    attempt: u32,
    created: Timestamp,
    causes: &'a [Cause],
    strategy: StrategyKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Cow<'a, StrategyOptions>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    build_arg_names: Vec<&'a str>,
    base_image: Option<&'a PinnedImage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a Revision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    command: &'a [String],
    working_dir: PathBuf,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    image_sources: &'a [PinnedSource],
    env_names: Vec<&'a str>,
    labels: &'a BTreeMap<String, String>,
    timeout_ms: u64,
}

impl Directory {
    pub(super) fn of(builds_dir: &Path, build: &BuildKey) -> Self {
        Self(builds_dir.join(build.config.namespace()).join(build.name()))
    }

    /// A directory that is known by its path.
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn build_file(&self) -> PathBuf {
        self.0.join("build.json")
    }

    pub(super) fn result_file(&self) -> PathBuf {
        self.0.join("result.json")
    }

    /// Where a built-in strategy notes the commit of its source code.
    pub(super) fn commit_file(&self) -> PathBuf {
        self.0.join(COMMIT)
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Where the daemon notes how much of the log is not of the attempt that a socket runner has.
    pub(super) fn mark_file(&self) -> PathBuf {
        self.0.join("mark")
    }

    /// What a built-in strategy is told.
    pub(super) fn work_file(&self) -> PathBuf {
        self.0.join("work.json")
    }

    /// Tells a built-in strategy what to do: by `write`, in [`Directory::work_file`].
    pub(super) fn write_work(
        &self,
        write: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<PathBuf, DirectoryError> {
        let path = self.work_file();
        match write(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(DirectoryError { doing: "write", path, source }),
        }
    }

    /// Takes what a built-in strategy was told and what it made out of the way of the next attempt, at once. What it made
    /// is left to [`Directory::remove_old_work`], which may take its time, or fail, and disturbs nobody.
    pub(super) fn set_work_aside(&self) -> io::Result<()> {
        let aside = self.0.join(format!("{OLD_WORK}{}", Uuid::new_v4()));
        match fs::rename(self.0.join(WORK), aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        // The last, since it tells whose the other is.
        remove(&self.work_file())
    }

    /// Removes what was set aside, as much of it as can be.
    pub(super) fn remove_old_work(&self) -> io::Result<()> {
        let names = names(&self.0)?;
        let old = names.iter().filter(|name| name.starts_with(OLD_WORK));
        let removed: Vec<io::Result<()>> = old.map(|name| remove(&self.0.join(name))).collect();
        removed.into_iter().collect()
    }

    fn handle_file(&self) -> PathBuf {
        self.0.join("handle")
    }

    /// Notes what finds the attempt again, should the daemon die before the handle is in the build's record.
    pub(super) fn write_handle(&self, handle: Handle) -> io::Result<()> {
        replace(&self.handle_file(), handle.to_string().as_bytes())
    }

    /// What was noted last, if anything can be made of it.
    pub(super) fn read_handle(&self) -> Option<Handle> {
        let file = open_plain(OpenOptions::new().read(true), &self.handle_file()).ok()?;
        let mut text = String::new();
        file.take(HANDLE_LIMIT).read_to_string(&mut text).ok()?;
        Handle::parse(&text)
    }

    /// Makes the directory, if it is not there.
    pub(super) fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// Lays the files out for an attempt: a fresh `build.json`, and no result or handle of an earlier one.
    pub(super) fn prepare(&self, spec: &BuildSpec, attempt: u32) -> Result<(), DirectoryError> {
        let failed = |doing, path: PathBuf| move |source| DirectoryError { doing, path, source };
        self.make().map_err(failed("make the directory", self.0.clone()))?;
        for old in [self.result_file(), self.handle_file()] {
            remove(&old).map_err(failed("remove the old", old))?;
        }
        // What a command of its own calls so is its own.
        if strategy::is_driven(spec) {
            let commit = self.commit_file();
            remove(&commit).map_err(failed("remove the old", commit))?;
            self.set_work_aside().map_err(failed("set aside the old", self.0.join(WORK)))?;
        }
        let file = BuildFile::new(spec, attempt, self);
        let text = serde_json::to_vec_pretty(&file).map_err(io::Error::from);
        let written = text.and_then(|text| replace(&self.build_file(), &text));
        written.map_err(failed("write", self.build_file()))
    }

    /// Opens the log of an attempt and writes its first line.
    ///
    /// Output of earlier attempts stays, unless it fills the file: then the new attempt begins it anew, since its
    /// output is worth more.
    pub(super) fn open_log(&self, attempt: u32, now: Timestamp, limit: u64) -> io::Result<File> {
        let path = self.log_file();
        let mut log = open_plain(OpenOptions::new().create(true).append(true).mode(0o600), &path)?;
        let now = now.strftime("%FT%TZ");
        let earlier = match log.metadata()?.len() {
            0 => "",
            len if len < limit => "\n",
            _ => {
                log.set_len(0)?;
                "--- output of earlier attempts dropped, to make room ---\n"
            }
        };
        log.write_all(format!("{earlier}--- attempt {attempt} started {now} ---\n").as_bytes())?;
        Ok(log)
    }

    /// Opens the log to go on with it.
    pub(super) fn reopen_log(&self) -> io::Result<File> {
        open_plain(OpenOptions::new().append(true), &self.log_file())
    }
}

impl<'a> BuildFile<'a> {
    fn new(spec: &'a BuildSpec, attempt: u32, directory: &'a Directory) -> Self {
        let build_args = spec.options.as_ref().map(|options| &*options.build_args).unwrap_or_default();
        Self {
            build: spec.build.name(),
            build_config: spec.build.config.name(),
            namespace: spec.build.config.namespace(),
            number: spec.build.number,
            id: spec.id,
            attempt,
            created: spec.created,
            causes: &spec.causes,
            strategy: spec.strategy,
            options: options(spec),
            build_arg_names: build_args.iter().map(|(name, _)| name.as_str()).collect(),
            base_image: spec.base_image.as_ref(),
            source: spec.source.as_deref(),
            revision: spec.revision.as_deref(),
            output: spec.output.as_deref(),
            command: &spec.command,
            working_dir: working_dir(spec, directory),
            image_sources: &spec.image_sources,
            env_names: spec.env.iter().map(|(name, _)| name.as_str()).collect(),
            labels: &spec.labels,
            timeout_ms: u64::try_from(spec.timeout.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// What the strategy says. The driver has the values of build arguments from elsewhere; a command of the build's own has
/// them from here alone.
fn options(spec: &BuildSpec) -> Option<Cow<'_, StrategyOptions>> {
    let options = spec.options.as_deref()?;
    Some(match strategy::is_driven(spec) {
        true => Cow::Owned(StrategyOptions { build_args: Vec::new(), ..options.clone() }),
        false => Cow::Borrowed(options),
    })
}

/// Where the build's command runs; where a built-in strategy works, if it has none.
fn working_dir(spec: &BuildSpec, directory: &Directory) -> PathBuf {
    match &spec.working_dir {
        Some(dir) => dir.clone(),
        None if strategy::is_driven(spec) => strategy::context_dir(spec, directory.path()),
        None => directory.path().to_owned(),
    }
}

/// The builds that have a directory, by name. What has no build's name is not ours and is left alone.
pub(super) fn list(builds_dir: &Path) -> io::Result<Vec<BuildKey>> {
    let mut builds = Vec::new();
    for namespace in names(builds_dir)? {
        let found = names(&builds_dir.join(&namespace)).unwrap_or_default();
        let found = found.iter().filter_map(|name| BuildKey::parse(name, &namespace).ok());
        // Without a build.json it is somebody else's, whatever its name.
        builds.extend(found.filter(|build| Directory::of(builds_dir, build).build_file().exists()));
    }
    Ok(builds)
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(dir) {
        Ok(entries) => {
            Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Opens a plain file. The build may have put anything at `path`: opening it must neither follow a link out of the
/// directory nor wait for the other end of a named pipe.
pub(super) fn open_plain(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = options.custom_flags(flags.bits()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a plain file")),
    }
}

/// Opens an empty log, whatever was at `path`.
pub(super) fn open_fresh(path: &Path) -> io::Result<File> {
    remove(path)?;
    OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)
}

/// Removes a file, a link or a whole directory; one that is not there is removed already.
///
/// Directories that their owner may not write to, as caches of modules and files of images have them, are opened up.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match remove_as_it_is(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path.to_owned());
            remove_as_it_is(path)
        }
        removed => removed,
    }
}

/// Lets their owner into all directories of a tree, and no further: links are not followed. What that does not help is
/// told by whoever removes the tree.
fn open_up(root: PathBuf) {
    let mut open = vec![root];
    while let Some(path) = open.pop() {
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.is_dir() {
            let mode = Permissions::from_mode(found.permissions().mode() | 0o700);
            let _ = fs::set_permissions(&path, mode);
            open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
}

fn remove_as_it_is(path: &Path) -> io::Result<()> {
    let removed = fs::symlink_metadata(path).and_then(|found| match found.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    });
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// A reader sees the old file or the new one, never half of it. The build may have put anything at either name.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".tmp");
    let fresh = PathBuf::from(fresh);
    remove(&fresh)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(text)?;
    fs::rename(&fresh, path)
}
