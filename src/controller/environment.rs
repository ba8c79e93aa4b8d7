//! The environment that a strategy and who asked for a build give it. What basewatch itself gives is the runner's.

use super::build::BuildSpec;
use super::strategy::StrategyKind;

/// What a Custom strategy is told its own image by (S22, S23).
pub const CUSTOM_BASE_IMAGE: &str = "OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE";

/// Adds to the strategy's environment what the build was asked for with: it takes the place of what is named so, and goes
/// last (F27). The custom build's variable is the image, whatever anybody says (D6).
pub(super) fn merge(spec: &mut BuildSpec, asked: &[(String, String)]) {
    let of_custom = |name: &str| spec.strategy == StrategyKind::Custom && name == CUSTOM_BASE_IMAGE;
    let asked: Vec<&(String, String)> = asked.iter().filter(|(name, _)| !of_custom(name)).collect();
    spec.env.retain(|(name, _)| !asked.iter().any(|(asked, _)| asked == name));
    spec.env.extend(asked.into_iter().cloned());
    if spec.strategy == StrategyKind::Custom {
        let base = spec.base_image.as_ref().map(|base| base.reference.to_string()).unwrap_or_default();
        let mut named = spec.env.iter_mut().filter(|(name, _)| name == CUSTOM_BASE_IMAGE).peekable();
        if named.peek().is_none() {
            spec.env.push((CUSTOM_BASE_IMAGE.to_owned(), base));
        } else {
            // Of two with one name a build sees the last.
            named.for_each(|(_, value)| value.clone_from(&base));
        }
    }
}
