//! `basewatch plan`: what would be built now and why, and what is held.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;

use super::output::{self, Show};
use super::reload::{edited, list};
use super::style::{Style, Tone, harmless, or_dash, short};
use super::table::Table;
use super::{Exit, Global, client};
use crate::control::protocol::{
    Cause, Looks, Outlook, PlanAnswer, PlanQuery, Planned, PlannedBuild, PlannedChanges, PlannedHold,
    Refused, Waiting,
};
use crate::text::quoted;

/// How wide a line may be.
const WIDTH: usize = 100;

/// What is taken for given.
#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    /// As if the daemon had loaded this configuration
    #[arg(long, value_name = "FILE")]
    new: Option<PathBuf>,
    /// As if IMAGE, a reference or NAMESPACE/STREAM:TAG, had this digest; no registry is asked then
    #[arg(long = "if", value_name = "IMAGE@DIGEST")]
    assume: Vec<String>,
}

impl Plan {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let query = PlanQuery { new: self.new_file()?, assume: self.assume.clone() };
        let answer = client::ask(global, async |daemon| daemon.plan(&query).await)?;
        output::print(&answer, global.json)?;
        match answer {
            PlanAnswer::Planned(_) => Ok(Exit::Done),
            PlanAnswer::Refused(_) => Ok(Exit::Config),
        }
    }

    /// The daemon runs in another directory.
    fn new_file(&self) -> anyhow::Result<Option<String>> {
        let Some(file) = &self.new else { return Ok(None) };
        let absolute = std::path::absolute(file).with_context(|| format!("find {}", file.display()))?;
        let text = absolute.into_os_string().into_string();
        text.map(Some).map_err(|path| anyhow::anyhow!("{}: its path is not UTF-8", path.display()))
    }
}

impl Show for PlanAnswer {
    fn show(&self, style: Style) -> String {
        match self {
            Self::Planned(planned) => show_planned(planned, style),
            Self::Refused(refused) => show_refused(refused, style),
        }
    }
}

fn show_planned(planned: &Planned, style: Style) -> String {
    let mut parts = Vec::new();
    parts.extend(planned.changes.as_deref().map(show_changes));
    parts.push(format!("{}\n", style.paint(Tone::Title, &head(planned))));
    parts.push(builds(&planned.builds, style));
    parts.extend(planned.builds.iter().map(command));
    parts.push(called_off(planned));
    parts.push(held(&planned.held, style));
    parts.push(looks(&planned.looks));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn show_refused(refused: &Refused, style: Style) -> String {
    let mut text: String =
        refused.problems.iter().map(|problem| format!("{}\n", harmless(&problem.text))).collect();
    let line = format!("{}; nothing can be said of what it would do", refused.summary);
    text.push_str(&style.paint(Tone::Bad, &line));
    text.push('\n');
    text
}

fn head(planned: &Planned) -> String {
    let builds = match planned.builds.len() {
        0 => "nothing would be built".to_owned(),
        1 => "1 build would be made".to_owned(),
        several => format!("{several} builds would be made"),
    };
    match planned.held.len() {
        0 => builds,
        1 => format!("{builds}; 1 thing is held"),
        several => format!("{builds}; {several} things are held"),
    }
}

fn show_changes(changes: &PlannedChanges) -> String {
    let mut text: String =
        changes.warnings.iter().map(|warning| format!("{}\n", harmless(&warning.text))).collect();
    list(&mut text, "added", changes.added.iter().map(ToString::to_string));
    list(&mut text, "removed", changes.removed.iter().map(ToString::to_string));
    list(&mut text, "edited", changes.edited.iter().map(edited));
    for renamed in &changes.renamed {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "renamed {} to {}: a new build config, which builds the first images it sees",
            renamed.from, renamed.to
        );
    }
    list(&mut text, "tag added", changes.tags_added.iter().map(ToString::to_string));
    list(&mut text, "tag removed", changes.tags_removed.iter().map(ToString::to_string));
    match text.is_empty() {
        true => "no build config and no tag is otherwise\n".to_owned(),
        false => text,
    }
}

/// A row for each cause.
fn builds(builds: &[PlannedBuild], style: Style) -> String {
    let mut table = Table::new(["BUILD", "OUTLOOK", "CAUSE", "FROM", "TO"]);
    for build in builds {
        let (outlook, tone) = outlook(&build.outlook);
        let mut first = [(build.build.to_string(), Tone::Plain), (outlook, tone)];
        for cause in &build.spec.causes {
            let [name, outlook] = std::mem::replace(&mut first, [nothing(), nothing()]);
            let [cause, from, to] = moved(cause).map(|text| (text, Tone::Plain));
            table.toned_row([name, outlook, cause, from, to]);
        }
    }
    table.render(style)
}

fn nothing() -> (String, Tone) {
    (String::new(), Tone::Plain)
}

fn outlook(outlook: &Outlook) -> (String, Tone) {
    match outlook {
        Outlook::Starts => ("starts now".to_owned(), Tone::Good),
        Outlook::Queued { behind: Some(behind) } => (format!("after #{}", behind.number), Tone::Busy),
        Outlook::Queued { behind: None } => ("when there is room".to_owned(), Tone::Busy),
        Outlook::Superseded { by: Some(by) } => (format!("superseded by #{}", by.number), Tone::Plain),
        Outlook::Superseded { by: None } => ("superseded".to_owned(), Tone::Plain),
    }
}

/// The tag, and the digests before and after; what else it is for where it is no image.
fn moved(cause: &Cause) -> [String; 3] {
    match &cause.image {
        Some(image) => {
            let new = image.digest.as_ref().map_or_else(|| image.reference.clone(), short);
            [image.tag.to_string(), or_dash(cause.old_digest.as_ref().map(short)), new]
        }
        None => [cause.kind.clone(), or_dash(None), or_dash(None)],
    }
}

/// The command of a build as a shell would take it, a line broken only between words.
fn command(build: &PlannedBuild) -> String {
    let mut text = format!("{} would run\n", build.build);
    if !build.spec.steps.is_empty() {
        text.extend(build.spec.steps.iter().map(|step| format!("  {}\n", harmless(step))));
        return text;
    }
    let mut line = String::from(" ");
    let words: Vec<String> = build.spec.command.iter().map(|word| harmless(&quoted(word))).collect();
    for word in &words {
        // Room for the mark that the line goes on.
        if line.trim().is_empty() || line.chars().count() + word.chars().count() + 3 <= WIDTH {
            line = format!("{line} {word}");
        } else {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line} \\");
            line = format!("    {word}");
        }
    }
    if words.is_empty() {
        line.push_str(" nothing: its strategy has no command");
    }
    text.push_str(&line);
    text.push('\n');
    if let Some(dir) = &build.spec.working_dir {
        let _ = writeln!(text, "  in {}", harmless(&dir.display().to_string()));
    }
    text
}

fn called_off(planned: &Planned) -> String {
    let mut text = String::new();
    for off in &planned.called_off {
        // Writing to a String cannot fail.
        let _ = match &off.by {
            Some(by) => writeln!(text, "{} would be superseded by {by}", off.build),
            None => writeln!(text, "{} would be called off", off.build),
        };
    }
    text
}

/// A row for each image that waits.
fn held(held: &[PlannedHold], style: Style) -> String {
    let mut table = Table::new(["HELD", "REASON", "TAG", "FROM", "TO"]);
    for hold in held {
        let reason = &hold.reason;
        if hold.waits.is_empty() {
            table.row([
                hold.build_config.to_string(),
                reason.clone(),
                or_dash(None),
                or_dash(None),
                or_dash(None),
            ]);
            continue;
        }
        for Waiting { tag, digest, old_digest } in &hold.waits {
            table.row([
                hold.build_config.to_string(),
                reason.clone(),
                tag.to_string(),
                or_dash(old_digest.as_ref().map(short)),
                or_dash(digest.as_ref().map(short)),
            ]);
        }
    }
    let mut text = table.render(style);
    for hold in held.iter().filter(|hold| !hold.missing.is_empty()) {
        let missing: Vec<String> = hold.missing.iter().map(ToString::to_string).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} waits for {}", hold.build_config, harmless(&missing.join(", ")));
    }
    text
}

fn looks(looks: &Looks) -> String {
    let tags = |count: usize| if count == 1 { "1 tag was".to_owned() } else { format!("{count} tags were") };
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = match looks.assumed {
        0 => writeln!(text, "{} looked at just now", tags(looks.looked)),
        assumed => writeln!(text, "no registry was asked: {} taken as you say", tags(assumed)),
    };
    let vain = looks.in_vain.iter().map(|vain| format!("{}: {}", vain.tag, vain.error));
    list(&mut text, "looked at in vain:", vain.collect::<Vec<_>>().into_iter());
    if looks.as_stored > 0 {
        let _ = writeln!(text, "{} not looked at: as of their last poll", tags(looks.as_stored));
    }
    list(&mut text, "not looked at yet:", looks.unseen.iter().map(ToString::to_string));
    text
}

#[cfg(test)]
mod tests;
