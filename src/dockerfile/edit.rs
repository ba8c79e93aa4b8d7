//! What is done to a text, and doing it.

use std::ops::Range;

use super::instruction::End;
use super::line::Ending;
use super::{Replaced, Rewritten};

/// What is to be done, in no order.
#[derive(Debug, Default)]
pub(super) struct Edits {
    all: Vec<Edit>,
}

/// A part of the file that gives way to a text.
#[derive(Debug)]
struct Edit {
    span: Range<usize>,
    text: String,
    replaced: Option<Replaced>,
}

impl Edits {
    /// Replaces an image.
    pub(super) fn replace(&mut self, span: Range<usize>, replaced: Replaced) {
        self.all.push(Edit { span, text: replaced.new.clone(), replaced: Some(replaced) });
    }

    /// Takes a part out.
    pub(super) fn remove(&mut self, span: Range<usize>) {
        self.all.push(Edit { span, text: String::new(), replaced: None });
    }

    /// Puts a line behind an instruction, and behind those that were put there before.
    pub(super) fn put_line(&mut self, end: &End, line: &str) {
        // It must not become a part of the instruction that it is put behind.
        end.joints.iter().for_each(|joint| self.remove(*joint..joint + 1));
        let text = match end.ending {
            Ending::Unix | Ending::Windows => format!("{line}{}", end.newline),
            Ending::File => format!("{}{line}", end.newline),
        };
        self.all.push(Edit { span: end.offset..end.offset, text, replaced: None });
    }

    /// Does it all.
    pub(super) fn apply(mut self, file: &[u8]) -> Rewritten {
        // Of two at one place the one that was asked for first comes first.
        self.all.sort_by_key(|edit| edit.span.start);
        let mut text = Vec::with_capacity(file.len());
        let mut replaced = Vec::new();
        let mut at = 0;
        for edit in self.all {
            text.extend_from_slice(file.get(at..edit.span.start).unwrap_or_default());
            text.extend_from_slice(edit.text.as_bytes());
            replaced.extend(edit.replaced);
            at = at.max(edit.span.end);
        }
        text.extend_from_slice(file.get(at..).unwrap_or_default());
        Rewritten { text, replaced }
    }
}
