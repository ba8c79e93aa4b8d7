//! Where the source code of a build config is.

use super::super::super::build_config::{Git as TypedGit, Source as Typed};
use super::super::super::problem::{Place, Problem, Problems};
use crate::controller::{Git, Source, Strategy, StrategyKind};

/// What is written, if it can be used.
pub(super) fn check(typed: &Typed, problems: &mut Problems) -> Source {
    if let (Some(git), Some(_)) = (typed.git.given(), typed.directory.given()) {
        let fix = "keep either `git` or `directory`";
        problems.push(Problem::error(&git.place, "stands beside `directory`", fix));
    }
    if let Some(directory) = typed.directory.given().filter(|directory| !directory.value.is_absolute()) {
        let fix = "write the whole path: the build may run on another machine's file system";
        problems.push(Problem::error(&directory.place, "is not an absolute path", fix));
    }
    Source {
        git: typed.git.value().and_then(|git| check_git(git, problems)),
        directory: typed.directory.value().map(|directory| directory.as_path().into()),
        context_dir: typed.context_dir.value().map(|dir| dir.as_str().into()),
    }
}

/// A strategy that is built in needs something to build.
pub(super) fn check_presence(
    strategy: &Strategy,
    source: Option<&Source>,
    place: &Place,
    problems: &mut Problems,
) {
    let is_built_in =
        strategy.command.is_empty() && matches!(strategy.kind, StrategyKind::Docker | StrategyKind::Source);
    let has_source = source.is_some_and(|source| source.git.is_some() || source.directory.is_some());
    if is_built_in && !has_source {
        let message = "has no source code and no command: its builds end in Error";
        let fix = "add source = { git = { uri = \"https://…\" } } or { directory = \"/path\" }";
        problems.push(Problem::warning(place, message, fix));
    }
}

fn check_git(git: &TypedGit, problems: &mut Problems) -> Option<Git> {
    if git.uri.is_absent() {
        problems.push(Problem::absence(&git.place, "names no repository", "add uri = \"https://…\""));
    }
    let reference = git.reference.value().map(|text| text.as_str().into());
    if let Some(uri) = git.uri.given().filter(|uri| has_password(&uri.value)) {
        // Not shown: it would be in every record of a build, too.
        let fix = "leave it out: git finds it in its own configuration, or in a file that the command reads";
        problems.push(Problem::error(&uri.place, "has a password in it", fix));
    }
    let texts = [git.uri.given(), git.reference.given()];
    for at in texts.into_iter().flatten().filter(|at| at.value.starts_with('-')) {
        let fix = "write what does not look like an option of git";
        problems.push(Problem::error(&at.place, "begins with a -", fix).with_value(&at.value));
    }
    Some(Git { uri: git.uri.value()?.as_str().into(), reference })
}

/// Whether something stands before the host of a URL that is more than a user's name.
fn has_password(uri: &str) -> bool {
    let Some((_, rest)) = uri.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}
