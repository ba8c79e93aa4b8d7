//! HOME of builds. They do to it what they like, so it is not the directory that has the spool, and the other builds.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::environment::is_writable;
use super::Options;
use super::spool::make_plain;

/// What builds inherit: the instance's own variables, with a HOME that they can write to and that is nothing else. Where
/// none can be made, they get none, and live in their own directory. Blocks.
pub(super) fn inherited(options: &Options) -> Vec<(String, String)> {
    let mut all = options.inherited.clone();
    let home = all.iter().find(|(name, _)| name == "HOME").map(|(_, home)| PathBuf::from(home));
    if home.is_some_and(|home| is_writable(&home) && !is_same(&home, &options.state_dir)) {
        return all;
    }
    all.retain(|(name, _)| name != "HOME");
    let home = options.state_dir.join("home");
    let made = make_plain(&home).ok().and_then(|()| home.to_str().map(str::to_owned));
    all.extend(made.map(|home| ("HOME".to_owned(), home)));
    all
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        (Err(_), _) | (_, Err(_)) => one == other,
    }
}
