//! The build configs of the long form.

mod base;
mod images;
mod output;
mod source;
mod trigger;

use std::path::PathBuf;

use super::super::build_config::{BuildConfig as Typed, Strategy as TypedStrategy};
use super::super::expand::Layers;
use super::super::file::{Document, Keys, Named};
use super::super::grammar::own_variable;
use super::super::problem::{Place, Problem, Problems};
use super::super::section::{self, At};
use super::configs::{Configs, OF_THE_LONG_FORM, policy};
use super::hook::Hooks;
use super::image::parse_image;
use super::stream::{Streams, Wanted};
use super::tag::Tags;
use super::venue::Venues;
use crate::controller::{
    BuildConfig, CUSTOM_BASE_IMAGE, History, Policy, Strategy, StrategyKind, StrategyOptions, Tool,
};

/// Makes the build configs of the long form.
pub(super) struct LongForm<'a> {
    namespace: &'a str,
    defaults: &'a Keys,
    streams: Streams<'a>,
}

impl<'a> LongForm<'a> {
    pub(super) fn new(document: &'a Document, namespace: &'a str, streams: Streams<'a>) -> Self {
        Self { namespace, defaults: &document.defaults.keys, streams }
    }

    /// Adds one build config, and what it wants of its tags.
    pub(super) fn add(
        &mut self,
        typed: &'a Typed,
        configs: &mut Configs<'a>,
        tags: &mut Tags<'a>,
        hooks: &mut Hooks<'a>,
        venues: &mut Venues<'a>,
        problems: &mut Problems,
    ) {
        check_presence(typed, problems);
        let namespace = typed.namespace.value().map_or(self.namespace, String::as_str);
        let base = self.base(typed, namespace, problems);
        let triggers = self.triggers(typed, namespace, &base, hooks, problems);
        let images = self.images(typed, namespace, problems);
        for followed in base.followed().into_iter().chain(&triggers.followed).chain(images.followed()) {
            tags.add(&followed.from, followed.wish, problems);
        }
        let keys = Layers::of_build_config(&typed.keys, self.defaults);
        let mut strategy = typed.strategy.value().and_then(|typed| strategy(typed, &keys, &base, problems));
        let source = typed.source.value().map(|typed| source::check(typed, problems));
        if let Some(strategy) = &strategy {
            source::check_presence(strategy, source.as_ref(), &typed.place, problems);
        }
        let output = typed.output.value().and_then(|typed| output::check(typed, strategy.as_mut(), problems));
        warn_of_nothing_to_reuse(typed, strategy.as_ref(), problems);
        let venue = venues.of(&keys, problems);
        let Some(name) = typed.name.given() else { return };
        let Some(key) = configs.key(namespace, &name.value, &name.place, problems) else { return };
        for hook in triggers.hooks {
            hooks.add(&key, hook);
        }
        let Some(strategy) = strategy else { return };
        let policy = Policy { history: history(typed), ..policy(&keys, venue, &OF_THE_LONG_FORM) };
        let policy = configs.policy(policy);
        configs.add(BuildConfig {
            key,
            strategy,
            triggers: triggers.triggers,
            config_change: triggers.config_change,
            paused: typed.paused.value().copied().unwrap_or(false),
            policy,
            source: source.map(Box::new),
            image_sources: images.into_sources(),
            output,
            last_version: typed.last_version.value().copied().unwrap_or(0),
            labels: keys.entries(|keys| &keys.labels).into_iter().collect(),
        });
    }
}

fn check_presence(typed: &Typed, problems: &mut Problems) {
    if typed.name.is_absent() {
        problems.push(Problem::absence(&typed.place, "has no name", "add name = \"…\""));
    }
    if typed.strategy.is_absent() {
        let fix = "add [build_config.strategy] with a type and a command below it";
        problems.push(Problem::absence(&typed.place, "has no strategy", fix));
    }
}

/// An image without an output has its build's own name, by which the next build does not find it.
fn warn_of_nothing_to_reuse(typed: &Typed, strategy: Option<&Strategy>, problems: &mut Problems) {
    let makes_image = |strategy: &&Strategy| strategy.command.is_empty();
    let is_said = match typed.output.value() {
        Some(output) => !output.to.is_absent(),
        // What was refused is a problem already.
        None => !typed.output.is_absent(),
    };
    let incremental = typed.strategy.value().and_then(|typed| typed.incremental.given());
    let incremental = incremental.filter(|incremental| incremental.value && !is_said);
    if let (Some(_), Some(incremental)) = (strategy.filter(makes_image), incremental) {
        let fix = "add output = { to = \"…\" }, or delete it";
        let message = "does nothing without an output: no build finds the image of the one before";
        problems.push(Problem::warning(&incremental.place, message, fix));
    }
}

fn history(typed: &Typed) -> History {
    let otherwise = OF_THE_LONG_FORM.history;
    History {
        successful: typed.successful.value().copied().unwrap_or(otherwise.successful),
        failed: typed.failed.value().copied().unwrap_or(otherwise.failed),
    }
}

fn strategy(
    typed: &TypedStrategy,
    keys: &Layers<'_>,
    base: &base::Found<'_>,
    problems: &mut Problems,
) -> Option<Strategy> {
    if typed.kind.is_absent() {
        let fix = "add type = \"Source\", \"Docker\", \"Custom\" or \"Command\"";
        problems.push(Problem::absence(&typed.place, "has no type", fix));
    }
    let kind = *typed.kind.value()?;
    check_command(kind, keys, &typed.place, problems);
    check_options(kind, typed, problems);
    if let (StrategyKind::Docker, Some(tool)) =
        (kind, typed.tool.given().filter(|tool| tool.value == Tool::S2i))
    {
        let fix = "write \"buildah\", \"podman\" or \"docker\"";
        problems.push(Problem::error(&tool.place, "is for Source strategies", fix).with_value("\"s2i\""));
    }
    if kind != StrategyKind::Custom {
        refuse_custom_variable(keys.own(|keys| &keys.env), problems);
    }
    Some(Strategy {
        kind,
        from: base.base(),
        command: keys.own(|keys| &keys.run).map(|run| run.value.clone()).unwrap_or_default(),
        env: keys.entries(|keys| &keys.env).into(),
        working_dir: keys.value(|keys| &keys.working_dir).map(PathBuf::into_boxed_path),
        options: options(typed).map(Box::new),
    })
}

/// What a strategy runs: its command, or what is built in for Docker and Source.
fn check_command(kind: StrategyKind, keys: &Layers<'_>, place: &Place, problems: &mut Problems) {
    if !keys.is_own_unsaid(|keys| &keys.run) {
        return;
    }
    let fix = "add command = [\"make\", \"image\"]";
    problems.push(match kind {
        StrategyKind::Source | StrategyKind::Docker => return,
        StrategyKind::Command => Problem::absence(place, "has nothing to run", fix),
        StrategyKind::Custom => {
            let message = "has no command, which is all that a Custom build is: its builds end in Error";
            Problem::warning(place, message, fix)
        }
    });
}

/// An option of one strategy says nothing in another (F35).
fn check_options(kind: StrategyKind, typed: &TypedStrategy, problems: &mut Problems) {
    fn place<T>(typed: &section::Typed<T>) -> Option<&Place> {
        typed.given().map(|at| &at.place)
    }
    const DOCKER: &[StrategyKind] = &[StrategyKind::Docker];
    const ALL_OF_OPENSHIFT: &[StrategyKind] =
        &[StrategyKind::Source, StrategyKind::Docker, StrategyKind::Custom];
    let options = [
        (place(&typed.dockerfile_path), DOCKER),
        (place(&typed.build_args), DOCKER),
        (place(&typed.target), DOCKER),
        (place(&typed.no_cache), DOCKER),
        (place(&typed.incremental), &[StrategyKind::Source]),
        (place(&typed.force_pull), ALL_OF_OPENSHIFT),
        (place(&typed.tool), &[StrategyKind::Docker, StrategyKind::Source]),
    ];
    for (place, kinds) in options {
        let Some(place) = place.filter(|_| !kinds.contains(&kind)) else { continue };
        let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let message = format!("is for {} strategies, and this is a {} one", names.join(", "), kind.as_str());
        problems.push(Problem::error(place, message, "delete it"));
    }
}

fn options(typed: &TypedStrategy) -> Option<StrategyOptions> {
    let text = |typed: &section::Typed<String>| typed.value().map(|text| text.as_str().into());
    let flag = |typed: &section::Typed<bool>| typed.value().copied().unwrap_or(false);
    let arguments = |named: &Named| named.iter().map(|(name, at)| (name.clone(), at.value.clone())).collect();
    let options = StrategyOptions {
        dockerfile_path: text(&typed.dockerfile_path),
        build_args: typed.build_args.value().map(arguments).unwrap_or_default(),
        target: text(&typed.target),
        no_cache: flag(&typed.no_cache),
        incremental: flag(&typed.incremental),
        force_pull: flag(&typed.force_pull),
        tool: typed.tool.value().copied(),
        // Filled in by what stands elsewhere.
        no_push: false,
        insecure: Vec::new(),
    };
    (options != StrategyOptions::default()).then_some(options)
}

/// Only a Custom build is told its own image by that variable.
fn refuse_custom_variable(env: Option<&At<Named>>, problems: &mut Problems) {
    for (name, at) in env.iter().flat_map(|env| &env.value) {
        if name == CUSTOM_BASE_IMAGE {
            own_variable::<()>(name, &at.place, problems);
        }
    }
}
