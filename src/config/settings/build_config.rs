//! The build configs of the long form.

mod base;
mod trigger;

use std::path::PathBuf;

use super::super::build_config::{
    BuildConfig as Typed, Output, Source as TypedSource, Strategy as TypedStrategy,
};
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
use crate::controller::{
    BuildConfig, CUSTOM_BASE_IMAGE, Git, History, Policy, Source, Strategy, StrategyKind, StrategyOptions,
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
        problems: &mut Problems,
    ) {
        check_presence(typed, problems);
        let namespace = typed.namespace.value().map_or(self.namespace, String::as_str);
        let base = self.base(typed, namespace, problems);
        let triggers = self.triggers(typed, namespace, &base, hooks, problems);
        for followed in base.followed().into_iter().chain(&triggers.followed) {
            tags.add(&followed.from, followed.wish, problems);
        }
        let keys = Layers::of_build_config(&typed.keys, self.defaults);
        let strategy = typed.strategy.value().and_then(|typed| strategy(typed, &keys, &base, problems));
        let source = typed.source.value().map(|typed| source(typed, problems));
        let output = typed.output.value().and_then(|typed| output(typed, problems));
        let Some(name) = typed.name.given() else { return };
        let Some(key) = configs.key(namespace, &name.value, &name.place, problems) else { return };
        for hook in triggers.hooks {
            hooks.add(&key, hook);
        }
        let Some(strategy) = strategy else { return };
        let policy = Policy { history: history(typed), ..policy(&keys, &OF_THE_LONG_FORM) };
        let policy = configs.policy(policy);
        configs.add(BuildConfig {
            key,
            strategy,
            triggers: triggers.triggers,
            config_change: triggers.config_change,
            paused: typed.paused.value().copied().unwrap_or(false),
            policy,
            source: source.map(Box::new),
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

/// Every strategy runs its command. The built-in ones of OpenShift's strategies are not here yet.
fn check_command(kind: StrategyKind, keys: &Layers<'_>, place: &Place, problems: &mut Problems) {
    if !keys.is_own_unsaid(|keys| &keys.run) {
        return;
    }
    let fix = "add command = [\"make\", \"image\"]";
    problems.push(match kind {
        StrategyKind::Command => Problem::absence(place, "has nothing to run", fix),
        StrategyKind::Source | StrategyKind::Docker | StrategyKind::Custom => {
            let message = "has no command, and this version has no built-in one: its builds end in Error";
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

fn source(typed: &TypedSource, problems: &mut Problems) -> Source {
    let git = typed.git.value().and_then(|git| {
        if git.uri.is_absent() {
            problems.push(Problem::absence(&git.place, "names no repository", "add uri = \"https://…\""));
        }
        let reference = git.reference.value().map(|text| text.as_str().into());
        if let Some(uri) = git.uri.given().filter(|uri| has_password(&uri.value)) {
            // Not shown: it would be in every record of a build, too.
            let fix =
                "leave it out: git finds it in its own configuration, or in a file that the command reads";
            problems.push(Problem::error(&uri.place, "has a password in it", fix));
        }
        Some(Git { uri: git.uri.value()?.as_str().into(), reference })
    });
    Source { git, context_dir: typed.context_dir.value().map(|dir| dir.as_str().into()) }
}

/// Whether something stands before the host of a URL that is more than a user's name.
fn has_password(uri: &str) -> bool {
    let Some((_, rest)) = uri.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// Where the command pushes to; that it does not push is nothing that could be told to it.
fn output(typed: &Output, problems: &mut Problems) -> Option<Box<str>> {
    if let Some(push) = typed.push.given().filter(|push| !push.value) {
        let fix = "delete it: the command pushes, or does not";
        problems.wrong::<()>(&push.place, "cannot be turned off", "false", fix);
    }
    let to = typed.to.given()?;
    parse_image(to, problems)?;
    Some(to.value.as_str().into())
}
