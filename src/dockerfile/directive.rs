//! Parser directives: comments at the top of the file that say how to read the rest.

use super::error::{DockerfileError, shown};
use super::line::{Line, trim_start};

/// The directives that builders know. Any other comment, and any other line, ends them.
const KNOWN: &[&str] = &["syntax", "escape", "check"];

/// What the directives said so far.
#[derive(Debug)]
pub(super) struct Directives {
    /// The character that joins lines.
    pub(super) escape: u8,
    over: bool,
}

impl Directives {
    pub(super) fn new() -> Self {
        Self { escape: b'\\', over: false }
    }

    /// Looks at a line that no instruction began before.
    pub(super) fn look_at(&mut self, line: &Line<'_>) -> Result<(), DockerfileError> {
        if self.over {
            return Ok(());
        }
        let found = str::from_utf8(trim_start(line.text)).ok().and_then(directive);
        let Some((key, value)) = found else {
            self.over = true;
            return Ok(());
        };
        match (key.eq_ignore_ascii_case("escape"), value) {
            (false, _) => {}
            (true, "\\") => self.escape = b'\\',
            (true, "`") => self.escape = b'`',
            (true, other) => {
                return Err(DockerfileError::Escape { line: line.number, value: shown(other) });
            }
        }
        Ok(())
    }
}

/// The key and the value of `# key = value`, if builders know the key.
fn directive(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix('#')?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let known = KNOWN.iter().any(|known| key.eq_ignore_ascii_case(known));
    (known && !value.is_empty()).then_some((key, value))
}
