//! What the verbs that ask a daemon share: finding it, waiting for it, printing what it says.

use std::path::PathBuf;
use std::time::Duration;

use super::output::{self, Show};
use super::{Exit, Global, runtime, socket};
pub(super) use crate::control::client::{Client, Error as ClientError};

/// Asks the daemon and prints its answer.
pub(super) fn print<T: Show>(
    global: &Global,
    question: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
) -> anyhow::Result<Exit> {
    let answer = ask(global, question)?;
    output::print(&answer, global.json)?;
    Ok(Exit::Done)
}

/// Asks the daemon.
pub(super) fn ask<T>(
    global: &Global,
    question: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
) -> anyhow::Result<T> {
    ask_at(&socket::candidates(global)?, question)
}

/// Asks the daemon at the first of these sockets where there is one.
pub(super) fn ask_at<T>(
    sockets: &[PathBuf],
    question: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
) -> anyhow::Result<T> {
    let answer = async { question(Client::connect(sockets).await?).await };
    Ok(runtime::block_on(Duration::ZERO, answer)??)
}
