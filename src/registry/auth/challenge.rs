//! Which ways of logging in a 401 offers. Pure.
//!
//! The grammar is RFC 9110's (11.6.1), and registries in the wild bend it: values without quotes that need them, commas
//! left out, several challenges in a line and several lines. The strict parser goes first, a lenient one second.

use http_auth::ChallengeParser;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// More lines than this are not read.
const MOST_LINES: usize = 16;
const LONGEST_SCHEME: usize = 32;
/// Longer than any address that a token was ever asked for at.
const LONGEST_REALM: usize = 2048;
const LONGEST_SERVICE: usize = 512;
const LONGEST_SCOPE: usize = 512;
const MOST_SCOPES: usize = 8;

/// What a 401 offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::registry) struct Offer {
    /// User and password.
    pub(in crate::registry) basic: bool,
    /// The first offer of a token.
    pub(in crate::registry) bearer: Option<Challenge>,
    /// The first scheme that is neither, as the registry spells it.
    pub(in crate::registry) other: Option<String>,
}

/// Where to get a token, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) struct Challenge {
    /// An address, as it stands there; empty if there is none.
    pub(super) realm: Box<str>,
    /// What the token server calls the registry.
    pub(super) service: Option<Box<str>>,
    /// What the registry thinks the token must allow.
    pub(super) scopes: Vec<Box<str>>,
}

/// One challenge as it was read.
struct Read {
    scheme: String,
    params: Vec<(String, String)>,
}

impl Offer {
    /// Reads all challenges of an answer.
    pub(in crate::registry) fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(WWW_AUTHENTICATE).into_iter().take(MOST_LINES);
        // One byte that is no ASCII, in a description as a rule, is no reason not to see the rest.
        let read = lines.flat_map(|line| challenges(&String::from_utf8_lossy(line.as_bytes())));
        let mut offer = Self::default();
        for challenge in read.filter(|challenge| is_scheme(&challenge.scheme)) {
            if challenge.scheme.eq_ignore_ascii_case("Basic") {
                offer.basic = true;
            } else if challenge.scheme.eq_ignore_ascii_case("Bearer") {
                offer.bearer.get_or_insert_with(|| Challenge::of(&challenge));
            } else if offer.other.is_none() {
                offer.other = Some(challenge.scheme);
            }
        }
        offer
    }

    /// Whether it names no way at all.
    pub(in crate::registry) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Challenge {
    fn of(read: &Read) -> Self {
        let param = |name: &str, longest: usize| {
            let (_, value) = read.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            (!value.is_empty() && value.len() <= longest).then_some(value.as_str())
        };
        let scopes = param("scope", LONGEST_SCOPE * MOST_SCOPES).unwrap_or_default();
        let scopes = scopes.split_ascii_whitespace().filter(|scope| scope.len() <= LONGEST_SCOPE);
        Self {
            realm: param("realm", LONGEST_REALM).unwrap_or_default().into(),
            service: param("service", LONGEST_SERVICE).map(Into::into),
            scopes: scopes.take(MOST_SCOPES).map(Into::into).collect(),
        }
    }
}

/// What is longer or stranger than the name of a scheme is none, and comes into no error message.
fn is_scheme(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LONGEST_SCHEME).contains(&name.len()) && name.bytes().all(known)
}

fn challenges(line: &str) -> Vec<Read> {
    let strict = ChallengeParser::new(line).map(|challenge| {
        challenge.map(|challenge| Read {
            scheme: challenge.scheme.to_owned(),
            params: challenge
                .params
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.to_unescaped()))
                .collect(),
        })
    });
    strict.collect::<Result<_, _>>().unwrap_or_else(|_| lenient(line))
}

/// Takes every word that is not part of `key=value` for a scheme, and each `key=value` for one of the scheme before it.
fn lenient(line: &str) -> Vec<Read> {
    let separator = |character: char| character == ',' || character.is_ascii_whitespace();
    let mut challenges: Vec<Read> = Vec::new();
    let mut rest = line.trim_start_matches(separator);
    while !rest.is_empty() {
        let word_end = rest.find(|character| separator(character) || character == '=').unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        rest = match after.trim_ascii_start().strip_prefix('=') {
            Some(text) => {
                let (value, after) = take_value(text.trim_ascii_start());
                if let Some(challenge) = challenges.last_mut() {
                    challenge.params.push((word.to_owned(), value));
                }
                after
            }
            None => {
                challenges.push(Read { scheme: word.to_owned(), params: Vec::new() });
                after
            }
        }
        .trim_start_matches(separator);
    }
    challenges
}

/// A value, quoted or not, and what stands behind it. An unquoted one ends at a space or a comma, whatever else is in it.
fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|character: char| character == ',' || character.is_ascii_whitespace());
        let (value, after) = text.split_at(end.unwrap_or(text.len()));
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (position, character) in quoted.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return (value, quoted.get(position + 1..).unwrap_or_default()),
            _ => {
                value.push(character);
                escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests;
