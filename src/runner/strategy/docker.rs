//! The Docker strategy: a Dockerfile whose last FROM is the pinned image (F28).

use super::container::Container;
use super::step::Step;
use super::variables;
use crate::controller::BuildSpec;
use crate::dockerfile::{Changes, DockerfileError, ImageSource, Rewritten, rewrite};

/// Where the rewritten Dockerfile goes.
pub(super) const DOCKERFILE: &str = "work/Dockerfile";
/// What it leaves out of the context, beside it, where docker looks for it.
pub(super) const IGNORE: &str = "work/Dockerfile.dockerignore";

/// The Dockerfile as it is built.
pub(super) fn rewritten(
    spec: &BuildSpec,
    commit: Option<&str>,
    text: &[u8],
) -> Result<Rewritten, DockerfileError> {
    let images: Vec<ImageSource<'_>> = spec
        .image_sources
        .iter()
        .flat_map(|source| {
            let reference = &*source.image.reference;
            source.of_use.aliases.iter().map(move |alias| ImageSource { alias, reference })
        })
        .collect();
    let built_env = variables::of_build(spec, commit);
    rewrite(
        text,
        &Changes {
            base: spec.base_image.as_ref().map(|base| &*base.reference),
            target: spec.options.as_ref().and_then(|options| options.target.as_deref()),
            images: &images,
            env: &spec.env,
            built_env: &built_env,
        },
    )
}

/// Builds the image.
pub(super) fn build(container: &Container<'_>, tag: &str, has_ignore: bool, context: &str) -> Step {
    let mut step = container.build(DOCKERFILE, has_ignore.then_some(IGNORE)).arg(format!("--tag={tag}"));
    if let Some(options) = container.options() {
        step = step.args(options.no_cache.then(|| "--no-cache".to_owned()));
        step = step.args(options.target.as_ref().map(|target| format!("--target={target}")));
        for (name, value) in &options.build_args {
            step = step.private_arg(&format!("--build-arg={name}="), value);
        }
    }
    step.arg(context)
}
