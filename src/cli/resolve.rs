//! `basewatch resolve`: what a tag points to now, asked of its registry and of nobody else.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::output::{self, Show};
use super::style::{FIRES_ONCE, Style, harmless};
use super::validate::{credentials_dir, unusable};
use super::{ConfigError, Exit, Global, runtime};
use crate::config::{self, SecretFiles};
use crate::image::{Digest, Found as Observed, ImageId, Platform, Polled, TagRef};
use crate::registry::{Depth, Open, Registries, Settings, Target};

mod platform;

use platform::{Chosen, choose};

/// Which tag is looked up.
#[derive(Debug, clap::Args)]
pub(super) struct Resolve {
    /// The tag, such as debian:12 or registry.example.com:5000/base/ruby:2.0
    #[arg(value_name = "IMAGE")]
    image: TagRef,
    /// Of a multi-platform image, only the manifest for this platform
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    platform: Option<Platform>,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Found {
    tag: TagRef,
    /// The immutable reference; the tag itself on a v1 registry.
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<Cow<'static, str>>,
    /// What a v1 registry calls the image. It is no digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_id: Option<ImageId>,
    /// Whether the reference may lead to another image later: so on a v1 registry, where nothing is immutable.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mutable: bool,
    /// It is on a v1 registry: it starts a build when it is first found, and never when it moves.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fires_once: bool,
    /// What the manifest is for, where that was asked and the image says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    /// The digest of the index that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<Digest>,
}

impl Resolve {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let registries = Registries::new(settings(global, self.image.host())?.as_slice())?;
        let depth = if self.platform.is_some() { Depth::Contents } else { Depth::Digest };
        let target = Target { tag: &self.image, group: &[], depth, known: None };
        // The registry's timeout ends the wait, though the system may still be looking up its name.
        let found = runtime::block_on(Duration::ZERO, registries.resolve(target, &Open))??;
        let found = match &self.platform {
            Some(platform) => Found::of_platform(&self.image, choose(&self.image, &found, platform)?),
            None => Found::new(&self.image, found),
        };
        output::print(&found, global.json)?;
        Ok(Exit::Done)
    }
}

/// What is configured for `host`, if anything. A configuration that nobody named need not be there.
///
/// Only this host's files are looked at, and only when they are needed: whoever asks may not be allowed to read those
/// of other registries.
fn settings(global: &Global, host: &str) -> Result<Option<Settings>, ConfigError> {
    let file = global.config_file();
    if !global.names_config() && !file.exists() {
        return Ok(None);
    }
    let loaded = config::load(&file, &SecretFiles::Skip).map_err(|problems| unusable(&problems))?;
    let found = loaded.settings.registries.into_iter().find(|(name, _)| name == host);
    Ok(found.map(|(_, host)| with_credential(host.registry, credentials_dir())))
}

/// A password that systemd hands over is `credential:NAME` as long as nobody looked for it.
fn with_credential(mut settings: Settings, dir: Option<PathBuf>) -> Settings {
    // Without the directory, the error that tells of the file names what is missing.
    let dir = dir.unwrap_or_else(|| PathBuf::from("$CREDENTIALS_DIRECTORY"));
    if let Some(credentials) = &mut settings.credentials
        && let Some(name) =
            credentials.password_file.to_str().and_then(|file| file.strip_prefix("credential:"))
    {
        credentials.password_file = dir.join(name);
    }
    settings
}

impl Found {
    fn new(tag: &TagRef, found: Observed) -> Self {
        match found.polled {
            Polled::Manifest(manifest) => {
                Self { media_type: Some(manifest.media_type.clone()), ..Self::manifest(tag, manifest.digest) }
            }
            other @ (Polled::V1(_) | Polled::Unasked) => Self {
                image: tag.v1_reference(),
                tag: tag.clone(),
                digest: None,
                media_type: None,
                image_id: other.image_id(),
                mutable: true,
                fires_once: true,
                platform: None,
                index: None,
            },
        }
    }

    fn of_platform(tag: &TagRef, chosen: Chosen) -> Self {
        match chosen {
            Chosen::Child { platform, digest, index } => {
                Self { platform: Some(platform), index: Some(index), ..Self::manifest(tag, digest) }
            }
            Chosen::Single(digest) => Self::manifest(tag, digest),
        }
    }

    fn manifest(tag: &TagRef, digest: Digest) -> Self {
        Self {
            image: tag.pinned(&digest),
            tag: tag.clone(),
            digest: Some(digest),
            media_type: None,
            image_id: None,
            mutable: false,
            fires_once: false,
            platform: None,
            index: None,
        }
    }
}

impl Show for Found {
    fn show(&self, _: Style) -> String {
        let what = match self {
            Self { media_type: Some(media_type), .. } => harmless(media_type),
            Self { image_id: Some(id), .. } => format!("(mutable, now {id}; {FIRES_ONCE})"),
            Self { platform: Some(platform), index: Some(index), .. } => format!("{platform} of {index}"),
            Self { .. } => "a single manifest, whose platform it does not say".to_owned(),
        };
        format!("{} {what}\n", self.image)
    }
}

#[cfg(test)]
mod tests;
