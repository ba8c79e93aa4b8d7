//! A build's output: into its bounded file, and its last lines into memory.
//!
//! The build is read to its end whatever happens to the file: a full disk or a reached limit costs lines, never time.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::redact::Redactor;
use super::tail::{LINE_LIMIT, Tail, printable};
use crate::controller::AttemptRef;
use crate::logging::BuildOutput;

/// How long a pipe is read on after the attempt's last known process has gone: a stray one may hold it open for ever.
pub(super) const DRAIN: Duration = Duration::from_secs(1);
/// As much as a pipe holds by default.
const PIECE: usize = 64 << 10;

/// What becomes of the output of one attempt.
#[derive(Debug, Clone)]
pub(super) enum Log {
    /// It goes behind that of earlier attempts, under a line that tells them apart.
    Kept,
    /// It is a file of its own, out of the build's way, and whoever follows it is told how much was written.
    Followed {
        /// Where it is.
        path: PathBuf,
        /// How much of it is there.
        written: watch::Sender<u64>,
    },
}

/// Where the output of one attempt goes.
#[derive(Debug)]
pub(super) struct Sink {
    attempt: AttemptRef,
    output: BuildOutput,
    /// None once writing failed: the warning came then.
    log: Option<File>,
    limit: u64,
    kept: u64,
    tail: Tail,
    redactor: Redactor,
    written: Option<watch::Sender<u64>>,
}

impl Sink {
    pub(super) fn new(attempt: AttemptRef, log: io::Result<File>, limit: u64, output: BuildOutput) -> Self {
        let (tail, redactor) = (Tail::default(), Redactor::default());
        let mut sink = Self { attempt, output, log: None, limit, kept: 0, tail, redactor, written: None };
        match log {
            Ok(log) => sink.log = Some(log),
            Err(error) => sink.warn(&error),
        }
        sink
    }

    /// The same, and whoever follows it is told.
    pub(super) fn told_to(self, log: Log) -> Self {
        let written = match log {
            Log::Kept => None,
            Log::Followed { path: _, written } => Some(written),
        };
        Self { written, ..self }
    }

    /// The same, behind the `kept` bytes that the file has of this attempt already.
    pub(super) fn behind(self, kept: u64) -> Self {
        Self { kept: kept.min(self.limit), ..self }
    }

    /// The same, and it shows no secret that `redactor` knows.
    pub(super) fn redacting(self, redactor: Redactor) -> Self {
        Self { redactor, ..self }
    }

    /// Takes the next piece. Only the lines that fit go to the file and the log; the last ones are kept in any case.
    pub(super) fn take(&mut self, piece: &[u8]) {
        let shown = self.redactor.push(piece);
        self.keep(&shown);
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = usize::try_from(self.limit - self.kept).unwrap_or(usize::MAX);
        let (kept, rest) = piece.split_at(room.min(piece.len()));
        self.write(kept);
        let (attempt, output) = (&self.attempt, self.output);
        self.tail.take(kept, |line| tell(attempt, output, line));
        self.tail.take(rest, |_| {});
        let was_full = room == 0;
        self.kept += kept.len() as u64;
        if !rest.is_empty() && !was_full {
            self.note(&format!("output beyond {} bytes dropped", self.limit));
        }
    }

    /// What may be shown of a text of which a part is the build's.
    pub(super) fn redacted(&self, text: &str) -> String {
        self.redactor.redacted(text)
    }

    /// A line of our own in the file.
    pub(super) fn note(&mut self, text: &str) {
        self.write(format!("\n--- {text} ---\n").as_bytes());
    }

    /// The last lines, once all has been taken.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.release();
        let (attempt, output) = (&self.attempt, self.output);
        let open = self.kept < self.limit;
        self.tail.finish(|line| {
            if open {
                tell(attempt, output, line);
            }
        });
        self.tail.lines()
    }

    /// Shows what was held back, as nothing more comes that could make a secret of it.
    pub(super) fn release(&mut self) {
        let held = self.redactor.finish();
        self.keep(&held);
    }

    fn write(&mut self, bytes: &[u8]) {
        let written = self.log.as_mut().map_or(Ok(()), |log| log.write_all(bytes));
        if let Err(error) = written {
            self.log = None;
            self.warn(&error);
        }
        if let Some(written) = &self.written {
            written.send_modify(|written| *written += bytes.len() as u64);
        }
    }

    fn warn(&self, error: &io::Error) {
        let AttemptRef { build, attempt, .. } = &self.attempt;
        tracing::warn!(event = "build_log_incomplete", %build, attempt, %error, "build log is incomplete");
    }
}

fn tell(of: &AttemptRef, output: BuildOutput, line: &[u8]) {
    match output {
        BuildOutput::File => {}
        BuildOutput::Log => {
            let AttemptRef { build, attempt, .. } = of;
            let line = printable(line, LINE_LIMIT);
            tracing::info!(event = "build_output", %build, attempt, line, "build output");
        }
    }
}

/// Moves what comes out of `pipe` into `sink`, until its end or until [`DRAIN`] after `over` was dropped or sent.
pub(super) async fn pump(mut pipe: pipe::Receiver, mut sink: Sink, over: oneshot::Receiver<()>) -> Sink {
    let patience = async {
        let _ = over.await;
        sleep(DRAIN).await;
    };
    tokio::pin!(patience);
    let mut piece = vec![0; PIECE];
    loop {
        // Cancel-safe: a read that is dropped has taken nothing, and `patience` keeps its place across rounds.
        let read = tokio::select! {
            read = pipe.read(&mut piece) => read,
            () = &mut patience => return sink,
        };
        let length = match read {
            Ok(0) | Err(_) => return sink,
            Ok(length) => length,
        };
        let taken = spawn_blocking(move || {
            sink.take(piece.get(..length).unwrap_or_default());
            (sink, piece)
        });
        match taken.await {
            Ok(back) => (sink, piece) = back,
            Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
        }
    }
}
