//! `[[image_stream]]` as typed. As all that is typed it has no defaults yet.

use std::time::Duration;

use super::file::SOME_TIME;
use super::grammar::{name, platforms, stream_name, tag_name};
use super::object_ref::ObjectRef;
use super::problem::Place;
use super::section::{Section, Typed};
use super::value::{choice, duration, flag, word};
use crate::image::Platforms;

/// One `[[image_stream]]`.
pub(super) struct ImageStream {
    pub(super) place: Place,
    pub(super) name: Typed<String>,
    pub(super) namespace: Typed<String>,
    pub(super) repository: Typed<String>,
    pub(super) insecure: Typed<bool>,
    pub(super) platforms: Typed<Platforms>,
    pub(super) interval: Typed<Duration>,
    pub(super) tags: Vec<Tag>,
}

/// One `[[image_stream.tag]]`.
pub(super) struct Tag {
    pub(super) place: Place,
    pub(super) name: Typed<String>,
    pub(super) from: Typed<ObjectRef>,
    pub(super) reference: Typed<bool>,
    pub(super) import_policy: ImportPolicy,
    pub(super) reference_policy: Typed<ReferencePolicy>,
    pub(super) prefer_arch: Typed<String>,
    pub(super) prefer_os: Typed<String>,
    pub(super) platforms: Typed<Platforms>,
    pub(super) interval: Typed<Duration>,
}

/// `import_policy`: how a tag that comes from elsewhere is looked at.
pub(super) struct ImportPolicy {
    pub(super) scheduled: Typed<bool>,
    pub(super) insecure: Typed<bool>,
    pub(super) import_mode: Typed<ImportMode>,
}

/// What of a multi-platform image a tag stands for (F10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImportMode {
    /// The one image in it that is for this host.
    Legacy,
    /// The whole.
    PreserveOriginal,
}

/// Whose repository builds are given (F11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReferencePolicy {
    /// That of the image.
    Source,
    /// That of the image stream.
    Local,
}

impl ImageStream {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            place: section.place(),
            name: section.key("name", stream_name),
            namespace: section.key("namespace", name),
            repository: section.key("repository", word),
            insecure: section.key("insecure", flag),
            platforms: section.key("platforms", platforms),
            interval: section.key("interval", duration(SOME_TIME)),
            tags: section.tables("tag", Tag::read),
        }
    }
}

impl Tag {
    fn read(section: &mut Section<'_>) -> Self {
        let reference_policy =
            choice(&[("Source", ReferencePolicy::Source), ("Local", ReferencePolicy::Local)]);
        Self {
            place: section.place(),
            name: section.key("name", tag_name),
            from: section.optional("from", ObjectRef::read),
            reference: section.key("reference", flag),
            import_policy: section.table("import_policy", ImportPolicy::read),
            reference_policy: section.key("reference_policy", reference_policy),
            prefer_arch: section.key("prefer_arch", word),
            prefer_os: section.key("prefer_os", word),
            platforms: section.key("platforms", platforms),
            interval: section.key("interval", duration(SOME_TIME)),
        }
    }
}

impl ImportPolicy {
    fn read(section: &mut Section<'_>) -> Self {
        let import_mode =
            choice(&[("Legacy", ImportMode::Legacy), ("PreserveOriginal", ImportMode::PreserveOriginal)]);
        Self {
            scheduled: section.key("scheduled", flag),
            insecure: section.key("insecure", flag),
            import_mode: section.key("import_mode", import_mode),
        }
    }
}
