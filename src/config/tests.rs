//! What a configuration means, and what is said about a wrong one.

mod build_config;
mod hook;
mod image_stream;
mod interval;
mod long_mistakes;
mod mistakes;
mod reload;
mod sample;
mod several_files;
mod trigger;
mod venue;
mod watch;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::{Loaded, Problems, SecretFiles, load};
use crate::controller::BuildConfig;

/// A directory with a configuration in it.
struct Dir(TempDir);

impl Dir {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = Self(TempDir::new().unwrap());
        for (name, text) in files {
            let file = dir.path(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        dir
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self) -> Result<Loaded, Problems> {
        load(&self.path("main.toml"), &SecretFiles::Check { credentials: Some(self.path("credentials")) })
    }

    /// Every problem in one line, with paths as seen from this directory.
    fn problems(&self) -> Vec<String> {
        let list = match self.load() {
            Ok(loaded) => loaded.warnings,
            Err(problems) => problems.into_vec(),
        };
        let dir = format!("{}/", self.0.path().display());
        list.iter().map(|problem| problem.to_string().replace(&dir, "")).collect()
    }
}

/// What one file means.
fn loaded(text: &str) -> Loaded {
    Dir::with(&[("main.toml", text)]).load().unwrap_or_else(|problems| panic!("{problems}"))
}

/// The build configs of one file.
fn build_configs(text: &str) -> Vec<Arc<BuildConfig>> {
    loaded(text).settings.controller.build_configs
}

/// The one build config of a file.
fn build_config(text: &str) -> Arc<BuildConfig> {
    let mut configs = build_configs(text);
    assert_eq!(configs.len(), 1);
    configs.remove(0)
}

/// What is said about one file.
fn problems(text: &str) -> Vec<String> {
    Dir::with(&[("main.toml", text)]).problems()
}
