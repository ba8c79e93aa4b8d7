//! Finding what a person named: the namespace may be left out where only one fits.

use std::collections::{BTreeSet, HashSet};

use crate::control::Refusal;
use crate::control::protocol::{PollQuery, Problem};
use crate::controller::{BuildKey, ConfigKey, Controller, StreamTag};
use crate::image::{ReferenceError, TagRef};

/// How a name is made to mean one thing.
const NAMESPACE: &str = "write it with its namespace";

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
    only(text, &found, missing, NAMESPACE)
}

/// The configured build config that `text`, `[NAMESPACE/]NAME`, means.
///
/// # Errors
/// If there is no such build config, or if it may be one of several.
pub fn find_config(controller: &Controller, text: &str) -> Result<ConfigKey, Refusal> {
    let configured = controller.settings().build_configs.iter().map(|config| &config.key);
    let found: Vec<&ConfigKey> = configured.filter(|key| means(text, key)).collect();
    only(text, &found, || no_config(text), NAMESPACE)
}

/// Like [`find_config`], but one that only has builds left will do.
pub(super) fn find_config_with_builds(controller: &Controller, text: &str) -> Result<ConfigKey, Refusal> {
    let configured = controller.settings().build_configs.iter().map(|config| &config.key);
    let built = controller.records().configs.keys();
    let found: BTreeSet<&ConfigKey> = configured.chain(built).filter(|key| means(text, key)).collect();
    only(text, &found.into_iter().collect::<Vec<_>>(), || no_config(text), NAMESPACE)
}

/// The tags to look at now: those that are named, or all that are watched.
///
/// # Errors
/// If one that is named is not watched.
pub fn check_poll(controller: &Controller, query: &PollQuery) -> Result<Vec<TagRef>, Refusal> {
    if query.tags.is_empty() {
        let asked = followed(controller).filter(|from| !from.unasked).map(|from| &from.tag);
        return Ok(asked.collect::<HashSet<_>>().into_iter().cloned().collect());
    }
    let named = query.tags.iter().map(|text| {
        let tag = find_tag(controller, text)?;
        match followed(controller).any(|from| from.tag == tag && !from.unasked) {
            true => Ok(tag),
            false => Err(Refusal::Conflict(Problem::new(format!(
                "{text} is taken as it is written: no registry is asked"
            )))),
        }
    });
    named.collect()
}

/// The tag that `text` means among those that are configured: one that is called so, be it `ns/name:tag`, or the one that
/// it is an image reference to.
///
/// # Errors
/// If it is neither, or if it is a name of several.
pub fn find_tag(controller: &Controller, text: &str) -> Result<TagRef, Refusal> {
    let named = followed(controller).filter(|from| &*from.named == text).map(|from| &from.tag);
    let named: Vec<&TagRef> = named.collect::<BTreeSet<_>>().into_iter().collect();
    if !named.is_empty() {
        return only(text, &named, || not_watched(text), "write the image reference");
    }
    let malformed = |error: ReferenceError| Refusal::Malformed(Problem::new(error.to_string()));
    let tag: TagRef = text.parse().map_err(malformed)?;
    match followed(controller).any(|from| from.tag == tag) {
        true => Ok(tag),
        false => Err(Refusal::NotFound(not_watched(&tag))),
    }
}

/// Every tag that is followed, once for each place where it is.
fn followed(controller: &Controller) -> impl Iterator<Item = &StreamTag> {
    controller.settings().build_configs.iter().flat_map(|config| config.stream_tags())
}

/// The answer to who asks for a tag that nothing watches.
fn not_watched(tag: impl std::fmt::Display) -> Problem {
    Problem::new(format!("{tag} is not watched")).hint("`basewatch status` lists the tags that are")
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
    way_out: &str,
) -> Result<T, Refusal> {
    match found {
        [] => Err(Refusal::NotFound(missing())),
        [one] => Ok((*one).clone()),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            let problem = Problem::new(format!("{text} may be {}", names.join(" or ")));
            Err(Refusal::Conflict(problem.hint(way_out)))
        }
    }
}
