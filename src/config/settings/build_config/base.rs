//! What a strategy is made from.

use std::sync::Arc;

use super::super::super::build_config::BuildConfig as Typed;
use super::super::super::grammar::{is_stream_name, is_tag_name};
use super::super::super::object_ref::{Kind, ObjectRef};
use super::super::super::problem::{Problem, Problems};
use super::super::super::section::At;
use super::super::stream::{Followed, check_no_namespace};
use super::{LongForm, Wanted, parse_image};
use crate::controller::{Base, StrategyKind};
use crate::image::{Digest, TagRef};

/// What became of a strategy's `from`.
pub(super) enum Found<'a> {
    /// It is not there.
    Absent,
    /// It cannot be used, and that was told.
    Refused,
    /// A tag of an image stream.
    Tag(Followed<'a>),
    /// An image that cannot move, or that is handed on as it is.
    Image { text: Arc<str>, tag: TagRef },
}

impl<'a> Found<'a> {
    pub(super) fn followed(&self) -> Option<&Followed<'a>> {
        match self {
            Self::Tag(followed) => Some(followed),
            Self::Absent | Self::Refused | Self::Image { .. } => None,
        }
    }

    pub(super) fn base(&self) -> Option<Base> {
        match self {
            Self::Absent | Self::Refused => None,
            Self::Tag(followed) => Some(Base::Tag(Arc::clone(&followed.from))),
            Self::Image { text, tag } => Some(Base::Image { text: Arc::clone(text), tag: tag.clone() }),
        }
    }
}

impl<'a> LongForm<'a> {
    /// What the strategy of a build config is made from.
    pub(super) fn base(
        &mut self,
        typed: &'a Typed,
        namespace: &'a str,
        problems: &mut Problems,
    ) -> Found<'a> {
        let Some(strategy) = typed.strategy.value() else { return Found::Refused };
        let Some(from) = strategy.from.value() else {
            let needs_one = [StrategyKind::Source, StrategyKind::Custom];
            let kind = strategy.kind.value().filter(|kind| needs_one.contains(kind));
            if let Some(kind) = kind.filter(|_| strategy.from.is_absent()) {
                let message =
                    format!("a {} strategy is made from an image, and this names none", kind.as_str());
                let fix = "add from = { kind = \"ImageStreamTag\", name = \"STREAM:TAG\" }";
                problems.push(Problem::absence(&strategy.place, message, fix));
            }
            return if strategy.from.is_absent() { Found::Absent } else { Found::Refused };
        };
        self.image(from, namespace, problems)
    }

    /// What an image is named by.
    pub(super) fn image(
        &mut self,
        from: &'a ObjectRef,
        namespace: &'a str,
        problems: &mut Problems,
    ) -> Found<'a> {
        let kind =
            if from.kind.is_absent() { Some(Kind::ImageStreamTag) } else { from.kind.value().copied() };
        let found = kind.and_then(|kind| match kind {
            Kind::ImageStreamTag => self.stream_tag(from, namespace, problems).map(Found::Tag),
            Kind::DockerImage => docker_image(from, problems),
            Kind::ImageStreamImage => self.stream_image(from, namespace, problems),
        });
        found.unwrap_or(Found::Refused)
    }

    /// The tag of a stream that is named as `name:tag`.
    pub(super) fn stream_tag(
        &mut self,
        from: &'a ObjectRef,
        namespace: &'a str,
        problems: &mut Problems,
    ) -> Option<Followed<'a>> {
        let name = name(from, problems)?;
        let is_tag = |(stream, tag): &(&str, &str)| is_stream_name(stream) && is_tag_name(tag);
        let Some((stream, tag)) = name.value.split_once(':').filter(is_tag) else {
            let message = "ImageStreamTag object references must be in the form <name>:<tag>";
            return problems.wrong(&name.place, message, format!("\"{}\"", name.value), fix_of(&name.value));
        };
        let namespace = from.namespace.value().map_or(namespace, String::as_str);
        self.streams.resolve(Wanted { namespace, stream, tag, place: &name.place }, problems)
    }

    /// One image of a stream, `name@digest`. OpenShift takes the beginning of a digest too; here there is no history to
    /// look it up in.
    fn stream_image(
        &mut self,
        from: &'a ObjectRef,
        namespace: &'a str,
        problems: &mut Problems,
    ) -> Option<Found<'a>> {
        let name = name(from, problems)?;
        let parts = name.value.split_once('@').filter(|(stream, _)| is_stream_name(stream));
        let digest = parts.and_then(|(stream, digest)| Some((stream, digest.parse::<Digest>().ok()?)));
        let Some((stream, digest)) = digest else {
            let message = "ImageStreamImage object references must be in the form <name>@<id>";
            let fix = "write it as name@sha256:…, with the whole digest";
            return problems.wrong(&name.place, message, format!("\"{}\"", name.value), fix);
        };
        let namespace = from.namespace.value().map_or(namespace, String::as_str);
        let wanted = Wanted { namespace, stream, tag: "latest", place: &name.place };
        let (text, tag) = self.streams.image(wanted, &digest, problems)?;
        Some(Found::Image { text, tag })
    }
}

fn docker_image<'a>(from: &ObjectRef, problems: &mut Problems) -> Option<Found<'a>> {
    check_no_namespace(from, problems);
    let name = name(from, problems)?;
    let tag = parse_image(name, problems)?;
    Some(Found::Image { text: tag.named(&name.value), tag })
}

fn name<'a>(from: &'a ObjectRef, problems: &mut Problems) -> Option<&'a At<String>> {
    if from.name.is_absent() {
        problems.push(Problem::absence(&from.place, "names nothing", "add name = \"…\""));
    }
    from.name.given()
}

/// What was probably meant by what is no tag of a stream.
fn fix_of(name: &str) -> String {
    match name {
        name if is_stream_name(name) => format!("write \"{name}:latest\""),
        name if name.contains(['/', '@']) => {
            "write kind = \"DockerImage\" for an image that is named as its registry has it".to_owned()
        }
        _ => "write it as STREAM:TAG".to_owned(),
    }
}
