//! Where lines go: to a thread of their own, so that a full pipe stops nobody.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How much may wait to be written; more is counted and left out.
const WAITING: usize = 4 * 1024 * 1024;

/// How much may wait before the output of builds is left out: a flood of it must not push out what became of them.
const WAITING_WITH_OUTPUT: usize = WAITING / 2;

/// How much may wait where lost lines are told of: a good deal less, or a flood would have one such line for each gap.
const WAITING_AT_EASE: usize = WAITING / 4;

/// How long a line waits for room in an `out` that does not block, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Takes lines and never waits.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    lines: Sender<Message>,
    /// Bytes on their way.
    waiting: Arc<AtomicUsize>,
    /// Lines left out, or refused by `out`, since that was last told.
    lost: Arc<AtomicU64>,
}

/// Waits, when dropped, until the lines written so far are out; a moment at most.
#[derive(Debug)]
#[must_use = "the last lines are lost without it"]
pub struct Flush(Sender<Message>);

#[derive(Debug)]
enum Message {
    Line {
        text: String,
        /// How many lines are missing if this one is: more than one where it tells of others.
        counts: u64,
    },
    /// All lines before this are out: say so.
    Flush(Sender<()>),
}

/// Starts the thread that writes to `out`, which must not keep lines back. A line that `out` refuses is counted as lost.
pub(super) fn open(out: impl Write + Send + 'static) -> (Sink, Flush) {
    let (lines, receiver) = mpsc::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let lost = Arc::new(AtomicU64::new(0));
    let sink = Sink { lines, waiting: Arc::clone(&waiting), lost: Arc::clone(&lost) };
    let flush = Flush(sink.lines.clone());
    let thread = std::thread::Builder::new().name("log".to_owned());
    // Without a thread there is no log; the process is about to fail for the same reason anyway.
    let _ = thread.spawn(move || drain(&receiver, &waiting, &lost, out));
    (sink, flush)
}

fn drain(lines: &Receiver<Message>, waiting: &AtomicUsize, lost: &AtomicU64, mut out: impl Write) {
    // Whether the last line that was begun has no end.
    let mut cut = false;
    for message in lines {
        match message {
            Message::Line { text, counts } => {
                let length = text.len();
                let text = if cut { format!("\n{text}") } else { text };
                let (written, result) = put(&mut out, text.as_bytes());
                if result.is_err() {
                    lost.fetch_add(counts, Ordering::Relaxed);
                }
                if written > 0 {
                    // A newline alone has ended the line that was cut.
                    cut = result.is_err() && text.get(..written) != Some("\n");
                }
                waiting.fetch_sub(length, Ordering::Relaxed);
            }
            Message::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// Writes all of `text`, and tells how much of it `out` took. A stderr that does not block, as some terminals and
/// supervisors leave it, refuses what does not fit at the moment: then it is tried again, but not for ever.
fn put(out: &mut impl Write, text: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    let mut last = Instant::now();
    while let Some(rest) = text.get(written..).filter(|rest| !rest.is_empty()) {
        match out.write(rest) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(more) => (written, last) = (written + more, Instant::now()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && last.elapsed() < PATIENCE => {
                std::thread::park_timeout(LOOK);
            }
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

impl Sink {
    /// Takes a whole line, or counts it as lost if too much is waiting already.
    pub(super) fn write(&self, line: String) {
        self.send(line, 1, WAITING);
    }

    /// As [`Sink::write`] for a line that a build printed.
    pub(super) fn write_output(&self, line: String) {
        self.send(line, 1, WAITING_WITH_OUTPUT);
    }

    /// As [`Sink::write`] for the line that tells of `lost` others.
    pub(super) fn write_lost(&self, line: String, lost: u64) {
        self.send(line, lost, WAITING);
    }

    fn send(&self, text: String, counts: u64, most: usize) {
        let length = text.len();
        if self.waiting.fetch_add(length, Ordering::Relaxed) > most {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            self.lost.fetch_add(counts, Ordering::Relaxed);
        } else {
            let _ = self.lines.send(Message::Line { text, counts });
        }
    }

    /// How many lines were lost, told once, and only when there is room for a line again.
    pub(super) fn take_lost(&self) -> Option<u64> {
        let room = self.waiting.load(Ordering::Relaxed) <= WAITING_AT_EASE;
        let lost = if room { self.lost.swap(0, Ordering::Relaxed) } else { 0 };
        (lost > 0).then_some(lost)
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let (done, all_out) = mpsc::channel();
        if self.0.send(Message::Flush(done)).is_ok() {
            match all_out.recv_timeout(LAST_LINES) {
                Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }
}
