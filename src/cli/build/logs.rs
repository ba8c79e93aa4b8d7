//! `basewatch build logs`: what a build printed.

use std::io::{self, Write as _};

use serde::Serialize;

use super::super::{Exit, Global, client};
use crate::control::protocol::BuildName;

/// The log as it is; with `--json` an object a line.
pub(super) fn logs(global: &Global, name: &BuildName) -> anyhow::Result<Exit> {
    let mut stdout = io::stdout().lock();
    if global.json {
        let mut lines = JsonLines { out: &mut stdout, open: Vec::new() };
        client::ask(global, async |daemon| daemon.log(name, |piece| lines.piece(piece)).await)?;
        lines.end()?;
    } else {
        client::ask(global, async |daemon| daemon.log(name, |piece| stdout.write_all(piece)).await)?;
    }
    stdout.flush()?;
    Ok(Exit::Done)
}

/// Turns text that arrives in pieces into lines of JSON.
pub(in super::super) struct JsonLines<W> {
    pub(in super::super) out: W,
    /// The line that has not ended yet.
    pub(in super::super) open: Vec<u8>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    line: &'a str,
}

impl<W: io::Write> JsonLines<W> {
    /// A line longer than this, in bytes, is told as several.
    pub(in super::super) const LONGEST: usize = 1024 * 1024;

    pub(in super::super) fn piece(&mut self, piece: &[u8]) -> io::Result<()> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.open.extend_from_slice(part);
            if part.ends_with(b"\n") || self.open.len() > Self::LONGEST {
                self.end()?;
            }
        }
        Ok(())
    }

    /// Writes the line that is open, if one is.
    pub(in super::super) fn end(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&self.open);
        let line = JsonLine { line: text.strip_suffix('\n').unwrap_or(&text) };
        serde_json::to_writer(&mut self.out, &line)?;
        self.open.clear();
        self.out.write_all(b"\n")
    }
}
