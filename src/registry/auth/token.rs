//! What a token server answers (distribution's token specification; registries.md, 2.1). Pure: time comes in.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

/// What a token without `expires_in` lives, and the shortest life that is believed: some servers say less and mean more.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
/// Nobody means more.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// The last part of its life in which a token is renewed: a tenth, within these bounds.
const EARLY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// Who issues a token with no more left of it has another clock than ours: it would be renewed at every look.
const NOTHING_LEFT: Duration = Duration::from_secs(10);

const NOT_JSON: &str = "is not JSON with a token in it";

/// Leave to look at some repositories for a while.
#[derive(Debug)]
pub(super) struct Token {
    /// The `Authorization` header's value.
    authorization: SecretString,
    /// When to ask for another one.
    renew_at: Instant,
    /// When it ends.
    expires_at: Instant,
    /// What it was asked for, the one that needed it first.
    pub(super) repositories: Vec<Box<str>>,
    /// What else it was asked for, because the registry had said so.
    pub(super) besides: Vec<Box<str>>,
    /// How many shared tokens before this one were refused, one in the place of the other.
    pub(super) strikes: u8,
    /// Which repositories it says it is good for, if it can be read. It is the registry's to read, so this is a hint.
    granted: Option<Vec<Box<str>>>,
}

/// What a token is for.
#[derive(Debug, Clone)]
pub(super) struct Purpose {
    /// As in [`Token`].
    pub(super) repositories: Vec<Box<str>>,
    /// As in [`Token`].
    pub(super) besides: Vec<Box<str>>,
    /// As in [`Token`].
    pub(super) strikes: u8,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    #[serde(default)]
    expires_in: serde_json::Value,
    #[serde(default)]
    issued_at: serde_json::Value,
}

/// The part of a JWT that is looked at.
#[derive(Deserialize)]
struct Claims {
    access: Vec<Access>,
}

#[derive(Deserialize)]
struct Access {
    r#type: String,
    name: Box<str>,
    #[serde(default)]
    actions: Vec<String>,
}

impl Token {
    /// Reads the answer to a request that left at `asked`; `now` is the wall clock's time.
    ///
    /// # Errors
    /// What is wrong with it, without a word of what is in it: it may be a token after all.
    pub(super) fn read(
        body: &[u8],
        purpose: Purpose,
        asked: Instant,
        now: Timestamp,
    ) -> Result<Self, &'static str> {
        let answer: Answer = serde_json::from_slice(body).map_err(|_| NOT_JSON)?;
        let life = life(&answer.expires_in, &answer.issued_at, now);
        let tokens = [answer.token, answer.access_token].into_iter().flatten();
        let token = tokens.map(SecretString::from).find(|token| !token.expose_secret().is_empty());
        let token = token.ok_or(NOT_JSON)?;
        let authorization = SecretString::from(format!("Bearer {}", token.expose_secret()));
        if HeaderValue::from_str(authorization.expose_secret()).is_err() {
            return Err("holds a token that no header can carry");
        }
        let early = (life / 10).clamp(EARLY.0, EARLY.1);
        let Purpose { repositories, besides, strikes } = purpose;
        Ok(Self {
            granted: granted(token.expose_secret()),
            authorization,
            renew_at: asked + life.saturating_sub(early),
            expires_at: asked + life,
            repositories,
            besides,
            strikes,
        })
    }

    /// The `Authorization` header, which prints as `Sensitive`. `None` cannot be: it was looked at when it came.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut header = HeaderValue::from_str(self.authorization.expose_secret()).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// Whether it need not be renewed yet.
    pub(super) fn is_usable(&self, now: Instant) -> bool {
        now < self.renew_at
    }

    /// Whether it is good still, though it may be time to renew it.
    pub(super) fn is_alive(&self, now: Instant) -> bool {
        now < self.expires_at
    }

    /// How many bytes it adds to a request.
    pub(super) fn length(&self) -> usize {
        self.authorization.expose_secret().len()
    }

    /// Whether it was asked for several repositories.
    pub(super) fn is_shared(&self) -> bool {
        self.repositories.len() > 1
    }

    /// Whether it was asked for this repository before others.
    pub(super) fn is_first(&self, repository: &str) -> bool {
        self.repositories.first().is_some_and(|first| &**first == repository)
    }

    /// The repositories to use it for: the first in any case, the others unless it can be read and says otherwise.
    pub(super) fn serves(&self) -> impl Iterator<Item = &str> {
        let granted =
            |name: &str| self.granted.as_ref().is_none_or(|all| all.iter().any(|one| &**one == name));
        let all = self.repositories.iter().map(|repository| &**repository);
        all.enumerate().filter(move |(position, name)| *position == 0 || granted(name)).map(|(_, name)| name)
    }

    /// Whether to use it for this repository.
    pub(super) fn is_for(&self, repository: &str) -> bool {
        self.serves().any(|served| served == repository)
    }

    /// The repositories that it was asked for and says that it is no good for.
    pub(super) fn left_out(&self) -> Vec<Box<str>> {
        let Some(granted) = &self.granted else { return Vec::new() };
        self.repositories.iter().filter(|name| !granted.contains(name)).cloned().collect()
    }

    /// Whether it can be read, so that [`Self::serves`] is more than a guess.
    pub(super) fn is_readable(&self) -> bool {
        self.granted.is_some()
    }
}

/// How long a token lives from now on. Where the server's clock is not ours, ours counts.
fn life(expires_in: &serde_json::Value, issued_at: &serde_json::Value, now: Timestamp) -> Duration {
    let seconds = expires_in.as_f64().or_else(|| expires_in.as_str()?.trim().parse().ok());
    let whole = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let whole = whole.unwrap_or(SHORTEST_LIFE).clamp(SHORTEST_LIFE, LONGEST_LIFE);
    let issued = issued_at.as_str().and_then(|text| text.trim().parse::<Timestamp>().ok());
    // An issue in the future has no age, so it takes nothing away.
    let age = issued.and_then(|issued| Duration::try_from(now.duration_since(issued)).ok());
    whole.checked_sub(age.unwrap_or_default()).filter(|left| *left > NOTHING_LEFT).unwrap_or(whole)
}

/// The repositories that a JWT grants to be pulled from. It is not verified, which is the registry's part.
fn granted(token: &str) -> Option<Vec<Box<str>>> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    let pulls = |access: &Access| {
        access.r#type == "repository" && access.actions.iter().any(|action| action == "pull" || action == "*")
    };
    Some(claims.access.into_iter().filter(pulls).map(|access| access.name).collect())
}

#[cfg(test)]
mod tests;
