//! Heredocs: `RUN <<EOF`, and the lines up to `EOF`.
//!
//! BuildKit finds them among the words of the whole instruction, quotes and backslashes heeded as a shell does. The
//! backslash is one here whatever the escape directive says.

use std::str::CharIndices;

use super::flag;
use super::instruction::words;

/// Instructions that may have heredocs.
const HOSTS: &[&str] = &["run", "copy", "add"];

/// What may stand between `<<` and the name.
const BLANKS: [char; 2] = [' ', '\t'];

/// One heredoc whose text is still to come.
#[derive(Debug)]
pub(super) struct Heredoc {
    name: String,
    tabs: Tabs,
}

/// What becomes of the tabs that lines begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tabs {
    /// They are text.
    Kept,
    /// `<<-`: they are not there.
    Dropped,
}

impl Heredoc {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the line is the one that ends it.
    pub(super) fn ends_with(&self, line: &[u8]) -> bool {
        let tabs = match self.tabs {
            Tabs::Kept => 0,
            Tabs::Dropped => line.iter().take_while(|byte| **byte == b'\t').count(),
        };
        line.get(tabs..) == Some(self.name.as_bytes())
    }
}

/// The heredocs of an instruction, in the order in which their texts come.
pub(super) fn of(instruction: &str) -> Vec<Heredoc> {
    if !instruction.contains("<<") || !may_have_heredocs(instruction) {
        return Vec::new();
    }
    let words = shell_words(instruction).unwrap_or_default();
    words.into_iter().filter_map(heredoc).collect()
}

/// Whether heredocs count here: in some instructions, also behind ONBUILD, and not in their JSON form.
fn may_have_heredocs(instruction: &str) -> bool {
    let (host, arguments) = keyword(instruction);
    let (host, arguments) =
        if host.eq_ignore_ascii_case("onbuild") { keyword(arguments) } else { (host, arguments) };
    let is_host = HOSTS.iter().any(|name| host.eq_ignore_ascii_case(name));
    let is_json = || serde_json::from_str::<Vec<String>>(arguments.trim()).is_ok();
    is_host && !(arguments.trim_start().starts_with('[') && is_json())
}

/// The first word, and what follows it and its flags.
fn keyword(text: &str) -> (&str, &str) {
    let word = words(text, 0).next().unwrap_or(0..0);
    let rest = flag::flags(text, word.end).1;
    (text.get(word).unwrap_or_default(), text.get(rest..).unwrap_or_default())
}

/// The words of a shell's line as they stand, with quotes and backslashes. None if a quote is not closed: a shell would
/// not read such a line, and BuildKit sees no heredocs in it.
fn shell_words(text: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character.is_whitespace() {
            words.extend(start.take().and_then(|start: usize| text.get(start..at)));
            continue;
        }
        start.get_or_insert(at);
        match character {
            '\'' | '"' => skip_quoted(&mut characters, character)?,
            '\\' => drop(characters.next()),
            '<' if characters.as_str().starts_with('<') => skip_blanks(&mut characters),
            _ => {}
        }
    }
    words.extend(start.and_then(|start| text.get(start..)));
    Some(words)
}

/// Goes on behind the closing quote. A backslash hides one, though not in single quotes.
fn skip_quoted(characters: &mut CharIndices<'_>, quote: char) -> Option<()> {
    loop {
        match characters.next()?.1 {
            '\\' if quote == '"' => drop(characters.next()),
            closing if closing == quote => return Some(()),
            _ => {}
        }
    }
}

/// Goes on behind the second `<` and the blanks after it: they belong to the word.
fn skip_blanks(characters: &mut CharIndices<'_>) {
    characters.next();
    while characters.as_str().starts_with(BLANKS) {
        characters.next();
    }
}

/// The heredoc that a word of a shell's line begins: `<<EOF`, `<<-EOF`, `3<<"EOF"`.
fn heredoc(word: &str) -> Option<Heredoc> {
    let rest = word.trim_start_matches(|digit: char| digit.is_ascii_digit()).strip_prefix("<<")?;
    let (tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (Tabs::Dropped, rest),
        None => (Tabs::Kept, rest),
    };
    let quoted = rest.trim_start_matches(BLANKS);
    // `$((1 << 2))` is no heredoc, whatever the latest BuildKit makes of it.
    if quoted.contains('<') || (quoted.len() < rest.len() && !is_plain(quoted)) {
        return None;
    }
    let name = unquoted(quoted);
    (!name.is_empty()).then_some(Heredoc { name, tabs })
}

fn is_plain(name: &str) -> bool {
    let name = name.trim_matches(['\'', '"']);
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A word as the shell understands it.
fn unquoted(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    let mut quote = None;
    let mut characters = word.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, '\\') => plain.extend(characters.next()),
            (Some('"'), '\\') => {
                let escaped = characters.next_if(|next| matches!(next, '"' | '$' | '\\'));
                plain.push(escaped.unwrap_or('\\'));
            }
            _ => plain.push(character),
        }
    }
    plain
}
