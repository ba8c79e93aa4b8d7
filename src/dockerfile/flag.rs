//! Flags of an instruction: `--from=image`, `--mount=type=bind,from=image`.

use std::ops::Range;

use super::instruction::is_blank;

/// One flag.
#[derive(Debug)]
pub(super) struct Flag {
    /// What it is called and what it says, in one, without the dashes.
    letters: Vec<Letter>,
}

/// A byte as the builder understands it, and where it stands in the instruction: quotes have no letter, and what is
/// escaped is one letter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letter {
    byte: u8,
    start: usize,
    end: usize,
}

impl Flag {
    /// What the flag says, if it is called that.
    pub(super) fn value(&self, name: &str) -> Option<&[Letter]> {
        pair(&self.letters).filter(|(key, _)| key.as_slice() == name.as_bytes()).map(|(_, value)| value)
    }
}

/// What each of the fields `key=value,…` of that key says. Its case does not matter.
pub(super) fn fields<'a>(value: &'a [Letter], key: &'a str) -> impl Iterator<Item = &'a [Letter]> {
    let pairs = value.split(|letter| letter.byte == b',').filter_map(pair);
    pairs.filter(move |(name, _)| name.eq_ignore_ascii_case(key.as_bytes())).map(|(_, value)| value)
}

fn pair(letters: &[Letter]) -> Option<(Vec<u8>, &[Letter])> {
    let equals = letters.iter().position(|letter| letter.byte == b'=')?;
    let (key, value) = letters.split_at_checked(equals)?;
    Some((bytes(key), value.get(1..)?))
}

/// What the letters spell.
pub(super) fn word(letters: &[Letter]) -> String {
    String::from_utf8_lossy(&bytes(letters)).into_owned()
}

/// Where the letters stand, in as few parts as there are: quotes lie between two.
pub(super) fn parts(letters: &[Letter]) -> impl Iterator<Item = Range<usize>> {
    let runs = letters.chunk_by(|letter, next| letter.end == next.start);
    runs.filter_map(|run| Some(run.first()?.start..run.last()?.end))
}

fn bytes(letters: &[Letter]) -> Vec<u8> {
    letters.iter().map(|letter| letter.byte).collect()
}

/// The flags of an instruction, from behind its first word on, and where the rest of it begins.
pub(super) fn flags(text: &str, from: usize) -> (Vec<Flag>, usize) {
    let bytes = text.as_bytes();
    let mut flags = Vec::new();
    let mut at = from;
    loop {
        at += bytes.iter().skip(at).take_while(|byte| is_blank(**byte)).count();
        if !bytes.get(at..).is_some_and(|rest| rest.starts_with(b"--")) {
            return (flags, at);
        }
        let (letters, end) = letters(bytes, at + 2);
        at = end;
        if letters.is_empty() {
            return (flags, at);
        }
        flags.push(Flag { letters });
    }
}

/// The letters of a word, and where it ends. A backslash escapes anything, whatever the escape directive says.
fn letters(text: &[u8], from: usize) -> (Vec<Letter>, usize) {
    let mut letters = Vec::new();
    let mut quote = None;
    let mut at = from;
    while let Some(byte) = text.get(at).copied() {
        let start = at;
        at += 1;
        match (quote, byte) {
            (None, blank) if is_blank(blank) => return (letters, start),
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), closing) if open == closing => quote = None,
            (_, b'\\') => {
                let Some(byte) = text.get(at).copied() else { break };
                at += 1;
                letters.push(Letter { byte, start, end: at });
            }
            (_, byte) => letters.push(Letter { byte, start, end: at }),
        }
    }
    (letters, at)
}
