//! The strategies that are built in: how source code becomes an image.
//!
//! A build without a command of its own, and one whose command wants source code around it, is run by the *driver*: this
//! program once more, as `basewatch strategy FILE`, in the build's own process group and with the build's own
//! environment. So time-out, cancel, output, result and what is left behind are the runner's, as for any command.
//!
//! # Steps
//! What the driver does is a row of commands, and everything about them that can be known beforehand is made here
//! without touching anything: [`steps`] are those that `build show` and a dry run print. The driver makes its own by the
//! same functions, prints each before it runs, and ends with the exit code of the first that fails.
//!
//! # Files
//! All paths are from the build's own directory, which is where the driver and its commands run. `work.json` tells the
//! driver what to do; what it makes is below `work`, and both are gone when the attempt is over. The source code itself
//! is never changed: what a build needs besides lies next to it, or goes into a copy.

mod builder;
mod checkout;
mod container;
mod containerfile;
mod docker;
mod driver;
mod error;
mod images;
mod place;
mod preview;
mod registries;
mod s2i;
mod step;
#[cfg(test)]
mod tests;
mod variables;
mod work;

pub use driver::drive;
pub use preview::{choices, steps};

pub(super) use work::{Work, context_dir};

use std::ffi::OsStr;
use std::path::Path;

use super::launch::find;
use crate::controller::{BuildSpec, StrategyKind, Tool};

/// What an image is built by, in the order of preference.
const FOR_A_DOCKERFILE: &[Tool] = &[Tool::Buildah, Tool::Podman, Tool::Docker];
/// The same for a Source strategy.
const FOR_A_BUILDER: &[Tool] = &[Tool::S2i, Tool::Buildah, Tool::Podman, Tool::Docker];

/// A program that the steps of a build start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// This one.
    One(String),
    /// Any of these; never empty.
    Any(&'static [Tool]),
}

/// Whether the driver makes the build, and not its command alone.
pub(super) fn is_driven(spec: &BuildSpec) -> bool {
    match spec.strategy {
        StrategyKind::Docker | StrategyKind::Source => spec.command.is_empty(),
        StrategyKind::Command => !spec.command.is_empty() && has_source(spec) && spec.working_dir.is_none(),
        // Its builder fetches for itself (F27).
        StrategyKind::Custom => false,
    }
}

/// Whether the driver makes an image of the source code, and does not only run a command in it.
pub(super) fn makes_image(spec: &BuildSpec) -> bool {
    is_driven(spec) && matches!(spec.strategy, StrategyKind::Docker | StrategyKind::Source)
}

/// Whether the build says where its source code is.
pub(super) fn has_source(spec: &BuildSpec) -> bool {
    spec.source.as_ref().is_some_and(|source| source.git.is_some() || source.directory.is_some())
}

/// The programs that a build which [`is_driven`] starts.
pub(super) fn needs(spec: &BuildSpec) -> Vec<Need> {
    let git = spec.source.as_ref().and_then(|source| source.git.as_ref());
    let mut needs: Vec<Need> = git.map(|_| Need::One("git".to_owned())).into_iter().collect();
    match (spec.strategy, tool(spec)) {
        (StrategyKind::Docker | StrategyKind::Source, Some(tool)) => {
            needs.push(Need::One(tool.as_str().to_owned()));
            needs.extend((tool == Tool::S2i).then(|| Need::One(Tool::Docker.as_str().to_owned())));
        }
        (StrategyKind::Docker | StrategyKind::Source, None) => needs.push(Need::Any(choices(spec.strategy))),
        (StrategyKind::Command | StrategyKind::Custom, _) => {
            // A path may lead into the source code, which is not there yet.
            let named = spec.command.first().filter(|program| !program.contains('/'));
            needs.extend(named.cloned().map(Need::One));
        }
    }
    needs
}

/// The first that is installed of what a strategy may be built by.
fn installed(strategy: StrategyKind, path: &OsStr, dir: &Path) -> Option<Tool> {
    choices(strategy).iter().find(|tool| find(tool.as_str(), path, dir).is_some()).copied()
}

/// What the configuration wants to be built by.
fn tool(spec: &BuildSpec) -> Option<Tool> {
    spec.options.as_ref().and_then(|options| options.tool)
}
