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
    match parse(path) {
        Ok(ResultFile { images, commit }) => vetted(images, commit),
        Err(ResultError::Read(error)) if error.kind() == io::ErrorKind::NotFound => {
            (BuildResult::default(), None)
        }
        Err(error) => (BuildResult::default(), Some(error)),
    }
}

/// As much as can be believed of what a build said, be it in its file or by a socket runner: a stranger's word both.
/// Images and commit are believed each for itself, since what is wrong with the one says nothing of the other.
pub(super) fn vetted(
    mut images: Vec<BuiltImage>,
    commit: Option<Box<str>>,
) -> (BuildResult, Option<ResultError>) {
    let (commit, mut wrong) = match commit {
        Some(commit) if !is_commit(&commit) => (None, Some(ResultError::BadCommit)),
        commit => (commit, None),
    };
    let named = images.len();
    if let Some(position) = images.iter().position(|image| !is_plain(&image.reference)) {
        images.clear();
        wrong = Some(ResultError::BadReference(position + 1));
    } else if named > Build::IMAGES_KEPT {
        images.truncate(Build::IMAGES_KEPT);
        wrong = wrong.or(Some(ResultError::TooMany(named)));
    }
    (BuildResult { images, commit }, wrong)
}

/// The commit that a built-in strategy noted when it had checked the source code out. It is the build's word like the
/// result file, which a command may write as well, without a commit or so that nothing of it can be believed.
pub(super) fn read_commit(path: &Path) -> Option<Box<str>> {
    let text = String::from_utf8(read_bounded(path).ok()?).ok()?;
    Some(text.trim()).filter(|commit| is_commit(commit)).map(Box::from)
}

fn parse(path: &Path) -> Result<ResultFile, ResultError> {
    serde_json::from_slice(&read_bounded(path)?).map_err(ResultError::Malformed)
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
