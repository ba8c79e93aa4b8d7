//! What a build says it made: `$BASEWATCH_RESULT_FILE`.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use super::directory::open_plain;
use crate::controller::{Build, BuiltImage};

/// A result file is small; more than this is not read.
const FILE_LIMIT: u64 = 64 << 10;
/// References go into a record that must stay small.
const REFERENCE_LIMIT: usize = 300;

/// Why (a part of) a result file is not believed. The build is none the worse for it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResultError {
    #[error("read it: {0}")]
    Read(#[source] io::Error),
    #[error("it is longer than {FILE_LIMIT} bytes")]
    TooLong,
    #[error("it is not {{\"images\":[{{\"reference\":…,\"digest\":…}}],\"commit\":…}}: {0}")]
    Malformed(#[source] serde_json::Error),
    #[error("reference {0} in it is empty, longer than {REFERENCE_LIMIT} bytes, or has blanks in it")]
    BadReference(usize),
    #[error("commit in it is not the 40 or 64 hexadecimal digits of one")]
    BadCommit,
    #[error("it names {0} images, and only the first {kept} are kept", kept = Build::IMAGES_KEPT)]
    TooMany(usize),
}

#[derive(Deserialize)]
struct ResultFile {
    #[serde(default)]
    images: Vec<BuiltImage>,
    #[serde(default)]
    commit: Option<Box<str>>,
}

/// What a build says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BuildResult {
    /// What it made.
    pub(super) images: Vec<BuiltImage>,
    /// The commit of the source code that it made that of.
    pub(super) commit: Option<Box<str>>,
}

/// What the file says, and what is wrong with it. A build that wrote none made nothing that it tells of.
pub(super) fn read(path: &Path) -> (BuildResult, Option<ResultError>) {
    believed(parse(path))
}

/// The same of what a socket runner says that a build said: it is a stranger's word too.
pub(super) fn vetted(
    images: Vec<BuiltImage>,
    commit: Option<Box<str>>,
) -> (BuildResult, Option<ResultError>) {
    believed(checked(images, commit))
}

fn believed(result: Result<BuildResult, ResultError>) -> (BuildResult, Option<ResultError>) {
    match result {
        Ok(mut result) if result.images.len() > Build::IMAGES_KEPT => {
            let named = result.images.len();
            result.images.truncate(Build::IMAGES_KEPT);
            (result, Some(ResultError::TooMany(named)))
        }
        Ok(result) => (result, None),
        Err(ResultError::Read(error)) if error.kind() == io::ErrorKind::NotFound => {
            (BuildResult::default(), None)
        }
        Err(error) => (BuildResult::default(), Some(error)),
    }
}

fn parse(path: &Path) -> Result<BuildResult, ResultError> {
    let text = read_bounded(path)?;
    let ResultFile { images, commit } = serde_json::from_slice(&text).map_err(ResultError::Malformed)?;
    checked(images, commit)
}

fn checked(images: Vec<BuiltImage>, commit: Option<Box<str>>) -> Result<BuildResult, ResultError> {
    if let Some(position) = images.iter().position(|image| !is_plain(&image.reference)) {
        return Err(ResultError::BadReference(position + 1));
    }
    if commit.as_deref().is_some_and(|commit| !is_commit(commit)) {
        return Err(ResultError::BadCommit);
    }
    Ok(BuildResult { images, commit })
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, ResultError> {
    let file = open_plain(OpenOptions::new().read(true), path).map_err(ResultError::Read)?;
    let mut text = Vec::new();
    file.take(FILE_LIMIT + 1).read_to_end(&mut text).map_err(ResultError::Read)?;
    if text.len() as u64 > FILE_LIMIT { Err(ResultError::TooLong) } else { Ok(text) }
}

/// A commit as git prints it, by either of its hashes.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_plain(reference: &str) -> bool {
    let blank = |character: char| character.is_whitespace() || character.is_control();
    !reference.is_empty() && reference.len() <= REFERENCE_LIMIT && !reference.contains(blank)
}
