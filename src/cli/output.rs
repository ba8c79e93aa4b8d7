//! Where answers go: stdout, as text or as JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::style::Style;

/// How an answer reads as text.
pub(super) trait Show: Serialize {
    /// The text, its last newline included.
    fn show(&self, style: Style) -> String;
}

/// Prints an answer.
pub(super) fn print(answer: &impl Show, json: bool) -> io::Result<()> {
    let text = match json {
        true => serde_json::to_string_pretty(answer)? + "\n",
        false => answer.show(Style::of_stdout()),
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
