//! A fresh checkout, by git's command line.

use super::step::Step;
use crate::controller::{BuildSpec, Git};

/// Where it goes.
pub(super) const SOURCE: &str = "work/source";

/// What is fetched where nothing is said (F33).
const DEFAULT_REFERENCE: &str = "master";

/// What is to be checked out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checkout<'a> {
    git: &'a Git,
    /// The very commit, if somebody told.
    pub(super) commit: Option<&'a str>,
}

impl<'a> Checkout<'a> {
    pub(super) fn of(spec: &'a BuildSpec) -> Option<Self> {
        let git = spec.source.as_ref()?.git.as_ref()?;
        let commit = spec.revision.as_ref().map(|revision| &*revision.commit);
        Some(Self { git, commit: commit.filter(|commit| !commit.is_empty()) })
    }

    pub(super) fn uri(&self) -> &'a str {
        &self.git.uri
    }

    pub(super) fn reference(&self) -> &'a str {
        self.git.reference.as_deref().unwrap_or(DEFAULT_REFERENCE)
    }

    /// The repository, with nothing in it. The remote has a name, so that submodules can be relative to it.
    pub(super) fn init(&self) -> [Step; 2] {
        let remote = git(["remote", "add", "--", "origin"]).arg(self.uri());
        [Step::new("git", ["init", "--quiet", SOURCE]), remote]
    }

    /// The wanted commit and no other: a branch, a tag, or a commit by its id, which not every server gives.
    pub(super) fn fetch(&self) -> Step {
        let wanted = self.commit.unwrap_or_else(|| self.reference());
        git(["fetch", "--no-tags", "--depth", "1", "--", "origin"]).arg(wanted)
    }

    /// The whole of the branch or tag that a commit should be in.
    pub(super) fn fetch_reference(&self) -> Step {
        git(["fetch", "--", "origin"]).arg(self.reference())
    }

    /// All branches and tags: where the commit may be in any of them.
    pub(super) fn fetch_all(&self) -> Step {
        let all =
            ["fetch", "--", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
        git(all)
    }

    /// What was fetched.
    pub(super) fn check_out(&self) -> Step {
        self.check_out_commit("FETCH_HEAD")
    }

    /// One commit of what was fetched.
    pub(super) fn check_out_commit(&self, commit: &str) -> Step {
        // The last word says that it is no path.
        git(["checkout", "--quiet", "--detach"]).arg(commit).arg("--")
    }

    /// Whether a commit was fetched.
    pub(super) fn has_commit(&self, commit: &str) -> Step {
        git(["rev-parse", "--quiet", "--verify", "--end-of-options"]).arg(format!("{commit}^{{commit}}"))
    }

    pub(super) fn submodules(&self) -> Step {
        git(["submodule", "update", "--init", "--recursive"])
    }

    /// Whether what is wanted may be a commit, whole or in part.
    pub(super) fn is_maybe_commit(&self) -> bool {
        is_commit(self.commit.unwrap_or_else(|| self.reference()))
    }
}

/// Tells the commit that is checked out in `dir`.
pub(super) fn head(dir: &str) -> Step {
    Step::new("git", ["-C", dir, "rev-parse", "--verify", "HEAD"])
}

/// Whether git could print it for a commit: more than a few hexadecimal digits.
pub(super) fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn git<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Step {
    Step::new("git", ["-C", SOURCE].into_iter().chain(arguments))
}
