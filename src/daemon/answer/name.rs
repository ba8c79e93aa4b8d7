//! Finding what a person named: the namespace may be left out where only one fits.

use std::collections::{BTreeSet, HashSet};

use super::status::not_watched;
use crate::control::Refusal;
use crate::control::protocol::{PollQuery, Problem};
use crate::controller::{BuildKey, ConfigKey, Controller};
use crate::image::{ReferenceError, TagRef};

/// The build that `text`, `[NAMESPACE/]NAME-NUMBER`, means.
///
/// # Errors
/// If it is no name of a build, if there is no such build, or if it may be one of several.
pub fn find_build(controller: &Controller, text: &str) -> Result<BuildKey, Refusal> {
    let malformed = |error: crate::controller::KeyError| Refusal::Malformed(Problem::new(error.to_string()));
    let builds = &controller.records().builds;
    let found: Vec<&BuildKey> = if text.contains('/') {
        let key = BuildKey::parse(text, "").map_err(malformed)?;
        builds.get_key_value(&key).map(|(key, _)| key).into_iter().collect()
    } else {
        // Any namespace will do to read the rest of the name.
        let wanted = BuildKey::parse(text, "any").map_err(malformed)?;
        let same = |key: &&BuildKey| key.number == wanted.number && key.config.name() == wanted.config.name();
        builds.keys().filter(same).collect()
    };
    let missing = || {
        Problem::new(format!("there is no build {text}"))
            .hint("`basewatch builds` lists those that are kept".to_owned())
    };
    only(text, &found, missing)
}

/// The configured build config that `text`, `[NAMESPACE/]NAME`, means.
///
/// # Errors
/// If there is no such build config, or if it may be one of several.
pub fn find_config(controller: &Controller, text: &str) -> Result<ConfigKey, Refusal> {
    let configured = controller.settings().build_configs.iter().map(|config| &config.key);
    let found: Vec<&ConfigKey> = configured.filter(|key| means(text, key)).collect();
    only(text, &found, || no_config(text))
}

/// Like [`find_config`], but one that only has builds left will do.
pub(super) fn find_config_with_builds(controller: &Controller, text: &str) -> Result<ConfigKey, Refusal> {
    let configured = controller.settings().build_configs.iter().map(|config| &config.key);
    let built = controller.records().configs.keys();
    let found: BTreeSet<&ConfigKey> = configured.chain(built).filter(|key| means(text, key)).collect();
    only(text, &found.into_iter().collect::<Vec<_>>(), || no_config(text))
}

/// The tags to look at now: those that are named, or all that are watched.
///
/// # Errors
/// If one that is named is not watched.
pub fn check_poll(controller: &Controller, query: &PollQuery) -> Result<Vec<TagRef>, Refusal> {
    let configs = controller.settings().build_configs.iter();
    let watched: HashSet<&TagRef> = configs.flat_map(|config| config.tags()).collect();
    if query.tags.is_empty() {
        return Ok(watched.into_iter().cloned().collect());
    }
    let malformed = |error: ReferenceError| Refusal::Malformed(Problem::new(error.to_string()));
    let named = query.tags.iter().map(|text| {
        let tag: TagRef = text.parse().map_err(malformed)?;
        match watched.contains(&tag) {
            true => Ok(tag),
            false => Err(not_watched(&tag)),
        }
    });
    named.collect()
}

fn means(text: &str, key: &ConfigKey) -> bool {
    key.as_str() == text || key.name() == text
}

fn no_config(text: &str) -> Problem {
    Problem::new(format!("there is no build config {text}")).hint("`basewatch configs` lists them")
}

fn only<T: Clone + std::fmt::Display>(
    text: &str,
    found: &[&T],
    missing: impl FnOnce() -> Problem,
) -> Result<T, Refusal> {
    match found {
        [] => Err(Refusal::NotFound(missing())),
        [one] => Ok((*one).clone()),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            let problem = Problem::new(format!("{text} may be {}", names.join(" or ")));
            Err(Refusal::Conflict(problem.hint("write it with its namespace")))
        }
    }
}
