//! One connection of a daemon: the output from where it knows it, then the end.

use std::fs::{File, OpenOptions};
use std::future::pending;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::super::attempt::Stop;
use super::super::directory::open_plain;
use super::super::exec::ask;
use super::super::wire::{Incoming, Outgoing, PIECE, Reply, Request, WireError};
use super::hold::Shared;
use super::{FIRST_WORD, Line};
use crate::failpoint;

/// Where a connection is in the output.
#[derive(Debug)]
pub(super) struct Follower {
    shared: Arc<Shared>,
    offset: u64,
    log: Reader,
}

/// The log, which may not be there yet. It is opened once: what a build puts in its place later is not read.
#[derive(Debug)]
struct Reader {
    path: PathBuf,
    file: Option<File>,
}

impl Follower {
    /// Behind the first `offset` bytes.
    pub(super) fn new(shared: Arc<Shared>, offset: u64) -> Self {
        let log = Reader { path: shared.log.clone(), file: None };
        Self { shared, offset, log }
    }
}

/// Takes a connection that another instance passes on.
pub(super) async fn join(mut line: Line, shared: Arc<Shared>) {
    let Ok(Ok(Request::Attach(attach))) = timeout(FIRST_WORD, line.first()).await else { return };
    if attach.attempt == shared.attempt {
        serve(line, Follower::new(shared, attach.offset)).await;
    }
    // Of another attempt nothing can be said before this one is gone: whoever is not answered asks again.
}

/// Tells of the attempt until the daemon hangs up or says what makes no sense. Neither harms the build.
pub(super) async fn serve(line: Line, follower: Follower) {
    let Line { incoming, outgoing } = line;
    let shared = Arc::clone(&follower.shared);
    // Cancel-safe: both halves are dropped with the connection.
    let error = tokio::select! {
        error = listen(incoming, &shared) => error,
        error = speak(outgoing, follower) => error,
    };
    match error {
        WireError::Closed | WireError::Io(_) => {}
        WireError::TooLong(_)
        | WireError::Malformed(_)
        | WireError::Version(_)
        | WireError::Unexpected(_)
        | WireError::Gap { .. }
        | WireError::Silent(_) => {
            tracing::warn!(event = "daemon_not_understood", %error, "connection closed");
        }
    }
}

async fn listen(mut incoming: Incoming<OwnedReadHalf>, shared: &Shared) -> WireError {
    loop {
        match incoming.request().await {
            Ok(Request::Cancel) => ask(&shared.stop, Stop::Cancel),
            // Whoever acknowledges what has not ended means another attempt.
            Ok(Request::Acknowledge) if shared.ended.borrow().is_some() => {
                shared.acknowledged.send_replace(true);
            }
            Ok(other @ (Request::Acknowledge | Request::Start(_) | Request::Attach(_))) => {
                return WireError::Unexpected(other.name());
            }
            Err(error) => return error,
        }
    }
}

async fn speak(mut outgoing: Outgoing<OwnedWriteHalf>, follower: Follower) -> WireError {
    match tell(&mut outgoing, follower).await {
        Ok(()) => pending().await,
        Err(error) => error,
    }
}

async fn tell(outgoing: &mut Outgoing<OwnedWriteHalf>, follower: Follower) -> Result<(), WireError> {
    let Follower { shared, mut offset, mut log } = follower;
    outgoing.reply(&Reply::Accepted).await?;
    let (mut written, mut ended) = (shared.written.subscribe(), shared.ended.subscribe());
    loop {
        // Seen before the log is read, so that nothing that comes meanwhile is missed.
        let until = *written.borrow_and_update();
        let end = ended.borrow_and_update().clone();
        while offset < until {
            let (back, piece) = log.read(offset, until).await?;
            log = back;
            if piece.is_empty() {
                break;
            }
            outgoing.output(offset, &piece).await?;
            offset += piece.len() as u64;
        }
        if let Some(end) = end {
            failpoint::pass("instance-before-ended");
            return outgoing.reply(&Reply::Ended(Box::new(end.report.clone()))).await;
        }
        changed(&mut written, &mut ended).await;
    }
}

async fn changed<A, B>(written: &mut watch::Receiver<A>, ended: &mut watch::Receiver<B>) {
    // Cancel-safe: what has changed and was not seen is told the next time.
    tokio::select! {
        _ = written.changed() => {}
        _ = ended.changed() => {}
    }
}

impl Reader {
    /// What there is from `offset` on, at most a piece of it, and nothing from `until` on.
    async fn read(mut self, offset: u64, until: u64) -> io::Result<(Self, Vec<u8>)> {
        let read = spawn_blocking(move || {
            let piece = self.piece(offset, until);
            (self, piece)
        });
        read.await.map_err(io::Error::other)
    }

    /// A log that cannot be read is one that the build took away: there is nothing in it.
    fn piece(&mut self, offset: u64, until: u64) -> Vec<u8> {
        if self.file.is_none() {
            self.file = open_plain(OpenOptions::new().read(true), &self.path).ok();
        }
        let length = usize::try_from(until.saturating_sub(offset)).map_or(PIECE, |left| left.min(PIECE));
        let mut piece = vec![0; length];
        let read = self.file.as_ref().and_then(|file| file.read_at(&mut piece, offset).ok());
        piece.truncate(read.unwrap_or_default());
        piece
    }
}
