//! What a reload changed, or what keeps the configuration from being used.

use crate::config::{self, Changes, Difference, Problems, Severity};
use crate::control::protocol::{ConfigProblem, Edited, Refused, ReloadAnswer, Reloaded};

/// The answer when the new configuration runs.
#[must_use]
pub fn reloaded(difference: Difference, warnings: &[config::Problem]) -> ReloadAnswer {
    let Difference { build_configs, tags, registries, settings, later } = difference;
    ReloadAnswer::Reloaded(Box::new(Reloaded {
        edited: edited(&build_configs),
        added: build_configs.added,
        removed: build_configs.removed,
        tags_added: tags.added,
        tags_removed: tags.removed,
        tags_edited: tags.edited.into_iter().map(|(tag, _)| tag).collect(),
        registries_edited: edited(&registries),
        registries_added: registries.added,
        registries_removed: registries.removed,
        settings: owned(&settings),
        later: owned(&later),
        warnings: warnings.iter().map(problem).collect(),
    }))
}

/// The answer when it cannot be used.
#[must_use]
pub fn refused(problems: &Problems) -> Refused {
    Refused { summary: problems.summary(), problems: problems.iter().map(problem).collect() }
}

pub(super) fn edited<T: ToString>(changes: &Changes<T>) -> Vec<Edited> {
    let edited = changes.edited.iter();
    edited.map(|(name, keys)| Edited { name: name.to_string(), keys: owned(keys) }).collect()
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

pub(super) fn problem(problem: &config::Problem) -> ConfigProblem {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    ConfigProblem {
        severity: severity.to_owned(),
        file: problem.file.display().to_string(),
        line: problem.line,
        key: problem.key.clone(),
        message: problem.message.clone(),
        value: problem.value.clone(),
        fix: problem.fix.clone(),
        text: problem.to_string(),
    }
}
