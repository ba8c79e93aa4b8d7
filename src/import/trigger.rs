//! What starts a build.

use super::fields::{Fields, quoted};
use super::image_stream::{ObjectRef, build_ref};

/// Something that starts a build.
#[derive(Debug)]
pub(super) enum Trigger {
    ConfigChange,
    ImageChange(ImageChange),
    Hook(Hook),
}

/// A tag that is followed.
#[derive(Debug, Default)]
pub(super) struct ImageChange {
    /// The strategy's own tag if absent.
    pub(super) from: Option<ObjectRef>,
    pub(super) paused: bool,
    /// Where older versions stored what it last fired for.
    pub(super) last_image: Option<String>,
}

/// A webhook.
#[derive(Debug)]
pub(super) struct Hook {
    /// Where it is in the object.
    pub(super) path: String,
    pub(super) kind: HookKind,
    pub(super) secret: Secret,
    pub(super) allow_env: bool,
}

/// Where a webhook's secret is. Its value is never kept.
#[derive(Debug)]
pub(super) enum Secret {
    /// In an object of this name.
    Named(String),
    /// In the YAML itself.
    Bare,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HookKind {
    Generic,
    GitHub,
    GitLab,
    Bitbucket,
}

#[derive(Clone, Copy)]
enum Type {
    ConfigChange,
    ImageChange,
    Hook(HookKind),
}

/// Every spelling of every type; the lower-case ones are from older versions (F20).
const TYPES: [(&str, Type); 9] = [
    ("ImageChange", Type::ImageChange),
    ("ConfigChange", Type::ConfigChange),
    ("GitHub", Type::Hook(HookKind::GitHub)),
    ("GitLab", Type::Hook(HookKind::GitLab)),
    ("Bitbucket", Type::Hook(HookKind::Bitbucket)),
    ("Generic", Type::Hook(HookKind::Generic)),
    ("imageChange", Type::ImageChange),
    ("github", Type::Hook(HookKind::GitHub)),
    ("generic", Type::Hook(HookKind::Generic)),
];

impl HookKind {
    /// As `type` spells it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "Generic",
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Bitbucket => "Bitbucket",
        }
    }

    /// The key that holds the rest, there and here.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Bitbucket => "bitbucket",
        }
    }
}

impl Trigger {
    /// The tag that it names itself, if it does.
    pub(super) fn from(&self) -> Option<&ObjectRef> {
        match self {
            Self::ImageChange(change) => change.from.as_ref(),
            Self::ConfigChange | Self::Hook(_) => None,
        }
    }

    /// Where older versions stored what it last fired for.
    pub(super) fn last_image(&self) -> Option<&str> {
        match self {
            Self::ImageChange(change) => change.last_image.as_deref(),
            Self::ConfigChange | Self::Hook(_) => None,
        }
    }
}

/// Reads a trigger. One of an unknown type is refused: a slip of the pen must not be a build that never starts (D12).
pub(super) fn read(fields: &mut Fields) -> Option<Trigger> {
    let known = TYPES.map(|(word, _)| word);
    let Some(word) = fields.text("type") else {
        fields.refuse("type", "is missing");
        return None;
    };
    let Some((_, kind)) = TYPES.iter().find(|(known, _)| *known == word) else {
        let known = known.get(..6).unwrap_or_default().join(", ");
        fields
            .refuse("type", format!("is {}, which is no type of trigger: there are {known}", quoted(&word)));
        return None;
    };
    match *kind {
        Type::ConfigChange => Some(Trigger::ConfigChange),
        Type::ImageChange => {
            if !fields.has("imageChange") {
                return Some(Trigger::ImageChange(ImageChange::default()));
            }
            fields.object("imageChange", image_change).flatten().map(Trigger::ImageChange)
        }
        Type::Hook(kind) => hook(fields, kind).map(Trigger::Hook),
    }
}

/// Nothing if it names a tag that cannot be told: it would follow the strategy's own, which nobody asked for.
fn image_change(fields: &mut Fields) -> Option<ImageChange> {
    let named = fields.has("from");
    let from = build_ref(fields, "from");
    let is_told = from.is_some() || !named;
    let change = ImageChange {
        from,
        paused: fields.flag("paused").unwrap_or(false),
        last_image: fields.text("lastTriggeredImageID"),
    };
    is_told.then_some(change)
}

fn hook(fields: &mut Fields, kind: HookKind) -> Option<Hook> {
    let path = fields.path(kind.key());
    let read = fields.object(kind.key(), |hook| {
        let named = hook.object("secretReference", |secret| secret.text("name")).flatten();
        // It is looked at only for being there: what it is must not get any further.
        let bare = hook.take("secret").is_some();
        let allow_env = match kind {
            HookKind::Generic => hook.flag("allowEnv").unwrap_or(false),
            HookKind::GitHub | HookKind::GitLab | HookKind::Bitbucket => {
                if hook.flag("allowEnv") == Some(true) {
                    hook.tell("allowEnv", "not carried over: OpenShift has it on Generic hooks only");
                }
                false
            }
        };
        if bare && named.is_some() {
            let text = "stands in the YAML for all to see, beside a secretReference: use a new one";
            hook.tell("secret", text);
        }
        let secret = named.map(Secret::Named).or(bare.then_some(Secret::Bare));
        secret.map(|secret| Hook { path, kind, secret, allow_env })
    });
    if read.as_ref().is_none_or(Option::is_none) {
        fields.refuse(kind.key(), "has neither a secretReference nor a secret: nobody could call it");
    }
    read.flatten()
}
