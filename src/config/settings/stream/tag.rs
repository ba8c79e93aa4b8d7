//! One tag of an image stream: where it comes from, how it is looked at, and what builds are given of it.

use std::collections::BTreeSet;
use std::env::consts::{ARCH, OS};
use std::sync::Arc;

use super::super::super::image_stream::{ImageStream, ImportMode, ReferencePolicy, Tag};
use super::super::super::object_ref::{Kind, ObjectRef};
use super::super::super::problem::{Place, Problem, Problems};
use super::super::super::section::{At, Typed};
use super::super::image::{parse_image, prefixed};
use super::super::tag::Wish;
use super::check::check;
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
        if end.tag != wanted.tag {
            let Followed { from, wish } = self.resolve(end, problems)?;
            let given = self.given(first, wanted, &from.tag);
            let from = StreamTag { named: named.into(), given, ..(*from).clone() };
            return Some(Followed { from: Arc::new(from), wish });
        }
        let tag = match first.and_then(docker_image) {
            Some(image) => parse_image(image, problems)?,
            None => format!("{}:{}", self.own_repository(wanted, problems)?, wanted.tag).parse().ok()?,
        };
        let from = StreamTag {
            named: named.into(),
            given: self.given(first, wanted, &tag),
            platforms: self.platforms(stream, first),
            unasked: first.and_then(|tag| tag.reference.value()).copied().unwrap_or(false),
            tag,
        };
        Some(Followed { from: Arc::new(from), wish: self.wish(wanted, stream, first) })
    }

    /// The repository that builds are given in place of the tag's own: that of the stream where its policy is Local and it
    /// has one (F11), else that of a cache.
    fn given(&self, typed: Option<&Tag>, wanted: Wanted<'_>, tag: &TagRef) -> Option<Arc<str>> {
        let is_local = typed.and_then(|tag| tag.reference_policy.value()) == Some(&ReferencePolicy::Local);
        match is_local.then(|| self.repository_if_any(wanted)).flatten() {
            Some(own) => (*own != *tag.name()).then(|| own.into()),
            None => prefixed(tag, self.hosts),
        }
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
pub(super) struct Next<'a> {
    pub(super) tag: &'a str,
    place: &'a Place,
}

/// The tag of the same stream that a tag follows, written as `tag` or `stream:tag`.
pub(super) fn followed<'a>(from: &'a ObjectRef, wanted: Wanted<'_>) -> Option<Next<'a>> {
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
