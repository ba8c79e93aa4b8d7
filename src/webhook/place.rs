//! What a path asks for: whose hook, of which kind, and with which secret.
//!
//! The path may hold a secret. So it is taken apart here, and nobody else sees it: what is wrong with it is told without
//! a word of it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::secret::Offered;
use crate::controller::{ConfigKey, HookKind};

/// What comes before `NS/buildconfigs/NAME/webhooks/`.
const PREFIX: &str = "/apis/build.openshift.io/v1/namespaces/";

/// Longer than any name that a config can have.
const LONGEST_NAME: usize = 253;

/// A hook that is asked for.
pub(super) struct Place {
    pub(super) config: ConfigKey,
    pub(super) kind: HookKind,
    /// The secret in the path; without one a header must prove that the caller knows it.
    pub(super) secret: Option<Offered<'static>>,
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Astray {
    /// Nothing is there.
    Nowhere,
    /// It is nearly the path of a hook.
    Malformed,
    /// There are no hooks of that kind.
    UnknownKind,
}

/// Whether a path is below that of all hooks.
pub(super) fn is_ours(path: &str) -> bool {
    path.starts_with(PREFIX)
}

impl Place {
    /// Reads `…/NS/buildconfigs/NAME/webhooks/[SECRET/]KIND`.
    pub(super) fn read(path: &str) -> Result<Self, Astray> {
        let mut parts = path.strip_prefix(PREFIX).ok_or(Astray::Nowhere)?.split('/');
        let (namespace, collection) = (parts.next().unwrap_or_default(), parts.next());
        let (name, hooks) = (parts.next().unwrap_or_default(), parts.next());
        if (collection, hooks) != (Some("buildconfigs"), Some("webhooks")) {
            return Err(Astray::Nowhere);
        }
        let rest: Vec<&str> = parts.collect();
        let (secret, kind) = match *rest {
            [kind] if !kind.is_empty() => (None, kind),
            [secret, kind] if !secret.is_empty() && !kind.is_empty() => (Some(secret), kind),
            _ => return Err(Astray::Malformed),
        };
        let config = config(namespace, name).ok_or(Astray::Malformed)?;
        let kind = kind_of(kind).ok_or(Astray::UnknownKind)?;
        let secret = secret.map(|secret| Offered::secret(&decoded(secret)));
        Ok(Self { config, kind, secret })
    }
}

fn config(namespace: &str, name: &str) -> Option<ConfigKey> {
    let text = |part: &str| String::from_utf8(decoded(part).into_owned()).ok();
    let (namespace, name) = (text(namespace)?, text(name)?);
    let plain = |part: &str| !part.is_empty() && part.len() <= LONGEST_NAME && !part.contains('/');
    (plain(&namespace) && plain(&name)).then(|| ConfigKey::new(&namespace, &name))
}

fn kind_of(word: &str) -> Option<HookKind> {
    match word {
        "generic" => Some(HookKind::Generic),
        "github" => Some(HookKind::GitHub),
        "gitlab" => Some(HookKind::GitLab),
        "bitbucket" => Some(HookKind::Bitbucket),
        _ => None,
    }
}

fn decoded(part: &str) -> Cow<'_, [u8]> {
    percent_decode_str(part).into()
}
