//! An operating system and an architecture, as an image index names them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Digest;

/// `os[(os.version)]/architecture[/variant]`: the words of the OCI image index in containerd's spelling, such as
/// `linux/amd64`, `linux/arm/v7` or `windows(10.0.17763.1)/amd64`. Aliases are resolved: `linux/x86_64` is `linux/amd64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// `linux`, `windows`, …
    pub os: Box<str>,
    /// `amd64`, `arm64`, …
    pub architecture: Box<str>,
    /// `v7`, `v8`, … where the index names one.
    pub variant: Option<Box<str>>,
    /// `10.0.17763.1`, … where the index names one: Windows images run on their own version only.
    pub os_version: Option<Box<str>>,
}

/// Why a text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform: write OS/ARCH or OS/ARCH/VARIANT, such as linux/amd64")]
pub struct PlatformError(String);

impl Platform {
    /// The operating system of what has no platform. Docker gives it to attestations, so no real platform has it.
    const UNKNOWN: &'static str = "unknown";
    /// A longer one is nobody's: `windows(10.0.20348.2700)/amd64` has 30 characters.
    const LONGEST: usize = 40;

    /// The platform that these words name, an empty one naming nothing; `None` if they name none.
    #[must_use]
    pub fn new(os: &str, os_version: &str, architecture: &str, variant: &str) -> Option<Self> {
        Self::of_words(os, os_version, architecture, variant).filter(Self::is_named)
    }

    /// What stands for the platform of a manifest that names none, which is legal. Another digest is another platform,
    /// so that it counts as a change wherever it stands in its index.
    #[must_use]
    pub fn unnamed(digest: &Digest) -> Self {
        let text = digest.to_string();
        let hex = text.split_once(':').map_or("", |(_, hex)| hex);
        let architecture = hex.get(..12).unwrap_or(hex).into();
        Self { os: Self::UNKNOWN.into(), architecture, variant: None, os_version: None }
    }

    /// Whether this is a platform, and not what stands for one.
    #[must_use]
    pub fn is_named(&self) -> bool {
        *self.os != *Self::UNKNOWN
    }

    /// Whether `offered` is what somebody means who writes this. What is not written down may be anything, but for the
    /// variants that nobody writes: arm64 is arm64/v8, arm is arm/v7 and amd64 is amd64/v1 (as in containerd).
    #[must_use]
    pub fn means(&self, offered: &Self) -> bool {
        self.os == offered.os
            && self.architecture == offered.architecture
            && self.meant_variant() == offered.meant_variant()
            && self.os_version.as_deref().is_none_or(|wanted| offered.has_version(wanted))
    }

    fn meant_variant(&self) -> Option<&str> {
        match (&*self.architecture, self.variant.as_deref()) {
            ("arm64", None) => Some("v8"),
            ("arm", None) => Some("v7"),
            ("amd64", None) => Some("v1"),
            (_, variant) => variant,
        }
    }

    /// `10.0.17763` is every revision of that version: they come once a month.
    fn has_version(&self, wanted: &str) -> bool {
        let rest = self.os_version.as_deref().and_then(|version| version.strip_prefix(wanted));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    fn of_words(os: &str, os_version: &str, architecture: &str, variant: &str) -> Option<Self> {
        let [os, architecture, variant] = [os, architecture, variant].map(str::to_ascii_lowercase);
        let os = if os == "macos" { "darwin".to_owned() } else { os };
        let (architecture, variant) = match architecture.as_str() {
            "x86_64" | "x86-64" => ("amd64", variant),
            "i386" => ("386", String::new()),
            "aarch64" => ("arm64", variant),
            "armhf" => ("arm", "v7".to_owned()),
            "armel" => ("arm", "v6".to_owned()),
            other => (other, variant),
        };
        let is_number = !variant.is_empty() && variant.bytes().all(|byte| byte.is_ascii_digit());
        let variant =
            if is_number && architecture.starts_with("arm") { format!("v{variant}") } else { variant };
        let words = [os.as_str(), os_version, architecture, variant.as_str()];
        let length: usize = words.iter().map(|word| word.len()).sum();
        let is_sound = words.iter().all(|word| word.bytes().all(is_plain)) && length <= Self::LONGEST;
        if !is_sound || os.is_empty() || architecture.is_empty() {
            return None;
        }
        let optional = |word: &str| (!word.is_empty()).then(|| word.into());
        Some(Self {
            os: os.as_str().into(),
            architecture: architecture.into(),
            variant: optional(&variant),
            os_version: optional(os_version),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (os, architecture, variant) = (parts.next()?, parts.next()?, parts.next());
        let (os, os_version) = match os.split_once('(') {
            Some((os, version)) => (os, Some(version.strip_suffix(')')?)),
            None => (os, None),
        };
        let is_whole = parts.next().is_none() && variant != Some("") && os_version != Some("");
        let platform =
            Self::of_words(os, os_version.unwrap_or_default(), architecture, variant.unwrap_or_default());
        platform.filter(|_| is_whole)
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    /// Parses what a person wrote.
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        Self::parse(text).filter(Self::is_named).ok_or_else(|| PlatformError(text.to_owned()))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.os)?;
        self.os_version.as_ref().map_or(Ok(()), |version| write!(f, "({version})"))?;
        write!(f, "/{}", self.architecture)?;
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
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(PlatformError(text)))
    }
}

/// The characters that containerd allows in a word of a platform.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}
