//! What an image is told of its own build (F27).

use crate::controller::BuildSpec;

/// `OPENSHIFT_BUILD_NAME` and its like, which stand in the image that is built.
pub(super) fn of_build(spec: &BuildSpec, commit: Option<&str>) -> Vec<(String, String)> {
    let git = spec.source.as_ref().and_then(|source| source.git.as_ref());
    let all = [
        ("OPENSHIFT_BUILD_NAME", Some(spec.build.name())),
        ("OPENSHIFT_BUILD_NAMESPACE", Some(spec.build.config.namespace().to_owned())),
        ("OPENSHIFT_BUILD_SOURCE", git.map(|git| git.uri.to_string())),
        ("OPENSHIFT_BUILD_REFERENCE", git.and_then(|git| git.reference.as_deref()).map(str::to_owned)),
        ("OPENSHIFT_BUILD_COMMIT", commit.map(str::to_owned)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
