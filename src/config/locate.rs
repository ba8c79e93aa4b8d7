//! Where the configuration is.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The configuration that is read where nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/basewatch/basewatch.toml";

/// How many files `conf.d` may hold.
const MAX_FRAGMENTS: usize = 1_000;

/// The file to read: the one `--config` names, else the one `$BASEWATCH_CONFIG` names, else [`DEFAULT_PATH`].
#[must_use]
pub fn locate(argument: Option<&Path>, environment: Option<&OsStr>) -> PathBuf {
    let environment = environment.filter(|path| !path.is_empty()).map(Path::new);
    argument.or(environment).unwrap_or(Path::new(DEFAULT_PATH)).to_owned()
}

/// The directory whose files are read after `main`.
pub(super) fn fragment_dir(main: &Path) -> PathBuf {
    main.with_file_name("conf.d")
}

/// The files that are read after `main`: the `*.toml` files of `conf.d` beside it, in lexical order; none if there is no
/// such directory. Hidden files are left alone: editors keep their own beside the file they edit.
///
/// # Errors
/// If the directory cannot be read or holds too many files.
pub fn fragments(main: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(fragment_dir(main)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry?.path();
        let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if file.extension() == Some(OsStr::new("toml")) && !hidden {
            files.push(file);
        }
        if files.len() > MAX_FRAGMENTS {
            return Err(io::Error::other(format!("more than {MAX_FRAGMENTS} files")));
        }
    }
    files.sort();
    Ok(files)
}
