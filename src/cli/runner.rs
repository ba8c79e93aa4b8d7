//! `basewatch runner`: one build of a daemon's, in a place of its own.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::run::{first_of, inherited};
use super::{Exit, Global, runtime};
use crate::{logging, runner, systemd};

/// How long an instance that has ended waits for what its threads are at.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Whose the process's surroundings are.
#[derive(Debug, clap::Args)]
pub(super) struct Runner {
    /// End everything else in this process's control group with the build: it is the build's
    #[arg(long)]
    own_cgroup: bool,
}

impl Runner {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        systemd::close_strays().context("read /proc/self/fdinfo, for what builds must not be given")?;
        let connection = connection().context(
            "standard input is no connection of a daemon: basewatch runner is started by its socket unit",
        )?;
        let options = self.options(global)?;
        let format = if global.json { logging::Format::Json } else { logging::Format::Auto };
        let build_output = logging::BuildOutput::File;
        let level = tracing::Level::INFO;
        let _flush = logging::init(&logging::Settings { format, level, build_output })?;
        let instance = async { Ok::<_, io::Error>(runner::run_instance(connection, options, stop()?).await) };
        match runtime::block_on(LAST_WORK, instance)?? {
            Ok(()) => Ok(Exit::Done),
            Err(error) => {
                tracing::error!(event = "stopped", %error, "nothing was done");
                Ok(Exit::Failed)
            }
        }
    }

    fn options(&self, global: &Global) -> anyhow::Result<runner::Options> {
        let given = global.state_dir.clone().or_else(|| first_of("STATE_DIRECTORY"));
        let state_dir: PathBuf =
            given.context("nothing says where builds are to be: give --state-dir, or set StateDirectory=")?;
        Ok(runner::Options {
            state_dir: std::path::absolute(state_dir)?,
            runtime_dir: first_of("RUNTIME_DIRECTORY"),
            own_cgroup: self.own_cgroup,
            inherited: inherited(),
        })
    }
}

/// Takes the connection from standard input, where it would stay open for as long as this process lives.
fn connection() -> io::Result<UnixStream> {
    let connection = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    connection.peer_addr()?;
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    Ok(connection)
}

/// Becomes true at SIGTERM or SIGINT.
fn stop() -> io::Result<watch::Receiver<bool>> {
    let (say, stop) = watch::channel(false);
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signals, say) = (signal(kind)?, say.clone());
        tokio::spawn(async move {
            signals.recv().await;
            say.send_replace(true);
        });
    }
    Ok(stop)
}
