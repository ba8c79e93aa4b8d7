//! A connection to an instance.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::super::wire::{Attach, Incoming, Outgoing, Reply, Request, WireError};

/// How long an instance may take to answer: it may have to wait for another one to end, and end what is left of a build.
const ANSWER: Duration = Duration::from_secs(100);
/// How long it may take to forget an attempt, whose files may be many.
const FORGET: Duration = Duration::from_secs(10);

/// A connection to an instance, once it has said that it speaks our language.
#[derive(Debug)]
pub(super) struct Link {
    incoming: Incoming<OwnedReadHalf>,
    outgoing: Outgoing<OwnedWriteHalf>,
}

/// What an instance answers to the first question.
#[derive(Debug)]
pub(super) enum Answer {
    /// It has the attempt.
    Has,
    /// It knows nothing of it, and never will.
    Unknown,
    /// It does not do it, and why.
    Refused(Box<str>),
}

impl Link {
    /// Connects, and hears that there is an instance: nothing was asked of it yet.
    pub(super) async fn open(socket: &Path) -> Result<Self, WireError> {
        let (read, write) = UnixStream::connect(socket).await?.into_split();
        let (incoming, outgoing) = (Incoming::new(read), Outgoing::new(write));
        let mut link = Self { incoming, outgoing };
        in_time(async {
            // It may hang up before it has read this, and what it said is heard all the same.
            let said = link.outgoing.hello().await;
            link.incoming.hello().await?;
            said
        })
        .await?;
        Ok(link)
    }

    /// Says what is wanted. If this fails, it was not understood.
    pub(super) async fn ask(&mut self, request: &Request) -> Result<(), WireError> {
        in_time(self.outgoing.request(request)).await
    }

    /// The answer to a first question.
    pub(super) async fn answer(&mut self) -> Result<Answer, WireError> {
        let (reply, _) = in_time(self.incoming.reply()).await?;
        match reply {
            Reply::Accepted => Ok(Answer::Has),
            Reply::Unknown => Ok(Answer::Unknown),
            Reply::Refused { reason } => Ok(Answer::Refused(reason)),
            Reply::Output { .. } | Reply::Ended(_) => Err(WireError::Unexpected(reply.name())),
        }
    }

    /// Asks what became of an attempt.
    pub(super) async fn attach(socket: &Path, attach: Attach) -> Result<(Self, Answer), WireError> {
        let mut link = Self::open(socket).await?;
        link.ask(&Request::Attach(attach)).await?;
        let answer = link.answer().await?;
        Ok((link, answer))
    }

    /// The next word, however long it takes. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<(Reply, Vec<u8>), WireError> {
        self.incoming.reply().await
    }

    /// Lets the instance forget the attempt, and waits until it has.
    pub(super) async fn acknowledge(&mut self) -> Result<(), WireError> {
        self.ask(&Request::Acknowledge).await?;
        // Where it takes longer, it goes on without us.
        let _ = timeout(FORGET, self.incoming.end()).await;
        Ok(())
    }
}

async fn in_time<T>(step: impl Future<Output = Result<T, WireError>>) -> Result<T, WireError> {
    timeout(ANSWER, step).await.unwrap_or(Err(WireError::Silent(ANSWER)))
}

/// What a person can do about `error`.
pub(super) fn advice(error: &WireError) -> &'static str {
    let kind = match error {
        WireError::Io(error) => Some(error.kind()),
        WireError::Closed
        | WireError::TooLong(_)
        | WireError::Malformed(_)
        | WireError::Version(_)
        | WireError::Unexpected(_)
        | WireError::Gap { .. }
        | WireError::Silent(_) => None,
    };
    match kind {
        Some(io::ErrorKind::PermissionDenied) => "let SocketUser= of its socket unit be the daemon's user",
        Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => "start its socket unit",
        Some(_) | None => "see the log of its unit",
    }
}
