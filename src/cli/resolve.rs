//! `basewatch resolve`: what a tag points to now, asked of its registry and of nobody else.

use std::time::Duration;

use serde::Serialize;

use super::output::{self, Show};
use super::style::{Style, harmless};
use super::validate::{secret_files, unusable};
use super::{ConfigError, Exit, Global, runtime};
use crate::config;
use crate::image::{Digest, Polled, TagRef};
use crate::registry::{Open, Registries, Settings, Target};

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
    /// The immutable reference.
    image: String,
    digest: Digest,
    media_type: Box<str>,
}

impl Resolve {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let registries = Registries::new(&settings(global)?)?;
        let target = Target { tag: &self.image, neighbours: &[] };
        // The registry's timeout ends the wait, though the system may still be looking up its name.
        let polled = runtime::block_on(Duration::ZERO, registries.resolve(target, &Open))??;
        output::print(&Found::new(&self.image, polled), global.json)?;
        Ok(Exit::Done)
    }
}

/// What is configured for each host. A configuration that nobody named need not be there.
fn settings(global: &Global) -> Result<Vec<Settings>, ConfigError> {
    let file = global.config_file();
    if global.named_config().is_none() && !file.exists() {
        return Ok(Vec::new());
    }
    let loaded = config::load(&file, &secret_files()).map_err(|problems| unusable(&problems))?;
    Ok(loaded.settings.registries.into_values().map(|host| host.registry).collect())
}

impl Found {
    fn new(tag: &TagRef, polled: Polled) -> Self {
        let Polled { digest, media_type, accept_version: _ } = polled;
        Self { tag: tag.clone(), image: tag.pinned(&digest), digest, media_type }
    }
}

impl Show for Found {
    fn show(&self, _: Style) -> String {
        format!("{} {}\n", self.image, harmless(&self.media_type))
    }
}
