//! Builds that a person asks for: what is wrong with the question, and what came of it.

use std::collections::{BTreeSet, HashSet};

use super::build::{given, summary};
use super::name::find_config;
use crate::control::Refusal;
use crate::control::protocol::{Problem, StartQuery, Started};
use crate::controller::{
    Build, BuildKey, CUSTOM_BASE_IMAGE, ConfigKey, Controller, Origin, PausedBy, Record, Start, StartRefused,
    Transition,
};
use crate::image::{Found, TagRef};

/// The names that belong to basewatch: nobody else may set them.
const OWN: &str = "BASEWATCH_";

/// The build that is asked for, as the controller is told of it; nothing is known of it yet but that the question makes
/// sense.
///
/// # Errors
/// If the build config is not there, or if a variable or the key is none.
pub fn check_start(controller: &Controller, query: &StartQuery) -> Result<Start, Refusal> {
    check_env(&query.env)?;
    check_key(query.key.as_deref())?;
    Ok(Start {
        config: find_config(controller, &query.build_config)?,
        origin: Origin::Manual,
        env: query.env.clone(),
        revision: None,
        key: query.key.as_deref().map(Into::into),
        fresh: Vec::new(),
    })
}

/// The tags that are looked at for the sake of a build of `config`: all that it must know. One that is taken as it is
/// written is asked nobody for.
#[must_use]
pub fn tags_to_look_at(controller: &Controller, config: &ConfigKey) -> BTreeSet<TagRef> {
    let config = controller.config(config);
    let tags = config.iter().flat_map(|config| config.stream_tags()).filter(|from| !from.unasked);
    tags.map(|from| from.tag.clone()).collect()
}

/// What was found of the tags that were looked at for the sake of `start`.
///
/// # Errors
/// If a reload made the build config one of other tags meanwhile.
pub fn with_fresh(
    controller: &Controller,
    start: Start,
    fresh: Vec<(TagRef, Found)>,
) -> Result<Start, Refusal> {
    let wanted = tags_to_look_at(controller, &start.config);
    let is_new = |tag: &TagRef| !fresh.iter().any(|(found, _)| found == tag);
    let own = controller.config(&start.config).and_then(|config| config.strategy.tag());
    if own.is_some_and(|own| wanted.contains(own) && is_new(own)) {
        let problem =
            format!("{} was loaded anew with other tags while its own were looked at", start.config);
        return Err(Refusal::Conflict(Problem::new(problem).hint("nothing was built: ask again")));
    }
    Ok(Start { fresh, ..start })
}

/// The answer if the build was asked for by that name before.
#[must_use]
pub fn started_before(controller: &Controller, config: &ConfigKey, key: Option<&str>) -> Option<Started> {
    let build = controller.asked_before(config, key?)?;
    let record = controller.records().builds.get(build)?;
    Some(Started { existed: true, ..made(build, record, Vec::new()) })
}

/// The answer when a build was made.
///
/// # Errors
/// If its record is not there.
pub fn started(controller: &Controller, build: &BuildKey, warnings: Vec<String>) -> Result<Started, Refusal> {
    let gone = || Refusal::NotFound(Problem::new(format!("build {build} is not kept any more")));
    let record = controller.records().builds.get(build).ok_or_else(gone)?;
    Ok(made(build, record, warnings))
}

/// The answer when it is only told what would be made: `transition` is what the controller would do.
///
/// # Errors
/// If it would make no build.
pub fn would_start(
    build: &BuildKey,
    transition: &Transition,
    warnings: Vec<String>,
) -> Result<Started, Refusal> {
    let record = transition.records.iter().find_map(|record| match record {
        Record::Build(key, Some(record)) if key == build => Some(record),
        Record::Build(_, _)
        | Record::Tag(_, _)
        | Record::Trigger(_, _)
        | Record::Config(_, _)
        | Record::Registry(_, _) => None,
    });
    let spec = transition.specs.iter().find(|spec| spec.build == *build).map(given);
    let none = || Refusal::Conflict(Problem::new(format!("no build {build} would be made now")));
    Ok(Started { dry_run: true, spec, ..made(build, record.ok_or_else(none)?, warnings) })
}

/// What of `start` has another effect than one may think.
#[must_use]
pub fn start_warnings(controller: &Controller, start: &Start) -> Vec<String> {
    let config = controller.config(&start.config);
    let overridden = config.and_then(|config| start.overridden(config));
    overridden.map(overridden_by_basewatch).into_iter().collect()
}

/// A variable that was asked for and is the image instead (D6).
pub(super) fn overridden_by_basewatch(name: &str) -> String {
    format!("{name} is what basewatch sets it to, the image that the build is made from: leave it out")
}

/// In the words of a refusal. That of a tag which was never resolved is OpenShift's alone (F34).
#[must_use]
pub fn not_startable(controller: &Controller, refused: &StartRefused) -> Refusal {
    let problem = Problem::new(refused.to_string());
    match refused {
        StartRefused::NoConfig(_) => Refusal::NotFound(problem.hint("`basewatch configs` lists them")),
        StartRefused::Paused(config) => Refusal::Conflict(paused(controller, config)),
        StartRefused::Unresolved { .. } => Refusal::Invalid(problem),
    }
}

/// Who paused it, since when and why, and how it goes on.
fn paused(controller: &Controller, config: &ConfigKey) -> Problem {
    let Some(pause) = controller.pause_of(config) else {
        return Problem::new(format!("all builds of {config} are paused"));
    };
    let who = match pause.by {
        PausedBy::Command => "by command",
        PausedBy::Config => "by the configuration",
    };
    let reason = pause.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let until = pause.until.map(|until| format!(", until {until}")).unwrap_or_default();
    let problem = format!("all builds of {config} are paused {who} since {}{until}{reason}", pause.since);
    Problem::new(problem).hint(format!("`basewatch resume {config} --all-builds` lets them go on"))
}

/// A build is given what it is asked for with, so that each name must be one, and mean one thing.
///
/// # Errors
/// If one does not, or is not the asker's to set.
pub(super) fn check_env(env: &[(String, String)]) -> Result<(), Refusal> {
    let malformed = |text: String| Err(Refusal::Malformed(Problem::new(text)));
    let mut names = HashSet::new();
    for (name, value) in env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return malformed(format!("{name:?} and its value are no variable: write NAME=VALUE"));
        }
        if name.starts_with(OWN) {
            return malformed(format!("{name} is not yours to set: names in {OWN} are basewatch's own"));
        }
        if !names.insert(name) {
            return malformed(format!("{name} is given twice"));
        }
    }
    Ok(())
}

/// A key is stored with its build and shown to people.
///
/// # Errors
/// If it is too long, or no plain text.
pub(super) fn check_key(key: Option<&str>) -> Result<(), Refusal> {
    let Some(key) = key else { return Ok(()) };
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
    match !key.is_empty() && key.len() <= Build::LONGEST_KEY && is_plain {
        true => Ok(()),
        false => {
            let longest = Build::LONGEST_KEY;
            let problem =
                format!("a key is at most {longest} letters, digits and other signs of ASCII, and no blanks");
            Err(Refusal::Malformed(Problem::new(problem)))
        }
    }
}

fn made(build: &BuildKey, record: &Build, warnings: Vec<String>) -> Started {
    Started { build: summary(build, record), existed: false, dry_run: false, spec: None, warnings }
}

/// Whether a name among `env` is set by basewatch for a Custom strategy.
pub(super) fn sets_custom_image(env: &[(String, String)]) -> bool {
    env.iter().any(|(name, _)| name == CUSTOM_BASE_IMAGE)
}
