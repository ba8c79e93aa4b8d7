//! References to images as OpenShift writes them: `{ kind, name, namespace }`.

use super::grammar::name;
use super::problem::Place;
use super::section::{Section, Typed};
use super::value::{choice, word};

/// What names an image.
pub(super) struct ObjectRef {
    pub(super) place: Place,
    pub(super) kind: Typed<Kind>,
    pub(super) name: Typed<String>,
    pub(super) namespace: Typed<String>,
}

/// What kind of thing is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `host/repository:tag`, as it stands in a registry.
    DockerImage,
    /// `stream:tag`.
    ImageStreamTag,
    /// `stream@digest`.
    ImageStreamImage,
}

impl ObjectRef {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let kind = choice(&[
            ("ImageStreamTag", Kind::ImageStreamTag),
            ("DockerImage", Kind::DockerImage),
            ("ImageStreamImage", Kind::ImageStreamImage),
        ]);
        Self {
            place: section.place(),
            kind: section.key("kind", kind),
            name: section.key("name", word),
            namespace: section.key("namespace", name),
        }
    }
}

impl Kind {
    /// As the configuration spells it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::DockerImage => "DockerImage",
            Self::ImageStreamTag => "ImageStreamTag",
            Self::ImageStreamImage => "ImageStreamImage",
        }
    }
}
