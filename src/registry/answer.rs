//! What a registry said instead of answering: a status, perhaps a reason, perhaps a wish to be left alone.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use oci_distribution::errors::OciEnvelope;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use crate::text::push_harmless;

/// The longest text of a registry's that an error message repeats.
const LONGEST_REMARK: usize = 200;
/// The shortest and the longest wait that a registry can ask for.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(6 * 60 * 60));
/// Headers that say at which second since 1970 a registry is to be asked again: Docker Hub's (registries.md, 3).
const RESETS: [&str; 2] = ["x-retry-after", "x-ratelimit-reset"];
/// A wait that stands in a body stands at its beginning.
const LONGEST_WISH: usize = 1024;

/// A status that is not the answer, and what was said with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The host that answered, if the registry had redirected us there.
    pub elsewhere: Option<Box<str>>,
    /// The code and message in the body, if there were any.
    pub remark: Option<Box<str>>,
    /// How long the registry wants to be left alone, if it said so; only ever with a 429 or a 5xx.
    pub retry_after: Option<Duration>,
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

/// How long a registry that refuses to answer wants to be left alone. Their shapes are many (registries.md, 3).
pub(super) fn wish(status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<Duration> {
    let is_limit = status == StatusCode::TOO_MANY_REQUESTS;
    if !is_limit && !status.is_server_error() {
        return None;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let in_header = || text(RETRY_AFTER.as_str()).and_then(|text| retry_after(text, now));
    let in_reset = || RESETS.iter().find_map(|name| until_second(text(name)?, now));
    let in_body = || in_text(&String::from_utf8_lossy(body.get(..LONGEST_WISH).unwrap_or(body)));
    // JSON may have `µ` escaped.
    let in_remark = || in_text(&remark(body)?);
    in_header().or_else(|| is_limit.then(|| in_reset().or_else(in_body).or_else(in_remark)).flatten())
}

/// The wait that a `Retry-After` asks for, in seconds or as a date (RFC 9110, 10.2.3), or as Go prints durations; within
/// sane bounds.
pub(super) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(bounded(Duration::from_secs(seconds)));
    }
    if let Ok(until) = DateTimeParser::new().parse_timestamp(text) {
        return Some(wait_until(until, now));
    }
    go_duration(text).map(bounded)
}

fn until_second(text: &str, now: Timestamp) -> Option<Duration> {
    let until = Timestamp::from_second(text.trim().parse().ok()?).ok()?;
    Some(wait_until(until, now))
}

/// GHCR's `toomanyrequests: retry-after: 880.092µs, allowed: 44000/minute`.
fn in_text(text: &str) -> Option<Duration> {
    const NAME: &str = "retry-after:";
    let at = text.to_ascii_lowercase().find(NAME)?;
    let value = text.get(at + NAME.len()..)?.trim_start();
    let end = value.find(|character: char| !character.is_alphanumeric() && character != '.');
    let value = value.get(..end.unwrap_or(value.len()))?;
    match value.parse() {
        Ok(seconds) => Some(bounded(Duration::from_secs(seconds))),
        Err(_) => go_duration(value.trim_end_matches('.')).map(bounded),
    }
}

/// A duration as Go prints it: `1m30.5s`, `880.092µs`. What is longer than the longest wait need not be exact.
fn go_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let number_end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|character: char| character.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let seconds = number.parse::<f64>().ok()? * seconds_of(unit)?;
        total = total.saturating_add(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

fn seconds_of(unit: &str) -> Option<f64> {
    match unit {
        "h" => Some(3600.0),
        "m" => Some(60.0),
        "s" => Some(1.0),
        "ms" => Some(1e-3),
        // The micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => Some(1e-6),
        "ns" => Some(1e-9),
        _ => None,
    }
}

fn wait_until(until: Timestamp, now: Timestamp) -> Duration {
    bounded(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

fn bounded(wait: Duration) -> Duration {
    wait.clamp(WAIT.0, WAIT.1)
}

#[cfg(test)]
mod tests;
