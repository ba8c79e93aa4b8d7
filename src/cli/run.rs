//! `basewatch run`: the daemon.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::validate::{secret_files, unusable};
use super::{Exit, Global, runtime, socket};
use crate::daemon::{self, Ending, INHERITED, Options, Signals};
use crate::systemd::{self, Manager};
use crate::{config, logging};

/// How long a daemon that has ended waits for what its threads are at.
const LAST_WORK: Duration = Duration::from_secs(1);

/// How the daemon runs.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Poll everything once, run what fires, and end; 1 if anything failed or was left undone
    #[arg(long)]
    once: bool,
}

impl Run {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        systemd::close_strays().context("read /proc/self/fdinfo, for what builds must not be given")?;
        // Builds run in directories of their own, where a relative path leads elsewhere; and a record outlives the
        // directory that this daemon happens to be started in.
        let config = std::path::absolute(global.config_file())?;
        let loaded = config::load(&config, &secret_files()).map_err(|problems| unusable(&problems))?;
        let format = if global.json { logging::Format::Json } else { loaded.settings.log.format };
        let _flush = logging::init(&logging::Settings { format, ..loaded.settings.log })?;
        for warning in &loaded.warnings {
            tracing::warn!(event = "config_warning", %warning, "the configuration may not be what was meant");
        }
        let options = self.options(global, config, &loaded.settings.daemon)?;
        let daemon = async { daemon::run(loaded.settings, options, signals()?).await };
        match runtime::block_on(LAST_WORK, daemon)? {
            Ok(Ending::Done) => Ok(Exit::Done),
            Ok(Ending::SomethingFailed) => Ok(Exit::Failed),
            Err(error) => {
                // Whoever reads the log reads it here too, in the log's own form.
                tracing::error!(event = "stopped", error = format!("{error:#}"), "cannot go on");
                Ok(Exit::Failed)
            }
        }
    }

    fn options(&self, global: &Global, config: PathBuf, settings: &daemon::Settings) -> io::Result<Options> {
        let state_dir = std::path::absolute(state_dir(global, settings))?;
        let socket = std::path::absolute(listen_at(global, settings, &state_dir))?;
        Ok(Options {
            state_dir,
            socket,
            config,
            secrets: secret_files(),
            once: self.once,
            runtime_dir: first_of("RUNTIME_DIRECTORY"),
            inherited: inherited(),
            manager: manager(),
        })
    }
}

/// The daemon does its work without one too.
fn manager() -> Manager {
    let name = std::env::var_os(systemd::SOCKET_VARIABLE);
    Manager::at(name.as_deref()).unwrap_or_else(|error| {
        tracing::warn!(
            event = "service_manager_unreachable",
            error = format!("{}: {error}", systemd::SOCKET_VARIABLE),
            "cannot tell the service manager how the daemon is doing"
        );
        Manager::default()
    })
}

fn state_dir(global: &Global, settings: &daemon::Settings) -> PathBuf {
    let given = global.state_dir.clone().or_else(|| settings.state_dir.clone());
    given.or_else(|| first_of("STATE_DIRECTORY")).unwrap_or_else(|| PathBuf::from(socket::STATE_DIR))
}

fn listen_at(global: &Global, settings: &daemon::Settings, state_dir: &Path) -> PathBuf {
    let given = global.socket.clone().or_else(|| settings.socket.clone());
    let dir = || first_of("RUNTIME_DIRECTORY").unwrap_or_else(|| state_dir.to_owned());
    given.unwrap_or_else(|| dir().join(socket::NAME))
}

/// The variables of this process that builds inherit.
pub(super) fn inherited() -> Vec<(String, String)> {
    let inherited = INHERITED.iter();
    inherited.filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect()
}

/// The first directory that systemd names: it separates several with colons.
pub(super) fn first_of(variable: &str) -> Option<PathBuf> {
    let value: OsString = std::env::var_os(variable)?;
    std::env::split_paths(&value).next().filter(|path| !path.as_os_str().is_empty())
}

/// A word for each signal: SIGTERM and SIGINT stop, SIGHUP loads the configuration anew.
fn signals() -> io::Result<Signals> {
    // Two words say all there is to say: stop, and do not wait.
    let stop = words([SignalKind::terminate(), SignalKind::interrupt()], 2)?;
    // One says it for all that come before it is heard.
    let reload = words([SignalKind::hangup()], 1)?;
    Ok(Signals { stop, reload })
}

/// A word for each signal of these kinds, as many as `at_most` at once.
fn words<const N: usize>(kinds: [SignalKind; N], at_most: usize) -> io::Result<mpsc::Receiver<()>> {
    let (say, words) = mpsc::channel(at_most);
    for kind in kinds {
        let (mut signals, say) = (signal(kind)?, say.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() && !say.is_closed() {
                // What does not fit has been said.
                let _ = say.try_send(());
            }
        });
    }
    Ok(words)
}
