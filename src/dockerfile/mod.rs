//! Replaces the images that a Dockerfile names, and leaves every other byte of it as it was.
//!
//! The way is `line` (the file's lines), `instruction` (lines joined to instructions, heredocs skipped), `stage` (which
//! stage stands on what), `survey` (which word gives way to what), `edit` (the new text). It runs no build, resolves no
//! variable and judges no instruction: what is wrong in a Dockerfile is for the builder to say, unless it hides where
//! the images are.
//!
//! The grammar is that of BuildKit's parser, read from its source: parser directives, both escape characters, comments
//! and empty lines within an instruction, heredocs wherever the shell's words have them. A library would be welcome,
//! and none holds. `parse-dockerfile` 0.1.9 has spans and is linear, but knows a heredoc only as the first word: after
//! `RUN cat <<EOF > /x` it takes a FROM in the body for an instruction, and it says nothing of a heredoc that never
//! ends. `dockerfile-parser` 0.9.0 knows no heredocs, no escape directive and no byte order mark, and
//! `dockerfile-parser-rs` 3.4.0 reads no RUN in shell form and has no spans.
//!
//! Everything here takes time and memory in proportion to the file, which is bounded: anybody can commit one.

mod directive;
mod edit;
mod environment;
mod error;
mod flag;
mod heredoc;
mod instruction;
mod line;
mod stage;
mod survey;
#[cfg(test)]
mod tests;

pub use error::DockerfileError;

use std::io::Read;
use std::path::Path;

use crate::file;
use instruction::Reader;
use survey::Survey;

/// The largest Dockerfile that is read, in bytes. Long ones have a few thousand lines, which is a tenth of it.
pub const LARGEST: usize = 1 << 20;

/// The most stages that a Dockerfile may have: each may be given an environment, and nobody has written so many.
const MOST_STAGES: usize = 1000;

/// What is to be another way in a Dockerfile. Without anything in it, the text stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changes<'a> {
    /// Takes the place of the image that the built stage stands on, whatever that was (F28). None: it stays.
    pub base: Option<&'a str>,
    /// The stage that is built, by name or number. None: the last one.
    pub target: Option<&'a str>,
    /// Image sources: each name gives way to its reference in FROM, `COPY --from` and `RUN --mount=…,from=` (F28).
    pub images: &'a [ImageSource<'a>],
    /// Variables that are set right after every FROM, as OpenShift does with a Docker strategy's environment.
    pub env: &'a [(String, String)],
    /// Variables that are set at the end of the built stage: what the image tells of its build (F27).
    pub built_env: &'a [(String, String)],
}

/// An image that a Dockerfile knows by another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSource<'a> {
    /// What the Dockerfile says, compared as it stands. A stage of the same name comes first.
    pub alias: &'a str,
    /// What takes its place.
    pub reference: &'a str,
}

/// A Dockerfile with its images replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The new text.
    pub text: Vec<u8>,
    /// What was replaced, in the order of the file.
    pub replaced: Vec<Replaced>,
}

/// One image that gave way to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The line that it begins in; the first line is 1.
    pub line: usize,
    /// What stood there, a stranger's text. It may be a variable: `${BASE}`.
    pub old: String,
    /// What stands there now.
    pub new: String,
}

/// Replaces the images that a Dockerfile names.
///
/// The base takes the place of the last FROM's image, or of the FROM of `target`. Where that FROM names an earlier
/// stage it is the image of that stage instead, and so on: otherwise the stages in between would be cut off.
/// Variables are not looked into: `FROM ${BASE}` is replaced as a whole, even if `BASE` is a stage's name.
///
/// # Errors
/// When the file cannot be a Dockerfile, or its images cannot be told for sure; when there is no such target; when an
/// environment variable or a reference cannot be written into a Dockerfile.
pub fn rewrite(dockerfile: &[u8], changes: &Changes<'_>) -> Result<Rewritten, DockerfileError> {
    if dockerfile.len() > LARGEST {
        return Err(DockerfileError::TooLarge);
    }
    line::check_is_text(dockerfile)?;
    let mut survey = Survey::new(changes)?;
    let mut reader = Reader::new(dockerfile);
    while let Some(instruction) = reader.next()? {
        survey.look_at(&instruction)?;
    }
    Ok(survey.finish()?.apply(dockerfile))
}

/// Reads a Dockerfile, no more of it than there may be. Links are followed: whoever reads a stranger's directory sees
/// to it that the path stays within.
///
/// # Errors
/// When it cannot be opened or read, is no regular file (it is not waited for), or is larger than [`LARGEST`].
pub fn read(path: &Path) -> Result<Vec<u8>, DockerfileError> {
    let file = file::open(path).map_err(DockerfileError::Read)?;
    let length = file.metadata().map_err(DockerfileError::Read)?.len();
    // Said before anything is read; but what is read counts, since the file may grow meanwhile.
    if length > LARGEST as u64 {
        return Err(DockerfileError::TooLarge);
    }
    let mut text = Vec::new();
    file.take(LARGEST as u64 + 1).read_to_end(&mut text).map_err(DockerfileError::Read)?;
    if text.len() > LARGEST { Err(DockerfileError::TooLarge) } else { Ok(text) }
}
