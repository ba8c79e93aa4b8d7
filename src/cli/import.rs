//! `basewatch import openshift`: OpenShift's YAML as TOML, and what was not carried over.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::{Exit, Global};
use crate::import::{self, Imported, Input, LARGEST, Options, Status, Weight};

/// What is imported.
#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// Image streams and build configs as TOML on stdout; what was not carried over on stderr
    Openshift(Openshift),
}

/// What is read of OpenShift, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Openshift {
    /// YAML or JSON, as `oc get -o yaml` prints it; - is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Take the stored ids and numbers along, so that nothing is built only because of the move
    #[arg(long)]
    with_status: bool,
    /// Leave out what cannot be imported instead of refusing all
    #[arg(long)]
    lenient: bool,
}

/// What is said last where something was refused and all is left out with it.
const NOTHING: &str = "nothing was written: mend what is refused, or leave it out with --lenient";

impl Import {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        match self {
            Self::Openshift(verb) => verb.run(global.json),
        }
    }
}

impl Openshift {
    fn run(&self, json: bool) -> anyhow::Result<Exit> {
        let texts = self.files.iter().map(|file| read(file)).collect::<anyhow::Result<Vec<_>>>()?;
        let inputs: Vec<Input> = texts.iter().map(|(name, text)| Input { name, text }).collect();
        let status = if self.with_status { Status::Taken } else { Status::Left };
        let imported = import::openshift(&inputs, Options { status });
        let (exit, shown) = self.verdict(imported.worst());
        let toml = if shown { imported.toml.as_str() } else { "" };
        let mut stdout = io::stdout().lock();
        if json {
            let report: Vec<String> = imported.lines.iter().map(ToString::to_string).collect();
            writeln!(stdout, "{}", json!({ "toml": toml, "report": report }))?;
        } else {
            tell(&imported);
            stdout.write_all(toml.as_bytes())?;
        }
        if !shown {
            let _ = writeln!(io::stderr(), "{NOTHING}");
        }
        Ok(exit)
    }

    /// How it ends, and whether the TOML is shown.
    fn verdict(&self, worst: Weight) -> (Exit, bool) {
        match worst {
            Weight::Told => (Exit::Done, true),
            Weight::Refused if self.lenient => (Exit::Done, true),
            Weight::Refused => (Exit::Failed, false),
            // Nobody knows what would have been in it, so it is not done even if one is lenient.
            Weight::Unreadable => (Exit::Failed, self.lenient),
        }
    }
}

fn tell(imported: &Imported) {
    let mut stderr = io::stderr().lock();
    for line in &imported.lines {
        // There is no better place to say that this cannot be said.
        let _ = writeln!(stderr, "{line}");
    }
}

/// The name and the text of a file. No more is read than is imported.
fn read(file: &Path) -> anyhow::Result<(String, String)> {
    if file == Path::new("-") {
        let text = read_text(io::stdin().lock()).context("read stdin")?;
        return Ok(("stdin".to_owned(), text));
    }
    let name = file.display().to_string();
    let opened = File::open(file).with_context(|| format!("open {name}"))?;
    let text = read_text(opened).with_context(|| format!("read {name}"))?;
    Ok((name, text))
}

fn read_text(reader: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    let most = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST {
        let text = format!("it is larger than {LARGEST} bytes: split it");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}
