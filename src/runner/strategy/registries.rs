//! Tells buildah and podman which registries may be asked by plain http: in a file of the build's own, which says what
//! the machine's own file says, and that besides.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::StrategyError;
use crate::controller::BuildSpec;

/// What names the file.
pub(super) const VARIABLE: &str = "CONTAINERS_REGISTRIES_CONF";
/// Where it goes.
pub(super) const FILE: &str = "work/registries.conf";

/// Whether there are such registries.
pub(super) fn are_needed(spec: &BuildSpec) -> bool {
    !hosts(spec).is_empty()
}

/// The registries.
pub(super) fn hosts(spec: &BuildSpec) -> &[Box<str>] {
    spec.options.as_ref().map(|options| &*options.insecure).unwrap_or_default()
}

/// Where the machine's own file may be, in the order in which it counts.
pub(super) fn places(variable: Option<PathBuf>, home: Option<PathBuf>) -> Vec<PathBuf> {
    let own = home.map(|home| home.join(".config/containers/registries.conf"));
    match variable.filter(|path| !path.as_os_str().is_empty()) {
        Some(path) => vec![path],
        None => own.into_iter().chain(["/etc/containers/registries.conf".into()]).collect(),
    }
}

/// The text of the machine's own file at `path`, and what is insecure besides.
pub(super) fn with_insecure(text: &str, path: &Path, hosts: &[Box<str>]) -> Result<String, StrategyError> {
    let wrong = |problem: String| StrategyError::Registries { path: path.to_owned(), problem };
    let mut file: Table = text.parse().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
    let registries = file.entry("registry").or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(registries) = registries else {
        return Err(wrong("`registry` is no list of tables".to_owned()));
    };
    for host in hosts {
        let mut of_host = registries
            .iter_mut()
            .filter_map(Value::as_table_mut)
            .filter(|registry| is_of(registry, host))
            .peekable();
        if of_host.peek().is_some() {
            of_host.for_each(|registry| drop(registry.insert("insecure".to_owned(), Value::Boolean(true))));
            continue;
        }
        let location = ("location".to_owned(), Value::String(host.to_string()));
        let insecure = ("insecure".to_owned(), Value::Boolean(true));
        registries.push(Value::Table([location, insecure].into_iter().collect()));
    }
    toml::to_string(&file).map_err(|error| wrong(error.to_string()))
}

/// Whether an entry says where the images of the host are. Where it says that they are elsewhere, it is about that.
fn is_of(registry: &Table, host: &str) -> bool {
    registry.get("location").and_then(Value::as_str) == Some(host)
}
