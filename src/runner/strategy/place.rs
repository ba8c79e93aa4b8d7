//! Paths that strangers write, within the source code that strangers write too.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::error::StrategyError;

/// What is built, as a directory of the source code.
#[derive(Debug)]
pub(super) struct Context {
    /// As the steps name it.
    pub(super) path: String,
    /// The whole source code, with every link resolved.
    root: PathBuf,
    /// What this is a copy of: a link in it may lead to what lies beside the original, a Dockerfile for example.
    original: Option<Box<Context>>,
}

impl Context {
    /// The directory `context_dir` of the source code in `source`.
    pub(super) fn new(source: &str, context_dir: Option<&str>) -> Result<Self, StrategyError> {
        let root =
            fs::canonicalize(source).map_err(StrategyError::file("look at the source code in", source))?;
        let path = match context_dir
            .map(|dir| dir.trim_end_matches('/'))
            .filter(|dir| !dir.is_empty() && *dir != ".")
        {
            Some(dir) => format!("{source}/{dir}"),
            None => source.to_owned(),
        };
        let context = Self { path, root, original: None };
        let what = "context_dir";
        let found = context.resolve(what, Path::new(&context.path))?;
        match found.is_dir() {
            true => Ok(context),
            false => Err(StrategyError::NoDirectory { what, path: context.path }),
        }
    }

    /// A copy of `original` that lies in `path`.
    pub(super) fn copy(path: &str, original: Self) -> Result<Self, StrategyError> {
        Ok(Self { original: Some(Box::new(original)), ..Self::new(path, None)? })
    }

    /// A path from the context, with every link resolved; it must be there, within the source code.
    pub(super) fn find(&self, what: &'static str, path: &str) -> Result<PathBuf, StrategyError> {
        let found = self.resolve(what, &Path::new(&self.path).join(path));
        match &self.original {
            Some(original) => found.or_else(|_| original.find(what, path)),
            None => found,
        }
    }

    /// The same for what need not be there.
    pub(super) fn find_optional(
        &self,
        what: &'static str,
        path: &str,
    ) -> Result<Option<PathBuf>, StrategyError> {
        match self.find(what, path) {
            Ok(found) => Ok(Some(found)),
            Err(StrategyError::Missing { source, .. }) if is_absent(&source) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A directory from the context, made where it is not there: no link on the way leads out of the source code.
    pub(super) fn make_dir(&self, what: &'static str, path: &str) -> Result<PathBuf, StrategyError> {
        let mut made = self.resolve(what, Path::new(&self.path))?;
        for component in Path::new(path).components() {
            match component {
                Component::Normal(name) => made.push(name),
                Component::CurDir => continue,
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(StrategyError::Outside { what, path: path.to_owned() });
                }
            }
            match fs::create_dir(&made) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(StrategyError::file("make the directory", made)(error));
                }
                Ok(()) | Err(_) => made = self.resolve(what, &made)?,
            }
        }
        Ok(made)
    }

    fn resolve(&self, what: &'static str, path: &Path) -> Result<PathBuf, StrategyError> {
        let shown = || path.display().to_string();
        let found = fs::canonicalize(path).map_err(|source| StrategyError::Missing {
            what,
            path: shown(),
            source,
        })?;
        match found.starts_with(&self.root) {
            true => Ok(found),
            false => Err(StrategyError::Outside { what, path: shown() }),
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
