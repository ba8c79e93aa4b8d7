//! The answer for a person who asked by hand.

use std::fmt;

use serde::Serialize;

use crate::image::{Digest, Polled, TagRef};

/// What `basewatch resolve` prints: as text by `Display`, as JSON by `Serialize`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// The tag that was asked for, in its normal spelling.
    pub image: TagRef,
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// What the registry calls the manifest; empty if it did not say.
    pub media_type: Box<str>,
    /// The immutable reference that a build would be given.
    pub reference: String,
}

impl Resolved {
    /// The answer to a look at `image` that brought `polled`.
    #[must_use]
    pub fn new(image: TagRef, polled: Polled) -> Self {
        let reference = image.pinned(&polled.digest);
        Self { image, digest: polled.digest, media_type: polled.media_type, reference }
    }
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let media_type = if self.media_type.is_empty() { "(not said)" } else { &self.media_type };
        writeln!(f, "image       {}", self.image)?;
        writeln!(f, "digest      {}", self.digest)?;
        writeln!(f, "media type  {media_type}")?;
        write!(f, "reference   {}", self.reference)
    }
}

#[cfg(test)]
mod tests;
