//! What a caller is told: one JSON object, whatever came of the call (D7).

use std::time::Duration;

use axum::Json;
use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::place::Astray;
use crate::control::protocol::Build;
use crate::controller::StartRefused;

/// The answer to a call that is taken.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// None if the call asks for no build: a ping, or a push to another branch.
    pub(super) build: Option<Made>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warning: Option<String>,
}

/// A build that was made for a call.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// `app-7`: its name within its namespace.
    pub name: String,
    /// In short.
    #[serde(flatten)]
    pub build: Build,
}

/// Why a call is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A wrong secret, no such config, or a hook that is not enabled: who asks is told nothing of which.
    Unauthorized,
    /// The path leads nowhere.
    NotFound,
    /// There are no hooks of that kind.
    UnknownKind,
    /// Not a POST.
    Method,
    /// The call makes no sense.
    Malformed(String),
    /// The body is longer than any that is read.
    TooLong,
    /// The body did not come in time.
    TooSlow,
    /// Too many for this config; how long until another is taken.
    TooMany(Duration),
    /// What the strategy is made from was never resolved (F34).
    Unresolved(String),
    /// No build could be made for another reason.
    Failed(String),
}

impl Refusal {
    /// The word in the log.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::UnknownKind => "unknown_type",
            Self::Method => "method",
            Self::Malformed(_) => "malformed",
            Self::TooLong => "too_long",
            Self::TooSlow => "too_slow",
            Self::TooMany(_) => "too_many_requests",
            Self::Unresolved(_) => "unresolved",
            Self::Failed(_) => "failed",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound | Self::UnknownKind => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unresolved(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What is wrong, without a word of the path: the secret may be in it.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Unauthorized => "the secret is not that of a webhook here".to_owned(),
            Self::NotFound => "there is nothing here".to_owned(),
            Self::UnknownKind => "the type of a webhook is generic, github, gitlab or bitbucket".to_owned(),
            Self::Method => "a webhook takes POST only".to_owned(),
            Self::Malformed(what) | Self::Unresolved(what) => what.clone(),
            Self::TooLong => format!("the body has more than {} bytes", super::server::LONGEST_BODY),
            Self::TooSlow => "the body did not come in time".to_owned(),
            Self::TooMany(_) => {
                "too many builds of this build config are asked for: try again later".to_owned()
            }
            Self::Failed(why) => format!("could not generate a build: {why}"),
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Method => Some((ALLOW, HeaderValue::from_static("POST"))),
            // Whole seconds, and never so soon that it is too many again.
            Self::TooMany(wait) => Some((RETRY_AFTER, wait.as_secs().saturating_add(1).into())),
            Self::Unauthorized
            | Self::NotFound
            | Self::UnknownKind
            | Self::Malformed(_)
            | Self::TooLong
            | Self::TooSlow
            | Self::Unresolved(_)
            | Self::Failed(_) => None,
        }
    }
}

impl From<Astray> for Refusal {
    fn from(astray: Astray) -> Self {
        match astray {
            Astray::Nowhere => Self::NotFound,
            Astray::Malformed => Self::Malformed("a webhook's path ends in webhooks/SECRET/TYPE".to_owned()),
            Astray::UnknownKind => Self::UnknownKind,
        }
    }
}

impl From<StartRefused> for Refusal {
    fn from(refused: StartRefused) -> Self {
        match &refused {
            // It went between the look at its secret and now.
            StartRefused::NoConfig(_) => Self::Unauthorized,
            StartRefused::Paused(_) => Self::Failed(refused.to_string()),
            StartRefused::Unresolved { .. } => Self::Unresolved(refused.to_string()),
        }
    }
}

/// A refusal, as JSON.
#[derive(Debug, Serialize)]
struct Problem {
    error: String,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(Problem { error: self.message() })).into_response();
        response.headers_mut().extend(self.header());
        response
    }
}
