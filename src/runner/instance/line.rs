//! A conversation, of an instance with a daemon or of two instances.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::super::wire::{Incoming, Outgoing, Reply, Request, WireError};
use super::{Held, InstanceError};
use crate::controller::AttemptRef;

/// A conversation with a daemon, both halves.
pub(super) struct Line {
    pub(super) incoming: Incoming<OwnedReadHalf>,
    pub(super) outgoing: Outgoing<OwnedWriteHalf>,
}

impl Line {
    pub(super) fn new(connection: StdStream) -> io::Result<Self> {
        connection.set_nonblocking(true)?;
        Ok(Self::of(UnixStream::from_std(connection)?))
    }

    pub(super) fn of(stream: UnixStream) -> Self {
        let (read, write) = stream.into_split();
        Self { incoming: Incoming::new(read), outgoing: Outgoing::new(write) }
    }

    /// Says who we are, hears who they are, and what they want.
    pub(super) async fn first(&mut self) -> Result<Request, WireError> {
        self.outgoing.hello().await?;
        self.incoming.hello().await?;
        self.incoming.request().await
    }

    /// Whether the daemon has hung up.
    pub(super) fn is_closed(&self) -> bool {
        let stream: &UnixStream = self.incoming.inner().as_ref();
        let mut fds = [PollFd::new(stream.as_fd(), PollFlags::empty())];
        let polled = poll(&mut fds, PollTimeout::ZERO);
        let hung_up = PollFlags::POLLHUP | PollFlags::POLLERR;
        polled.is_ok() && fds.iter().any(|fd| fd.revents().is_some_and(|found| found.intersects(hung_up)))
    }

    /// Answers what was not understood.
    pub(super) async fn refuse(&mut self, error: WireError) -> InstanceError {
        let reason = error.to_string();
        let _ = self.outgoing.reply(&Reply::Refused { reason: reason.as_str().into() }).await;
        InstanceError::Daemon(reason)
    }

    /// Tells why nothing can be said of an attempt yet. The daemon asks again.
    pub(super) async fn fail(&mut self, error: InstanceError) -> InstanceError {
        let _ = self.outgoing.reply(&Reply::Refused { reason: error.to_string().into() }).await;
        error
    }

    /// Answers that an attempt is not started, and says why.
    pub(super) async fn decline(
        &mut self,
        this: &AttemptRef,
        reason: &str,
    ) -> Result<Option<Held>, InstanceError> {
        let AttemptRef { build, attempt, .. } = this;
        tracing::warn!(event = "attempt_refused", %build, attempt, reason, "not started");
        // A daemon that is gone asks again.
        let _ = self.outgoing.reply(&Reply::Refused { reason: reason.into() }).await;
        Ok(None)
    }
}
