//! The lines of a file as they stand: where each is, and how it ends.

use super::error::DockerfileError;

/// The longest line that BuildKit and buildah read, in bytes and without what ends it.
pub(super) const LONGEST_LINE: usize = (1 << 16) - 1;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// What is in it, without what ends it.
    pub(super) text: &'a [u8],
    /// The first line is 1.
    pub(super) number: usize,
    /// Where it is in the file.
    pub(super) start: usize,
    /// Where the next one is.
    pub(super) end: usize,
    pub(super) ending: Ending,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// `\n`.
    Unix,
    /// `\r\n`.
    Windows,
    /// With the file.
    File,
}

/// The lines that are still to come.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    file: &'a [u8],
    at: usize,
    number: usize,
    ending: Ending,
}

impl<'a> Lines<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        let at = if file.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Self { file, at, number: 0, ending: Ending::Unix }
    }

    /// How lines end where the last one did not end: as the ones before it.
    pub(super) fn newline(&self) -> &'static str {
        match self.ending {
            Ending::Windows => "\r\n",
            Ending::Unix | Ending::File => "\n",
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Line<'a>>, DockerfileError> {
        let rest = self.file.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |newline| newline + 1);
        let line = self.line(rest.get(..length).unwrap_or_default());
        (self.at, self.number) = (line.end, line.number);
        if line.ending != Ending::File {
            self.ending = line.ending;
        }
        match line.text.len() <= LONGEST_LINE {
            true => Ok(Some(line)),
            false => Err(DockerfileError::LongLine { line: line.number }),
        }
    }

    fn line(&self, whole: &'a [u8]) -> Line<'a> {
        let ending = match whole {
            [.., b'\r', b'\n'] => Ending::Windows,
            [.., b'\n'] => Ending::Unix,
            _ => Ending::File,
        };
        let text = trim_end(whole, |byte| matches!(byte, b'\r' | b'\n'));
        Line { text, number: self.number + 1, start: self.at, end: self.at + whole.len(), ending }
    }
}

impl Line<'_> {
    /// Whether it is a comment; builders drop it, be it within an instruction.
    pub(super) fn is_comment(&self) -> bool {
        trim_start(self.text).starts_with(b"#")
    }

    pub(super) fn is_blank(&self) -> bool {
        trim_start(self.text).is_empty()
    }
}

/// Without the blanks that it begins with: those of Unicode, as builders see it.
pub(super) fn trim_start(text: &[u8]) -> &[u8] {
    let valid = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let blanks = valid.len() - valid.trim_start().len();
    text.get(blanks..).unwrap_or_default()
}

/// Without what it ends with, as long as that is to go.
pub(super) fn trim_end(mut text: &[u8], goes: impl Fn(u8) -> bool) -> &[u8] {
    while let [rest @ .., last] = text
        && goes(*last)
    {
        text = rest;
    }
    text
}

/// Text has no NUL: programs and archives do, and so does UTF-16.
pub(super) fn check_is_text(file: &[u8]) -> Result<(), DockerfileError> {
    match file.iter().position(|byte| *byte == 0) {
        None => Ok(()),
        Some(nul) => {
            let before = file.get(..nul).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            Err(DockerfileError::Binary { line })
        }
    }
}
