//! Where builds run and what they are trusted with, as typed: `runner`, `secrets`, `auth_file`, and `[runner.NAME]`.

use std::path::PathBuf;

use super::expand::Layers;
use super::file::{Keys, SecretFile, secret_file};
use super::problem::{Place, Problem, Problems};
use super::section::{At, Section, Typed};
use super::value::{named, path, word};

/// Of a watch, a build config, a template or the defaults.
pub(super) struct VenueKeys {
    pub(super) runner: Typed<String>,
    pub(super) secrets: Typed<Secrets>,
    pub(super) auth_file: Typed<SecretFile>,
}

/// Files by the names that builds find them by.
pub(super) type Secrets = Vec<(String, At<SecretFile>)>;

/// `[runner.NAME]`: a runner outside the daemon.
pub(super) struct Runner {
    pub(super) place: Place,
    pub(super) socket: Typed<PathBuf>,
}

impl VenueKeys {
    /// `None` where nothing is said.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Box<Self>> {
        let keys = Self {
            runner: section.key("runner", word),
            secrets: section.key("secrets", named(secret_name, secret_file)),
            auth_file: section.key("auth_file", secret_file),
        };
        let is_said = !keys.runner.is_absent() || !keys.secrets.is_absent() || !keys.auth_file.is_absent();
        is_said.then(|| Box::new(keys))
    }
}

impl Runner {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self { place: section.place(), socket: section.key("socket", path) }
    }
}

impl Keys {
    pub(super) fn runner(&self) -> &Typed<String> {
        self.venue.as_deref().map_or(&Typed::Absent, |venue| &venue.runner)
    }

    pub(super) fn auth_file(&self) -> &Typed<SecretFile> {
        self.venue.as_deref().map_or(&Typed::Absent, |venue| &venue.auth_file)
    }

    pub(super) fn secrets(&self) -> &Typed<Secrets> {
        self.venue.as_deref().map_or(&Typed::Absent, |venue| &venue.secrets)
    }
}

impl<'a> Layers<'a> {
    /// The secrets of all layers, those of a nearer one in place of those of a farther one.
    pub(super) fn secrets(&self) -> Vec<(&'a str, &'a At<SecretFile>)> {
        let mut secrets: Vec<(&str, &At<SecretFile>)> = Vec::new();
        for (name, file) in self.farthest_first(Keys::secrets).flatten() {
            match secrets.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = file,
                None => secrets.push((name, file)),
            }
        }
        secrets
    }
}

/// The name of a secret is that of a file.
fn secret_name(name: &str, place: &Place, problems: &mut Problems) -> Option<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=100).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.') {
        return Some(());
    }
    let fix = "write 1 to 100 letters, digits and - _ ., with no . first";
    let problem = Problem::error(place, "is not a name for a secret", fix);
    problems.push(problem.with_value(name));
    None
}
