//! `basewatch validate`: all problems of a configuration at once.

use std::path::PathBuf;

use serde::Serialize;

use super::output::{self, Show};
use super::style::{Style, Tone};
use super::{ConfigError, Exit, Global};
use crate::config::{self, Loaded, Problem, Problems, SecretFiles};

/// How the configuration is looked at.
#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    /// Do not look at the files that hold passwords and certificates: they are on another machine
    #[arg(long)]
    offline: bool,
}

/// What there is to say of a configuration.
#[derive(Debug, Serialize)]
struct Verdict<'a> {
    /// Whether it can be used.
    valid: bool,
    /// What is wrong, or probably not meant.
    problems: Vec<&'a Problem>,
    #[serde(skip)]
    last_line: String,
}

impl Validate {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let secrets = if self.offline { SecretFiles::Skip } else { secret_files() };
        let file = global.config_file();
        match config::load(&file, &secrets) {
            Ok(loaded) => {
                output::print(&right(&loaded, &file.display().to_string()), global.json)?;
                Ok(Exit::Done)
            }
            Err(problems) => {
                output::print(&wrong(&problems), global.json)?;
                Ok(Exit::Config)
            }
        }
    }
}

/// The secret files as the daemon would find them.
pub(super) fn secret_files() -> SecretFiles {
    SecretFiles::Check { credentials: credentials_dir() }
}

/// Where systemd put the credentials of the unit.
pub(super) fn credentials_dir() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// Why a verb that needs the configuration cannot go on.
pub(super) fn unusable(problems: &Problems) -> ConfigError {
    ConfigError(format!("the configuration has {}:\n{problems}", problems.summary()))
}

fn right<'a>(Loaded { settings, warnings }: &'a Loaded, file: &str) -> Verdict<'a> {
    let configs = settings.controller.build_configs.len();
    let (tags, hosts) = (settings.tags.len(), settings.registries.len());
    let last_line = format!("{file} can be used: {configs} build configs, {tags} tags, {hosts} registries");
    Verdict { valid: true, problems: warnings.iter().collect(), last_line }
}

fn wrong(problems: &Problems) -> Verdict<'_> {
    Verdict { valid: false, problems: problems.iter().collect(), last_line: problems.summary() }
}

impl Show for Verdict<'_> {
    fn show(&self, style: Style) -> String {
        let mut text: String = self.problems.iter().map(|problem| format!("{problem}\n")).collect();
        let tone = if self.valid { Tone::Good } else { Tone::Bad };
        text.push_str(&style.paint(tone, &self.last_line));
        text.push('\n');
        text
    }
}
