//! Webhooks as typed: the `[webhook]` table, and those of watches and triggers.

use std::net::SocketAddr;

use super::file::{SecretFile, secret_file};
use super::grammar::variable;
use super::problem::{Place, Problems};
use super::section::{Section, Typed};
use super::tree::{Node, Value};
use super::value::{choice, list, number, word};
use crate::controller::HookKind;
use crate::webhook::AllowEnv;

/// `[webhook]`.
pub(super) struct Webhook {
    pub(super) listen: Typed<SocketAddr>,
    pub(super) requests_per_second: Typed<f64>,
}

/// Who may ask for a build over HTTP.
pub(super) struct Hook {
    pub(super) place: Place,
    /// Of a watch only; a trigger says it otherwise.
    pub(super) kind: Typed<HookKind>,
    pub(super) secret_file: Typed<SecretFile>,
    pub(super) allow_env: Typed<AllowEnv>,
}

impl Webhook {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            listen: section.key("listen", address),
            requests_per_second: section.key("requests_per_second", number(0.01..=10_000.0)),
        }
    }
}

impl Hook {
    /// As a trigger has it, whose type says what kind it is.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            place: section.place(),
            kind: Typed::Absent,
            secret_file: section.key("secret_file", secret_file),
            allow_env: section.key("allow_env", allow_env),
        }
    }

    /// As a watch has it.
    pub(super) fn read_with_type(section: &mut Section<'_>) -> Self {
        let kind = choice(&[
            ("Generic", HookKind::Generic),
            ("GitHub", HookKind::GitHub),
            ("GitLab", HookKind::GitLab),
            ("Bitbucket", HookKind::Bitbucket),
        ]);
        Self { kind: section.key("type", kind), ..Self::read(section) }
    }
}

fn address(node: Node, problems: &mut Problems) -> Option<SocketAddr> {
    let place = node.place.clone();
    let text = word(node, problems)?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let fix = "write ADDRESS:PORT, such as \"127.0.0.1:8089\" or \"[::1]:8089\"";
    problems.wrong(&place, "is not an address to listen at", Value::Text(text), fix)
}

fn allow_env(node: Node, problems: &mut Problems) -> Option<AllowEnv> {
    match node.value {
        Value::Flag(true) => Some(AllowEnv::Any),
        Value::Flag(false) => Some(AllowEnv::None),
        Value::List(_) => {
            let names = list(name_of_variable)(node, problems)?;
            Some(AllowEnv::Names(names.into_iter().map(|name| name.value).collect()))
        }
        Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Date(_) | Value::Table(_) => {
            let example = "it like [\"VERSION\"]";
            problems.refuse(&node.place, &node.value, "a list of variables, true or false", example)
        }
    }
}

fn name_of_variable(node: Node, problems: &mut Problems) -> Option<String> {
    let place = node.place.clone();
    let name = word(node, problems)?;
    variable(&name, &place, problems)?;
    Some(name)
}
