//! Writes the long form of the configuration, as a person would lay it out.

mod layout;

use toml::Value;

use super::build_config::ImageSource;
use super::image_stream::{ImportMode, ImportPolicy, ObjectRef, RefKind};
use super::resolve::{Config, Entry, From, Resolved, Stream, StreamTag, Trigger};
use super::strategy::{Kind, Strategy};
use super::trigger::Hook;
use layout::{Layout, pairs, table};

/// The objects as TOML, in their order; nothing at all for none.
pub(super) fn toml(objects: &[Resolved]) -> String {
    let mut toml = Layout::default();
    if !objects.is_empty() {
        toml.comment("Imported from OpenShift. What was not carried over is in the report.");
    }
    for object in objects {
        toml.gap();
        toml.comment(object.label);
        match &object.entry {
            Entry::Stream(stream) => image_stream(&mut toml, object, stream),
            Entry::Config(config) => build_config(&mut toml, object, config),
        }
    }
    toml.into_text()
}

fn head(toml: &mut Layout, name: &str, object: &Resolved) {
    toml.head(name);
    toml.pair("name", object.key.name.as_str());
    toml.maybe("namespace", object.key.namespace.as_deref());
}

fn image_stream(toml: &mut Layout, object: &Resolved, Stream { stream, tags }: &Stream) {
    head(toml, "[[image_stream]]", object);
    toml.maybe("repository", stream.repository.as_deref());
    toml.maybe("insecure", stream.insecure.then_some(true));
    for tag in tags {
        stream_tag(toml, tag);
    }
}

fn stream_tag(toml: &mut Layout, tag: &StreamTag) {
    toml.head("[[image_stream.tag]]");
    toml.pair("name", tag.name.as_str());
    let (kind, name) = match &tag.from {
        From::DockerImage(name) => ("DockerImage", name),
        From::Tracked(name) => ("ImageStreamTag", name),
    };
    toml.pair("from", table([("kind", Some(kind.into())), ("name", Some(name.as_str().into()))]));
    toml.maybe("reference", tag.reference.then_some(true));
    toml.maybe("import_policy", tag.import.map(import_policy));
    toml.maybe("reference_policy", tag.local.then_some("Local"));
    toml.maybe("prefer_arch", tag.prefer_arch.as_deref());
    toml.maybe("prefer_os", tag.prefer_os.as_deref());
}

/// What is absent in OpenShift has another meaning here, so it is written.
fn import_policy(policy: ImportPolicy) -> Value {
    let mode = match policy.mode {
        ImportMode::Legacy => "Legacy",
        ImportMode::PreserveOriginal => "PreserveOriginal",
    };
    table([
        ("scheduled", Some(policy.scheduled.into())),
        ("insecure", policy.insecure.then(|| true.into())),
        ("import_mode", Some(mode.into())),
    ])
}

fn build_config(toml: &mut Layout, object: &Resolved, resolved: &Config) {
    let config = resolved.config;
    head(toml, "[[build_config]]", object);
    toml.maybe("paused", config.paused.then_some(true));
    toml.maybe("last_version", config.stored.last_version);
    // Written even where it is the default, which [defaults] may have changed; so is the timeout. OpenShift builds for
    // the first image, once, and what waits gives way to what is newer.
    toml.pair("run_policy", config.run_policy.unwrap_or("Serial"));
    toml.pair("supersede", "all");
    toml.pair("retry", table([("attempts", Some(1.into()))]));
    toml.pair("on_first", "build");
    toml.maybe("successful_builds_history_limit", config.successful_limit);
    toml.maybe("failed_builds_history_limit", config.failed_limit);
    toml.pair("timeout", resolved.timeout.as_str());
    let source = &config.source;
    let git = source
        .uri
        .as_deref()
        .map(|uri| table([("uri", Some(uri.into())), ("ref", source.reference.as_deref().map(Value::from))]));
    let images: Vec<Value> = resolved.images.iter().map(image_source).collect();
    if git.is_some() || source.context_dir.is_some() || !images.is_empty() {
        let context_dir = source.context_dir.as_deref().map(Value::from);
        let images = (!images.is_empty()).then(|| images.into());
        toml.pair("source", table([("git", git), ("context_dir", context_dir), ("images", images)]));
    }
    if let Some(to) = &resolved.output {
        toml.pair("output", table([("to", Some(to.as_str().into())), ("push", Some(true.into()))]));
    }
    strategy(toml, &config.strategy, resolved.from.as_ref());
    for one in &resolved.triggers {
        trigger(toml, one);
    }
}

fn image_source((from, image): &(ObjectRef, &ImageSource)) -> Value {
    let path = |(source, destination): &(String, String)| {
        let (source, destination) = (source.as_str().into(), destination.as_str().into());
        table([("source_path", Some(source)), ("destination_dir", Some(destination))])
    };
    let paths: Vec<Value> = image.paths.iter().map(path).collect();
    table([
        ("from", Some(object_ref(from))),
        ("as", (!image.aliases.is_empty()).then(|| image.aliases.clone().into())),
        ("paths", (!paths.is_empty()).then(|| paths.into())),
    ])
}

fn strategy(toml: &mut Layout, strategy: &Strategy, from: Option<&ObjectRef>) {
    toml.head("[build_config.strategy]");
    toml.pair("type", strategy.kind.as_str());
    toml.maybe("from", from.map(object_ref));
    toml.maybe("env", pairs(&strategy.env));
    toml.maybe("incremental", strategy.incremental.then_some(true));
    toml.maybe("dockerfile_path", strategy.dockerfile_path.as_deref());
    toml.maybe("build_args", pairs(&strategy.build_args));
    toml.maybe("no_cache", strategy.no_cache.then_some(true));
    toml.maybe("force_pull", strategy.force_pull.then_some(true));
    if strategy.kind == Kind::Custom {
        toml.comment(
            "command = [\"./build.sh\"]     is to be added: the program that builds it, and its arguments",
        );
    }
}

fn trigger(toml: &mut Layout, trigger: &Trigger) {
    toml.head("[[build_config.trigger]]");
    match trigger {
        Trigger::ConfigChange => toml.pair("type", "ConfigChange"),
        Trigger::ImageChange { change, last } => {
            toml.pair("type", "ImageChange");
            let value = table([
                ("from", change.from.as_ref().map(object_ref)),
                ("paused", change.paused.then(|| true.into())),
                ("last_triggered_image_id", last.as_deref().map(Value::from)),
            ]);
            toml.pair("image_change", value);
        }
        Trigger::Hook { hook, file } => webhook(toml, hook, file),
    }
}

fn webhook(toml: &mut Layout, hook: &Hook, file: &str) {
    toml.pair("type", hook.kind.as_str());
    let value =
        table([("secret_file", Some(file.into())), ("allow_env", hook.allow_env.then(|| true.into()))]);
    toml.pair(hook.kind.key(), value);
}

fn object_ref(from: &ObjectRef) -> Value {
    let kind = match from.kind {
        RefKind::DockerImage => "DockerImage",
        RefKind::ImageStreamTag => "ImageStreamTag",
        RefKind::ImageStreamImage => "ImageStreamImage",
    };
    table([
        ("kind", Some(kind.into())),
        ("name", Some(from.name.as_str().into())),
        ("namespace", from.namespace.as_deref().map(Value::from)),
    ])
}
