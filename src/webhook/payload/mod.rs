//! What a payload says, and whether it concerns the config: one file a service (F32, F33).
//!
//! Whoever sent it knows the secret, and is believed no further than that: every text is bounded, and what is not as it
//! should be is told, never met with a panic. Nothing in it names an image.

mod bitbucket;
mod generic;
mod github;
mod gitlab;
mod revision;

use axum::http::{HeaderMap, header};
use mime::Mime;
use serde::de::DeserializeOwned;

use super::hooks::Leave;
use crate::controller::{HookKind, Revision};

/// How much of a caller's words is told back to it, in characters.
const WORDS: usize = 120;

/// What a payload comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Payload {
    /// A build is wanted.
    Build(Wanted),
    /// None is, and that is no mistake.
    Nothing(Skipped),
}

/// A build that is wanted.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wanted {
    pub(super) revision: Option<Revision>,
    pub(super) env: Vec<(String, String)>,
    /// What the caller may not have meant.
    pub(super) warning: Option<String>,
}

/// Why no build is wanted.
#[derive(Debug, PartialEq)]
pub(super) struct Skipped {
    /// A word for the log.
    pub(super) reason: &'static str,
    /// For the caller, where it should know.
    pub(super) warning: Option<String>,
}

/// A call that is not one of the service, in a few words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) String);

/// A push, as every service tells it.
#[derive(Debug, Default)]
struct Push {
    /// `refs/heads/main`, or the bare name where the service tells it so.
    reference: String,
    /// The branch is gone.
    deleted: bool,
    revision: Option<Revision>,
}

/// Reads the payload of a caller who may ask.
pub(super) fn read(leave: &Leave, headers: &HeaderMap, body: &[u8]) -> Result<Payload, Malformed> {
    let pushes = match leave.kind {
        HookKind::Generic => return generic::read(leave, headers, body),
        HookKind::GitHub => github::read(headers, body),
        HookKind::GitLab => gitlab::read(headers, body),
        HookKind::Bitbucket => bitbucket::read(headers, body),
    }?;
    Ok(match pushes {
        None => Payload::skipped("ping"),
        Some(pushes) => first_that_concerns(leave, pushes),
    })
}

/// One call is one build at most, of the first branch in it that the config is built from and that is still there.
fn first_that_concerns(leave: &Leave, pushes: Vec<Push>) -> Payload {
    let mut concerning = pushes.into_iter().filter(|push| leave.branch.is(&push.reference)).peekable();
    if concerning.peek().is_none() {
        return Payload::skipped("ref_mismatch");
    }
    match concerning.find(|push| !push.deleted) {
        None => Payload::skipped("ref_deleted"),
        Some(push) => Payload::Build(Wanted { revision: push.revision, ..Wanted::default() }),
    }
}

impl Payload {
    fn skipped(reason: &'static str) -> Self {
        Self::Nothing(Skipped { reason, warning: None })
    }
}

/// The media type of the body.
fn media_type(headers: &HeaderMap) -> Result<Option<Mime>, Malformed> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(None) };
    let mime = value.to_str().ok().and_then(|text| text.parse().ok());
    mime.map(Some).ok_or_else(|| Malformed("the Content-Type header cannot be read".to_owned()))
}

/// The event that a git service names in one of these headers, and its JSON body.
fn event(headers: &HeaderMap, names: &[&str]) -> Result<String, Malformed> {
    let is_json = media_type(headers)?.is_some_and(|mime| mime.essence_str() == "application/json");
    if !is_json {
        return Err(Malformed("the Content-Type must be application/json".to_owned()));
    }
    let event = names.iter().find_map(|name| headers.get(*name)).and_then(|value| value.to_str().ok());
    event.map(str::to_owned).ok_or_else(|| Malformed(format!("there is no header {}", names.join(" or "))))
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body)
        .map_err(|error| Malformed(format!("the payload cannot be read: {}", brief(&error.to_string()))))
}

fn unknown_event(event: &str, wanted: &str) -> Malformed {
    Malformed(format!("`{}` is not an event that builds are made for: send {wanted}", brief(event)))
}

/// The beginning of a text that may quote anything.
fn brief(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(WORDS).collect()
}
