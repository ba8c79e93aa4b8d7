//! GitLab.

use axum::http::HeaderMap;
use serde::Deserialize;

use super::revision::{Someone, revision};
use super::{Malformed, Push, event, json, unknown_event};

const EVENT: [&str; 1] = ["x-gitlab-event"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    r#ref: Option<String>,
    after: Option<String>,
    commits: Option<Vec<Commit>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Commit {
    id: Option<String>,
    message: Option<String>,
    author: Option<Someone>,
}

/// The push. GitLab knows no ping.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Option<Vec<Push>>, Malformed> {
    match event(headers, &EVENT)?.as_str() {
        "Push Hook" => {}
        other => return Err(unknown_event(other, "Push Hook")),
    }
    let event: Event = json(body)?;
    let after = event.after.unwrap_or_default();
    // Where a branch was before or after it existed there are zeros.
    let deleted = !after.is_empty() && after.bytes().all(|byte| byte == b'0');
    let last = event.commits.and_then(|mut commits| commits.pop()).unwrap_or_default();
    let commit = last.id.unwrap_or(after);
    let revision = revision(&commit, last.message.as_deref(), last.author, None);
    Ok(Some(vec![Push { reference: event.r#ref.unwrap_or_default(), deleted, revision }]))
}
