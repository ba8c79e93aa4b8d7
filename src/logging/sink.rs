//! Where lines go: to a thread of their own, so that a full pipe stops nobody.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

/// How much may wait to be written; more is counted and left out.
const WAITING: usize = 4 * 1024 * 1024;

/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Takes lines and never waits.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    lines: Sender<Message>,
    /// Bytes on their way.
    waiting: Arc<AtomicUsize>,
    /// Lines left out since the last one that was taken.
    lost: Arc<AtomicU64>,
}

/// Waits, when dropped, until the lines written so far are out; a moment at most.
#[derive(Debug)]
#[must_use = "the last lines are lost without it"]
pub struct Flush(Sender<Message>);

#[derive(Debug)]
enum Message {
    Line(String),
    /// All lines before this are out: say so.
    Flush(Sender<()>),
}

/// Starts the thread that writes to `out`. A line that `out` refuses is gone: there is no better place to say so.
pub(super) fn open(out: impl Write + Send + 'static) -> (Sink, Flush) {
    let (lines, receiver) = mpsc::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let sink = Sink { lines, waiting: Arc::clone(&waiting), lost: Arc::default() };
    let flush = Flush(sink.lines.clone());
    let thread = std::thread::Builder::new().name("log".to_owned());
    // Without a thread there is no log; the process is about to fail for the same reason anyway.
    let _ = thread.spawn(move || drain(&receiver, &waiting, out));
    (sink, flush)
}

fn drain(lines: &Receiver<Message>, waiting: &AtomicUsize, mut out: impl Write) {
    for message in lines {
        match message {
            Message::Line(line) => {
                let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
                waiting.fetch_sub(line.len(), Ordering::Relaxed);
            }
            Message::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

impl Sink {
    /// Takes a whole line, or counts it as lost if too much is waiting already.
    pub(super) fn write(&self, line: String) {
        let length = line.len();
        if self.waiting.fetch_add(length, Ordering::Relaxed) > WAITING {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            let _ = self.lines.send(Message::Line(line));
        }
    }

    /// How many lines were lost, told once, and only when there is room for a line again.
    pub(super) fn take_lost(&self) -> Option<u64> {
        let room = self.waiting.load(Ordering::Relaxed) <= WAITING / 2;
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
