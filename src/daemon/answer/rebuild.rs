//! Earlier builds made again from the same images (F35).

use super::name::find_build;
use super::start::{check_env, check_key, overridden_by_basewatch, sets_custom_image};
use crate::control::Refusal;
use crate::control::protocol::{Problem, RebuildQuery};
use crate::controller::{
    BuildKey, BuildSpec, CUSTOM_BASE_IMAGE, Controller, PinnedImage, Rebuild, StrategyKind,
};
use crate::store::SpecError;

/// The build that is to be made again.
///
/// # Errors
/// If it is not there, or if a variable or the key is none.
pub fn check_rebuild(controller: &Controller, query: &RebuildQuery) -> Result<BuildKey, Refusal> {
    check_env(&query.env)?;
    check_key(query.key.as_deref())?;
    find_build(controller, &query.build)
}

/// What the controller is told, where `of` is what the earlier build was given.
#[must_use]
pub fn rebuild_of(of: BuildSpec, query: &RebuildQuery) -> Rebuild {
    Rebuild { of: Box::new(of), env: query.env.clone(), key: query.key.as_deref().map(Into::into) }
}

/// What of `rebuild` has another effect than one may think.
#[must_use]
pub fn rebuild_warnings(rebuild: &Rebuild) -> Vec<String> {
    let of = &rebuild.of;
    let overridden = of.strategy == StrategyKind::Custom && sets_custom_image(&rebuild.env);
    let overridden = overridden.then(|| overridden_by_basewatch(CUSTOM_BASE_IMAGE));
    let is_mutable = |base: &&PinnedImage| base.digest.is_none();
    let mutable = of.base_image.as_ref().filter(is_mutable).map(|base| {
        format!(
            "{} is not immutable: it may lead to another image than the one that {} had",
            base.reference, of.build
        )
    });
    overridden.into_iter().chain(mutable).collect()
}

/// The answer if what the earlier build was given cannot be read any more.
#[must_use]
pub fn spec_is_gone(build: &BuildKey, error: &SpecError) -> Refusal {
    let problem = Problem::new(format!("build {build} cannot be made again: {error}"));
    Refusal::Conflict(
        problem.hint(format!("`basewatch start {}` makes one of the images of now", build.config)),
    )
}
