//! One tag of an image stream: where it comes from, how it is looked at, and what builds are given of it.

use std::collections::{BTreeSet, HashMap};
use std::env::consts::{ARCH, OS};
use std::sync::Arc;

use super::super::super::grammar::is_tag_name;
use super::super::super::image_stream::{ImageStream, ImportMode, ReferencePolicy, Tag};
use super::super::super::object_ref::{Kind, ObjectRef};
use super::super::super::problem::{Place, Problem, Problems};
use super::super::super::section::{At, Typed};
use super::super::image::{parse_image, prefixed};
use super::super::tag::Wish;
use super::{Followed, Streams, Wanted, listed};
use crate::controller::StreamTag;
use crate::image::{Legacy, Platform, Platforms, TagRef};

impl<'a> Streams<'a> {
    /// What stands behind a tag that was not asked for before.
    pub(super) fn follow(
        &mut self,
        wanted: Wanted<'a>,
        named: &str,
        problems: &mut Problems,
    ) -> Option<Followed<'a>> {
        let stream = self.declared(wanted);
        let first = stream.and_then(|stream| listed(stream, wanted.tag));
        if let Some(tag) = first {
            check(tag, wanted, problems);
        }
        let end = self.end_of(wanted, problems)?;
        let typed = stream.and_then(|stream| listed(stream, end.tag));
        let tag = match typed.and_then(docker_image) {
            Some(image) => parse_image(image, problems)?,
            None => {
                let repository = self.own_repository(end, problems)?;
                format!("{repository}:{}", end.tag).parse().ok()?
            }
        };
        let is_local = first.and_then(|tag| tag.reference_policy.value()) == Some(&ReferencePolicy::Local);
        let given = match is_local.then(|| self.repository_if_any(wanted)).flatten() {
            Some(own) => (*own != *tag.name()).then(|| own.into()),
            None => prefixed(&tag, self.hosts),
        };
        let from = StreamTag {
            named: named.into(),
            given,
            platforms: self.platforms(stream, typed),
            unasked: typed.and_then(|tag| tag.reference.value()).copied().unwrap_or(false),
            tag,
        };
        Some(Followed { from: Arc::new(from), wish: self.wish(wanted, stream, typed) })
    }

    /// The tag at the end of those that follow one another within a stream.
    fn end_of(&mut self, wanted: Wanted<'a>, problems: &mut Problems) -> Option<Wanted<'a>> {
        let Some(stream) = self.declared(wanted) else { return Some(wanted) };
        let mut at = wanted;
        let mut path: Vec<&str> = vec![wanted.tag];
        while let Some(from) = listed(stream, at.tag).and_then(|tag| tag.from.value()) {
            if from.kind.value() != Some(&Kind::ImageStreamTag) {
                break;
            }
            let next = followed(from, wanted)?;
            let is_circle = path.contains(&next.tag);
            path.push(next.tag);
            if is_circle {
                // Each tag of the circle comes by here, and only the first of them tells.
                let is_first = next.tag == wanted.tag && !path.iter().any(|tag| self.was_seen(wanted, tag));
                is_first.then(|| problems.push(circle(&path, next.place)));
                return None;
            }
            at = Wanted { tag: next.tag, place: next.place, ..wanted };
        }
        // Where what a tag comes from was refused, nobody knows where it ends.
        let is_known = |tag: &'a Tag| tag.from.is_absent() || docker_image(tag).is_some();
        listed(stream, at.tag).is_none_or(is_known).then_some(at)
    }

    fn was_seen(&self, wanted: Wanted<'_>, tag: &str) -> bool {
        self.resolved.contains_key(&format!("{}/{}:{tag}", wanted.namespace, wanted.stream))
    }

    /// The repository that all listed tags of a stream come from, where it has none of its own written down.
    pub(super) fn only_source(&self, wanted: Wanted<'_>) -> Option<String> {
        let stream = self.declared(wanted).filter(|stream| stream.repository.is_absent())?;
        let images = stream.tags.iter().filter_map(docker_image);
        let images = images.filter_map(|image| TagRef::parse_image(&image.value).ok());
        let mut sources: BTreeSet<String> = images.map(|image| image.name().to_owned()).collect();
        let first = sources.pop_first()?;
        sources.is_empty().then_some(first)
    }

    fn platforms(&self, stream: Option<&ImageStream>, tag: Option<&Tag>) -> Platforms {
        let by_mode = tag.and_then(|tag| {
            Some(match tag.import_policy.import_mode.value()? {
                ImportMode::Legacy => Platforms::Legacy(Box::new(legacy(tag))),
                ImportMode::PreserveOriginal => Platforms::Index,
            })
        });
        let of_tag = tag.and_then(|tag| tag.platforms.value());
        let of_stream = stream.and_then(|stream| stream.platforms.value());
        let written = of_tag.or(of_stream).or(self.defaults.platforms.value());
        by_mode.or_else(|| written.cloned()).unwrap_or_default()
    }

    fn wish(&self, wanted: Wanted<'a>, stream: Option<&'a ImageStream>, tag: Option<&'a Tag>) -> Wish<'a> {
        let of_tag = tag.and_then(|tag| tag.interval.given());
        let of_stream = stream.and_then(|stream| stream.interval.given());
        let insecure = tag.and_then(|tag| tag.import_policy.insecure.given());
        let insecure = insecure.or_else(|| stream.and_then(|stream| stream.insecure.given()));
        Wish {
            interval: of_tag.or(of_stream),
            default: self.defaults.interval.given(),
            once: tag.and_then(|tag| tag.import_policy.scheduled.value()) == Some(&false),
            insecure: insecure.filter(|insecure| insecure.value).map(|insecure| &insecure.place),
            place: tag.map_or(wanted.place, |tag| &tag.place),
        }
    }
}

/// The next of the tags that follow one another.
struct Next<'a> {
    tag: &'a str,
    place: &'a Place,
}

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
fn check(tag: &Tag, wanted: Wanted<'_>, problems: &mut Problems) {
    let kind = tag.from.value().and_then(|from| check_from(from, wanted, problems));
    let is_docker_image = kind == Some(Kind::DockerImage);
    let follows = kind == Some(Kind::ImageStreamTag);
    let policy = &tag.import_policy;
    let scheduled = policy.scheduled.given().filter(|scheduled| scheduled.value);
    // F3. A tag whose origin was refused may be either.
    if let Some(scheduled) = scheduled.filter(|_| follows || tag.from.is_absent()) {
        let message = "only tags that come from a DockerImage can be scheduled";
        problems.push(Problem::error(&scheduled.place, message, "delete it: such a tag is followed anyhow"));
    }
    let reference = tag.reference.given().filter(|reference| reference.value);
    if let (Some(scheduled), Some(_)) = (scheduled.filter(|_| is_docker_image), reference) {
        let message = "stands beside `reference`, so that no registry is asked";
        problems.push(Problem::error(&scheduled.place, message, "keep one of the two"));
    }
    if let Some(reference) = reference.filter(|_| follows) {
        let message = "a tag that follows another has no image of its own to refer to";
        problems.push(Problem::error(
            &reference.place,
            message,
            "name the image itself, kind = \"DockerImage\"",
        ));
    }
    if let (Some(_), Some(mode)) = (tag.platforms.given(), policy.import_mode.given()) {
        let fix = "keep one of the two; \"PreserveOriginal\" is platforms = \"index\"";
        problems.push(Problem::error(&mode.place, "stands beside `platforms`", fix));
    }
    check_preference(tag, problems);
    if follows {
        warn_of_what_another_tag_says(tag, problems);
    }
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

/// The tag of the same stream that a tag follows, written as `tag` or `stream:tag`.
fn followed<'a>(from: &'a ObjectRef, wanted: Wanted<'_>) -> Option<Next<'a>> {
    let name = from.name.given()?;
    let tag = match name.value.split_once(':') {
        Some((stream, tag)) => (stream == wanted.stream).then_some(tag)?,
        None => &name.value,
    };
    Some(Next { tag, place: &name.place })
}

fn circle(path: &[&str], place: &Place) -> Problem {
    let message = format!("goes round in a circle: {}", path.join(" -> "));
    Problem::error(place, message, "let one of them come from a DockerImage")
}

/// The image of an index that is for this host, or for the one that is preferred.
fn legacy(tag: &Tag) -> Legacy {
    let preferred = |typed: &Typed<String>| typed.value().map(|word| word.as_str().into());
    let host = Platform::new(OS, "", ARCH, "").unwrap_or_else(|| Platform {
        os: OS.into(),
        architecture: ARCH.into(),
        variant: None,
        os_version: None,
    });
    Legacy { os: preferred(&tag.prefer_os), architecture: preferred(&tag.prefer_arch), host }
}

/// The image that a tag comes from, if it says so.
fn docker_image(tag: &Tag) -> Option<&At<String>> {
    let from = tag.from.value()?;
    (from.kind.value() == Some(&Kind::DockerImage)).then(|| from.name.given()).flatten()
}
