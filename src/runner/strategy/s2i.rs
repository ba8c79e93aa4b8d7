//! The Source strategy: by s2i, or by what s2i would do.

use super::container::Container;
use super::containerfile::{CONTAINERFILE, IGNORE};
use super::error::StrategyError;
use super::step::Step;

/// Where s2i finds the environment: on its command line everybody could read it.
pub(super) const ENVIRONMENT: &str = "work/environment";

/// Builds the image by s2i.
pub(super) fn by_s2i(container: &Container<'_>, builder: &str, tag: &str, context: &str) -> Step {
    let options = container.options();
    let incremental = options.is_some_and(|options| options.incremental);
    let force = options.is_some_and(|options| options.force_pull);
    let mut step = Step::new("s2i", ["build", "--copy"]).arg(format!("--environment-file={ENVIRONMENT}"));
    // Unlike docker it does not look where DOCKER_CONFIG says.
    let has_auth = container.spec.venue.as_ref().is_some_and(|venue| venue.auth_file.is_some());
    if let Some(dir) = container.auth_dir.filter(|_| has_auth) {
        step = step.arg_below("--dockercfg-path=", dir, "/config.json");
    }
    step.args(incremental.then(|| "--incremental".to_owned()))
        .args(force.then(|| "--pull-policy=always".to_owned()))
        .args(container.labels())
        .args([context, builder, tag].map(str::to_owned))
}

/// Builds the image of the generated Containerfile.
pub(super) fn by_containerfile(container: &Container<'_>, tag: &str, context: &str) -> Step {
    container.build(CONTAINERFILE, Some(IGNORE)).arg(format!("--tag={tag}")).arg(context)
}

/// `.s2i/environment`: a variable a line, comments and empty lines between them.
pub(super) fn parse_environment(text: &str, path: &str) -> Result<Vec<(String, String)>, StrategyError> {
    let mut variables = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |problem| StrategyError::Environment { path: path.to_owned(), line: number + 1, problem };
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("it is not NAME=VALUE"))?;
        if name.trim().is_empty() {
            return Err(wrong("it names no variable"));
        }
        variables.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(variables)
}

/// The file that s2i reads.
pub(super) fn environment_file(variables: &[(String, String)]) -> Result<String, StrategyError> {
    let mut text = String::new();
    for (name, value) in variables {
        if value.contains(['\n', '\r']) {
            return Err(StrategyError::Lines(name.clone()));
        }
        text.push_str(&format!("{name}={value}\n"));
    }
    Ok(text)
}

/// Of two variables with one name the later counts.
pub(super) fn merged(all: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut merged: Vec<(String, String)> = Vec::new();
    for (name, value) in all {
        merged.retain(|(known, _)| *known != name);
        merged.push((name, value));
    }
    merged
}
