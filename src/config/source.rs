//! The files of a configuration, read and parsed: every line that is not TOML, told at once.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::locate::{fragment_dir, fragments};
use super::problem::{Place, Problem, Problems};
use super::tree::{Lines, Planter, Table, merge, take_apart};

/// All files together may not be larger; 5,000 watches take about one.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// How many lines that are neither key nor table are told, each at the cost of parsing the file once more.
const MAX_STRAY_LINES: usize = 20;

/// One tree of the main file and the `*.toml` files in `conf.d` beside it.
pub(super) fn read_all(main: &Arc<Path>, problems: &mut Problems) -> Table {
    let mut budget = MAX_BYTES;
    let mut tree = read(main, &mut budget, problems);
    let files = fragments(main).unwrap_or_else(|error| {
        problems.push(unreadable(&Arc::from(fragment_dir(main)), &error));
        Vec::new()
    });
    for file in files {
        let fragment = read(&file.into(), &mut budget, problems);
        merge(&mut tree, fragment, problems);
    }
    tree
}

fn read(file: &Arc<Path>, budget: &mut u64, problems: &mut Problems) -> Table {
    match read_text(file, budget) {
        Ok(text) => parse(file, &text, problems),
        Err(error) => {
            problems.push(unreadable(file, &error));
            Table::new()
        }
    }
}

fn read_text(file: &Path, budget: &mut u64) -> io::Result<String> {
    // Opening a pipe would wait for its writer.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(*budget + 1).read_to_end(&mut bytes)?;
    *budget = u64::try_from(bytes.len())
        .ok()
        .and_then(|read| budget.checked_sub(read))
        .ok_or_else(|| io::Error::other(format!("all files together are larger than {MAX_BYTES} bytes")))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}

/// Parses what can be parsed. The parser skips a value that it does not understand, but gives up at a line that is
/// neither key nor table; so such a line is told, blanked out, and the rest is parsed again.
fn parse(file: &Arc<Path>, text: &str, problems: &mut Problems) -> Table {
    let lines = Lines::of(text);
    let mut text = text.to_owned();
    let mut stray_lines = 0;
    loop {
        let (document, errors) = DeTable::parse_recoverable(&text);
        let document = document.into_inner();
        let stray = errors.iter().find(|error| error.message().starts_with("key with no value"));
        let Some(stray) = stray.filter(|_| stray_lines < MAX_STRAY_LINES) else {
            errors.iter().for_each(|error| problems.push(syntax(file, &text, &lines, error)));
            return Planter { file, lines: &lines, problems }.document(document);
        };
        take_apart(DeValue::Table(document));
        problems.push(syntax(file, &text, &lines, stray));
        blank_line(&mut text, lines.start(lines.at(stray.span().unwrap_or_default().start)));
        stray_lines += 1;
    }
}

fn blank_line(text: &mut String, start: usize) {
    let length = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().len();
    text.replace_range(start..start + length, &" ".repeat(length));
}

fn syntax(file: &Arc<Path>, text: &str, lines: &Lines, error: &toml::de::Error) -> Problem {
    /// After one of these the parser knows the key, and goes on behind the value.
    const VALUE_ONLY: [&str; 8] = [
        "duplicate key",
        "string values must be quoted",
        "invalid basic string",
        "invalid literal string",
        "missing escaped value",
        "invalid boolean",
        "unexpected leading zero",
        "missing comma between array elements",
    ];
    let span = error.span().unwrap_or_default();
    let place = Place { line: Some(lines.at(span.start)), ..Place::file(file) };
    let found = text.get(span).unwrap_or_default();
    let message = format!("not TOML: {}", error.message());
    let fix = fix(error.message(), found);
    let problem = match VALUE_ONLY.iter().any(|start| error.message().starts_with(start)) {
        true => Problem::malformed(&place, message, fix),
        false => Problem::unread(&place, message, fix),
    };
    if found.is_empty() { problem } else { problem.with_value(found) }
}

fn fix(message: &str, found: &str) -> String {
    match (message.starts_with("string values must be quoted"), found) {
        (true, "") => "write a value after the `=`".to_owned(),
        (true, found) => format!("write \"{found}\""),
        (false, _) if message.starts_with("duplicate key") => "keep one of the two".to_owned(),
        (false, _) if message.starts_with("key with no value") => "write KEY = VALUE".to_owned(),
        (false, _) => "correct this line, or what it belongs to".to_owned(),
    }
}

fn unreadable(file: &Arc<Path>, error: &io::Error) -> Problem {
    let place = Place::file(file);
    let fix = if error.kind() == io::ErrorKind::NotFound {
        "create it, or name another with --config or $BASEWATCH_CONFIG"
    } else {
        "let it be a text file of reasonable size that the user who runs basewatch may read"
    };
    Problem::unread(&place, format!("cannot be read: {error}"), fix)
}
