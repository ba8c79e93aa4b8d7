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
    #[error("it is not {{\"images\":[{{\"reference\":…,\"digest\":…}}]}}: {0}")]
    Malformed(#[source] serde_json::Error),
    #[error("reference {0} in it is empty, longer than {REFERENCE_LIMIT} bytes, or has blanks in it")]
    BadReference(usize),
    #[error("it names {0} images, and only the first {kept} are kept", kept = Build::IMAGES_KEPT)]
    TooMany(usize),
}

#[derive(Deserialize)]
struct ResultFile {
    images: Vec<BuiltImage>,
}

/// What the file says, and what is wrong with it. A build that wrote none made nothing that it tells of.
pub(super) fn read(path: &Path) -> (Vec<BuiltImage>, Option<ResultError>) {
    match parse(path) {
        Ok(images) if images.len() > Build::IMAGES_KEPT => {
            let kept = images.iter().take(Build::IMAGES_KEPT).cloned().collect();
            (kept, Some(ResultError::TooMany(images.len())))
        }
        Ok(images) => (images, None),
        Err(ResultError::Read(error)) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => (Vec::new(), Some(error)),
    }
}

fn parse(path: &Path) -> Result<Vec<BuiltImage>, ResultError> {
    let text = read_bounded(path)?;
    let file: ResultFile = serde_json::from_slice(&text).map_err(ResultError::Malformed)?;
    match file.images.iter().position(|image| !is_plain(&image.reference)) {
        Some(position) => Err(ResultError::BadReference(position + 1)),
        None => Ok(file.images),
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, ResultError> {
    let file = open_plain(OpenOptions::new().read(true), path).map_err(ResultError::Read)?;
    let mut text = Vec::new();
    file.take(FILE_LIMIT + 1).read_to_end(&mut text).map_err(ResultError::Read)?;
    if text.len() as u64 > FILE_LIMIT { Err(ResultError::TooLong) } else { Ok(text) }
}

fn is_plain(reference: &str) -> bool {
    let blank = |character: char| character.is_whitespace() || character.is_control();
    !reference.is_empty() && reference.len() <= REFERENCE_LIMIT && !reference.contains(blank)
}
