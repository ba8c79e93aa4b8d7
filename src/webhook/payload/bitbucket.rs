//! Bitbucket, of the cloud (`repo:push`) and of one's own (`repo:refs_changed`).

use axum::http::HeaderMap;
use serde::Deserialize;

use super::revision::{Someone, revision};
use super::{Malformed, Push, event, json, unknown_event};

const EVENT: [&str; 1] = ["x-event-key"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CloudEvent {
    push: Option<CloudPush>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CloudPush {
    changes: Option<Vec<CloudChange>>,
}

/// A branch before and after; what is gone has no after.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CloudChange {
    old: Option<CloudBranch>,
    new: Option<CloudBranch>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CloudBranch {
    r#type: Option<String>,
    name: Option<String>,
    target: Option<CloudCommit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CloudCommit {
    hash: Option<String>,
    message: Option<String>,
    author: Option<CloudAuthor>,
}

/// `Ada <ada@example.com>`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CloudAuthor {
    raw: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServerEvent {
    changes: Option<Vec<ServerChange>>,
    to_commit: Option<ServerCommit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServerChange {
    ref_id: Option<String>,
    r#ref: Option<ServerRef>,
    to_hash: Option<String>,
    r#type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServerRef {
    id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServerCommit {
    id: Option<String>,
    message: Option<String>,
    author: Option<ServerPerson>,
    committer: Option<ServerPerson>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServerPerson {
    name: Option<String>,
    display_name: Option<String>,
    email_address: Option<String>,
}

/// The pushes of one call; none if it only tries the hook.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Option<Vec<Push>>, Malformed> {
    match event(headers, &EVENT)?.as_str() {
        "diagnostics:ping" => Ok(None),
        "repo:push" => json::<CloudEvent>(body).map(|event| Some(event.pushes())),
        "repo:refs_changed" => json::<ServerEvent>(body).map(|event| Some(event.pushes())),
        other => Err(unknown_event(other, "repo:push or repo:refs_changed")),
    }
}

impl CloudEvent {
    fn pushes(self) -> Vec<Push> {
        let changes = self.push.and_then(|push| push.changes).unwrap_or_default();
        changes.into_iter().filter_map(CloudChange::push).collect()
    }
}

impl CloudChange {
    fn push(self) -> Option<Push> {
        let deleted = self.new.is_none();
        let branch = self.new.or(self.old)?;
        let commit = branch.target.unwrap_or_default();
        let author = commit.author.and_then(|author| author.raw).map(|raw| someone(&raw));
        let hash = commit.hash.unwrap_or_default();
        let name = branch.name.unwrap_or_default();
        // A tag of the name of a branch is not that branch.
        let reference =
            if branch.r#type.as_deref() == Some("tag") { format!("refs/tags/{name}") } else { name };
        Some(Push { reference, deleted, revision: revision(&hash, commit.message.as_deref(), author, None) })
    }
}

impl ServerEvent {
    fn pushes(self) -> Vec<Push> {
        let Self { changes, to_commit } = self;
        let push = |change: ServerChange| {
            let deleted = change.r#type.as_deref() == Some("DELETE");
            let reference = change.ref_id.or_else(|| change.r#ref?.id).unwrap_or_default();
            let hash = change.to_hash.unwrap_or_default();
            let told = to_commit.as_ref().filter(|commit| commit.id.as_deref() == Some(&hash));
            let person = |person: Option<&ServerPerson>| person.map(ServerPerson::someone);
            let message = told.and_then(|commit| commit.message.as_deref());
            let author = person(told.and_then(|commit| commit.author.as_ref()));
            let committer = person(told.and_then(|commit| commit.committer.as_ref()));
            Push { reference, deleted, revision: revision(&hash, message, author, committer) }
        };
        changes.unwrap_or_default().into_iter().map(push).collect()
    }
}

impl ServerPerson {
    fn someone(&self) -> Someone {
        let name = self.display_name.as_ref().or(self.name.as_ref());
        Someone { name: name.cloned(), email: self.email_address.clone() }
    }
}

fn someone(raw: &str) -> Someone {
    let (name, email) = match raw.split_once('<') {
        Some((name, email)) => (name.trim(), email.strip_suffix('>').map(str::to_owned)),
        None => (raw.trim(), None),
    };
    Someone { name: Some(name.to_owned()), email }
}
