//! The id of an image on a v1 registry: it looks like a digest and is none.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::digest::decode_hex;

/// What is in front of an id wherever it is printed or stored, so that nobody takes it for a digest.
const PREFIX: &str = "v1id:";

/// The id that a v1 registry gives an image: 64 hex digits, made up anew at every build and no hash of anything (F43).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageId([u8; 32]);

/// Why a text is not the id of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an image id: one has 64 lower-case hex digits")]
pub struct ImageIdError;

impl ImageId {
    /// Reads an id as a registry sends it: 64 hex digits and nothing else.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn from_hex(hex: &str) -> Result<Self, ImageIdError> {
        decode_hex(hex).map(Self).ok_or(ImageIdError)
    }
}

impl FromStr for ImageId {
    type Err = ImageIdError;

    /// Reads what [`ImageId`] prints.
    fn from_str(text: &str) -> Result<Self, ImageIdError> {
        text.strip_prefix(PREFIX).ok_or(ImageIdError).and_then(Self::from_hex)
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ImageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
