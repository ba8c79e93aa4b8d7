//! What is configured for each host, and what holds for the others.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::super::file::Registry;
use super::super::problem::{Place, Problem, Problems};
use super::super::section::At;
use super::super::{Host, SecretFiles};
use super::host::{is_local, normal, prefix};
use super::secret::{UNREADABLE, secret};
use crate::poll::Limits;
use crate::registry::{Credentials, Settings, SetupError, check_ca_file};

/// A `[[registry]]`, checked.
pub(super) struct Configured<'a> {
    pub(super) host: Host,
    pub(super) interval: Option<&'a At<Duration>>,
    /// What its table says of plain http, if it says anything.
    pub(super) insecure: Option<&'a At<bool>>,
    /// What builds are given in place of the host.
    pub(super) reference_prefix: Option<String>,
    pub(super) place: &'a Place,
}

/// Checks every `[[registry]]`; each host may have one.
pub(super) fn check<'a>(
    registries: &'a [Registry],
    secrets: &SecretFiles,
    problems: &mut Problems,
) -> BTreeMap<String, Configured<'a>> {
    let mut hosts: BTreeMap<String, Configured<'a>> = BTreeMap::new();
    for typed in registries {
        let name = name(typed, problems);
        let host = configured(typed, name.clone().unwrap_or_default(), secrets, problems);
        let Some(name) = name else { continue };
        if let Some(first) = hosts.get(&name) {
            let message = format!("has a table already, at {}", first.place);
            let problem = Problem::error(&typed.place, message, "make one [[registry]] of the two");
            problems.push(problem.with_value(format!("\"{name}\"")));
            continue;
        }
        let configured = Configured {
            host,
            interval: typed.interval.given(),
            insecure: typed.insecure.given(),
            reference_prefix: reference_prefix(typed, problems),
            place: &typed.place,
        };
        hosts.insert(name, configured);
    }
    hosts
}

/// What holds for a host that only references name.
pub(super) fn unconfigured(host: &str) -> Host {
    Host { registry: Settings::new(host), limits: limits(host) }
}

fn configured(typed: &Registry, name: String, secrets: &SecretFiles, problems: &mut Problems) -> Host {
    let Host { registry, limits } = unconfigured(&name);
    if let Some(file) = typed.ca_file.given() {
        check_ca(&name, file, secrets, problems);
    }
    Host {
        registry: Settings {
            insecure: typed.insecure.value().copied().unwrap_or(registry.insecure),
            ca_file: typed.ca_file.value().cloned(),
            credentials: credentials(typed, secrets, problems),
            trusted_realms: trusted_realms(typed, problems),
            timeout: typed.timeout.value().copied().unwrap_or(registry.timeout),
            api: typed.api.value().copied().unwrap_or(registry.api),
            known_v2: registry.known_v2,
            host: name,
        },
        limits: Limits {
            max_connections: typed.max_connections.value().copied().unwrap_or(limits.max_connections),
            requests_per_second: typed.requests_per_second.value().copied().or(limits.requests_per_second),
        },
    }
}

fn limits(host: &str) -> Limits {
    match is_local(host) {
        true => Limits { max_connections: 16, requests_per_second: None },
        false => Limits { max_connections: 2, requests_per_second: Some(2.0) },
    }
}

fn name(typed: &Registry, problems: &mut Problems) -> Option<String> {
    if typed.host.is_absent() {
        let fix = "add host = \"registry.example.com\"";
        problems.push(Problem::absence(&typed.place, "names no host", fix));
    }
    let host = typed.host.given()?;
    let otherwise = "write HOST or HOST:PORT, as it stands in image references";
    plain(host, "is not the host of a registry", otherwise, problems)
}

/// Who may be sent the login besides the registry.
fn trusted_realms(typed: &Registry, problems: &mut Problems) -> Vec<String> {
    let realms = typed.trusted_realms.value().map(Vec::as_slice).unwrap_or_default();
    let otherwise = "write HOST or HOST:PORT, as it stands in the realm of the registry's challenge";
    let check = |realm| plain(realm, "is not the host of a token server", otherwise, problems);
    realms.iter().filter_map(check).collect()
}

/// What stands before the repository in what builds are given.
fn reference_prefix(typed: &Registry, problems: &mut Problems) -> Option<String> {
    let written = typed.reference_prefix.given()?;
    let fix = "write HOST or HOST/PATH, without a tag";
    prefix(&written.value).or_else(|| {
        let shown = format!("\"{}\"", written.value);
        problems.wrong(&written.place, "is not what a reference begins with", shown, fix)
    })
}

/// A host and nothing around it.
pub(super) fn plain(
    host: &At<String>,
    wrong: &str,
    otherwise: &str,
    problems: &mut Problems,
) -> Option<String> {
    let bare = host.value.split_once("://").map_or(host.value.as_str(), |(_, rest)| rest);
    let bare = bare.split_once('/').map_or(bare, |(bare, _)| bare);
    let fix = match normal(bare) {
        Some(name) if *bare == host.value => return Some(name),
        Some(_) => format!("write \"{bare}\""),
        None => otherwise.to_owned(),
    };
    problems.wrong(&host.place, wrong, format!("\"{}\"", host.value), fix)
}

fn credentials(typed: &Registry, secrets: &SecretFiles, problems: &mut Problems) -> Option<Credentials> {
    let lonely = |missing: &str| format!("needs {missing} beside it");
    match (typed.username.given(), typed.password_file.given()) {
        (Some(username), None) if typed.password_file.is_absent() => {
            let fix = "add password_file = \"/path\", or \"credential:NAME\"";
            problems.push(Problem::absence(&username.place, lonely("password_file"), fix));
            None
        }
        (None, Some(file)) if typed.username.is_absent() => {
            problems.push(Problem::absence(&file.place, lonely("username"), "add username = \"…\""));
            None
        }
        (Some(username), Some(file)) => Some(Credentials {
            username: username.value.clone(),
            password_file: secret(file, secrets, problems)?,
        }),
        (Some(_) | None, None) | (None, Some(_)) => None,
    }
}

/// What would end `run` is told here. A host that could not be read has no name, and needs none for this.
fn check_ca(host: &str, file: &At<PathBuf>, secrets: &SecretFiles, problems: &mut Problems) {
    if matches!(secrets, SecretFiles::Skip) {
        return;
    }
    let Err(error) = check_ca_file(host, &file.value) else { return };
    let (message, fix) = match error {
        SetupError::CaFile { source, .. } => (format!("cannot be read: {source}"), UNREADABLE),
        SetupError::NoCertificate { .. } => (
            "holds no usable PEM certificate".to_owned(),
            "name a file with the CA's certificate in it, from BEGIN CERTIFICATE to END CERTIFICATE",
        ),
        SetupError::Client { reason, .. } => (format!("cannot be used: {reason}"), "name another file"),
    };
    problems.push(Problem::error(&file.place, message, fix).with_value(file.value.display()));
}
