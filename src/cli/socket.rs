//! Where the daemon's control socket may be.
//!
//! The configuration is only glanced at: a mistake elsewhere in it must not keep anybody from asking a daemon that
//! runs.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::run::first_of;
use super::{ConfigError, Global};
use crate::config::fragments;

/// The socket's name in a state or runtime directory.
pub(super) const NAME: &str = "control.sock";

const RUNTIME_DIR: &str = "/run/basewatch";

/// Where the state is if nobody says otherwise.
pub(super) const STATE_DIR: &str = "/var/lib/basewatch";

/// What a configuration says of where things are.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Places {
    socket: Option<PathBuf>,
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    daemon: Places,
}

/// The sockets to try, in order. The last is where a unit that runs both the daemon and us has it, should the
/// configuration have been edited to say otherwise since the daemon started.
///
/// # Errors
/// If a configuration is named that cannot be read.
pub(super) fn candidates(global: &Global) -> Result<Vec<PathBuf>, ConfigError> {
    if let Some(socket) = &global.socket {
        return Ok(vec![socket.clone()]);
    }
    let named = global.names_config();
    let runtime_dir = first_of("RUNTIME_DIRECTORY");
    let configured = match glance(&global.config_file()) {
        Ok(places) => places,
        Err(error) if named => return Err(error),
        // Nobody named it: it need not be there, nor be readable for everybody.
        Err(_) => Places::default(),
    };
    Ok(with(choose(global.state_dir.as_deref(), named, configured), runtime_dir.map(|dir| dir.join(NAME))))
}

/// The sockets at which a reload finds the daemon: it is asked for because the configuration was edited, and perhaps to
/// name another socket, which the daemon does not listen at before its next start.
///
/// # Errors
/// As [`candidates`].
pub(super) fn candidates_for_reload(global: &Global) -> Result<Vec<PathBuf>, ConfigError> {
    let sockets = candidates(global)?;
    // Where somebody says which daemon is meant, another one must not answer.
    let is_meant = global.socket.is_some() || global.state_dir.is_some() || global.names_config();
    Ok(for_reload(sockets, is_meant))
}

fn for_reload(sockets: Vec<PathBuf>, is_meant: bool) -> Vec<PathBuf> {
    if is_meant { sockets } else { with(sockets, usual(Path::new(STATE_DIR))) }
}

/// `sockets`, and after them those of `more` that are not among them.
fn with(mut sockets: Vec<PathBuf>, more: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    for socket in more {
        if !sockets.contains(&socket) {
            sockets.push(socket);
        }
    }
    sockets
}

fn usual(state_dir: &Path) -> [PathBuf; 2] {
    [Path::new(RUNTIME_DIR).join(NAME), state_dir.join(NAME)]
}

fn choose(state_dir: Option<&Path>, config_named: bool, configured: Places) -> Vec<PathBuf> {
    if let Some(socket) = configured.socket {
        return vec![socket];
    }
    let named_state_dir = configured.state_dir.as_deref().filter(|_| config_named);
    if let Some(state_dir) = state_dir.or(named_state_dir) {
        return vec![state_dir.join(NAME)];
    }
    let state_dir = configured.state_dir.unwrap_or_else(|| PathBuf::from(STATE_DIR));
    usual(&state_dir).into()
}

/// Reads `[daemon]` of a configuration and of the files in `conf.d` beside it.
fn glance(config: &Path) -> Result<Places, ConfigError> {
    let mut places = read(config)?;
    for path in fragments(config).map_err(|error| unread(&config.with_file_name("conf.d"), &error))? {
        let more = read(&path)?;
        places.socket = places.socket.or(more.socket);
        places.state_dir = places.state_dir.or(more.state_dir);
    }
    Ok(places)
}

fn read(path: &Path) -> Result<Places, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| unread(path, &error))?;
    let File { daemon } = match toml::from_str(&text) {
        Ok(file) => file,
        // To ask another daemon than the one that is meant would be worse than to ask none.
        Err(error) if text.contains("daemon") => return Err(unread(path, &error.message())),
        Err(_) => return Ok(Places::default()),
    };
    // Relative paths are relative to their file.
    let dir = path.parent().unwrap_or(Path::new(""));
    let Places { socket, state_dir } = daemon;
    Ok(Places { socket: socket.map(|path| dir.join(path)), state_dir: state_dir.map(|path| dir.join(path)) })
}

fn unread(path: &Path, error: &dyn std::fmt::Display) -> ConfigError {
    ConfigError(format!("read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
