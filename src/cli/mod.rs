//! The command line: one file a verb.
//!
//! Answers go to stdout and nothing else does; with `--json` they are one JSON document. Messages go to stderr.

mod build;
mod builds;
mod client;
mod configs;
mod import;
mod output;
mod pause;
mod plan;
mod poll;
mod release;
mod reload;
mod resolve;
mod run;
mod runner;
mod runtime;
mod socket;
mod start;
mod status;
mod strategy;
mod style;
mod table;
#[cfg(test)]
mod tests;
mod validate;
mod wait;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config;
use crate::control::client::Error as ClientError;

/// Watches base images in container registries and starts a build, with an immutable reference, when one moves.
#[derive(Debug, Parser)]
#[command(name = "basewatch", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Args)]
struct Global {
    /// The configuration [default: $BASEWATCH_CONFIG, else /etc/basewatch/basewatch.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the state is [default: `[daemon] state_dir`, $STATE_DIRECTORY, /var/lib/basewatch]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The control socket of the daemon to ask
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the daemon
    Run(run::Run),
    /// Check the configuration: every problem at once, with file, line and fix
    Validate(validate::Validate),
    /// What would be built now and why, and what is held; nothing is started or stored
    Plan(plan::Plan),
    /// Look up what a tag points to now
    Resolve(resolve::Resolve),
    /// Tags, registries, what is held and why, and what is being built
    Status(status::Status),
    /// Build configs: current, stale since, last complete build, last failure
    Configs(configs::Configs),
    /// Builds, newest first
    Builds(builds::Builds),
    /// One build
    #[command(subcommand)]
    Build(build::Build),
    /// Start a build now, of the images that are known
    Start(start::Start),
    /// Let moves of tags start nothing until it is resumed
    Pause(pause::Pause),
    /// Let moves of tags start builds again; what moved meanwhile is built at once
    Resume(pause::Resume),
    /// Let held first builds go
    Release(release::Release),
    /// Look at tags now, within the budgets of their registries
    Poll(poll::Poll),
    /// Load the configuration anew; done only if the new one runs, 78 if it cannot be used
    Reload(reload::Reload),
    /// Turn another system's objects into a configuration
    #[command(subcommand)]
    Import(import::Import),
    /// Run one build for the daemon that is connected to standard input; started by systemd, not by hand
    Runner(runner::Runner),
    /// Make one build: how the runner makes it
    #[command(hide = true)]
    Strategy(strategy::Strategy),
}

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// It is done.
    Done,
    /// It did not work.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// The daemon cannot be reached (EX_UNAVAILABLE).
    Unreachable,
    /// The configuration is wrong (EX_CONFIG).
    Config,
    /// As a build ended.
    As(u8),
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ConfigError(String);

/// Does what `arguments` say; the first is the name of the program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let exit = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli.verb.run(&cli.global).unwrap_or_else(|error| report(&error)),
        Err(error) => {
            // Whoever asks for help and closes the pipe has seen enough.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage } else { Exit::Done }
        }
    };
    ExitCode::from(exit.code())
}

impl Verb {
    fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        match self {
            Self::Run(verb) => verb.run(global),
            Self::Validate(verb) => verb.run(global),
            Self::Plan(verb) => verb.run(global),
            Self::Resolve(verb) => verb.run(global),
            Self::Status(verb) => verb.run(global),
            Self::Configs(verb) => verb.run(global),
            Self::Builds(verb) => verb.run(global),
            Self::Build(verb) => verb.run(global),
            Self::Start(verb) => verb.run(global),
            Self::Pause(verb) => verb.run(global),
            Self::Resume(verb) => verb.run(global),
            Self::Release(verb) => verb.run(global),
            Self::Poll(verb) => verb.run(global),
            Self::Reload(verb) => verb.run(global),
            Self::Import(verb) => verb.run(global),
            Self::Runner(verb) => verb.run(global),
            Self::Strategy(verb) => Ok(verb.run()),
        }
    }
}

impl Global {
    /// The configuration's main file.
    fn config_file(&self) -> PathBuf {
        config::locate(self.config.as_deref(), config_variable().as_deref())
    }

    /// Whether the person, or their environment, says which it is.
    fn names_config(&self) -> bool {
        self.config.is_some() || config_variable().is_some_and(|path| !path.is_empty())
    }
}

fn config_variable() -> Option<OsString> {
    std::env::var_os("BASEWATCH_CONFIG")
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 69,
            Self::Config => 78,
            Self::As(code) => code,
        }
    }

    fn of(error: &anyhow::Error) -> Self {
        if error.is::<ConfigError>() {
            return Self::Config;
        }
        match error.downcast_ref::<ClientError>() {
            Some(ClientError::Unreachable(_)) => Self::Unreachable,
            Some(
                ClientError::Refused(_)
                | ClientError::NotNow(_)
                | ClientError::Http { .. }
                | ClientError::NotUnderstood { .. }
                | ClientError::TooLong
                | ClientError::Write(_),
            )
            | None => Self::Failed,
        }
    }
}

/// Tells what went wrong. A reader of stdout that has seen enough is not an error.
fn report(error: &anyhow::Error) -> Exit {
    if written(error).is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return Exit::Done;
    }
    // There is no better place to say that this cannot be said.
    let _ = writeln!(io::stderr(), "basewatch: {error:#}");
    Exit::of(error)
}

/// What stdout said, if that is what went wrong. An error further down the chain is another's: of the control socket,
/// say, and then nobody knows whether the daemon did what it was asked.
fn written(error: &anyhow::Error) -> Option<&io::Error> {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Write(error)) => Some(error),
        Some(
            ClientError::Unreachable(_)
            | ClientError::Refused(_)
            | ClientError::NotNow(_)
            | ClientError::Http { .. }
            | ClientError::NotUnderstood { .. }
            | ClientError::TooLong,
        ) => None,
        None => error.downcast_ref(),
    }
}
