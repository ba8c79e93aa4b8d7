//! A commit and the people in it, cut to what a record can hold.

use serde::Deserialize;

use crate::controller::{Person, Revision};

/// The longest name of a commit, and what is kept of other texts, in bytes.
const LONGEST_COMMIT: usize = 128;
const LONGEST_MESSAGE: usize = 1024;
const LONGEST_NAME: usize = 256;

/// Somebody whom a payload names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Someone {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
}

/// The revision of a commit; none if that is not the name of one.
pub(super) fn revision(
    commit: &str,
    message: Option<&str>,
    author: Option<Someone>,
    committer: Option<Someone>,
) -> Option<Revision> {
    Some(Revision {
        commit: name_of_commit(commit)?.into(),
        message: message.filter(|message| !message.is_empty()).map(|message| cut(message, LONGEST_MESSAGE)),
        author: author.and_then(person),
        committer: committer.and_then(person),
    })
}

/// It becomes a word of a command line one day, so it is nothing but a word, and no option. What is all zeros stands for
/// no commit.
fn name_of_commit(commit: &str) -> Option<&str> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._/-".contains(character);
    let is_name =
        commit.starts_with(|first: char| first.is_ascii_alphanumeric()) && commit.chars().all(plain);
    let is_some = commit.bytes().any(|byte| byte != b'0');
    (is_name && is_some && commit.len() <= LONGEST_COMMIT).then_some(commit)
}

fn person(someone: Someone) -> Option<Person> {
    let short =
        |text: Option<String>| text.filter(|text| !text.is_empty()).map(|text| cut(&text, LONGEST_NAME));
    let person = Person { name: short(someone.name), email: short(someone.email) };
    (person != Person::default()).then_some(person)
}

fn cut(text: &str, longest: usize) -> Box<str> {
    text.get(..text.floor_char_boundary(longest)).unwrap_or_default().into()
}
