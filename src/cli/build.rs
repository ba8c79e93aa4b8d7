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

impl Show for BuildDetail {
    fn show(&self, style: Style) -> String {
        let build = &self.build;
        let mut list = List::default();
        list.add("build", &format!("{} ({})", build.build, build.id));
        let why = builds::why(build, style).map(|why| format!(", {why}")).unwrap_or_default();
        list.raw(
            "phase",
            &format!("{}{}", style.paint(tone(build.phase), &format!("{:?}", build.phase)), harmless(&why)),
        );
        list.add("cause", &build.cause);
        list.add("created", &build.created.to_string());
        if let Some(ended) = build.ended {
            list.add("ended", &ended.to_string());
        }
        self.spec.iter().for_each(|spec| list.spec(spec));
        list.add("run policy", &self.run_policy);
        self.history.iter().for_each(|attempt| list.attempt(attempt));
        for image in &self.images {
            list.add("made", &format!("{} {}", image.reference, image.digest));
        }
        list.add("log", &self.log.display().to_string());
        list.0
    }
}

/// Facts, one a line, under one another.
#[derive(Default)]
struct List(String);

impl List {
    fn add(&mut self, name: &str, value: &str) {
        self.raw(name, &harmless(value));
    }

    /// A value that is known to be harmless.
    fn raw(&mut self, name: &str, value: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{name:<12}{value}");
    }

    fn spec(&mut self, spec: &Spec) {
        for cause in &spec.causes {
            self.cause(cause);
        }
        if let Some(base) = &spec.base_image {
            self.add("base image", &image(base));
        }
        let command: Vec<String> = spec.command.iter().map(|word| quoted(word)).collect();
        self.add("command", &command.join(" "));
        if let Some(dir) = &spec.working_dir {
            self.add("working dir", &dir.display().to_string());
        }
        if !spec.env.is_empty() {
            self.add("env", &spec.env.join(" "));
        }
        for (key, value) in &spec.labels {
            self.add("label", &format!("{key}={value}"));
        }
    }

    fn cause(&mut self, cause: &Cause) {
        if let Some(of) = &cause.rebuild_of {
            self.add("rebuild of", &of.to_string());
        }
        if let Some(hook) = &cause.hook {
            self.add("webhook", hook);
        }
        if let Some(moved) = &cause.image {
            let old = cause.old_digest.as_ref().map(|old| format!(", was {old}")).unwrap_or_default();
            self.add("image", &format!("{}{old}", image(moved)));
            self.add("tag", moved.tag.as_str());
        }
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let outcome = attempt.outcome.as_deref().unwrap_or("running");
        self.add("attempt", &format!("{}, {}: {outcome}", attempt.number, attempt.started));
    }
}

/// A reference, and what is to be known of one that does not stand for one image for ever.
fn image(image: &Image) -> String {
    let id = image.image_id.map(|id| format!(", was {id}")).unwrap_or_default();
    match image.mutable {
        true => format!("{} (mutable{id}; {FIRES_ONCE})", image.reference),
        false => image.reference.clone(),
    }
}

/// A word of a command as a shell would take it, so that it can be tried by hand.
pub(super) fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
