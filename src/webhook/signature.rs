//! Proofs in a header, for those who keep the secret out of the path.

use axum::http::HeaderMap;
use base16ct::mixed;

use crate::controller::HookKind;

/// The secret itself, where a service sends it in a header.
pub(super) fn token(kind: HookKind, headers: &HeaderMap) -> Option<&[u8]> {
    match kind {
        HookKind::GitLab => headers.get("x-gitlab-token").map(|value| value.as_bytes()),
        HookKind::Generic | HookKind::GitHub | HookKind::Bitbucket => None,
    }
}

/// The signature of the body, where a service sends that.
pub(super) fn signature(kind: HookKind, headers: &HeaderMap) -> Option<[u8; 32]> {
    let name = match kind {
        HookKind::Generic | HookKind::GitHub => "x-hub-signature-256",
        HookKind::Bitbucket => "x-hub-signature",
        HookKind::GitLab => return None,
    };
    let hex = headers.get(name)?.as_bytes().strip_prefix(b"sha256=")?;
    let mut signature = [0; 32];
    (mixed::decode(hex, &mut signature).ok()?.len() == signature.len()).then_some(signature)
}
