//! Looks into the index that a tag points to, where that is wanted and not known: by digest and never by tag, within the
//! same look, through the same gate and with the same login (D13).

use reqwest::{Method, StatusCode};

use super::error::{Malformed, Trouble};
use super::host::Host;
use super::index::Contents;
use super::v2::{LARGEST_MANIFEST, refusal};
use super::{Depth, Gate, Known, Target};
use crate::image::{Children, Descriptor, Digest, Earlier, Found, kept_of};

/// What a tag points to, with the body if that had to be fetched to learn it.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) manifest: Descriptor,
    pub(super) body: Option<Vec<u8>>,
}

/// What the look at a tag found. If the new index cannot be read, the look is in vain: what it means is not known.
pub(super) async fn look_into(
    host: &Host,
    target: Target<'_>,
    answered: Answered,
    gate: &impl Gate,
) -> Result<Found, Trouble> {
    let Answered { manifest, body } = answered;
    let mut found = Found::from(manifest.clone());
    if !manifest.is_index() || !is_wanted(target.depth, target.known, &manifest.digest) {
        return Ok(found);
    }
    found.children = Some(Box::pin(read(host, target, &manifest.digest, body, gate)).await?);
    if let Some(old) = target.known.filter(|known| known.unread && known.digest != manifest.digest) {
        found.earlier = Box::pin(read_earlier(host, target, &old.digest, gate)).await?;
    }
    Ok(found)
}

fn is_wanted(depth: Depth, known: Option<&Known>, digest: &Digest) -> bool {
    match depth {
        Depth::Digest => false,
        Depth::Moves => known.is_some_and(|known| known.digest != *digest),
        Depth::Contents => known.is_none_or(|known| known.unread || known.digest != *digest),
    }
}

/// The index that the tag pointed to before. Many registries delete what no tag points to: then the digests decide. A
/// trouble that may pass is no such answer, nor is one that a proxy or a lapsed permission could give (D17).
async fn read_earlier(
    host: &Host,
    target: Target<'_>,
    digest: &Digest,
    gate: &impl Gate,
) -> Result<Option<Earlier>, Trouble> {
    match read(host, target, digest, None, gate).await {
        Ok(children) => Ok(Some(Earlier { digest: digest.clone(), children })),
        Err(Trouble::Index { trouble, .. }) if is_for_good(&trouble) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

fn is_for_good(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Missing(_) => true,
        Trouble::Refused(answer) => answer.status == StatusCode::GONE,
        Trouble::Malformed(malformed) => is_content(malformed),
        Trouble::Denied { .. }
        | Trouble::CredentialsRejected { .. }
        | Trouble::Password { .. }
        | Trouble::LoginUnsupported { .. }
        | Trouble::TooManyRequests { .. }
        | Trouble::Server(_)
        | Trouble::Address { .. }
        | Trouble::Setup(_)
        | Trouble::Transport(_)
        | Trouble::Token { .. }
        | Trouble::Redirect(_)
        | Trouble::NoLongerV2(_)
        | Trouble::NoRegistry(_)
        | Trouble::Index { .. } => false,
    }
}

/// Whether this is told of bytes that have the digest which was asked for, so that no other answer will come.
fn is_content(malformed: &Malformed) -> bool {
    match malformed {
        Malformed::NotAnIndex(_) => true,
        Malformed::TooLarge(_)
        | Malformed::NotAManifest(_)
        | Malformed::NotAnImageId(_)
        | Malformed::Schema1
        | Malformed::WrongDigest { .. }
        | Malformed::Contradiction { .. } => false,
    }
}

/// What is in an index and in the indexes within it. `body` is that of the outer one, if it is there already.
async fn read(
    host: &Host,
    target: Target<'_>,
    digest: &Digest,
    mut body: Option<Vec<u8>>,
    gate: &impl Gate,
) -> Result<Children, Trouble> {
    let mut contents = Contents::of(digest);
    while let Some(digest) = contents.next() {
        let explain = |trouble| Trouble::Index { digest: digest.clone(), trouble: Box::new(trouble) };
        let body = match body.take() {
            Some(body) => body,
            None => fetch(host, target, &digest, gate).await.map_err(explain)?,
        };
        contents.add(&body).map_err(|malformed| explain(Trouble::Malformed(malformed)))?;
    }
    Ok(kept_of(digest, contents.into_children()))
}

/// The bytes that have this digest.
async fn fetch(
    host: &Host,
    target: Target<'_>,
    digest: &Digest,
    gate: &impl Gate,
) -> Result<Vec<u8>, Trouble> {
    let mut reply = host.ask(Method::GET, &host.content_url(target.tag, digest)?, target, gate).await?;
    if reply.status() != StatusCode::OK {
        return Err(refusal(reply).await);
    }
    let body = reply.body(LARGEST_MANIFEST).await?;
    let got = match digest {
        Digest::Sha256(_) => Digest::sha256_of(&body),
        Digest::Sha512(_) => Digest::sha512_of(&body),
    };
    match got == *digest {
        true => Ok(body),
        false => Err(Trouble::Malformed(Malformed::WrongDigest { asked: digest.clone(), got })),
    }
}
