//! `work.json`: what the runner tells the driver.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::directory::{open_plain, replace};
use super::checkout::SOURCE;
use super::error::StrategyError;
use crate::controller::BuildSpec;

/// What a build is given is smaller, as it is stored.
const LARGEST: u64 = 4 << 20;

/// A build, for the driver. It holds values of variables, and so is for the build's user alone.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::runner) struct Work {
    pub(super) spec: BuildSpec,
}

impl Work {
    /// Writes it down for the driver.
    pub(in crate::runner) fn write(spec: &BuildSpec, path: &Path) -> io::Result<()> {
        #[derive(Serialize)]
        struct Written<'a> {
            spec: &'a BuildSpec,
        }
        replace(path, &serde_json::to_vec(&Written { spec })?)
    }

    /// Whether it lies there, and not something else by that name.
    pub(in crate::runner) fn is_at(path: &Path) -> bool {
        Self::read(path).is_ok()
    }

    pub(super) fn read(path: &Path) -> Result<Self, StrategyError> {
        let mut text = Vec::new();
        let file = open_plain(OpenOptions::new().read(true), path);
        // The build may have put anything in its place, of whatever size.
        let read = file.and_then(|file| file.take(LARGEST).read_to_end(&mut text));
        read.map_err(StrategyError::file("read", path))?;
        serde_json::from_slice(&text).map_err(|source| StrategyError::Work { path: path.to_owned(), source })
    }
}

/// Where a command that is driven runs: in its source code.
pub(in crate::runner) fn context_dir(spec: &BuildSpec, directory: &Path) -> PathBuf {
    let source = spec.source.as_deref();
    let root = match source.and_then(|source| source.directory.as_deref()) {
        Some(own) => own.to_owned(),
        None => directory.join(SOURCE),
    };
    match source.and_then(|source| source.context_dir.as_deref()) {
        Some(context_dir) => root.join(context_dir),
        None => root,
    }
}
