//! What the daemon and an instance of a socket runner say to each other: one JSON value a line, and the bytes of output
//! behind the line that announces them.
//!
//! Both sides begin with a [`Hello`] and read that of the other before anything else, so that a version that is not
//! understood is told as such. The daemon then says `start` or `attach`, at any time `cancel`, and at the end
//! `acknowledge`. The instance answers `accepted`, then `output` as it comes, then `ended`; or else `unknown` or `refused`.
//!
//! Neither side believes the other: every line and every piece of output is bounded.

use std::future::pending;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use uuid::Uuid;

use super::private::Private;
use crate::controller::{BuildKey, BuildSpec, BuiltImage, Outcome};

/// The version that is spoken here.
pub(super) const VERSION: u32 = 1;
/// Longest line with a [`Hello`].
const HELLO_LIMIT: usize = 4 << 10;
/// Longest line of the daemon's: a build, with what it is trusted with.
pub(super) const REQUEST_LIMIT: usize = 8 << 20;
/// Longest line of an instance's: an end, with its last lines.
pub(super) const REPLY_LIMIT: usize = 256 << 10;
/// Most output that comes at once.
pub(super) const PIECE: usize = 64 << 10;

/// The first word of either side.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    /// Which version of the protocol it speaks.
    version: u32,
}

/// What the daemon says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Run this attempt.
    Start(Box<Start>),
    /// Tell of this attempt, wherever it is by now.
    Attach(Attach),
    /// End it.
    Cancel,
    /// Its end is stored: forget it.
    Acknowledge,
}

/// An attempt that is to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Start {
    /// Everything about the build.
    pub(super) spec: BuildSpec,
    /// Which attempt of it.
    pub(super) attempt: u32,
    /// How many bytes of its output are kept.
    pub(super) log_limit: u64,
    /// What it is trusted with.
    pub(super) private: Private,
}

/// An attempt that may have been made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Attach {
    /// The build's id.
    pub(super) id: Uuid,
    /// Its name, for the log.
    pub(super) build: BuildKey,
    /// Which attempt of it.
    pub(super) attempt: u32,
    /// How much of its output is known.
    pub(super) offset: u64,
}

/// What an instance says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// The attempt is known, and its end will be told.
    Accepted,
    /// This many bytes of output follow; the first of them is the one at this offset.
    Output {
        /// Counted from the begin of the attempt.
        offset: u64,
        /// At most [`PIECE`].
        length: usize,
    },
    /// It is over.
    Ended(Box<Report>),
    /// Nothing is known of it, nothing of it is alive, and it will never be started.
    Unknown,
    /// What was asked is not done.
    Refused {
        /// Why.
        reason: Box<str>,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// What it says it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) images: Vec<BuiltImage>,
    /// The commit that it says it made that of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<Box<str>>,
    /// The last lines it printed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tail: Vec<String>,
    /// How long it ran.
    pub(super) elapsed: Duration,
}

/// Why a conversation does not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The connection is no longer one.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side hung up.
    #[error("it closed the connection")]
    Closed,
    /// More than is ever needed.
    #[error("it sent a line of more than {0} bytes, or more than {PIECE} bytes of output at once")]
    TooLong(usize),
    /// Not a word of this protocol.
    #[error("it sent what is not understood: {0}")]
    Malformed(#[source] serde_json::Error),
    /// Another protocol.
    #[error(
        "it speaks version {0} of the protocol, and this is version {VERSION}: update the older of the two"
    )]
    Version(u32),
    /// A word out of place.
    #[error("it said `{0}`, which has no place here")]
    Unexpected(&'static str),
    /// Output that does not go on where it ended.
    #[error("its output goes on at byte {offset}, and {known} are known")]
    Gap {
        /// Where it goes on.
        offset: u64,
        /// Where it should.
        known: u64,
    },
    /// Nothing came.
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
}

/// What comes in. Every method is cancel-safe: what was read of a line stays here.
#[derive(Debug)]
pub(super) struct Incoming<R> {
    inner: BufReader<R>,
    line: Vec<u8>,
    output: Option<(u64, usize)>,
    body: Vec<u8>,
}

/// What goes out. A word that is given up half-way spoils the rest, so that this must be given up with it.
#[derive(Debug)]
pub(super) struct Outgoing<W>(W);

impl<R: AsyncRead + Unpin> Incoming<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner: BufReader::new(inner), line: Vec::new(), output: None, body: Vec::new() }
    }

    /// The other side's first word.
    pub(super) async fn hello(&mut self) -> Result<(), WireError> {
        let line = self.line(HELLO_LIMIT).await?;
        let Hello { version } = serde_json::from_slice(&line).map_err(WireError::Malformed)?;
        if version == VERSION { Ok(()) } else { Err(WireError::Version(version)) }
    }

    /// The daemon's next word.
    pub(super) async fn request(&mut self) -> Result<Request, WireError> {
        let line = self.line(REQUEST_LIMIT).await?;
        serde_json::from_slice(&line).map_err(WireError::Malformed)
    }

    /// An instance's next word, and the output that it announced.
    pub(super) async fn reply(&mut self) -> Result<(Reply, Vec<u8>), WireError> {
        if self.output.is_none() {
            let line = self.line(REPLY_LIMIT).await?;
            match serde_json::from_slice(&line).map_err(WireError::Malformed)? {
                Reply::Output { length, .. } if length > PIECE => return Err(WireError::TooLong(PIECE)),
                Reply::Output { offset, length } => self.output = Some((offset, length)),
                reply @ (Reply::Accepted | Reply::Ended(_) | Reply::Unknown | Reply::Refused { .. }) => {
                    return Ok((reply, Vec::new()));
                }
            }
        }
        let (offset, length) = self.output.unwrap_or_default();
        while self.body.len() < length {
            let found = filled(&mut self.inner).await?;
            let wanted = found.get(..length - self.body.len()).unwrap_or(found);
            let taken = wanted.len();
            self.body.extend_from_slice(wanted);
            self.inner.consume(taken);
        }
        self.output = None;
        Ok((Reply::Output { offset, length }, std::mem::take(&mut self.body)))
    }

    /// Waits until the other side hangs up, whatever it says until then.
    pub(super) async fn end(&mut self) {
        while let Ok(found) = filled(&mut self.inner).await {
            let taken = found.len();
            self.inner.consume(taken);
        }
    }

    /// Waits until the other side hangs up without another word; for ever, if it says one.
    pub(super) async fn hung_up(&mut self) {
        if filled(&mut self.inner).await.is_ok() {
            pending::<()>().await;
        }
    }

    /// What is connected.
    pub(super) fn inner(&self) -> &R {
        self.inner.get_ref()
    }

    /// What is connected, without what was read of it and not taken.
    pub(super) fn into_inner(self) -> R {
        self.inner.into_inner()
    }

    async fn line(&mut self, limit: usize) -> Result<Vec<u8>, WireError> {
        loop {
            let found = filled(&mut self.inner).await?;
            let end = found.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(found.len(), |end| end + 1);
            if self.line.len() + taken > limit {
                return Err(WireError::TooLong(limit));
            }
            self.line.extend_from_slice(found.get(..taken).unwrap_or_default());
            self.inner.consume(taken);
            if end.is_some() {
                return Ok(std::mem::take(&mut self.line));
            }
        }
    }
}

/// What has come and is not taken yet; never nothing.
async fn filled<R: AsyncBufRead + Unpin>(from: &mut R) -> Result<&[u8], WireError> {
    let found = from.fill_buf().await?;
    if found.is_empty() { Err(WireError::Closed) } else { Ok(found) }
}

impl<W: AsyncWrite + Unpin> Outgoing<W> {
    pub(super) fn new(inner: W) -> Self {
        Self(inner)
    }

    /// Our first word.
    pub(super) async fn hello(&mut self) -> Result<(), WireError> {
        self.word(&Hello { version: VERSION }).await
    }

    /// The daemon's next word. If this fails, the other side cannot have understood it.
    pub(super) async fn request(&mut self, request: &Request) -> Result<(), WireError> {
        self.word(request).await
    }

    /// An instance's next word; of output, only what announces it.
    pub(super) async fn reply(&mut self, reply: &Reply) -> Result<(), WireError> {
        self.word(reply).await
    }

    /// A piece of output, of at most [`PIECE`] bytes.
    pub(super) async fn output(&mut self, offset: u64, bytes: &[u8]) -> Result<(), WireError> {
        self.word(&Reply::Output { offset, length: bytes.len() }).await?;
        Ok(self.0.write_all(bytes).await?)
    }

    /// What is connected.
    pub(super) fn into_inner(self) -> W {
        self.0
    }

    async fn word(&mut self, word: &impl Serialize) -> Result<(), WireError> {
        let mut line = serde_json::to_vec(word).map_err(WireError::Malformed)?;
        if line.len() >= REQUEST_LIMIT {
            return Err(WireError::TooLong(REQUEST_LIMIT));
        }
        line.push(b'\n');
        Ok(self.0.write_all(&line).await?)
    }
}

impl Request {
    /// As it is spelled.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Attach(_) => "attach",
            Self::Cancel => "cancel",
            Self::Acknowledge => "acknowledge",
        }
    }
}

impl Reply {
    /// As it is spelled.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Output { .. } => "output",
            Self::Ended(_) => "ended",
            Self::Unknown => "unknown",
            Self::Refused { .. } => "refused",
        }
    }
}

#[cfg(test)]
mod tests;
