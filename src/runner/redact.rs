//! Keeps secrets out of a build's output.
//!
//! What counts is what is in the files: all of it, but for blanks at its ends; of several lines also each that is long
//! enough to mean something; and of a file of credentials every password and token in it, and what is encoded in them.
//! A value that a build encodes or takes apart is not recognised: this guards against slips, not against intent.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::private::Private;

/// What stands in place of a secret.
const INSTEAD: &[u8] = b"<redacted>";
/// A line of several that is shorter than this is a bracket or a heading.
const SHORTEST_LINE: usize = 8;
/// What is longer is looked for in pieces, so that little is held back.
const LONGEST: usize = 16 << 10;

/// Takes output piece by piece and gives it back without the secrets. It holds back as little as may become one.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    /// None where there is nothing to hide.
    search: Option<Search>,
    held: Vec<u8>,
}

struct Search {
    any: AhoCorasick,
    /// In order, each once.
    hidden: Vec<Vec<u8>>,
    longest: usize,
}

impl Redactor {
    /// One that hides everything in `private`.
    pub(super) fn of(private: &Private) -> Self {
        let mut hidden = BTreeSet::new();
        private.hidden().for_each(|value| hide(value, &mut hidden));
        if let Some(auth) = private.auth().and_then(|auth| serde_json::from_slice(auth).ok()) {
            hide_credentials(&auth, &mut hidden);
        }
        Self { search: Search::new(hidden.into_iter().collect()), held: Vec::new() }
    }

    /// What can be shown now that `piece` has come.
    pub(super) fn push<'p>(&mut self, piece: &'p [u8]) -> Cow<'p, [u8]> {
        let Some(search) = &self.search else { return Cow::Borrowed(piece) };
        self.held.extend_from_slice(piece);
        let open = search.open(&self.held);
        let (shown, taken) = search.redact(&self.held, open);
        self.held.drain(..taken);
        Cow::Owned(shown)
    }

    /// A text of its own that has come as a whole.
    pub(super) fn redacted(&self, text: &str) -> String {
        match &self.search {
            Some(search) => {
                String::from_utf8_lossy(&search.redact(text.as_bytes(), text.len()).0).into_owned()
            }
            None => text.to_owned(),
        }
    }

    /// What was still held back, now that nothing more comes.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.search.as_ref().map(|search| search.redact(&held, held.len()).0).unwrap_or_default()
    }
}

impl Search {
    fn new(hidden: Vec<Vec<u8>>) -> Option<Self> {
        if hidden.is_empty() {
            return None;
        }
        let any = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&hidden);
        // Its only error is a number of patterns that files of a bounded size cannot hold.
        let longest = hidden.iter().map(Vec::len).max().unwrap_or_default();
        any.ok().map(|any| Self { any, hidden, longest })
    }

    /// Where the first secret may begin whose end has not come yet.
    fn open(&self, text: &[u8]) -> usize {
        let from = text.len().saturating_sub(self.longest.saturating_sub(1));
        let begins = |at: &usize| {
            let rest = text.get(*at..).unwrap_or_default();
            // Those that begin with the rest follow one another, the rest itself, which is all there, before them.
            let next = self.hidden.partition_point(|hidden| hidden.as_slice() <= rest);
            self.hidden.get(next).is_some_and(|hidden| hidden.starts_with(rest))
        };
        (from..text.len()).find(begins).unwrap_or(text.len())
    }

    /// `text` without the secrets that begin before `open`, as far as that is certain, and how much of it that was.
    fn redact(&self, text: &[u8], open: usize) -> (Vec<u8>, usize) {
        let mut shown = Vec::with_capacity(text.len());
        let mut taken = 0;
        for found in self.any.find_iter(text).take_while(|found| found.start() < open) {
            shown.extend_from_slice(text.get(taken..found.start()).unwrap_or_default());
            shown.extend_from_slice(INSTEAD);
            taken = found.end();
        }
        let until = taken.max(open);
        shown.extend_from_slice(text.get(taken..until).unwrap_or_default());
        (shown, until)
    }
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("hidden", &self.hidden.len()).finish_non_exhaustive()
    }
}

/// All of a value, and each of its lines.
fn hide(value: &[u8], hidden: &mut BTreeSet<Vec<u8>>) {
    let whole = value.trim_ascii();
    let shortest = if whole.len() > LONGEST { SHORTEST_LINE } else { 1 };
    hidden.extend(whole.chunks(LONGEST).filter(|piece| piece.len() >= shortest).map(<[u8]>::to_vec));
    let lines = || whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    hidden.extend(lines().filter(|line| (SHORTEST_LINE..=LONGEST).contains(&line.len())).map(<[u8]>::to_vec));
}

/// `{"auths": {HOST: {"auth": base64 of user:password, "identitytoken": …}}}`, as docker and podman write it.
fn hide_credentials(file: &Value, hidden: &mut BTreeSet<Vec<u8>>) {
    let hosts = file.get("auths").and_then(Value::as_object).into_iter().flatten();
    for (_, login) in hosts {
        let text = |key| login.get(key).and_then(Value::as_str);
        for value in ["auth", "password", "identitytoken", "registrytoken"].into_iter().filter_map(text) {
            hide(value.as_bytes(), hidden);
        }
        let decoded = text("auth").and_then(|auth| STANDARD.decode(auth).ok()).unwrap_or_default();
        if let Some(colon) = decoded.iter().position(|byte| *byte == b':') {
            hide(decoded.get(colon + 1..).unwrap_or_default(), hidden);
        }
    }
}
