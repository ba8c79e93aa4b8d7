//! `basewatch build show|logs|cancel|rebuild`: one build.

mod logs;
mod rebuild;
mod text;
mod yaml;

use std::io::{self, Write as _};

use super::output::{self, Show};
use super::style::Style;
use super::{Exit, Global, client};
use crate::control::protocol::{self, BuildName, Phase};

#[cfg(test)]
pub(super) use logs::JsonLines;
pub(super) use text::given;

/// What to do with one build.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Build {
    /// What brought it about, what it was given, and what became of it
    Show {
        #[command(flatten)]
        build: Name,
        /// The form of the answer: json is the same as --json, yaml is the build as OpenShift prints it
        #[arg(short, long, value_name = "FORM")]
        output: Option<Form>,
    },
    /// What it printed
    Logs(Name),
    /// Call it off: at once if it waits, else as soon as it has stopped
    Cancel(Name),
    /// Make it again, of the same images, as a new build
    Rebuild(rebuild::Rebuild),
}

/// Which build.
#[derive(Debug, clap::Args)]
pub(super) struct Name {
    /// [NAMESPACE/]NAME-NUMBER, such as app-7
    #[arg(value_name = "BUILD")]
    build: String,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    Json,
    Yaml,
}

impl Build {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        match self {
            Self::Show { build, output } => show(global, &build.name(), *output),
            Self::Logs(build) => logs::logs(global, &build.name()),
            Self::Rebuild(verb) => verb.run(global),
            Self::Cancel(build) => {
                let name = build.name();
                client::print(global, async |daemon| daemon.cancel(&name).await)
            }
        }
    }
}

impl Name {
    fn name(&self) -> BuildName {
        BuildName { build: self.build.clone() }
    }
}

fn show(global: &Global, name: &BuildName, form: Option<Form>) -> anyhow::Result<Exit> {
    let detail = client::ask(global, async |daemon| daemon.build(name).await)?;
    match form {
        Some(Form::Yaml) => io::stdout().lock().write_all(yaml::yaml(&detail)?.as_bytes())?,
        Some(Form::Json) => output::print(&detail, true)?,
        None => output::print(&detail, global.json)?,
    }
    Ok(Exit::Done)
}

impl Show for protocol::Build {
    fn show(&self, _: Style) -> String {
        match self.cancel_asked && self.phase == Phase::Running {
            true => format!("{} is being stopped\n", self.build),
            false => format!("{} is {:?}\n", self.build, self.phase),
        }
    }
}
