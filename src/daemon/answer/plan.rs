//! What would be built: read off a mind that has decided on it, before all of that is taken back.

use std::collections::{BTreeMap, BTreeSet};

use super::build::given;
use super::config::holds;
use super::reload::{edited, problem};
use crate::config::{self, Difference};
use crate::control::Refusal;
use crate::control::protocol::{
    CalledOff, Held, Outlook, Planned, PlannedBuild, PlannedChanges, PlannedHold, Problem, Renamed, Waiting,
};
use crate::controller::{
    Build, BuildConfig, BuildKey, BuildSpec, CancelReason, ConfigKey, Controller, Note, Phase, Records,
    RunPolicy, Settings, Transition, Trigger, TriggerKey,
};
use crate::image::{Descriptor, Digest, Found, Polled, TagRef};

/// The media type of an image that nothing is known of but its digest: a single one, so that the digest says it all.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What tags are taken to point to.
pub type Assumed = BTreeMap<TagRef, Found>;

/// What `assumptions`, each `IMAGE@DIGEST`, come to.
///
/// # Errors
/// If one is not of that form, or names no tag that `settings` watch.
pub fn assumed(settings: &Settings, records: &Records, assumptions: &[String]) -> Result<Assumed, Refusal> {
    let mut assumed = Assumed::new();
    for text in assumptions {
        let (image, digest) = parse(text)?;
        for tag in find(settings, image)? {
            let found = found(&tag, &digest, records);
            assumed.insert(tag, found);
        }
    }
    Ok(assumed)
}

/// What `decided` has brought about, in the words of the protocol; `controller` is the mind after it.
#[must_use]
pub fn planned(controller: &Controller, decided: &[Transition]) -> Planned {
    let made: BTreeSet<&BuildKey> = specs(decided).map(|spec| &spec.build).collect();
    let called_off = decided.iter().flat_map(|transition| &transition.notes).filter_map(called_off);
    Planned {
        builds: specs(decided)
            .map(|spec| PlannedBuild {
                build: spec.build.clone(),
                outlook: outlook(controller, &spec.build, decided),
                spec: given(spec),
            })
            .collect(),
        called_off: called_off.filter(|off| !made.contains(&off.build)).collect(),
        held: controller
            .settings()
            .build_configs
            .iter()
            .flat_map(|config| held(controller, config))
            .collect(),
        ..Planned::default()
    }
}

/// Tells of the images that wait what their triggers have stored: by `records` as they are, because what is only foreseen
/// may have moved that, too.
pub fn compare(planned: &mut Planned, settings: &Settings, records: &Records) {
    for hold in &mut planned.held {
        let Some(config) = config(settings, &hold.build_config) else { continue };
        for waiting in &mut hold.waits {
            let key = TriggerKey { config: config.key.clone(), tag: waiting.tag.clone() };
            let stored = records.triggers.get(&key).and_then(|record| record.stored.as_ref());
            let platforms = config.trigger(&waiting.tag).map(|trigger| &trigger.from.platforms);
            let digest = platforms.zip(stored).and_then(|(platforms, stored)| platforms.digest(stored));
            waiting.old_digest = digest.cloned();
        }
    }
}

/// What a new configuration says otherwise than `old`, with the build configs that only have another name in it.
#[must_use]
pub fn changes(old: &Settings, difference: Difference, new: &config::Loaded) -> PlannedChanges {
    let Difference { build_configs, tags, registries: _, settings: _, later: _ } = difference;
    let edited = edited(&build_configs);
    let (mut added, mut removed, mut renamed) = (build_configs.added, build_configs.removed, Vec::new());
    let (old, new_configs) = (by_key(old), by_key(&new.settings.controller));
    removed.retain(|from| {
        let before = old.get(from).copied();
        let same = |to: &ConfigKey| is_same(before, new_configs.get(to).copied());
        let Some(position) = added.iter().position(same) else { return true };
        renamed.push(Renamed { from: from.clone(), to: added.remove(position) });
        false
    });
    PlannedChanges {
        added,
        removed,
        edited,
        renamed,
        tags_added: tags.added,
        tags_removed: tags.removed,
        warnings: new.warnings.iter().map(problem).collect(),
    }
}

fn parse(text: &str) -> Result<(&str, Digest), Refusal> {
    let malformed = |error: String| {
        let hint = "write it as host/repository:tag@sha256:… or namespace/stream:tag@sha256:…";
        Refusal::Malformed(Problem::new(error).hint(hint))
    };
    let split = text.rsplit_once('@').filter(|(image, _)| !image.is_empty());
    let (image, digest) = split.ok_or_else(|| malformed(format!("`{text}` names no digest")))?;
    let digest = digest.parse().map_err(|error| malformed(format!("`{text}`: {error}")))?;
    Ok((image, digest))
}

/// The tags that a person means by `image`: as a build config names it, or as an image reference.
fn find(settings: &Settings, image: &str) -> Result<BTreeSet<TagRef>, Refusal> {
    let watched = || settings.build_configs.iter().flat_map(|config| config.stream_tags());
    let named: BTreeSet<TagRef> =
        watched().filter(|from| *from.named == *image).map(|from| from.tag.clone()).collect();
    if !named.is_empty() {
        return Ok(named);
    }
    let parsed = TagRef::parse_image(image).ok();
    let tag = parsed.filter(|tag| watched().any(|from| from.tag == *tag));
    tag.map(|tag| BTreeSet::from([tag])).ok_or_else(|| {
        let problem = Problem::new(format!("{image} is not watched"));
        Refusal::NotFound(problem.hint("`basewatch status` lists the tags that are"))
    })
}

/// A look at `tag` that would find `digest`: what is stored, if that is there already.
fn found(tag: &TagRef, digest: &Digest, records: &Records) -> Found {
    let known = records.tags.get(tag).map(|record| record.admitted());
    if let Some(image) = known.filter(|image| image.polled.digest() == Some(digest)) {
        let children = image.identity.children().cloned();
        return Found { children, ..image.polled.clone().into() };
    }
    let (digest, media_type) = (digest.clone(), Descriptor::known_media_type(MANIFEST));
    Polled::Manifest(Descriptor { digest, media_type, accept_version: 1 }).into()
}

fn specs(decided: &[Transition]) -> impl Iterator<Item = &BuildSpec> {
    decided.iter().flat_map(|transition| &transition.specs)
}

/// What would become of a build at first.
fn outlook(controller: &Controller, key: &BuildKey, decided: &[Transition]) -> Outlook {
    match controller.records().builds.get(key).map(|build| &build.phase) {
        Some(Phase::Running) => Outlook::Starts,
        Some(Phase::New | Phase::Pending { .. }) => Outlook::Queued { behind: behind(controller, key) },
        Some(Phase::Complete | Phase::Failed(_) | Phase::Error(_) | Phase::Cancelled(_)) | None => {
            let mut notes = decided.iter().flat_map(|transition| &transition.notes);
            let by = notes.find_map(|note| called_off(note).filter(|off| off.build == *key)?.by);
            Outlook::Superseded { by }
        }
    }
}

/// The build of the same config whose end a queued one waits for: the one that runs, else the oldest before it.
fn behind(controller: &Controller, key: &BuildKey) -> Option<BuildKey> {
    let own = controller.records().builds.get(key);
    let is_parallel = |build: &Build| build.run_policy == RunPolicy::Parallel;
    // One that waits for a retry lets others pass, and parallel ones wait for none of their kind.
    let both_parallel = |build: &Build| is_parallel(build) && own.is_some_and(|own| is_parallel(own));
    let is_before = |build: &Build| !matches!(build.phase, Phase::Pending { .. }) && !both_parallel(build);
    let before = || {
        let live = controller.live_builds();
        live.filter(move |(other, build)| {
            other.config == key.config && other.number < key.number && is_before(build)
        })
    };
    let running = before().find(|(_, build)| build.phase == Phase::Running);
    running.or_else(|| before().next()).map(|(other, _)| other.clone())
}

/// A build that does not run any more, be it one that waits now or one that was only just thought of.
fn called_off(note: &Note) -> Option<CalledOff> {
    match note {
        Note::BuildSuperseded { build, by } => Some(CalledOff { build: build.clone(), by: Some(by.clone()) }),
        Note::BuildCancelled { build, reason: CancelReason::ConfigRemoved } => {
            Some(CalledOff { build: build.clone(), by: None })
        }
        Note::BuildCancelled { reason: CancelReason::Asked | CancelReason::Superseded(_), .. }
        | Note::TagResolved { .. }
        | Note::V1FiresOnce { .. }
        | Note::ImageChanged { .. }
        | Note::IndexMoved { .. }
        | Note::TagHeld { .. }
        | Note::TriggerFired { .. }
        | Note::TriggerSwallowed { .. }
        | Note::TriggerRecorded { .. }
        | Note::TriggerPaused { .. }
        | Note::TriggerResumed { .. }
        | Note::ChangePending { .. }
        | Note::BuildsHeld { .. }
        | Note::BuildsReleased { .. }
        | Note::BuildQueued { .. }
        | Note::BuildStarted { .. }
        | Note::BuildRetrying { .. }
        | Note::BuildInterrupted { .. }
        | Note::BuildFinished(_) => None,
    }
}

/// What would not start of `config`, with the images that wait for it.
fn held(controller: &Controller, config: &BuildConfig) -> Vec<PlannedHold> {
    let hold = |held: Held| PlannedHold {
        waits: waiting(controller, config, held.tag.as_ref()),
        build_config: held.build_config,
        reason: held.reason,
        missing: held.missing,
    };
    holds(controller, config).into_iter().map(hold).collect()
}

/// The images that wait at the trigger on `tag`, or at any.
fn waiting(controller: &Controller, config: &BuildConfig, tag: Option<&TagRef>) -> Vec<Waiting> {
    let wanted = |trigger: &&Trigger| tag.is_none_or(|tag| trigger.from.tag == *tag);
    let triggers = config.triggers.iter().filter(wanted);
    let waits = triggers.filter_map(|trigger| {
        let Trigger { from, .. } = trigger;
        let image = &controller.records().tags.get(&from.tag)?.admitted().identity;
        let key = TriggerKey { config: config.key.clone(), tag: from.tag.clone() };
        let record = controller.records().triggers.get(&key);
        let stored = record.and_then(|record| record.stored.as_ref());
        let is_news = stored.is_none_or(|stored| from.platforms.is_news(image, stored));
        (is_news || tag.is_some()).then(|| Waiting {
            tag: from.tag.clone(),
            digest: from.platforms.digest(image).cloned(),
            // Told by who still knows what was stored before all of this.
            old_digest: None,
        })
    });
    waits.collect()
}

fn config<'a>(settings: &'a Settings, key: &ConfigKey) -> Option<&'a BuildConfig> {
    settings.build_configs.iter().map(|config| &**config).find(|config| config.key == *key)
}

fn by_key(settings: &Settings) -> BTreeMap<&ConfigKey, &BuildConfig> {
    settings.build_configs.iter().map(|config| (&config.key, &**config)).collect()
}

/// Whether two build configs are made in the same way from the same tags.
fn is_same(old: Option<&BuildConfig>, new: Option<&BuildConfig>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return false };
    old.strategy == new.strategy && old.triggers == new.triggers
}
