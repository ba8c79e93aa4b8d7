//! Whatever is fed in, nothing panics, nothing changes that is not to change, and once is as good as twice.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{BASE, CHANGES, fixtures};
use crate::dockerfile::{Changes, rewrite};

/// What leads deep into the grammar.
const PIECES: &[&str] = &[
    "FROM ",
    "from",
    "debian",
    " AS ",
    "base",
    "tools",
    "0",
    "RUN ",
    "COPY ",
    "ADD ",
    "ONBUILD ",
    "ARG X=1",
    "ENV A=b",
    "--from=",
    "--mount=",
    "type=bind,",
    "from=",
    "--platform=$P ",
    "<<",
    "<<-",
    "EOF",
    "\nEOF\n",
    "\n",
    "\r\n",
    "\r",
    "\\",
    "\\\n",
    "`",
    "`\n",
    "'",
    "\"",
    "#",
    "# escape=`\n",
    "# syntax=x\n",
    " ",
    "\t",
    "\u{feff}",
    "\u{a0}",
    "${X:-y}",
    "[",
    "]",
    ",",
    "=",
    "--",
    "é",
    "\0",
    "\u{2028}",
];

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec());
    let piece = prop_oneof![20 => piece, 1 => prop::collection::vec(any::<u8>(), 1..4)];
    let text = prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat());
    // Half of them have a FROM to begin with, so that they are more often Dockerfiles.
    (any::<bool>(), text)
        .prop_map(|(begun, text)| if begun { [b"FROM a\n", &text[..]].concat() } else { text })
}

/// A fixture in which some bytes are removed, doubled, or replaced by something.
fn mutant() -> impl Strategy<Value = Vec<u8>> {
    let texts: Vec<Vec<u8>> = fixtures::files("in").into_values().collect();
    let change = (any::<Index>(), 0..6_usize, prop::sample::select(PIECES));
    (prop::sample::select(texts), prop::collection::vec(change, 1..6)).prop_map(|(mut text, changes)| {
        for (place, length, piece) in changes {
            let start = place.index(text.len() + 1);
            let end = (start + length).min(text.len());
            text.splice(start..end, piece.bytes());
        }
        text
    })
}

fn check(text: &[u8]) -> Result<(), TestCaseError> {
    let env = [("A".to_owned(), "it's".to_owned())];
    let all = Changes { env: &env, built_env: &env, target: Some("0"), ..CHANGES };
    let _ = rewrite(text, &all);
    let same = rewrite(text, &Changes::default());
    let once = rewrite(text, &CHANGES);
    prop_assert_eq!(same.is_ok(), once.is_ok());
    let (Ok(same), Ok(once)) = (same, once) else { return Ok(()) };
    prop_assert_eq!(&same.text, text);
    prop_assert!(once.replaced.iter().any(|one| one.new == BASE));
    let twice = rewrite(&once.text, &CHANGES);
    prop_assert_eq!(&twice.unwrap().text, &once.text);
    put_in(text, &once.text, &env)
}

/// What is put in stands on its own: the images are found as before, and putting in nothing more leaves it.
fn put_in(text: &[u8], once: &[u8], env: &[(String, String)]) -> Result<(), TestCaseError> {
    let set = rewrite(text, &Changes { env, built_env: env, ..CHANGES }).unwrap();
    let again = rewrite(&set.text, &CHANGES).unwrap();
    prop_assert_eq!(&again.text, &set.text);
    let images = |text: &[u8]| rewrite(text, &CHANGES).unwrap().replaced.into_iter().map(|one| one.old);
    prop_assert_eq!(images(&set.text).collect::<Vec<_>>(), images(once).collect::<Vec<_>>());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_rewritten_or_refused(text in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&text)?;
    }

    #[test]
    fn random_dockerfiles_are_rewritten_or_refused(text in pieces()) {
        check(&text)?;
    }

    #[test]
    fn changed_fixtures_are_rewritten_or_refused(text in mutant()) {
        check(&text)?;
    }
}
