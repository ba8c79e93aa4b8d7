//! The daemon's own copy of what an instance sends: `build.json` and `log` of the build, as the exec runner keeps them.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::super::Settings;
use super::super::directory::{Directory, DirectoryError, open_plain, replace};
use super::super::output::Sink;
use super::super::wire::WireError;
use crate::controller::{AttemptRef, BuildSpec};
use crate::failpoint;

/// What a runner may add to a build's output: lines of its own, about how it ended.
const ROOM: u64 = 64 << 10;

/// The output of one attempt, as far as it is known here.
#[derive(Debug)]
pub(super) struct Mirror {
    /// None only while it is at work, or after it panicked.
    sink: Option<Sink>,
    known: u64,
}

/// Where the output of an attempt begins in the log that has that of earlier ones too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    attempt: u32,
    begin: u64,
}

impl Mirror {
    /// Lays out the files of a new attempt.
    pub(super) async fn lay_out(
        settings: Arc<Settings>,
        this: AttemptRef,
        spec: BuildSpec,
    ) -> Result<Self, DirectoryError> {
        let directory = Directory::of(&settings.builds_dir, &this.build);
        let laid_out = spawn_blocking(move || {
            failpoint::pass("socket-before-files");
            directory.prepare(&spec, this.attempt)?;
            Ok(Self::fresh(&settings, this, &directory))
        });
        laid_out.await.unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic()))
    }

    /// Goes on with the attempt where the log ends.
    pub(super) async fn resume(settings: Arc<Settings>, this: AttemptRef) -> Self {
        let directory = Directory::of(&settings.builds_dir, &this.build);
        let resumed = spawn_blocking(move || match known(&directory, this.attempt) {
            Some(known) => {
                let sink = Sink::new(this, directory.reopen_log(), limit(&settings), settings.output);
                Self { sink: Some(sink.behind(known)), known }
            }
            None => Self::fresh(&settings, this, &directory),
        });
        resumed.await.unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic()))
    }

    fn fresh(settings: &Settings, this: AttemptRef, directory: &Directory) -> Self {
        // A daemon that died right after its decision has made none.
        let made = directory.make();
        let log = made.and_then(|()| directory.open_log(this.attempt, Timestamp::now(), settings.log_limit));
        let log = log.and_then(|log| {
            let mark = Mark { attempt: this.attempt, begin: log.metadata()?.len() };
            replace(&directory.mark_file(), mark.to_string().as_bytes())?;
            Ok(log)
        });
        Self { sink: Some(Sink::new(this, log, limit(settings), settings.output)), known: 0 }
    }

    /// How much of the output is known.
    pub(super) fn known(&self) -> u64 {
        self.known
    }

    /// Takes the next piece. What is known of it already is not taken twice, and nothing may be missing before it.
    pub(super) async fn take(&mut self, offset: u64, mut piece: Vec<u8>) -> Result<(), WireError> {
        let gap = WireError::Gap { offset, known: self.known };
        let twice = self.known.checked_sub(offset).ok_or(gap)?;
        let twice = usize::try_from(twice).unwrap_or(usize::MAX).min(piece.len());
        piece.drain(..twice);
        let length = piece.len() as u64;
        let Some(mut sink) = self.sink.take() else { return Ok(()) };
        let taken = spawn_blocking(move || {
            sink.take(&piece);
            sink
        });
        match taken.await {
            Ok(sink) => self.sink = Some(sink),
            Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
        }
        self.known += length;
        Ok(())
    }

    /// The last lines, once all has been taken.
    pub(super) async fn finish(self) -> Vec<String> {
        let lines = self.sink.map(|sink| spawn_blocking(move || sink.finish()));
        match lines {
            Some(lines) => lines.await.unwrap_or_default(),
            None => Vec::new(),
        }
    }
}

fn limit(settings: &Settings) -> u64 {
    settings.log_limit + ROOM
}

/// How much of the attempt's output the log has; none if it is not noted where that begins.
fn known(directory: &Directory, attempt: u32) -> Option<u64> {
    let mark = std::fs::read_to_string(directory.mark_file()).ok()?;
    let mark = Mark::parse(&mark).filter(|mark| mark.attempt == attempt)?;
    let log = open_plain(std::fs::OpenOptions::new().read(true), &directory.log_file());
    let length = log.and_then(|log| log.metadata()).map(|found| found.len()).ok()?;
    length.checked_sub(mark.begin)
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        let (attempt, begin) = text.split_once(':')?;
        Some(Self { attempt: attempt.parse().ok()?, begin: begin.parse().ok()? })
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.attempt, self.begin)
    }
}
