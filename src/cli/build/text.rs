//! A build in full, as facts under one another.

use std::fmt::Write as _;

use super::super::builds;
use super::super::output::Show;
use super::super::style::{FIRES_ONCE, Style, harmless, tone};
use crate::control::protocol::{
    Attempt, BuildDetail, Cause, Image, ImagePath, ImageSource, Options, Revision, Spec,
};
use crate::text::quoted;

impl Show for BuildDetail {
    fn show(&self, style: Style) -> String {
        let build = &self.build;
        let mut list = List::default();
        list.add("build", &format!("{} ({})", build.build, build.id));
        let why = builds::why(build, style).map(|why| format!(", {why}")).unwrap_or_default();
        list.raw(
            "phase",
            &format!("{}{}", style.paint(tone(build.phase), &format!("{:?}", build.phase)), harmless(&why)),
        );
        match &self.spec {
            Some(spec) => spec.causes.iter().for_each(|cause| list.cause(cause)),
            None => list.add("cause", &build.cause),
        }
        list.add("created", &build.created.to_string());
        if let Some(ended) = build.ended {
            list.add("ended", &ended.to_string());
        }
        self.spec.iter().for_each(|spec| list.spec(spec));
        list.add("run policy", &self.run_policy);
        self.history.iter().for_each(|attempt| list.attempt(attempt));
        if let Some(commit) = &self.commit {
            list.add("commit", commit);
        }
        for image in &self.images {
            list.add("made", &format!("{} {}", image.reference, image.digest));
        }
        list.add("log", &self.log.display().to_string());
        list.0
    }
}

/// Facts, one a line, under one another.
#[derive(Default)]
struct List(String);

impl List {
    fn add(&mut self, name: &str, value: &str) {
        self.raw(name, &harmless(value));
    }

    /// A value that is known to be harmless.
    fn raw(&mut self, name: &str, value: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{name:<12}{value}");
    }

    fn spec(&mut self, spec: &Spec) {
        if !spec.strategy.is_empty() {
            self.add("strategy", &strategy(spec));
        }
        if let Some(base) = &spec.base_image {
            self.add("base image", &image(base));
        }
        self.source(spec);
        if spec.steps.is_empty() {
            let command: Vec<String> = spec.command.iter().map(|word| quoted(word)).collect();
            self.add("command", &command.join(" "));
        }
        for (number, step) in spec.steps.iter().enumerate() {
            self.add(if number == 0 { "steps" } else { "" }, step);
        }
        self.venue(spec);
        if let Some(dir) = &spec.working_dir {
            self.add("working dir", &dir.display().to_string());
        }
        if !spec.env.is_empty() {
            self.add("env", &spec.env.join(" "));
        }
        for (key, value) in &spec.labels {
            self.add("label", &format!("{key}={value}"));
        }
    }

    fn venue(&mut self, spec: &Spec) {
        if let Some(runner) = &spec.runner {
            self.add("runner", runner);
        }
        if !spec.secrets.is_empty() {
            self.add("secrets", &spec.secrets.join(" "));
        }
    }

    /// What is used of another image: by which names, and which files.
    fn image_source(&mut self, source: &ImageSource) {
        let aliases = source.of_use.aliases.iter().map(|alias| format!(", as {alias}"));
        let path = |path: &ImagePath| format!(", {} to {}", path.source_path, path.destination_dir);
        let paths = source.of_use.paths.iter().map(path);
        let used: String = aliases.chain(paths).collect();
        self.add("image used", &format!("{}{used}", image(&source.image)));
    }

    fn cause(&mut self, cause: &Cause) {
        let of = cause.rebuild_of.as_ref().map(|of| format!(" of {of}"));
        let hook = cause.hook.as_ref().map(|hook| format!(", {hook}"));
        self.add("cause", &format!("{}{}", cause.kind, of.or(hook).unwrap_or_default()));
        if let Some(moved) = &cause.image {
            let old = cause.old_digest.as_ref().map(|old| format!(", was {old}")).unwrap_or_default();
            self.add("image", &format!("{}{old}", image(moved)));
            let named = moved.stream_tag().map(|_| format!(" ({})", moved.named)).unwrap_or_default();
            self.add("tag", &format!("{}{named}", moved.tag));
        }
    }

    fn source(&mut self, spec: &Spec) {
        let source = spec.source.as_ref();
        if let Some(git) = source.and_then(|source| source.git.as_ref()) {
            let reference =
                git.reference.as_ref().map(|reference| format!(", {reference}")).unwrap_or_default();
            self.add("source", &format!("{}{reference}", git.uri));
        }
        if let Some(directory) = source.and_then(|source| source.directory.as_deref()) {
            self.add("source", &directory.display().to_string());
        }
        if let Some(dir) = source.and_then(|source| source.context_dir.as_deref()) {
            self.add("context dir", dir);
        }
        if let Some(revision) = &spec.revision {
            self.add("revision", &told(revision));
        }
        spec.image_sources.iter().for_each(|source| self.image_source(source));
        if let Some(output) = &spec.output {
            self.add("output", output);
        }
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let outcome = attempt.outcome.as_deref().unwrap_or("running");
        self.add("attempt", &format!("{}, {}: {outcome}", attempt.number, attempt.started));
    }
}

/// What a build would be given, as it is shown of one that is there.
pub(in super::super) fn given(spec: &Spec) -> String {
    let mut list = List::default();
    spec.causes.iter().for_each(|cause| list.cause(cause));
    list.spec(spec);
    list.0
}

/// The strategy, and what it says besides its command.
fn strategy(spec: &Spec) -> String {
    let none = Options::default();
    let Options { dockerfile_path, build_args, target, no_cache, incremental, force_pull, tool, no_push } =
        spec.options.as_ref().unwrap_or(&none);
    let with = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name} {value}"));
    let flag = |name: &str, is_on: &bool| is_on.then(|| name.to_owned());
    let args = (!build_args.is_empty()).then(|| format!("build args {}", build_args.join(" ")));
    let options = [
        with("Dockerfile", dockerfile_path),
        with("stage", target),
        args,
        flag("no cache", no_cache),
        flag("incremental", incremental),
        flag("force pull", force_pull),
        with("by", tool),
        flag("not pushed", no_push),
    ];
    let said = std::iter::once(spec.strategy.clone()).chain(options.into_iter().flatten());
    said.collect::<Vec<_>>().join(", ")
}

/// A commit, whose it is, and the first line of what is said of it.
fn told(revision: &Revision) -> String {
    let author = revision.author.as_ref().and_then(|author| author.name.as_ref());
    let author = author.map(|name| format!(", {name}")).unwrap_or_default();
    let message = revision.message.as_deref().and_then(|message| message.lines().next());
    let message = message.map(|line| format!(": {line}")).unwrap_or_default();
    format!("{}{author}{message}", revision.commit)
}

/// A reference, and what is to be known of one that does not stand for one image for ever.
fn image(image: &Image) -> String {
    match (image.mutable, image.image_id) {
        (true, Some(id)) => format!("{} (mutable, was {id}; {FIRES_ONCE})", image.reference),
        // It is taken as it is written.
        (true, None) => format!("{} (mutable)", image.reference),
        (false, _) => image.reference.clone(),
    }
}
