//! How many calls may be open at once, and for how long: what connects and says nothing costs the daemon no more than
//! that, and keeps nobody else out for long. Nobody has all places: an address has a share of them.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use super::share::Shares;

/// How much is thrown away at once of what nobody reads, in bytes.
const PIECE: usize = 8 * 1024;

/// What connections are held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections open at once; more wait.
    pub(crate) connections: usize,
    /// Those of one address; what it opens beyond them is closed at once.
    pub(crate) of_one: usize,
    /// How long the head of a call may take to come, from the moment its connection is accepted.
    pub(crate) head: Duration,
    /// How long a call may take from the end of its head to the first byte of its answer. The answer itself may take its
    /// time: whoever pages through a log reads it as they please.
    pub(crate) call: Duration,
    /// How long what still comes in is read away once all is answered. To close on it would be to the other end as if
    /// the answer had never been.
    pub(crate) linger: Duration,
}

/// A listener that accepts so many connections, and the next when one of them ends.
pub(crate) struct Limited<L> {
    listener: L,
    limits: Limits,
    free: Arc<Semaphore>,
    shares: Shares,
}

/// Where a connection comes from.
pub(crate) trait Whence {
    /// Whose share it is counted in; none if it is counted in nobody's.
    fn address(&self) -> Option<IpAddr>;
}

/// A proxy on this machine speaks for all of its callers, so what comes from here is held to no share.
impl Whence for std::net::SocketAddr {
    fn address(&self) -> Option<IpAddr> {
        let address = self.ip().to_canonical();
        (!address.is_loopback()).then_some(address)
    }
}

/// Only the owner of a socket of this machine can connect to it.
impl Whence for tokio::net::unix::SocketAddr {
    fn address(&self) -> Option<IpAddr> {
        None
    }
}

/// A connection and its place among the few.
pub(crate) struct Connection<S> {
    stream: S,
    stage: Stage,
    limits: Limits,
    /// When it has to have reached its next stage.
    deadline: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
    _share: Option<OwnedSemaphorePermit>,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its head has not ended.
    Head(Line),
    Asking,
    Answered,
    /// Nothing more is said; what comes in is of no interest.
    Closing,
}

/// Where in a head it is: an empty line ends it, unless nothing was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    First,
    Within,
    Start,
}

impl Line {
    /// None if the head has ended.
    fn after(self, bytes: &[u8]) -> Option<Self> {
        bytes.iter().try_fold(self, |line, byte| match (line, byte) {
            (Self::Start, b'\n') => None,
            (Self::Within, b'\n') => Some(Self::Start),
            (Self::First | Self::Start, b'\r') | (Self::First, b'\n') => Some(line),
            (Self::First | Self::Within | Self::Start, _) => Some(Self::Within),
        })
    }
}

impl<L> Limited<L> {
    pub(crate) fn new(listener: L, limits: Limits) -> Self {
        let free = Arc::new(Semaphore::new(limits.connections));
        Self { listener, limits, free, shares: Shares::new(limits.of_one) }
    }
}

impl<L: Listener<Addr: Whence>> Listener for Limited<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // Nobody closes the semaphore; if somebody did, there would be no limit rather than no answer.
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        loop {
            let (stream, address) = self.listener.accept().await;
            // Whoever has its share already is let go, and the place is kept for the next.
            let Ok(share) = address.address().map(|address| self.shares.take(address)).transpose() else {
                continue;
            };
            let limits = self.limits;
            let deadline = Box::pin(sleep(limits.head));
            let stage = Stage::Head(Line::First);
            return (Connection { stream, stage, limits, deadline, _place: place, _share: share }, address);
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl<S> Connection<S> {
    fn enter(&mut self, stage: Stage, time: Duration) {
        self.stage = stage;
        self.deadline.as_mut().reset(Instant::now() + time);
    }
}

impl<S: AsyncRead + Unpin> Connection<S> {
    /// Reads away what still comes in, until the other end closes or the time for it is over.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut piece = [0; PIECE];
        loop {
            if self.deadline.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            let mut piece = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.stream).poll_read(context, &mut piece) {
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {}
                // It has closed, or is gone.
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Stage::Head(line) = self.stage {
            let new = buffer.filled().get(before..).unwrap_or_default();
            match line.after(new) {
                Some(line) => self.stage = Stage::Head(line),
                None => {
                    let time = self.limits.call;
                    self.enter(Stage::Asking, time);
                }
            }
        }
        match self.stage {
            Stage::Head(_) | Stage::Asking if read.is_pending() => {
                self.deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
            Stage::Head(_) | Stage::Asking | Stage::Answered | Stage::Closing => read,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stage = Stage::Answered;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stage != Stage::Closing {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            let time = self.limits.linger;
            self.enter(Stage::Closing, time);
        }
        self.poll_drain(context).map(Ok)
    }
}
