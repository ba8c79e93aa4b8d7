//! The source code: a checkout, or a directory as it is.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::super::checkout::{Checkout, SOURCE, head, is_commit};
use super::super::error::StrategyError;
use super::super::images::copy;
use super::super::makes_image;
use super::super::place::Context;
use super::{Driver, ask, run, say, try_run, write};
use crate::runner::directory::COMMIT;

impl Driver {
    /// Gets it, and tells its commit.
    pub(super) fn source(&mut self) -> Result<Context, StrategyError> {
        let source = self.spec.source.as_deref().ok_or(StrategyError::NoSource)?;
        let context_dir = source.context_dir.as_deref();
        if let Some(checkout) = Checkout::of(&self.spec) {
            let commit = check_out(&checkout)?;
            let context = Context::new(SOURCE, context_dir)?;
            self.is_of(commit)?;
            return Ok(context);
        }
        let directory = source.directory.as_deref().ok_or(StrategyError::NoSource)?;
        let context = Context::new(&directory.to_string_lossy(), context_dir)?;
        let commit = commit_of(directory);
        let context = if makes_image(&self.spec) { copied(context)? } else { context };
        if let Some(commit) = commit {
            self.is_of(commit)?;
        }
        Ok(context)
    }

    /// Notes the commit where a command that writes the result file itself does not lose it.
    fn is_of(&mut self, commit: String) -> Result<(), StrategyError> {
        write(COMMIT, &commit)?;
        self.result.commit = Some(commit);
        self.tell()
    }
}

/// Checks it out, and answers with the commit.
fn check_out(checkout: &Checkout<'_>) -> Result<String, StrategyError> {
    if let Some(commit) = checkout.commit.filter(|commit| !is_commit(commit)) {
        return Err(StrategyError::BadCommit(commit.to_owned()));
    }
    for step in checkout.init() {
        run(&step)?;
    }
    match try_run(&checkout.fetch())? {
        None => run(&checkout.check_out())?,
        Some(_) if checkout.is_maybe_commit() => check_out_of_all(checkout)?,
        Some(error) => return Err(error),
    }
    run(&checkout.submodules())?;
    let commit = ask(&head(SOURCE))?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    say(&commit);
    Ok(commit)
}

/// A commit that the server does not give by its id is looked for in what it gives by name.
fn check_out_of_all(checkout: &Checkout<'_>) -> Result<(), StrategyError> {
    let commit = match checkout.commit {
        Some(commit) => {
            say("# the server gives no commit by its id: all of the branch or tag is fetched");
            run(&checkout.fetch_reference())?;
            commit
        }
        None => {
            say("# no branch or tag is called so: it may be a commit of any of them, and all are fetched");
            run(&checkout.fetch_all())?;
            checkout.reference()
        }
    };
    let has = checkout.has_commit(commit).output(Stdio::null());
    if !has.is_ok_and(|found| found.is_ok()) {
        let text = str::to_owned;
        let (reference, uri) = (text(checkout.reference()), text(checkout.uri()));
        return Err(StrategyError::NoCommit { commit: text(commit), reference, uri });
    }
    run(&checkout.check_out_commit(commit))
}

/// The commit of a directory that git knows, if it tells. That it does not is no trouble of the build.
fn commit_of(directory: &Path) -> Option<String> {
    directory.join(".git").exists().then_some(())?;
    let step = head(&directory.to_string_lossy());
    let commit = step.output(Stdio::null()).ok()?.ok()?;
    let commit = String::from_utf8(commit).ok()?.trim().to_owned();
    is_commit(&commit).then_some(commit)
}

/// A copy of the context: files are put into it, and a Dockerfile may write to it (`RUN --mount=type=bind,rw`).
fn copied(context: Context) -> Result<Context, StrategyError> {
    fs::create_dir_all(SOURCE).map_err(StrategyError::file("make the directory", SOURCE))?;
    run(&copy(&context.path, SOURCE))?;
    Context::copy(SOURCE, context)
}
