//! The names that records are stored under, each in one spelling.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::image::TagRef;

/// `namespace/name` of a build config. Cloning costs a counter.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigKey(Arc<str>);

/// `namespace/name-number` of a build.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildKey {
    /// The config it is a build of.
    pub config: ConfigKey,
    /// Counted from 1, without gaps.
    pub number: u64,
}

/// A trigger's key: what is stored belongs to the tag that is watched, not to a label of it (D11).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TriggerKey {
    /// Whose trigger it is.
    pub config: ConfigKey,
    /// What it watches.
    pub tag: TagRef,
}

/// A text that is not the name of a build config or a build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not {1}")]
pub struct KeyError(String, &'static str);

impl ConfigKey {
    /// Both parts are DNS-1123 labels; `config` has checked that.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(format!("{namespace}/{name}").into())
    }

    /// `default`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// `app`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(_, name)| name)
    }

    /// `default/app`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BuildKey {
    /// `app-7`: the name of the build within its namespace.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.config.name(), self.number)
    }

    /// Reads `[NS/]NAME-NUMBER`; without a namespace it is `default_namespace`.
    ///
    /// # Errors
    /// If it is not of that form.
    pub fn parse(text: &str, default_namespace: &str) -> Result<Self, KeyError> {
        let error = || KeyError(text.to_owned(), "a build: write [NAMESPACE/]NAME-NUMBER, such as app-7");
        let (namespace, rest) = text.split_once('/').unwrap_or((default_namespace, text));
        let (name, number) = rest.rsplit_once('-').ok_or_else(error)?;
        let number = number.parse().map_err(|_| error())?;
        let plain = |part: &str| !part.is_empty() && !part.contains(['/', '.']);
        if !plain(namespace) || !plain(name) || number == 0 {
            return Err(error());
        }
        Ok(Self { config: ConfigKey::new(namespace, name), number })
    }
}

impl FromStr for ConfigKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self(text.into()))
            }
            _ => Err(KeyError(text.to_owned(), "a build config: write NAMESPACE/NAME")),
        }
    }
}

impl FromStr for BuildKey {
    type Err = KeyError;

    /// Reads what [`BuildKey`] prints: always with its namespace.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text, "")
    }
}

macro_rules! text_form {
    ($type:ty, $self:ident, $f:ident => $write:expr) => {
        impl fmt::Display for $type {
            fn fmt(&$self, $f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $write
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_form!(ConfigKey, self, f => f.pad(&self.0));
text_form!(BuildKey, self, f => write!(f, "{}-{}", self.config, self.number));

impl fmt::Display for TriggerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.config, self.tag)
    }
}

impl fmt::Debug for TriggerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
