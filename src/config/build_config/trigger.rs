//! `[[build_config.trigger]]` as typed.

use super::super::hook::Hook;
use super::super::object_ref::ObjectRef;
use super::super::problem::{Place, Problems};
use super::super::section::{Section, Typed};
use super::super::tree::{Node, Value};
use super::super::value::{choice, flag, word};
use crate::controller::HookKind;
use crate::image::{Digest, Identity, TagRef};

/// What starts a build.
pub(in crate::config) struct Trigger {
    pub(in crate::config) place: Place,
    pub(in crate::config) kind: Typed<TriggerKind>,
    pub(in crate::config) image_change: Typed<ImageChange>,
    /// Each hook that a trigger may have, by its key.
    pub(in crate::config) hooks: [(&'static str, HookKind, Typed<Box<Hook>>); 4],
}

/// `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum TriggerKind {
    ImageChange,
    ConfigChange,
    Hook(HookKind),
}

/// `image_change`; with nothing in it, it is about the strategy's own tag.
pub(in crate::config) struct ImageChange {
    pub(in crate::config) from: Typed<ObjectRef>,
    pub(in crate::config) paused: Typed<bool>,
    pub(in crate::config) last: Typed<Identity>,
}

/// Spellings from before OpenShift 3.6, which it still takes (F20).
const DEPRECATED: [(&str, &str); 3] =
    [("imageChange", "ImageChange"), ("generic", "Generic"), ("github", "GitHub")];

impl Trigger {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut hook =
            |key, kind| (key, kind, section.optional(key, |section| Box::new(Hook::read(section))));
        let hooks = [
            hook("generic", HookKind::Generic),
            hook("github", HookKind::GitHub),
            hook("gitlab", HookKind::GitLab),
            hook("bitbucket", HookKind::Bitbucket),
        ];
        Self {
            place: section.place(),
            kind: section.key("type", kind),
            image_change: section.optional("image_change", ImageChange::read),
            hooks,
        }
    }
}

impl ImageChange {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            from: section.optional("from", ObjectRef::read),
            paused: section.key("paused", flag),
            last: section.key("last_triggered_image_id", image_id),
        }
    }
}

impl TriggerKind {
    /// As the configuration spells it.
    pub(in crate::config) fn as_str(self) -> &'static str {
        match self {
            Self::ImageChange => "ImageChange",
            Self::ConfigChange => "ConfigChange",
            Self::Hook(kind) => kind.as_str(),
        }
    }
}

fn kind(mut node: Node, problems: &mut Problems) -> Option<TriggerKind> {
    if let Value::Text(text) = &mut node.value
        && let Some((_, today)) = DEPRECATED.iter().find(|(old, _)| old == text)
    {
        (*today).clone_into(text);
    }
    choice(&[
        ("ImageChange", TriggerKind::ImageChange),
        ("ConfigChange", TriggerKind::ConfigChange),
        ("Generic", TriggerKind::Hook(HookKind::Generic)),
        ("GitHub", TriggerKind::Hook(HookKind::GitHub)),
        ("GitLab", TriggerKind::Hook(HookKind::GitLab)),
        ("Bitbucket", TriggerKind::Hook(HookKind::Bitbucket)),
    ])(node, problems)
}

/// What a trigger last fired for. It is a reference (F12); one without a digest is of a v1 registry (F43).
fn image_id(node: Node, problems: &mut Problems) -> Option<Identity> {
    let place = node.place.clone();
    let text = word(node, problems)?;
    if let Ok(digest) = text.parse::<Digest>() {
        return Some(Identity::Digest(digest));
    }
    let Ok(image) = TagRef::parse_image(&text) else {
        let fix = "write it as host/repository@sha256:…";
        return problems.wrong(&place, "is not a reference to an image", Value::Text(text), fix);
    };
    Some(image.pinned_digest().map_or(Identity::V1Tag, Identity::Digest))
}
