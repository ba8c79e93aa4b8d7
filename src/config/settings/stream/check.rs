//! What the tags of a stream must not say, and what they had better not.

use std::collections::HashMap;

use super::super::super::grammar::is_tag_name;
use super::super::super::image_stream::{ImageStream, ImportMode, Tag};
use super::super::super::object_ref::{Kind, ObjectRef};
use super::super::super::problem::{Place, Problem, Problems};
use super::Wanted;
use super::tag::followed;

/// Tells of tags of a stream that have no name, or one that another has.
pub(super) fn check_names(stream: &ImageStream, problems: &mut Problems) {
    let mut places: HashMap<&str, &Place> = HashMap::new();
    for tag in &stream.tags {
        if tag.name.is_absent() {
            problems.push(Problem::absence(&tag.place, "has no name", "add name = \"latest\""));
        }
        let Some(name) = tag.name.given() else { continue };
        match places.get(name.value.as_str()) {
            Some(first) => {
                let message = format!("is in this stream already, at {first}");
                let problem =
                    Problem::error(&name.place, message, "make one [[image_stream.tag]] of the two");
                problems.push(problem.with_value(format!("\"{}\"", name.value)));
            }
            None => drop(places.insert(&name.value, &name.place)),
        }
    }
}

/// Tells what a listed tag says that does not go together.
pub(super) fn check(tag: &Tag, wanted: Wanted<'_>, problems: &mut Problems) {
    let kind = tag.from.value().and_then(|from| check_from(from, wanted, problems));
    check_scheduled(tag, kind, problems);
    if let (Some(_), Some(mode)) = (tag.platforms.given(), tag.import_policy.import_mode.given()) {
        let fix = "keep one of the two; \"PreserveOriginal\" is platforms = \"index\"";
        problems.push(Problem::error(&mode.place, "stands beside `platforms`", fix));
    }
    check_preference(tag, problems);
    if kind == Some(Kind::ImageStreamTag) {
        if let Some(reference) = tag.reference.given().filter(|reference| reference.value) {
            let message = "a tag that follows another has no image of its own to refer to";
            let fix = "name the image itself, kind = \"DockerImage\"";
            problems.push(Problem::error(&reference.place, message, fix));
        }
        warn_of_what_another_tag_says(tag, problems);
    }
}

/// Only what is imported can be scheduled (F2, F3).
fn check_scheduled(tag: &Tag, kind: Option<Kind>, problems: &mut Problems) {
    let Some(scheduled) = tag.import_policy.scheduled.given().filter(|scheduled| scheduled.value) else {
        return;
    };
    let (message, fix) = match kind {
        Some(Kind::DockerImage) if tag.reference.value() == Some(&true) => {
            ("stands beside `reference`, so that no registry is asked", "keep one of the two")
        }
        Some(Kind::DockerImage) => return,
        // What it comes from was refused, and may be either.
        None if !tag.from.is_absent() => return,
        Some(Kind::ImageStreamTag | Kind::ImageStreamImage) | None => (
            "only tags that come from a DockerImage can be scheduled",
            "delete it: such a tag is followed anyhow",
        ),
    };
    problems.push(Problem::error(&scheduled.place, message, fix));
}

/// Which image of an index is preferred is a matter of `Legacy` (F10).
fn check_preference(tag: &Tag, problems: &mut Problems) {
    if tag.import_policy.import_mode.value() == Some(&ImportMode::Legacy) {
        return;
    }
    for preferred in [&tag.prefer_arch, &tag.prefer_os].into_iter().filter_map(|typed| typed.given()) {
        let fix = "add import_policy = { import_mode = \"Legacy\" }, or write platforms instead";
        let problem = Problem::error(&preferred.place, "is of no use without Legacy", fix);
        problems.push(problem.with_value(format!("\"{}\"", preferred.value)));
    }
}

/// What a tag says of looking at it, when it is another that is looked at.
fn warn_of_what_another_tag_says(tag: &Tag, problems: &mut Problems) {
    let places = [
        tag.platforms.given().map(|at| &at.place),
        tag.interval.given().map(|at| &at.place),
        tag.import_policy.insecure.given().filter(|at| at.value).map(|at| &at.place),
    ];
    for place in places.into_iter().flatten() {
        let message = "has no effect: this tag follows another, and that one says how it is looked at";
        problems.push(Problem::warning(place, message, "write it there"));
    }
}

/// What kind of thing a tag comes from, told if it can come from none of that.
fn check_from(from: &ObjectRef, wanted: Wanted<'_>, problems: &mut Problems) -> Option<Kind> {
    if from.kind.is_absent() {
        let fix = "add kind = \"DockerImage\", or \"ImageStreamTag\" for another tag of this stream";
        problems.push(Problem::absence(&from.place, "does not say what kind of thing it names", fix));
    }
    if from.name.is_absent() {
        problems.push(Problem::absence(&from.place, "names nothing", "add name = \"…\""));
    }
    let kind = from.kind.given()?;
    match kind.value {
        Kind::DockerImage => check_no_namespace(from, problems),
        Kind::ImageStreamTag => check_same_stream(from, wanted, problems),
        Kind::ImageStreamImage => {
            let fix =
                "name it as it stands in its registry: kind = \"DockerImage\", host/repository@sha256:…";
            return problems.wrong(
                &kind.place,
                "cannot be what a tag comes from",
                "\"ImageStreamImage\"",
                fix,
            );
        }
    }
    Some(kind.value)
}

/// A DockerImage is in a registry and in no namespace.
pub(in super::super) fn check_no_namespace(from: &ObjectRef, problems: &mut Problems) {
    if let Some(namespace) = from.namespace.given() {
        let message = "namespace is not valid when used with a 'DockerImage'";
        let problem = Problem::error(&namespace.place, message, "delete it");
        problems.push(problem.with_value(format!("\"{}\"", namespace.value)));
    }
}

/// OpenShift copies a tag of another stream once, when the stream is edited (F2): nobody who writes that here means it.
fn check_same_stream(from: &ObjectRef, wanted: Wanted<'_>, problems: &mut Problems) {
    let Some(name) = from.name.given() else { return };
    let is_here = from.namespace.value().is_none_or(|namespace| namespace == wanted.namespace);
    let problem = match followed(from, wanted).filter(|_| is_here) {
        Some(next) if is_tag_name(next.tag) => return,
        Some(_) => Problem::error(&name.place, "is not the name of a tag", "write the tag's name alone"),
        None => {
            let fix =
                "name the image itself, kind = \"DockerImage\": by tag to follow it, by digest to hold it";
            Problem::error(&name.place, "is a tag of another image stream, and would not be followed", fix)
        }
    };
    problems.push(problem.with_value(format!("\"{}\"", name.value)));
}
