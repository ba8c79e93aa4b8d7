//! `basewatch resolve`: what a tag points to now, asked of its registry and of nobody else.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::output::{self, Show};
use super::style::{FIRES_ONCE, Style, harmless};
use super::validate::{credentials_dir, unusable};
use super::{ConfigError, Exit, Global, runtime};
use crate::config::{self, SecretFiles};
use crate::image::{Digest, Found as Observed, ImageId, Polled, TagRef};
use crate::registry::{Depth, Open, Registries, Settings, Target};

/// Which tag is looked up.
#[derive(Debug, clap::Args)]
pub(super) struct Resolve {
    /// The tag, such as debian:12 or registry.example.com:5000/base/ruby:2.0
    #[arg(value_name = "IMAGE")]
    image: TagRef,
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
    media_type: Option<Box<str>>,
    /// What a v1 registry calls the image. It is no digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_id: Option<ImageId>,
    /// Whether the reference may lead to another image later: so on a v1 registry, where nothing is immutable.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mutable: bool,
    /// It is on a v1 registry: it starts a build when it is first found, and never when it moves.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fires_once: bool,
}

impl Resolve {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let registries = Registries::new(settings(global, self.image.host())?.as_slice())?;
        let target = Target { tag: &self.image, group: &[], depth: Depth::Digest, known: None };
        // The registry's timeout ends the wait, though the system may still be looking up its name.
        let found = runtime::block_on(Duration::ZERO, registries.resolve(target, &Open))??;
        output::print(&Found::new(&self.image, found), global.json)?;
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
        let tag = tag.clone();
        match found.polled {
            Polled::Manifest(manifest) => Self {
                image: tag.pinned(&manifest.digest),
                tag,
                digest: Some(manifest.digest),
                media_type: Some(manifest.media_type),
                image_id: None,
                mutable: false,
                fires_once: false,
            },
            Polled::V1(image_id) => Self {
                image: tag.v1_reference(),
                tag,
                digest: None,
                media_type: None,
                image_id: Some(image_id),
                mutable: true,
                fires_once: true,
            },
        }
    }
}

impl Show for Found {
    fn show(&self, _: Style) -> String {
        let media_type = self.media_type.as_deref().map(harmless);
        let v1 = || self.image_id.map(|id| format!("(mutable, now {id}; {FIRES_ONCE})"));
        format!("{} {}\n", self.image, media_type.or_else(v1).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
