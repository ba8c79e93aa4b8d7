//! A builder image of the Source strategy: which scripts it has, and as whom they run.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::StrategyError;

/// Where the scripts are: today's label, and the one before it.
const SCRIPTS_URL: [&str; 2] = ["io.openshift.s2i.scripts-url", "io.s2i.scripts-url"];
/// Where the source code goes.
const DESTINATION: [&str; 2] = ["io.openshift.s2i.destination", "io.s2i.destination"];
/// As whom assemble runs, where that is not the image's user.
const ASSEMBLE_USER: [&str; 2] = ["io.openshift.s2i.assemble-user", "io.s2i.assemble-user"];

/// Where the source code goes if the image does not say.
const DEFAULT_DESTINATION: &str = "/tmp";

/// What an image's description says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Image {
    #[serde(default, alias = "User", alias = "user")]
    user: Option<String>,
    #[serde(default, alias = "Labels", alias = "labels")]
    all_labels: Option<BTreeMap<String, String>>,
}

/// An image as podman and docker describe it, in a list.
#[derive(Deserialize)]
struct Described {
    #[serde(rename = "Config")]
    config: Image,
}

/// An image as buildah describes it.
#[derive(Deserialize)]
struct OfBuildah {
    #[serde(rename = "OCIv1")]
    image: OciImage,
}

#[derive(Deserialize)]
struct OciImage {
    config: Image,
}

impl Image {
    /// Reads what the tool printed, whichever it was.
    pub(super) fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        if text.trim_ascii_start().starts_with(b"[") {
            let images: Vec<Described> = serde_json::from_slice(text)?;
            return Ok(images.into_iter().next().map(|image| image.config).unwrap_or_default());
        }
        Ok(serde_json::from_slice::<OfBuildah>(text)?.image.config)
    }

    /// The directory of its scripts, if it says one.
    pub(super) fn scripts(&self) -> Result<Option<String>, StrategyError> {
        let Some((label, value)) = self.label(SCRIPTS_URL) else { return Ok(None) };
        let path = value.strip_prefix("image://").filter(|path| is_path(path));
        match path {
            Some(path) => Ok(Some(path.trim_end_matches('/').to_owned())),
            None => Err(StrategyError::BadScripts { label, value: value.to_owned() }),
        }
    }

    /// The directory that source code and artifacts are put into.
    pub(super) fn destination(&self) -> Result<String, StrategyError> {
        let Some((label, value)) = self.label(DESTINATION) else { return Ok(DEFAULT_DESTINATION.to_owned()) };
        match is_path(value) {
            true => Ok(value.trim_end_matches('/').to_owned()),
            false => Err(StrategyError::BadScripts { label, value: value.to_owned() }),
        }
    }

    /// As whom the image runs, if that is not root.
    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref().filter(|user| is_user(user))
    }

    /// As whom the source code is assembled, if that is not root.
    pub(super) fn assemble_user(&self) -> Option<&str> {
        let user = self.label(ASSEMBLE_USER).map(|(_, user)| user);
        user.filter(|user| is_user(user)).or_else(|| self.user())
    }

    fn label(&self, names: [&'static str; 2]) -> Option<(&'static str, &str)> {
        let labels = self.all_labels.as_ref()?;
        let named = |name: &'static str| Some((name, labels.get(name)?.as_str()));
        names.into_iter().find_map(named).filter(|(_, value)| !value.is_empty())
    }
}

/// An absolute path that stands in a Containerfile as it is.
fn is_path(text: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./+@".contains(character);
    text.starts_with('/') && text.chars().all(plain)
}

fn is_user(text: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.:".contains(character);
    !text.is_empty() && text.chars().all(plain)
}
