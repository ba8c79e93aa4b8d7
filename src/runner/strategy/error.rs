//! Why the driver gives up.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::step::exit_code;
use crate::dockerfile::DockerfileError;

/// Why a build by the driver fails, for whoever reads its log.
#[derive(Debug, thiserror::Error)]
pub(super) enum StrategyError {
    #[error("{step} failed: {status}")]
    Step { step: String, status: ExitStatus },
    #[error("start {step}: {source}")]
    Start { step: String, source: io::Error },
    #[error("{doing} {path}: {source}")]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("read {path}: it is not what the runner writes: {source}")]
    Work { path: PathBuf, source: serde_json::Error },
    #[error("this build is no work for the driver: it is made by its own command")]
    NotDriven,
    #[error(
        "the build has no source code: add source = {{ git = {{ uri = \"https://…\" }} }} or {{ directory = \"/path\" }}"
    )]
    NoSource,
    #[error("none of {0} is in PATH: install one")]
    NoTool(String),
    #[error("the revision is to be commit {0}, which is not one that git could print")]
    BadCommit(String),
    #[error("commit {commit} is not in {reference} of {uri}: was it pushed, or pushed away?")]
    NoCommit { commit: String, reference: String, uri: String },
    #[error("{what} {path} is not in the source code: {source}")]
    Missing { what: &'static str, path: String, source: io::Error },
    #[error("{what} {path} leads out of the source code: use a path within it, and no link out of it")]
    Outside { what: &'static str, path: String },
    #[error("{what} {path} is no directory")]
    NoDirectory { what: &'static str, path: String },
    #[error(
        "there is no Dockerfile in {0}, and no Containerfile: commit one, or name it with `dockerfile_path`"
    )]
    NoDockerfile(String),
    #[error("{path}: {source}")]
    Dockerfile { path: String, source: DockerfileError },
    #[error("output {0} is no image reference with a tag: write host/repository:tag")]
    BadOutput(String),
    #[error("{tool} pushed {output}, and does not tell its digest: {found}")]
    NoDigest { tool: &'static str, output: String, found: String },
    #[error("the Source strategy names no builder image")]
    NoBuilder,
    #[error("{step} does not describe the image {image}: {source}")]
    Inspect { step: String, image: String, source: serde_json::Error },
    #[error(
        "the builder image {0} has no scripts: it needs the label io.openshift.s2i.scripts-url, or the source code .s2i/bin/{1}"
    )]
    NoScripts(String, &'static str),
    #[error(
        "the builder image's label {label} says {value}: only image:///PATH is understood, or install s2i and let `strategy.tool` name it"
    )]
    BadScripts { label: &'static str, value: String },
    #[error("{path}, line {line}: {problem}")]
    Environment { path: String, line: usize, problem: &'static str },
    #[error("the value of {0} has more than one line, which s2i cannot be given")]
    Lines(String),
    #[error("{path}: it is not a configuration of registries: {problem}")]
    Registries { path: PathBuf, problem: String },
}

impl StrategyError {
    /// How the driver ends for it.
    pub(super) fn exit_code(&self) -> u8 {
        if let Self::Step { status, .. } = self { exit_code(*status) } else { 1 }
    }

    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}
