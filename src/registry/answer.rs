//! What a registry said instead of answering: a status, perhaps a reason, perhaps a wish to be left alone.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use oci_distribution::errors::OciEnvelope;
use reqwest::StatusCode;
use serde::Deserialize;

use crate::text::push_harmless;

/// The longest text of a registry's that an error message repeats.
const LONGEST_REMARK: usize = 200;
/// The shortest and the longest wait that a registry can ask for.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(6 * 60 * 60));

/// A status that is not the answer, and what was said with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The host that answered, if the registry had redirected us there.
    pub elsewhere: Option<Box<str>>,
    /// The code and message in the body, if there were any.
    pub remark: Option<Box<str>>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.elsewhere {
            Some(host) => write!(f, "{host}, where the registry redirects to, answered {}", self.status)?,
            None => write!(f, "registry answered {}", self.status)?,
        }
        self.remark.as_ref().map_or(Ok(()), |remark| write!(f, " ({remark})"))
    }
}

/// What a v1 registry says of an error.
#[derive(Deserialize)]
struct V1Error {
    error: String,
}

/// What a body says of an error, fit for a log line: in the specification's form (distribution-spec, "Error Codes"), of
/// which the first error is taken, or in that of v1.
pub(super) fn remark(body: &[u8]) -> Option<Box<str>> {
    let v1 = || serde_json::from_slice(body).ok().map(|V1Error { error }| presentable(&error).into());
    v2_remark(body).or_else(v1)
}

fn v2_remark(body: &[u8]) -> Option<Box<str>> {
    let envelope: OciEnvelope = serde_json::from_slice(body).ok()?;
    let error = envelope.errors.into_iter().next()?;
    let code = serde_json::to_value(&error.code).ok()?;
    let code = code.as_str()?;
    let text = if error.message.is_empty() { code.to_owned() } else { format!("{code}: {}", error.message) };
    Some(presentable(&text).into())
}

/// A stranger's text made harmless, and not more of it than a log line bears.
pub(super) fn presentable(text: &str) -> String {
    let mut short = String::new();
    for (position, character) in text.chars().enumerate() {
        if position == LONGEST_REMARK {
            short.push('…');
            break;
        }
        push_harmless(&mut short, character);
    }
    short
}

/// The wait that a `Retry-After` asks for, in seconds or as a date (RFC 9110, 10.2.3), within sane bounds.
pub(super) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
            Duration::try_from(until.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.clamp(WAIT.0, WAIT.1))
}

#[cfg(test)]
mod tests;
