//! What an answer says about a manifest: its digest and its media type. Pure.

use oci_distribution::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;

use super::answer::presentable;
use super::error::Malformed;
use crate::image::{Descriptor, Digest};

/// The version of [`ACCEPT`]. Another set of types can bring another digest for an image that did not move.
pub(super) const ACCEPT_VERSION: u16 = 1;

/// The media types that are asked for, in regclient's order: some registries take the first that they have.
pub(super) const ACCEPT: [&str; 4] = [
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
];

const DIGEST_HEADER: &str = "docker-content-digest";
/// `sha512:` and its digits are 135 bytes.
const LONGEST_DIGEST: usize = 256;
const LONGEST_MEDIA_TYPE: usize = 256;

/// The types that a server gives to what it knows nothing about. They name no manifest.
const GENERIC: [&str; 4] =
    ["application/octet-stream", "binary/octet-stream", "application/json", "text/plain"];
/// Both spellings of Docker's first manifest, `application/vnd.docker.distribution.manifest.v1+json` and `+prettyjws`.
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";

/// The few parts of a manifest that are looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: Option<String>,
}

/// The answer to a HEAD; `None` if it does not say enough, so that the body must be looked at.
///
/// An `ETag` is never taken for a digest: Artifactory's is a SHA-1.
pub(super) fn from_head(headers: &HeaderMap) -> Result<Option<Descriptor>, Malformed> {
    let Some(media_type) = media_type(headers) else { return Ok(None) };
    if media_type.starts_with(SCHEMA_1) {
        return Err(Malformed::Schema1);
    }
    Ok(digest(headers).map(|digest| descriptor(digest, media_type)))
}

/// The answer to a GET. The digest is that of the body; headers about it are wrong too often. Only its algorithm is the
/// header's, as a HEAD reports the digest so: the two ways of asking must not disagree about an image that did not move.
/// Of what was asked for by its digest, `asked`, it is that one's.
pub(super) fn from_body(
    headers: &HeaderMap,
    body: &[u8],
    asked: Option<&Digest>,
) -> Result<Descriptor, Malformed> {
    let manifest: Manifest = serde_json::from_slice(body)
        .map_err(|error| Malformed::NotAManifest(presentable(&error.to_string())))?;
    let inner = manifest.media_type.as_deref().unwrap_or_default();
    let outer = media_type(headers).unwrap_or_default();
    if manifest.schema_version == 1 || inner.starts_with(SCHEMA_1) || outer.starts_with(SCHEMA_1) {
        return Err(Malformed::Schema1);
    }
    if !inner.is_empty() && !outer.is_empty() && !inner.eq_ignore_ascii_case(outer) {
        return Err(Malformed::Contradiction { header: presentable(outer), body: presentable(inner) });
    }
    let media_type = if outer.is_empty() { inner } else { outer };
    if media_type.len() > LONGEST_MEDIA_TYPE {
        return Err(Malformed::NotAManifest(format!("its media type is {}", presentable(media_type))));
    }
    let digest = match asked.cloned().or_else(|| digest(headers)) {
        Some(Digest::Sha512(_)) => Digest::sha512_of(body),
        Some(Digest::Sha256(_)) | None => Digest::sha256_of(body),
    };
    Ok(descriptor(digest, media_type))
}

fn descriptor(digest: Digest, media_type: &str) -> Descriptor {
    let media_type = Descriptor::known_media_type(media_type);
    Descriptor { digest, media_type, accept_version: ACCEPT_VERSION }
}

fn digest(headers: &HeaderMap) -> Option<Digest> {
    let text = headers.get(DIGEST_HEADER)?.to_str().ok()?;
    (text.len() <= LONGEST_DIGEST).then_some(text)?.parse().ok()
}

/// The media type without its parameters; `None` if the server did not know it.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let media_type = text.split(';').next().unwrap_or_default().trim();
    let generic = GENERIC.iter().any(|generic| generic.eq_ignore_ascii_case(media_type));
    (!media_type.is_empty() && media_type.len() <= LONGEST_MEDIA_TYPE && !generic).then_some(media_type)
}

#[cfg(test)]
mod tests;
