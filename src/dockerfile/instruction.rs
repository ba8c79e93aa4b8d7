//! Lines joined to instructions, as a builder reads them, with the way back to the file.

use std::iter::successors;
use std::ops::Range;

use super::directive::Directives;
use super::error::{DockerfileError, shown};
use super::heredoc::{self, Heredoc};
use super::line::{Ending, Line, Lines, trim_end, trim_start};

/// Reads one instruction after the other.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    lines: Lines<'a>,
    directives: Directives,
}

/// One instruction: its lines joined, without comments, empty lines and what joined them.
#[derive(Debug)]
pub(super) struct Instruction {
    /// The joined lines.
    pub(super) text: String,
    /// The line that it begins in.
    pub(super) line: usize,
    /// Where it ends, its heredocs included.
    pub(super) end: End,
    pieces: Vec<Piece>,
}

/// Where something can be put behind an instruction.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// Where the next line of the file is.
    pub(super) offset: usize,
    /// What lines end with here.
    pub(super) newline: &'static str,
    /// Whether the line before ends with the file.
    pub(super) ending: Ending,
    /// The characters that join the instruction to lines that never come: they would join what is put behind it. Only
    /// at the end of a file there are any.
    pub(super) joints: Vec<usize>,
}

/// What one line gave to an instruction.
#[derive(Debug)]
struct Piece {
    /// Where it begins in the joined text.
    at: usize,
    /// Where it begins in the file.
    offset: usize,
    line: usize,
}

/// An instruction whose lines are still being joined.
#[derive(Debug)]
struct Draft {
    text: Vec<u8>,
    line: usize,
    pieces: Vec<Piece>,
    /// Whether the next line is joined to the last one.
    is_open: bool,
    /// The characters that join lines, from the last line on that has something else in it.
    joints: Vec<usize>,
    end: usize,
    ending: Ending,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        Self { lines: Lines::new(file), directives: Directives::new() }
    }

    /// The next instruction. One that cannot be read hides what follows, so that nothing may follow an error.
    pub(super) fn next(&mut self) -> Result<Option<Instruction>, DockerfileError> {
        let Some(first) = self.first_line()? else {
            return Ok(None);
        };
        let mut draft = Draft::new(&first);
        draft.join(&first, trim_start(first.text), self.directives.escape);
        while draft.is_open
            && let Some(line) = self.lines.next()?
        {
            (draft.end, draft.ending) = (line.end, line.ending);
            if !line.is_comment() && !line.is_blank() {
                draft.join(&line, line.text, self.directives.escape);
            }
        }
        let mut instruction = draft.finish(self.lines.newline())?;
        for heredoc in heredoc::of(&instruction.text) {
            self.skip(&heredoc, &mut instruction)?;
        }
        Ok(Some(instruction))
    }

    /// The next line that is neither blank nor a comment.
    fn first_line(&mut self) -> Result<Option<Line<'a>>, DockerfileError> {
        while let Some(line) = self.lines.next()? {
            self.directives.look_at(&line)?;
            if !line.is_comment() && !line.is_blank() {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// Skips the text of a heredoc, in which nothing is an instruction.
    fn skip(&mut self, heredoc: &Heredoc, instruction: &mut Instruction) -> Result<(), DockerfileError> {
        while let Some(line) = self.lines.next()? {
            if heredoc.ends_with(line.text) {
                let newline = self.lines.newline();
                instruction.end = End { offset: line.end, newline, ending: line.ending, joints: Vec::new() };
                return Ok(());
            }
        }
        Err(DockerfileError::Heredoc { line: instruction.line, name: shown(heredoc.name()) })
    }
}

impl Draft {
    fn new(first: &Line<'_>) -> Self {
        let (line, end, ending) = (first.number, first.end, first.ending);
        Self { text: Vec::new(), line, pieces: Vec::new(), is_open: false, joints: Vec::new(), end, ending }
    }

    /// Adds a line, or the part of it that counts.
    fn join(&mut self, line: &Line<'_>, part: &[u8], escape: u8) {
        let offset = line.start + line.text.len() - part.len();
        // With one joint gone, the character before it may be another: `x\ \`.
        let kept: Vec<&[u8]> = successors(joined(part, escape), |kept| joined(kept, escape)).collect();
        let bare = kept.last().copied().unwrap_or(part);
        // Nor does a line without anything else end the instruction then: the joint of the one before goes as well.
        if !trim_start(bare).is_empty() {
            self.joints.clear();
        }
        self.joints.extend(kept.iter().map(|kept| offset + kept.len()));
        self.is_open = !kept.is_empty();
        self.pieces.push(Piece { at: self.text.len(), offset, line: line.number });
        self.text.extend_from_slice(kept.first().copied().unwrap_or(part));
    }

    fn finish(self, newline: &'static str) -> Result<Instruction, DockerfileError> {
        let text = String::from_utf8(self.text);
        let mut text = text.map_err(|_| DockerfileError::NotUtf8 { line: self.line })?;
        text.truncate(text.trim_end().len());
        let joints = if self.is_open { self.joints } else { Vec::new() };
        let end = End { offset: self.end, newline, ending: self.ending, joints };
        Ok(Instruction { text, line: self.line, end, pieces: self.pieces })
    }
}

impl Instruction {
    /// The first word, and where what follows it begins.
    pub(super) fn keyword(&self) -> (&str, usize) {
        let blanks = self.text.len() - self.text.trim_start().len();
        let word = words(&self.text, blanks).next().unwrap_or(0..0);
        (self.text.get(word.clone()).unwrap_or_default(), word.end)
    }

    /// Where a part of the joined text is in the file; what joins its lines is part of it.
    pub(super) fn span(&self, part: &Range<usize>) -> Range<usize> {
        if part.is_empty() {
            return self.end.offset..self.end.offset;
        }
        self.offset(part.start)..self.offset(part.end - 1) + 1
    }

    /// The line in which a place of the joined text is.
    pub(super) fn line_of(&self, at: usize) -> usize {
        self.piece(at).map_or(self.line, |piece| piece.line)
    }

    fn offset(&self, at: usize) -> usize {
        self.piece(at).map_or(at, |piece| piece.offset + (at - piece.at))
    }

    /// The last piece that begins there or before; empty ones have nothing in them.
    fn piece(&self, at: usize) -> Option<&Piece> {
        self.pieces.get(self.pieces.partition_point(|piece| piece.at <= at).checked_sub(1)?)
    }
}

/// Whether builders part words there. Other blanks of Unicode they keep.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c')
}

/// Where the words of a text are, from a place on.
pub(super) fn words(text: &str, from: usize) -> impl Iterator<Item = Range<usize>> {
    let mut at = from;
    std::iter::from_fn(move || {
        let rest = text.as_bytes().get(at..)?;
        let start = at + rest.iter().position(|byte| !is_blank(*byte))?;
        let word = text.as_bytes().get(start..)?;
        at = start + word.iter().position(|byte| is_blank(*byte)).unwrap_or(word.len());
        Some(start..at)
    })
}

/// What is left of a line that the next one is joined to, if it is one: an escape character ends it, blanks aside, and
/// none stands before that.
fn joined(line: &[u8], escape: u8) -> Option<&[u8]> {
    let line = trim_end(line, |byte| matches!(byte, b' ' | b'\t'));
    let (last, rest) = line.split_last()?;
    (*last == escape && rest.last() != Some(&escape)).then_some(rest)
}
