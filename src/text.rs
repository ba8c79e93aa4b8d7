//! Text of strangers: registries, builds, libraries. Nobody lets it onto a terminal or into a log as it came.

/// Whether a character can move a cursor, begin a line of its own or change the direction of what stands around it, so
/// that a text looks like something else.
pub(crate) fn is_unsafe(character: char) -> bool {
    let separator = matches!(character, '\u{2028}' | '\u{2029}');
    let mark = matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}');
    let direction = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || separator || mark || direction
}

/// The text with all that is unsafe in it escaped: it stays in its line, and can be read.
pub(crate) fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    text.chars().for_each(|character| push_harmless(&mut harmless, character));
    harmless
}

/// Adds a character, escaped if it is unsafe: for those who also count or cut.
pub(crate) fn push_harmless(text: &mut String, character: char) {
    match is_unsafe(character) {
        true => text.extend(character.escape_default()),
        false => text.push(character),
    }
}

/// A word as a shell would take it, so that a command can be tried by hand.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests;
