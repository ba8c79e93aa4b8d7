//! Where the daemon's control socket may be.
//!
//! The configuration is only glanced at: a mistake elsewhere in it must not keep anybody from asking a daemon that
//! runs.

use std::path::{Path, PathBuf};

use serde::Deserialize;

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

/// The sockets to try, in order.
///
/// # Errors
/// If a configuration is named that cannot be read.
pub(super) fn candidates(global: &Global) -> Result<Vec<PathBuf>, ConfigError> {
    if let Some(socket) = &global.socket {
        return Ok(vec![socket.clone()]);
    }
    let named = global.names_config();
    let configured = match glance(&global.config_file()) {
        Ok(places) => places,
        Err(error) if named => return Err(error),
        // Nobody named it: it need not be there, nor be readable for everybody.
        Err(_) => Places::default(),
    };
    Ok(choose(global.state_dir.as_deref(), named, configured))
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
    vec![Path::new(RUNTIME_DIR).join(NAME), state_dir.join(NAME)]
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
