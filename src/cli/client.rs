//! What the verbs that ask a daemon share: finding it, waiting for it, printing what it says.

use super::output::{self, Show};
use super::{Exit, Global, socket};
use crate::control::client::{Client, Error};

/// Asks the daemon and prints its answer.
pub(super) fn print<T: Show>(
    global: &Global,
    question: impl AsyncFnOnce(Client) -> Result<T, Error>,
) -> anyhow::Result<Exit> {
    let answer = ask(global, question)?;
    output::print(&answer, global.json)?;
    Ok(Exit::Done)
}

/// Asks the daemon.
pub(super) fn ask<T>(
    global: &Global,
    question: impl AsyncFnOnce(Client) -> Result<T, Error>,
) -> anyhow::Result<T> {
    let sockets = socket::candidates(global)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { question(Client::connect(&sockets).await?).await })?;
    Ok(answer)
}
