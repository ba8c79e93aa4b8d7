//! Which ways of logging in a 401 offers. Pure.
//!
//! The grammar is RFC 9110's (11.6.1), and registries in the wild bend it: values without quotes that need them, commas
//! left out, several challenges in a line and several lines. The strict parser goes first, a lenient one second.

use http_auth::ChallengeParser;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// More lines than this are not read.
const MOST_LINES: usize = 16;
const LONGEST_SCHEME: usize = 32;

/// What a 401 offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Offer {
    /// User and password.
    pub basic: bool,
    /// The first scheme that is not Basic, as the registry spells it.
    pub other: Option<String>,
}

impl Offer {
    /// Reads all challenges of an answer.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(WWW_AUTHENTICATE).into_iter().take(MOST_LINES);
        let mut offer = Self::default();
        for scheme in
            lines.filter_map(|line| line.to_str().ok()).flat_map(schemes).filter(|name| is_scheme(name))
        {
            if scheme.eq_ignore_ascii_case("Basic") {
                offer.basic = true;
            } else if offer.other.is_none() {
                offer.other = Some(scheme);
            }
        }
        offer
    }
}

/// What is longer or stranger than the name of a scheme is none, and comes into no error message.
fn is_scheme(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LONGEST_SCHEME).contains(&name.len()) && name.bytes().all(known)
}

fn schemes(line: &str) -> Vec<String> {
    ChallengeParser::new(line)
        .map(|challenge| challenge.map(|challenge| challenge.scheme.to_owned()))
        .collect::<Result<_, _>>()
        .unwrap_or_else(|_| lenient_schemes(line))
}

/// Takes every word that is not part of `key=value` for a scheme.
fn lenient_schemes(line: &str) -> Vec<String> {
    let separator = |character: char| character == ',' || character.is_ascii_whitespace();
    let mut schemes = Vec::new();
    let mut rest = line.trim_start_matches(separator);
    while !rest.is_empty() {
        let word_end = rest.find(|character| separator(character) || character == '=').unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        rest = match after.trim_ascii_start().strip_prefix('=') {
            Some(value) => skip_value(value.trim_ascii_start()),
            None => {
                schemes.push(word.to_owned());
                after
            }
        }
        .trim_start_matches(separator);
    }
    schemes
}

/// What stands behind a value, quoted or not. An unquoted one ends at a space or a comma, whatever else is in it.
fn skip_value(text: &str) -> &str {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|character: char| character == ',' || character.is_ascii_whitespace());
        return text.get(end.unwrap_or(text.len())..).unwrap_or_default();
    };
    let mut escaped = false;
    let end = quoted.find(|character| {
        let closes = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        closes
    });
    end.and_then(|end| quoted.get(end + 1..)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
