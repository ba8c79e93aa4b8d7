//! The last lines of an output, fit for the log.

use std::collections::VecDeque;

use crate::text::push_harmless;

/// How many lines are kept.
pub(super) const LINES: usize = 20;
/// How long a line may be, in bytes; the rest of it is cut off.
pub(super) const LINE_LIMIT: usize = 4 << 10;
/// As much of each kept line as lets all of them into one value of the log, which is cut at 16 KiB: the last line, often
/// the very error, must not be what falls off the end.
pub(super) const TAIL_LIMIT: usize = 800;

/// Cuts output into lines, and keeps the last of them. Its size is bounded, whatever comes in.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<Vec<u8>>,
    /// The line that has no end yet, cut one byte beyond the limit.
    open: Vec<u8>,
}

impl Tail {
    /// Takes the next piece of output, and shows each line that it completes.
    pub(super) fn take(&mut self, piece: &[u8], mut each: impl FnMut(&[u8])) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = (LINE_LIMIT + 1).saturating_sub(self.open.len()).min(text.len());
            self.open.extend_from_slice(text.get(..room).unwrap_or_default());
            if ends {
                each(&self.open);
                self.close();
            }
        }
    }

    /// Ends a last line that came without a newline.
    pub(super) fn finish(&mut self, each: impl FnOnce(&[u8])) {
        if !self.open.is_empty() {
            each(&self.open);
            self.close();
        }
    }

    /// The last lines, oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.iter().map(|line| printable(line, TAIL_LIMIT)).collect()
    }

    /// The memory of the line that is dropped serves the next one, so that a flood allocates nothing.
    fn close(&mut self) {
        let spare = if self.lines.len() == LINES { self.lines.pop_front() } else { None };
        let mut next = spare.unwrap_or_default();
        next.clear();
        self.lines.push_back(std::mem::replace(&mut self.open, next));
    }
}

/// A line as text that cannot move a cursor, begin a line of its own or change the direction of others: a child's text
/// must never look like an event. What is beyond `limit` bytes is cut off.
pub(super) fn printable(line: &[u8], limit: usize) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut text = String::with_capacity(line.len().min(limit));
    for character in String::from_utf8_lossy(line).chars() {
        if text.len() >= limit {
            text.push('…');
            break;
        }
        match character {
            '\t' => text.push(character),
            _ => push_harmless(&mut text, character),
        }
    }
    text
}
