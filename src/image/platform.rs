//! An operating system and an architecture, as an image index names them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `os/architecture[/variant]`, the words of the OCI image index (`linux/amd64`, `linux/arm/v7`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// `linux`, `windows`, …
    pub os: Box<str>,
    /// `amd64`, `arm64`, …
    pub architecture: Box<str>,
    /// `v7`, `v8`, … where the index names one.
    pub variant: Option<Box<str>>,
}

/// Which change of an index counts for a trigger (D13).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Platforms {
    /// That of any real platform: attestations and annotations may move.
    #[default]
    All,
    /// Any: the digest of the index itself.
    Index,
    /// That of one of these.
    These(Vec<Platform>),
}

/// Why a text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform: write OS/ARCH or OS/ARCH/VARIANT, such as linux/amd64")]
pub struct PlatformError(String);

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => return Err(PlatformError(text.to_owned())),
        };
        if os.is_empty() || architecture.is_empty() || variant == Some("") {
            return Err(PlatformError(text.to_owned()));
        }
        Ok(Self { os: os.into(), architecture: architecture.into(), variant: variant.map(Into::into) })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
