//! What a build config says.

use std::collections::BTreeMap;

use super::Status;
use super::fields::Fields;
use super::image_stream::{ObjectRef, RefKind, build_ref, object_ref};
use super::object;
use super::strategy::{self, Strategy};
use super::trigger::{self, Trigger};

/// A build config as it was written.
#[derive(Debug)]
pub(super) struct BuildConfig {
    /// Nothing is built of it, whoever asks (F22).
    pub(super) paused: bool,
    pub(super) run_policy: Option<&'static str>,
    pub(super) successful_limit: Option<i64>,
    pub(super) failed_limit: Option<i64>,
    /// In seconds.
    pub(super) deadline: Option<i64>,
    pub(super) source: Source,
    pub(super) output: Option<ObjectRef>,
    pub(super) strategy: Strategy,
    pub(super) triggers: Vec<Trigger>,
    pub(super) stored: Stored,
}

/// Where its source code is.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) uri: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) context_dir: Option<String>,
    pub(super) images: Vec<ImageSource>,
}

/// An image that it uses besides the one it is made from (F29).
#[derive(Debug)]
pub(super) struct ImageSource {
    /// Where it stands in its root.
    pub(super) path: String,
    pub(super) from: ObjectRef,
    pub(super) aliases: Vec<String>,
    /// From where in the image to where in the source code.
    pub(super) paths: Vec<(String, String)>,
}

/// What OpenShift stored of it; empty unless it is taken along.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) last_version: Option<i64>,
    /// The image that the trigger of a tag last fired for, by the tag's namespace, if written, and `name:tag`.
    pub(super) images: BTreeMap<(Option<String>, String), String>,
}

/// How many ended builds the configuration keeps at most.
const HISTORY: i64 = 100_000;

/// What is read of `spec`.
struct Spec {
    run_policy: Option<&'static str>,
    limits: (Option<i64>, Option<i64>),
    deadline: Option<i64>,
    source: Source,
    output: Option<ObjectRef>,
    strategy: Option<Strategy>,
    triggers: Vec<Trigger>,
}

/// Reads a build config; nothing if its strategy cannot be told.
pub(super) fn read(root: &mut Fields, status: Status) -> Option<BuildConfig> {
    let paused = object::metadata(root, |annotations| {
        annotations.text("openshift.io/build-config.paused").is_some_and(|text| text == "true")
    });
    let Some(spec) = root.object("spec", spec) else {
        root.refuse("spec", "is missing: without a strategy there is nothing to build");
        return None;
    };
    let stored = self::status(root, status, &spec.triggers);
    let (successful_limit, failed_limit) = spec.limits;
    Some(BuildConfig {
        paused,
        run_policy: spec.run_policy,
        successful_limit,
        failed_limit,
        deadline: spec.deadline,
        source: spec.source,
        output: spec.output,
        strategy: spec.strategy?,
        triggers: spec.triggers,
        stored,
    })
}

fn spec(spec: &mut Fields) -> Spec {
    let policies = [("Serial", "Serial"), ("SerialLatestOnly", "SerialLatestOnly"), ("Parallel", "Parallel")];
    let limits = (
        spec.limited("successfulBuildsHistoryLimit", HISTORY),
        spec.limited("failedBuildsHistoryLimit", HISTORY),
    );
    let strategy = spec.object("strategy", strategy::read);
    if strategy.is_none() {
        spec.refuse("strategy", "is missing: there is nothing to build");
    }
    Spec {
        run_policy: spec.word("runPolicy", &policies),
        limits,
        deadline: spec.number("completionDeadlineSeconds", 1),
        source: spec.object("source", source).unwrap_or_default(),
        output: spec.object("output", |output| build_ref(output, "to")).flatten(),
        strategy: strategy.flatten(),
        triggers: spec.each("triggers", trigger::read),
    }
}

fn source(source: &mut Fields) -> Source {
    // What it has tells the type; a type beside it is from older versions.
    source.drop_silently(&["type"]);
    let (uri, reference) = source.object("git", git).unwrap_or_default();
    let context_dir = source.text("contextDir");
    Source { uri, reference, context_dir, images: source.each("images", image_source) }
}

fn image_source(image: &mut Fields) -> Option<ImageSource> {
    let path = image.place().to_owned();
    let (aliases, paths) = (image.texts("as"), image.each("paths", image_path));
    let Some(from) = build_ref(image, "from") else {
        image.refuse("from", "is missing: it names no image");
        return None;
    };
    Some(ImageSource { path, from, aliases, paths })
}

fn image_path(path: &mut Fields) -> Option<(String, String)> {
    path.text("sourcePath").zip(path.text("destinationDir"))
}

/// Where the code is, and which of it; without the one the other is left to be named in the report.
fn git(git: &mut Fields) -> (Option<String>, Option<String>) {
    let uri = git.text("uri");
    let reference = uri.as_ref().and_then(|_| git.text("ref"));
    (uri, reference)
}

/// Reads the ids that OpenShift stored; the status wins, an older spec had them too (F12).
fn status(root: &mut Fields, wanted: Status, triggers: &[Trigger]) -> Stored {
    let read = root.object("status", |status| {
        let last_version = status.limited("lastVersion", u32::MAX.into());
        let images = status.each("imageChangeTriggers", |trigger| {
            trigger.drop_silently(&["lastTriggerTime"]);
            let from = object_ref(trigger, "from", RefKind::ImageStreamTag)?;
            let image = trigger.text("lastTriggeredImageID")?;
            Some(((from.namespace, from.name), image))
        });
        Stored { last_version, images: images.into_iter().collect() }
    });
    let stored = read.unwrap_or_default();
    let in_spec = triggers.iter().any(|trigger| trigger.last_image().is_some());
    let anything = in_spec || stored.last_version > Some(0) || !stored.images.is_empty();
    match wanted {
        Status::Taken => stored,
        Status::Left => {
            if anything {
                root.tell("status", Status::LEFT_OUT);
            }
            Stored::default()
        }
    }
}
