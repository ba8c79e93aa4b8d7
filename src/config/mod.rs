//! The watch list: TOML as typed, then checked settings; every problem told at once.
//!
//! A configuration goes through stages, and every problem of every stage is told:
//! - `source`: the files, read and parsed into one tree in which every node knows its file, line and key path.
//! - `file`, `image_stream`, `build_config`, `hook`, `venue`: the tree as typed. A key that this stage does not read
//!   is unknown; nothing has a default yet.
//! - `expand`: each watch with its template, the defaults and its names.
//! - `settings`: what the components are told. Past this point nothing is optional or unchecked.
//!
//! What a later one says otherwise than an earlier one is told by `reload`.

mod build_config;
mod expand;
mod file;
mod grammar;
mod hook;
mod image_stream;
mod locate;
mod object_ref;
mod problem;
mod reload;
mod section;
mod settings;
mod source;
mod suggest;
mod tree;
mod value;
mod venue;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use locate::{DEFAULT_PATH, fragments, locate};
pub use problem::{Problem, Problems, Severity};
pub use reload::{Changes, Difference};

use self::file::Document;
use self::problem::Place;
use crate::image::TagRef;
use crate::webhook;
use crate::{controller, daemon, logging, poll, registry};

/// Everything that is configured, checked. Past this point nothing is optional or unchecked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What the controller decides by.
    pub controller: controller::Settings,
    /// Each distinct tag once, with the shortest of its intervals.
    pub tags: Vec<WatchedTag>,
    /// `[runner.NAME]`: where the socket of each runner is.
    pub runners: BTreeMap<Box<str>, PathBuf>,
    /// The hosts that are configured, and those that tags name, each once, with its defaults filled in.
    pub registries: BTreeMap<String, Host>,
    /// `[daemon]`, but for what the controller was given.
    pub daemon: daemon::Settings,
    /// `[log]`.
    pub log: logging::Settings,
    /// `[webhook]`, and the hooks of build configs.
    pub webhook: webhook::Settings,
}

/// A tag to poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedTag {
    /// Which tag.
    pub tag: TagRef,
    /// How often.
    pub interval: Duration,
    /// It is looked at until that succeeds, and then only if somebody asks (`scheduled = false`, D8; a digest, F6).
    pub once: bool,
}

/// What holds for one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// How it is asked.
    pub registry: registry::Settings,
    /// How often it may be asked.
    pub limits: poll::Limits,
}

/// A configuration that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What is probably not meant that way.
    pub warnings: Vec<Problem>,
}

/// Whether the files that hold passwords and certificates are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFiles {
    /// They must be there and readable.
    Check {
        /// `$CREDENTIALS_DIRECTORY`: where systemd put the credentials of the unit.
        credentials: Option<PathBuf>,
    },
    /// They may be on another machine.
    Skip,
}

/// Reads the file at `path` and the `*.toml` files in `conf.d` beside it.
///
/// # Errors
/// All problems of all files, warnings included, if one of them is an error.
pub fn load(path: &Path, secrets: &SecretFiles) -> Result<Loaded, Problems> {
    let main = Place::file(&Arc::from(path));
    let mut problems = Problems::default();
    let tree = source::read_all(&main.file, &mut problems);
    let document = Document::read(main.clone(), tree, &mut problems);
    let watches = expand::expand(&document, &mut problems);
    let settings = settings::check(&document, &watches, secrets, &mut problems);
    settings::warn_if_idle(&settings, &main, &mut problems);
    problems.settle(path);
    match problems.has_errors() {
        true => Err(problems),
        false => Ok(Loaded { settings, warnings: problems.into_vec() }),
    }
}

#[cfg(test)]
mod tests;
