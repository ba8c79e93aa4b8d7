//! GitHub, and Gogs and Gitea, which speak as it does.

use axum::http::HeaderMap;
use serde::Deserialize;

use super::revision::{Someone, revision};
use super::{Malformed, Push, event, json, unknown_event};
use crate::controller::Revision;

const EVENT: [&str; 2] = ["x-github-event", "x-gogs-event"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    r#ref: Option<String>,
    deleted: Option<bool>,
    after: Option<String>,
    head_commit: Option<Commit>,
    commits: Option<Vec<Commit>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Commit {
    id: Option<String>,
    message: Option<String>,
    author: Option<Someone>,
    committer: Option<Someone>,
}

/// The push; none if it is a ping.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Option<Vec<Push>>, Malformed> {
    match event(headers, &EVENT)?.as_str() {
        "ping" => return Ok(None),
        "push" => {}
        other => return Err(unknown_event(other, "push")),
    }
    let event: Event = json(body)?;
    let deleted = event.deleted.unwrap_or_default();
    let reference = event.r#ref.clone().unwrap_or_default();
    Ok(Some(vec![Push { reference, deleted, revision: event.revision() }]))
}

impl Event {
    /// Gogs tells no head commit, and the newest of its commits first: the one that it says the branch has now.
    fn revision(self) -> Option<Revision> {
        let after = self.after.unwrap_or_default();
        let is_after = |commit: &Commit| commit.id.as_deref() == Some(&after);
        let commit =
            self.head_commit.or_else(|| self.commits?.into_iter().find(is_after)).unwrap_or_default();
        let id = commit.id.unwrap_or(after);
        revision(&id, commit.message.as_deref(), commit.author, commit.committer)
    }
}
