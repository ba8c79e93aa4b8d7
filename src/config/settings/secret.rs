//! The files that hold secrets. They are named and looked at here, and read where they are used.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::super::SecretFiles;
use super::super::file::SecretFile;
use super::super::problem::{Place, Problem, Problems};
use super::super::section::At;

pub(super) const UNREADABLE: &str = "create it, and let the user that runs basewatch read it";

/// Where a secret is, once its file was found to be of use.
pub(super) fn secret(
    file: &At<SecretFile>,
    secrets: &SecretFiles,
    problems: &mut Problems,
) -> Option<PathBuf> {
    let path = match (&file.value, secrets) {
        (SecretFile::Path(path), _) => path.clone(),
        (SecretFile::Credential(name), SecretFiles::Check { credentials: Some(dir) }) => dir.join(name),
        (SecretFile::Credential(name), SecretFiles::Check { credentials: None }) => {
            let message = "is a systemd credential, and $CREDENTIALS_DIRECTORY is not set";
            let fix = "name a file, or check with --offline what runs under systemd";
            return problems.wrong(&file.place, message, format!("\"credential:{name}\""), fix);
        }
        (SecretFile::Credential(name), SecretFiles::Skip) => format!("credential:{name}").into(),
    };
    check_file(&path, &file.place, secrets, problems);
    Some(path)
}

fn check_file(path: &Path, place: &Place, secrets: &SecretFiles, problems: &mut Problems) {
    if matches!(secrets, SecretFiles::Skip) {
        return;
    }
    if let Err(error) = readable(path) {
        let message = format!("cannot be read: {error}");
        problems.push(Problem::error(place, message, UNREADABLE).with_value(path.display()));
    }
}

fn readable(path: &Path) -> io::Result<()> {
    let metadata = path.metadata()?;
    // Opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if metadata.len() == 0 {
        return Err(io::Error::other("it is empty"));
    }
    File::open(path).map(drop)
}
