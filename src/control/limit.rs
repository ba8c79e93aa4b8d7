//! How many calls may be open at once, and for how long: what connects and says nothing costs the daemon no more than
//! that, and keeps nobody else out for long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// How long a connection may say nothing at all.
const HELLO: Duration = Duration::from_secs(10);

/// How long a call may take from its first byte to the first byte of its answer. The answer itself may take its time:
/// whoever pages through a log reads it as they please.
const CALL: Duration = Duration::from_secs(30);

/// A listener that accepts so many connections, and the next when one of them ends.
pub(super) struct Limited {
    socket: UnixListener,
    free: Arc<Semaphore>,
}

/// A connection and its place among the few.
pub(super) struct Connection {
    stream: UnixStream,
    stage: Stage,
    /// When it has to have reached its next stage.
    deadline: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Silent,
    Asking,
    Answered,
}

impl Limited {
    pub(super) fn new(socket: UnixListener, connections: usize) -> Self {
        Self { socket, free: Arc::new(Semaphore::new(connections)) }
    }
}

impl axum::serve::Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // Nobody closes the semaphore; if somebody did, there would be no limit rather than no answer.
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        let (stream, address) = axum::serve::Listener::accept(&mut self.socket).await;
        let deadline = Box::pin(sleep(HELLO));
        (Connection { stream, stage: Stage::Silent, deadline, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        match self.stage {
            Stage::Silent if buffer.filled().len() > before => {
                self.stage = Stage::Asking;
                self.deadline.as_mut().reset(Instant::now() + CALL);
                read
            }
            Stage::Silent | Stage::Asking if read.is_pending() => {
                self.deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
            Stage::Silent | Stage::Asking | Stage::Answered => read,
        }
    }
}

impl AsyncWrite for Connection {
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
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
