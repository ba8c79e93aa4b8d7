//! The steps of a build, before it runs. What only the run can know is told by its usual name.

use std::path::Path;

use super::checkout::{Checkout, SOURCE};
use super::container::Container;
use super::step::Step;
use super::work::context_dir;
use super::{FOR_A_BUILDER, FOR_A_DOCKERFILE, docker, images, is_driven, s2i};
use crate::controller::{BuildSpec, StrategyKind, Tool};

/// What the directories of secrets and credentials are called while nobody knows where they are.
const SECRETS_DIR: &str = "$BASEWATCH_SECRETS_DIR";
const AUTH_DIR: &str = "$DOCKER_CONFIG";

/// What a strategy may be built by where the configuration does not say, in the order of preference.
#[must_use]
pub fn choices(strategy: StrategyKind) -> &'static [Tool] {
    match strategy {
        StrategyKind::Docker => FOR_A_DOCKERFILE,
        StrategyKind::Source => FOR_A_BUILDER,
        StrategyKind::Custom | StrategyKind::Command => &[],
    }
}

/// The commands that the driver will run, as a shell would take them in the build's own directory; none if the build's
/// own command is all. Where the configuration does not say what it is built by, it is the first that is installed here;
/// where the build runs elsewhere, or nothing is installed, it is buildah.
#[must_use]
pub fn steps(spec: &BuildSpec) -> Vec<String> {
    let is_here = spec.venue.as_ref().is_none_or(|venue| venue.runner.is_none());
    let path = std::env::var_os("PATH").filter(|_| is_here).unwrap_or_default();
    let installed = super::installed(spec.strategy, &path, Path::new("/"));
    steps_by(spec, installed.unwrap_or(Tool::Buildah))
}

/// The same by `installed`, if the configuration does not say otherwise.
pub(super) fn steps_by(spec: &BuildSpec, installed: Tool) -> Vec<String> {
    if !is_driven(spec) {
        return Vec::new();
    }
    let tool = super::tool(spec).unwrap_or(installed);
    let container = Container { spec, tool, secrets_dir: Some(SECRETS_DIR), auth_dir: Some(AUTH_DIR) };
    let mut steps = Vec::new();
    if let Some(checkout) = Checkout::of(spec) {
        steps.extend(checkout.init());
        steps.extend([checkout.fetch(), checkout.check_out(), checkout.submodules()]);
    }
    match spec.strategy {
        StrategyKind::Command | StrategyKind::Custom => {
            let mut words = spec.command.iter();
            let program = words.next().map(String::as_str).unwrap_or_default();
            steps.push(Step::new(program, words.map(String::as_str)));
        }
        StrategyKind::Docker | StrategyKind::Source => image(&container, &mut steps),
    }
    steps.iter().map(Step::shown).collect()
}

/// How an image is made of the source code.
fn image(container: &Container<'_>, steps: &mut Vec<Step>) {
    let spec = container.spec;
    let extractions = images::all(&spec.image_sources);
    let directory = context_dir(spec, Path::new("")).to_string_lossy().into_owned();
    let context = if spec.source.as_ref().is_some_and(|source| source.directory.is_some()) {
        steps.push(images::copy(&directory, SOURCE));
        SOURCE.to_owned()
    } else {
        directory
    };
    for extraction in extractions {
        steps.extend(extraction.extract(container));
        for (from, path) in extraction.copies() {
            steps.push(images::copy(&from, &format!("{context}/{}", path.destination_dir)));
        }
    }
    let own = container.own_name();
    // What is no reference is the driver's to complain of.
    let output = container.output().ok().flatten();
    made(container, &own, output.as_deref(), &context, steps);
    match output {
        Some(output) if container.pushes() => {
            steps.extend(container.push(&own, &output));
            steps.extend(container.pushed(&own));
            steps.push(container.remove(&own));
        }
        Some(output) => steps.extend([container.tag(&own, &output), container.remove(&own)]),
        None => {}
    }
}

/// How the image `own` is made.
fn made(container: &Container<'_>, own: &str, output: Option<&str>, context: &str, steps: &mut Vec<Step>) {
    let builder = container.spec.base_image.as_ref().map(|base| &*base.reference).unwrap_or_default();
    let incremental = container.options().is_some_and(|options| options.incremental);
    let previous = output.filter(|_| incremental);
    match (container.spec.strategy, container.tool) {
        (StrategyKind::Source, Tool::S2i) => {
            if let Some(previous) = previous {
                steps.extend([container.get_previous(previous), container.tag(previous, own)]);
            }
            steps.push(s2i::by_s2i(container, builder, own, context));
        }
        (StrategyKind::Source, Tool::Buildah | Tool::Podman | Tool::Docker) => {
            steps.extend([container.pull(builder), container.inspect(builder)]);
            steps.extend(previous.map(|previous| container.get_previous(previous)));
            steps.push(s2i::by_containerfile(container, own, context));
        }
        (StrategyKind::Docker | StrategyKind::Custom | StrategyKind::Command, _) => {
            steps.push(docker::build(container, own, false, context));
        }
    }
}
