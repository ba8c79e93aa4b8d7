//! Where the built image goes.

use super::super::super::build_config::Output as Typed;
use super::super::super::problem::Problems;
use super::parse_image;
use crate::controller::{Strategy, StrategyKind};

/// The reference, as written. That nothing is pushed is told to the strategy that pushes: a command pushes, or does not.
pub(super) fn check(
    typed: &Typed,
    strategy: Option<&mut Strategy>,
    problems: &mut Problems,
) -> Option<Box<str>> {
    if let Some(push) = typed.push.given().filter(|push| !push.value) {
        let pushes = |strategy: &&mut Strategy| {
            strategy.command.is_empty()
                && matches!(strategy.kind, StrategyKind::Docker | StrategyKind::Source)
        };
        if let Some(strategy) = strategy.filter(pushes) {
            strategy.options.get_or_insert_default().no_push = true;
        } else {
            let fix = "delete it: the command pushes, or does not";
            problems.wrong::<()>(&push.place, "cannot be turned off", "false", fix);
        }
    }
    let to = typed.to.given()?;
    parse_image(to, problems)?;
    Some(to.value.as_str().into())
}
