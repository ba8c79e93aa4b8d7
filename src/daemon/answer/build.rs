//! Builds, in short and in full.

use std::cmp::Reverse;
use std::path::Path;

use jiff::Timestamp;

use super::super::words;
use super::name::{find_build, find_config_with_builds};
use crate::control::Refusal;
use crate::control::protocol::{self, Builds, BuildsQuery, Problem};
use crate::controller::{
    Attempt, Build, BuildKey, BuildSpec, BuiltImage, Cause, Controller, Phase, PinnedImage, PinnedSource,
    StrategyOptions,
};
use crate::runner;

/// How many builds one answer holds: enough to read, and to keep the daemon's other work waiting no longer.
const LISTED: usize = 1000;

/// The builds that are asked for, newest first.
///
/// # Errors
/// If the build config is not there.
pub fn builds(controller: &Controller, query: &BuildsQuery) -> Result<Builds, Refusal> {
    let mut found: Vec<(&BuildKey, &Build)> = Vec::new();
    let records = controller.records();
    match &query.build_config {
        Some(text) => found.extend(records.builds_of(&find_config_with_builds(controller, text)?)),
        None => found.extend(records.builds.iter().map(|(key, build)| (key, &**build))),
    }
    found.sort_by_key(|(key, build)| (Reverse(build.created), Reverse(key.number)));
    let builds = found.iter().take(LISTED).map(|(key, build)| summary(key, build)).collect();
    Ok(Builds { builds, left_out: found.len().saturating_sub(LISTED) })
}

/// A build, in short.
#[must_use]
pub fn summary(key: &BuildKey, build: &Build) -> protocol::Build {
    protocol::Build {
        build: key.clone(),
        id: build.id,
        phase: phase(&build.phase),
        reason: words::phase_reason(&build.phase),
        cause: words::cause(build.urgency).to_owned(),
        created: build.created,
        started: build.history.last().map(|attempt| attempt.started),
        ended: build.ended,
        next_attempt: next_attempt(&build.phase),
        attempts: build.attempts,
        cancel_asked: build.cancel_asked,
    }
}

/// A build, in full; `spec` is what its file says it is given, and `builds_dir` where such files are.
///
/// # Errors
/// If the build is not there.
pub fn build(
    controller: &Controller,
    key: &BuildKey,
    spec: Option<&BuildSpec>,
    builds_dir: &Path,
) -> Result<protocol::BuildDetail, Refusal> {
    let build = record(controller, key)?;
    Ok(protocol::BuildDetail {
        build: summary(key, build),
        run_policy: build.run_policy.as_str().to_owned(),
        interruptions: build.interruptions,
        history: build.history.iter().map(attempt).collect(),
        images: images(build),
        commit: owned(build.commit.as_deref()),
        spec: spec.map(given),
        log: runner::log_file(builds_dir, key),
    })
}

/// What a build says it made.
pub(super) fn images(build: &Build) -> Vec<protocol::BuiltImage> {
    let image = |image: &BuiltImage| protocol::BuiltImage {
        reference: image.reference.to_string(),
        digest: image.digest.clone(),
    };
    build.images.iter().map(image).collect()
}

/// The build that a person wants to call off.
///
/// # Errors
/// If it is not there, or if it has ended.
pub fn check_cancel(controller: &Controller, text: &str) -> Result<BuildKey, Refusal> {
    let key = find_build(controller, text)?;
    let build = record(controller, &key)?;
    if build.phase.is_terminal() {
        let problem = format!("build {key} has ended already: it is {}", build.phase.name());
        return Err(Refusal::Conflict(Problem::new(problem)));
    }
    Ok(key)
}

fn record<'a>(controller: &'a Controller, key: &BuildKey) -> Result<&'a Build, Refusal> {
    let gone = || Refusal::NotFound(Problem::new(format!("build {key} is not kept any more")));
    controller.records().builds.get(key).map(|build| &**build).ok_or_else(gone)
}

fn phase(phase: &Phase) -> protocol::Phase {
    match phase {
        Phase::New => protocol::Phase::New,
        Phase::Pending { .. } => protocol::Phase::Pending,
        Phase::Running => protocol::Phase::Running,
        Phase::Complete => protocol::Phase::Complete,
        Phase::Failed(_) => protocol::Phase::Failed,
        Phase::Error(_) => protocol::Phase::Error,
        Phase::Cancelled(_) => protocol::Phase::Cancelled,
    }
}

fn next_attempt(phase: &Phase) -> Option<Timestamp> {
    let Phase::Pending { since, wait } = phase else { return None };
    since.checked_add(*wait).ok()
}

fn attempt(attempt: &Attempt) -> protocol::Attempt {
    let outcome = attempt.outcome.as_ref();
    protocol::Attempt {
        number: attempt.number,
        started: attempt.started,
        outcome: outcome.map(|outcome| words::outcome(outcome).unwrap_or_else(|| "complete".to_owned())),
    }
}

/// What a build is given. Values of the environment may be private, so only their names leave the daemon.
pub(super) fn given(spec: &BuildSpec) -> protocol::Spec {
    let venue = spec.venue.as_deref();
    let secrets = venue.iter().flat_map(|venue| &venue.secrets);
    protocol::Spec {
        causes: spec.causes.iter().map(cause).collect(),
        strategy: spec.strategy.as_str().to_owned(),
        options: spec.options.as_deref().map(options),
        base_image: spec.base_image.as_ref().map(image),
        source: spec.source.as_deref().cloned(),
        revision: spec.revision.as_deref().cloned(),
        image_sources: spec.image_sources.iter().map(image_source).collect(),
        runner: venue.and_then(|venue| owned(venue.runner.as_deref())),
        secrets: secrets.map(|(name, _)| name.to_string()).collect(),
        output: owned(spec.output.as_deref()),
        command: spec.command.clone(),
        steps: runner::strategy::steps(spec),
        working_dir: spec.working_dir.clone(),
        env: spec.env.iter().map(|(name, _)| name.clone()).collect(),
        labels: spec.labels.clone(),
        timeout_ms: u64::try_from(spec.timeout.as_millis()).unwrap_or(u64::MAX),
    }
}

fn options(options: &StrategyOptions) -> protocol::Options {
    protocol::Options {
        dockerfile_path: owned(options.dockerfile_path.as_deref()),
        build_args: options.build_args.iter().map(|(name, _)| name.clone()).collect(),
        target: owned(options.target.as_deref()),
        no_cache: options.no_cache,
        incremental: options.incremental,
        force_pull: options.force_pull,
        tool: options.tool.map(|tool| tool.as_str().to_owned()),
        no_push: options.no_push,
    }
}

fn image_source(source: &PinnedSource) -> protocol::ImageSource {
    protocol::ImageSource { image: image(&source.image), of_use: source.of_use.clone() }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn cause(cause: &Cause) -> protocol::Cause {
    let kind = cause.name().to_owned();
    let bare = protocol::Cause { kind, image: None, old_digest: None, hook: None, rebuild_of: None };
    match cause {
        Cause::ImageChange { image: new, old_digest } => {
            protocol::Cause { image: Some(image(new)), old_digest: old_digest.clone(), ..bare }
        }
        Cause::Webhook { hook } => protocol::Cause { hook: Some(hook.as_str().to_owned()), ..bare },
        Cause::Rebuild { of } => protocol::Cause { rebuild_of: Some(of.clone()), ..bare },
        Cause::Manual | Cause::ConfigChange => bare,
    }
}

fn image(image: &PinnedImage) -> protocol::Image {
    protocol::Image {
        tag: image.tag.clone(),
        named: image.named.to_string(),
        reference: image.reference.to_string(),
        digest: image.digest.clone(),
        image_id: image.image_id,
        mutable: image.digest.is_none(),
    }
}
