//! What a build is trusted with: its secrets, and the credentials for its own pulls and pushes.
//!
//! They are read anew for each attempt, so that what was rotated is used, and are files of the build's own for as long
//! as the attempt lives: in a directory that nobody else may enter, below the unit's runtime directory where there is
//! one, which systemd keeps in memory. What they hold is in no record, no log and no other environment (invariant 7).

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::directory::remove;
use crate::controller::Venue;
use crate::file;

/// As much as systemd gives one credential.
const LONGEST: u64 = 1 << 20;

/// The files that one attempt is trusted with, and what is in them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Private {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<(Box<str>, Content)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth: Option<Content>,
}

/// What is in a file. It prints as `<redacted>`; only the way to a runner's socket writes it out.
#[derive(Clone)]
struct Content(SecretSlice<u8>);

/// Why a build cannot be given what it is trusted with.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrivateError {
    #[error("read {what} from {path}: {source}: let the user that runs basewatch read it")]
    Read { what: String, path: PathBuf, source: io::Error },
    #[error("read {what} from {path}: it has more than {LONGEST} bytes")]
    TooLong { what: String, path: PathBuf },
    #[error("lay out the build's secrets in {path}: {source}")]
    LayOut { path: PathBuf, source: io::Error },
}

/// Where the files of one attempt are.
#[derive(Debug, Clone)]
pub(super) struct Vault(PathBuf);

impl Private {
    /// Reads what `venue` names. Blocks.
    pub(super) fn read(venue: Option<&Venue>) -> Result<Self, PrivateError> {
        let Some(Venue { runner: _, secrets, auth_file }) = venue else { return Ok(Self::default()) };
        let secret = |(name, path): &(Box<str>, Box<Path>)| {
            Ok((name.clone(), Content::read(&format!("the secret {name}"), path)?))
        };
        let auth = auth_file.as_deref().map(|path| Content::read("the build's credentials", path));
        Ok(Self { secrets: secrets.iter().map(secret).collect::<Result<_, _>>()?, auth: auth.transpose()? })
    }

    /// Writes the files, each for its owner to read, and tells the variables that lead a build to them. Blocks.
    pub(super) fn lay_out(&self, vault: &Vault) -> Result<Vec<(&'static str, PathBuf)>, PrivateError> {
        self.write(vault).map_err(|source| PrivateError::LayOut { path: vault.0.clone(), source })
    }

    fn write(&self, vault: &Vault) -> io::Result<Vec<(&'static str, PathBuf)>> {
        vault.clear()?;
        let mut variables = Vec::new();
        if !self.secrets.is_empty() {
            let dir = vault.dir("secrets")?;
            for (name, content) in &self.secrets {
                content.write(&dir.join(&**name))?;
            }
            variables.push(("BASEWATCH_SECRETS_DIR", dir));
        }
        if let Some(auth) = &self.auth {
            let dir = vault.dir("auth")?;
            let file = dir.join("config.json");
            auth.write(&file)?;
            // The one is what buildah, podman and skopeo read, the other is where docker looks for its config.json.
            variables.extend([("REGISTRY_AUTH_FILE", file), ("DOCKER_CONFIG", dir)]);
        }
        Ok(variables)
    }

    /// Whatever must not be seen in the output of the build.
    pub(super) fn hidden(&self) -> impl Iterator<Item = &[u8]> {
        let secrets = self.secrets.iter().map(|(_, content)| content.bytes());
        secrets.chain(self.auth.as_ref().map(Content::bytes))
    }

    /// The credentials as they are written.
    pub(super) fn auth(&self) -> Option<&[u8]> {
        self.auth.as_ref().map(Content::bytes)
    }
}

impl Vault {
    /// That of the build `id`: below `runtime`, if there is one, else in the build's own directory.
    pub(super) fn of(runtime: Option<&Path>, id: uuid::Uuid, directory: &Path) -> Self {
        match runtime {
            Some(runtime) => Self(runtime.join("builds").join(id.to_string())),
            None => Self(directory.join("private")),
        }
    }

    /// Removes everything in it, and itself.
    pub(super) fn clear(&self) -> io::Result<()> {
        remove(&self.0)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn dir(&self, name: &str) -> io::Result<PathBuf> {
        let dir = self.0.join(name);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(dir)
    }
}

impl Content {
    fn read(what: &str, path: &Path) -> Result<Self, PrivateError> {
        let mut bytes = Vec::new();
        let read = file::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
        let content = Self(bytes.into());
        match read {
            Ok(length) if length as u64 > LONGEST => {
                Err(PrivateError::TooLong { what: what.to_owned(), path: path.to_owned() })
            }
            Ok(_) => Ok(content),
            Err(source) => Err(PrivateError::Read { what: what.to_owned(), path: path.to_owned(), source }),
        }
    }

    /// As it is: an ssh key without its last newline is none.
    fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(path)?;
        file.write_all(self.bytes())?;
        // Whatever the process's umask says.
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o400))
    }

    fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.bytes()))
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // What it says is not told: it may be most of a secret.
        let bytes = STANDARD.decode(text).map_err(|_| de::Error::custom("a secret is not base64"))?;
        Ok(Self(bytes.into()))
    }
}
