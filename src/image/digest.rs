//! A content digest, checked once and then held as bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

/// A manifest's digest: `sha256:` or `sha512:` and lower-case hex (OCI image spec, descriptor.md#digests).
///
/// Held as bytes, because the daemon keeps some per tag and compares one at every poll.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// The algorithm that every registry uses.
    Sha256([u8; 32]),
    /// Legal and rare, so it is the one that pays for an allocation.
    Sha512(Box<[u8; 64]>),
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `algorithm:` in front.
    #[error("`{0}` is not a digest: no `sha256:` in front")]
    NoAlgorithm(String),
    /// An algorithm that is neither sha256 nor sha512.
    #[error("digest algorithm `{0}` is not known: only sha256 and sha512 are")]
    UnknownAlgorithm(String),
    /// The hex part has the wrong length or a character that is not lower-case hex.
    #[error("a {algorithm} digest has {expected} lower-case hex digits after the colon")]
    BadHex {
        /// The algorithm named in the text.
        algorithm: &'static str,
        /// How many digits it asks for.
        expected: usize,
    },
}

impl Digest {
    /// The SHA-256 digest of `bytes`: what a manifest's digest is when the registry does not say.
    #[must_use]
    pub fn sha256_of(bytes: &[u8]) -> Self {
        Self::Sha256(Sha256::digest(bytes).into())
    }

    /// The SHA-512 digest of `bytes`, for a registry that names its manifests so.
    #[must_use]
    pub fn sha512_of(bytes: &[u8]) -> Self {
        Self::Sha512(Box::new(Sha512::digest(bytes).into()))
    }

    fn parts(&self) -> (&'static str, &[u8]) {
        match self {
            Self::Sha256(bytes) => ("sha256", bytes),
            Self::Sha512(bytes) => ("sha512", &bytes[..]),
        }
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let Some((algorithm, hex)) = text.split_once(':') else {
            return Err(DigestError::NoAlgorithm(shorten(text)));
        };
        match algorithm {
            "sha256" => decode_hex(hex)
                .map(Self::Sha256)
                .ok_or(DigestError::BadHex { algorithm: "sha256", expected: 64 }),
            "sha512" => decode_hex(hex)
                .map(|bytes| Self::Sha512(Box::new(bytes)))
                .ok_or(DigestError::BadHex { algorithm: "sha512", expected: 128 }),
            other => Err(DigestError::UnknownAlgorithm(shorten(other))),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (algorithm, bytes) = self.parts();
        write!(f, "{algorithm}:")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Upper-case hex is refused, as the specification does: two spellings of one digest would look like a change.
pub(super) fn decode_hex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let decoded = base16ct::lower::decode(hex, &mut bytes).ok()?;
    (decoded.len() == N).then_some(bytes)
}

/// What a registry sent may be long and strange; an error message is neither.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        short.push('…');
    }
    short
}
