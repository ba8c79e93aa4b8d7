//! Pausing and resuming: what a person means, and what is paused.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::config::has_labels;
use super::name::{find_config, find_tag};
use crate::control::Refusal;
use crate::control::protocol::{self, PauseQuery, Paused, Problem, ResumeQuery, Selection};
use crate::controller::{BuildConfig, Controller, Event, Pausable, Pause, TriggerKey};
use crate::image::TagRef;

/// What is to be paused, as the controller is told.
///
/// # Errors
/// If something is named that is not there, or if what is asked for makes no sense.
pub fn check_pause(
    controller: &Controller,
    query: &PauseQuery,
    now: Timestamp,
) -> Result<(Pausable, Event), Refusal> {
    let malformed = |text: String| Err(Refusal::Malformed(Problem::new(text)));
    if let Some(until) = query.until.filter(|until| *until <= now) {
        return malformed(format!("{until} has passed: name an instant to come"));
    }
    if query.reason.as_ref().is_some_and(|reason| stored_length(reason) > Pause::LONGEST_REASON) {
        return malformed(format!("the reason is longer than {} bytes: shorten it", Pause::LONGEST_REASON));
    }
    let mut what = select(controller, &query.what)?;
    if query.what.all_builds {
        // That of the config holds its triggers too. Their own pauses are other people's words, and outlast it.
        what.triggers.clear();
    }
    let reason = query.reason.as_deref().map(Into::into);
    Ok((what.clone(), Event::Pause { what, reason, until: query.until }))
}

/// What is to be resumed, as the controller is told.
///
/// # Errors
/// If something is named that is not there, or that would stay paused all the same.
pub fn check_resume(controller: &Controller, query: &ResumeQuery) -> Result<Pausable, Refusal> {
    let what = select(controller, &query.what)?;
    let stays = what.triggers.iter().find(|key| controller.pause_of(&key.config).is_some());
    match stays.filter(|_| !query.what.all_builds) {
        None => Ok(what),
        Some(key) => {
            let problem = Problem::new(format!("all builds of {} are paused", key.config));
            Err(Refusal::Conflict(problem.hint("resume it with --all-builds")))
        }
    }
}

/// Those of `what` that are paused now.
#[must_use]
pub fn paused_of(controller: &Controller, what: &Pausable) -> Vec<Paused> {
    let triggers = what.triggers.iter().filter_map(|key| {
        let pause = own_pause(controller, key)?;
        Some(Paused { build_config: key.config.clone(), tag: Some(key.tag.clone()), pause: in_words(pause) })
    });
    let configs = what.configs.iter().filter_map(|key| {
        let pause = in_words(controller.pause_of(key)?);
        Some(Paused { build_config: key.clone(), tag: None, pause })
    });
    triggers.chain(configs).collect()
}

/// Everything of `config` that is paused.
#[must_use]
pub fn pauses(controller: &Controller, config: &BuildConfig) -> Vec<Paused> {
    paused_of(controller, &whole(config))
}

/// Whether a trigger of `config` is paused.
#[must_use]
pub fn is_paused(controller: &Controller, config: &BuildConfig) -> bool {
    config.triggers.iter().any(|trigger| controller.pause_on(&config.key, &trigger.from.tag).is_some())
}

/// How many bytes a text takes within the quotes of a record, where some characters are spelled out.
fn stored_length(text: &str) -> usize {
    serde_json::to_string(text).map_or(usize::MAX, |quoted| quoted.len().saturating_sub(2))
}

/// A pause in the words of the protocol.
pub(super) fn in_words(pause: &Pause) -> protocol::Pause {
    protocol::Pause {
        since: pause.since,
        by: pause.by.as_str().to_owned(),
        reason: pause.reason.as_deref().map(str::to_owned),
        until: pause.until,
    }
}

fn own_pause<'a>(controller: &'a Controller, key: &TriggerKey) -> Option<&'a Pause> {
    controller.records().triggers.get(key)?.pause.as_deref()
}

fn whole(config: &BuildConfig) -> Pausable {
    Pausable { triggers: triggers(config, None), configs: vec![config.key.clone()] }
}

fn triggers(config: &BuildConfig, only: Option<&TagRef>) -> Vec<TriggerKey> {
    let wanted = config.triggers.iter().filter(|trigger| only.is_none_or(|only| trigger.from.tag == *only));
    wanted.map(|trigger| TriggerKey { config: config.key.clone(), tag: trigger.from.tag.clone() }).collect()
}

fn select(controller: &Controller, selection: &Selection) -> Result<Pausable, Refusal> {
    let only: Option<TagRef> = match &selection.trigger {
        Some(_) if selection.all_builds => {
            let problem = Problem::new("either all builds are meant or those of one trigger");
            return Err(Refusal::Malformed(problem));
        }
        Some(text) => Some(meant(controller, text)?),
        None => None,
    };
    let mut what = Pausable::default();
    for config in selected(controller, selection)? {
        let triggers = triggers(config, only.as_ref());
        match &only {
            // Of the many that labels select, some may watch other tags.
            Some(tag) if triggers.is_empty() && selection.labels.is_empty() => {
                return Err(no_trigger(&format!("build config {} has no", config.key), tag));
            }
            Some(_) | None => what.triggers.extend(triggers),
        }
        what.configs.extend(selection.all_builds.then(|| config.key.clone()));
    }
    match &only {
        Some(tag) if what.triggers.is_empty() => Err(no_trigger("none of these build configs has a", tag)),
        Some(_) | None => Ok(what),
    }
}

/// The tag that `text` means. One that nobody watches is none that these build configs have a trigger on, which is told
/// with their names.
fn meant(controller: &Controller, text: &str) -> Result<TagRef, Refusal> {
    find_tag(controller, text).or_else(|refusal| match &refusal {
        Refusal::NotFound(_) => text.parse().map_err(|_| refusal),
        Refusal::Malformed(_) | Refusal::Conflict(_) | Refusal::Invalid(_) | Refusal::Unavailable(_) => {
            Err(refusal)
        }
    })
}

fn selected<'a>(controller: &'a Controller, selection: &Selection) -> Result<Vec<&'a BuildConfig>, Refusal> {
    let all = controller.settings().build_configs.iter().map(|config| &**config);
    match (selection.build_configs.as_slice(), selection.labels.as_str()) {
        ([], "") => Err(Refusal::Malformed(Problem::new("no build config is named, and no label"))),
        ([], labels) => {
            let labelled: Vec<&BuildConfig> = all.filter(|config| has_labels(config, labels)).collect();
            match labelled.is_empty() {
                false => Ok(labelled),
                true => {
                    let labels = labels.replace('\n', ", ");
                    let problem = Problem::new(format!("no build config has the label {labels}"));
                    Err(Refusal::NotFound(problem.hint("`basewatch configs --json` lists their labels")))
                }
            }
        }
        (names, "") => {
            let keys = names.iter().map(|name| find_config(controller, name));
            // One may be named twice, with its namespace and without.
            let keys: BTreeSet<_> = keys.collect::<Result<_, _>>()?;
            Ok(keys.iter().filter_map(|key| controller.config(key)).map(|config| &**config).collect())
        }
        (_, _) => Err(Refusal::Malformed(Problem::new("either build configs are named or labels"))),
    }
}

fn no_trigger(whose: &str, tag: &TagRef) -> Refusal {
    let problem = Problem::new(format!("{whose} trigger on {tag}"));
    Refusal::NotFound(problem.hint("`basewatch configs --json` lists their triggers"))
}
