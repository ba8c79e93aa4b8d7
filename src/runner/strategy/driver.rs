//! The driver: a process of its own that makes one build.

mod delivery;
mod image;
mod source;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Serialize;

use super::error::StrategyError;
use super::place::Context;
use super::step::Step;
use super::{Work, is_driven};
use crate::controller::{BuildSpec, BuiltImage, StrategyKind};
use crate::runner::directory::{WORK, replace};
use crate::text::harmless;

/// Makes the build that `file` tells of, and answers with the exit code of the process: that of the first step that failed.
/// All it says, and all that its steps say, goes to stdout and stderr.
#[must_use]
pub fn drive(file: &Path) -> u8 {
    match Driver::new(file).and_then(|mut driver| driver.run()) {
        Ok(()) => 0,
        Err(error) => {
            // There is no better place to say that this cannot be said.
            let _ = writeln!(io::stderr(), "basewatch: {}", harmless(&error.to_string()));
            error.exit_code()
        }
    }
}

/// A build that is being made.
struct Driver {
    spec: BuildSpec,
    /// Where to tell what came of it, if anywhere.
    result_file: Option<PathBuf>,
    result: ResultFile,
}

/// What the build tells of itself.
#[derive(Debug, Default, Serialize)]
struct ResultFile {
    images: Vec<BuiltImage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
}

impl Driver {
    fn new(file: &Path) -> Result<Self, StrategyError> {
        let Work { spec } = Work::read(file)?;
        if !is_driven(&spec) {
            return Err(StrategyError::NotDriven);
        }
        // Every path is from here on one from the build's own directory.
        let directory =
            file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::env::set_current_dir(directory).map_err(StrategyError::file("go to", directory))?;
        let result_file = std::env::var_os("BASEWATCH_RESULT_FILE").map(PathBuf::from);
        Ok(Self { spec, result_file, result: ResultFile::default() })
    }

    fn run(&mut self) -> Result<(), StrategyError> {
        fs::create_dir_all(WORK).map_err(StrategyError::file("make the directory", WORK))?;
        let context = self.source()?;
        match self.spec.strategy {
            StrategyKind::Docker => self.docker(&context),
            StrategyKind::Source => self.builder(&context),
            StrategyKind::Command | StrategyKind::Custom => Err(self.command(&context)),
        }
    }

    /// The build's own command takes the driver's place, so that its end is the build's.
    fn command(&self, context: &Context) -> StrategyError {
        let mut words = self.spec.command.iter();
        let program = words.next().map(String::as_str).unwrap_or_default();
        let step = Step::new(program, words.map(String::as_str));
        print(&step);
        StrategyError::Start { step: step.name(), source: step.replace(Path::new(&context.path)) }
    }

    /// Writes down what is known of the result so far: a build that fails later has a commit all the same.
    fn tell(&self) -> Result<(), StrategyError> {
        let Some(path) = &self.result_file else { return Ok(()) };
        let text = serde_json::to_vec(&self.result).map_err(io::Error::from);
        text.and_then(|text| replace(path, &text)).map_err(StrategyError::file("write", path))
    }
}

/// Tells a step as it begins.
fn print(step: &Step) {
    say(&format!("+ {}", step.shown()));
}

/// Tells what the driver does without a command. That nobody hears it is no reason to stop.
fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}

/// Runs a step; one that fails is the end.
fn run(step: &Step) -> Result<(), StrategyError> {
    match try_run(step)? {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

/// Runs a step that may fail: then how.
fn try_run(step: &Step) -> Result<Option<StrategyError>, StrategyError> {
    print(step);
    let status = step.run().map_err(|source| StrategyError::Start { step: step.name(), source })?;
    Ok((!status.success()).then(|| StrategyError::Step { step: step.name(), status }))
}

/// Runs a step for what it prints.
fn ask(step: &Step) -> Result<Vec<u8>, StrategyError> {
    try_ask(step)?
}

/// The same for a step that may fail.
fn try_ask(step: &Step) -> Result<Result<Vec<u8>, StrategyError>, StrategyError> {
    print(step);
    let output = step.output(Stdio::inherit());
    let output = output.map_err(|source| StrategyError::Start { step: step.name(), source })?;
    Ok(output.map_err(|status| StrategyError::Step { step: step.name(), status }))
}

/// Writes a file for a step to read.
fn write(path: &str, text: impl AsRef<[u8]>) -> Result<(), StrategyError> {
    replace(Path::new(path), text.as_ref()).map_err(StrategyError::file("write", path))
}
