//! What is set by ENV arrives as it was given.

use std::process::Command;

use super::CHANGES;
use crate::dockerfile::{Changes, rewrite};

/// Values that something in a Dockerfile or a shell would change.
const VALUES: &[&str] = &[
    "",
    " two  words ",
    "$HOME ${HOME:-x} $$",
    "it's",
    "'",
    "''\"'\"",
    "\"double\"",
    "back\\slash\\",
    "back`tick`",
    "# no comment",
    "<<EOF",
    "a=b c=d",
    "tab\tand\rreturn",
    "é ☃",
    "--flag",
];

#[test]
fn a_shell_reads_the_values_as_they_are() {
    let name = |number: usize| format!("V{number}");
    let env: Vec<_> = VALUES.iter().enumerate().map(|(at, value)| (name(at), (*value).to_owned())).collect();
    let new = rewrite(b"FROM debian", &Changes { env: &env, ..Changes::default() }).unwrap();
    let text = String::from_utf8(new.text).unwrap();
    let words = text.strip_prefix("FROM debian\nENV ").unwrap();
    // Quotes mean the same to a shell.
    let script = format!("printf '%s\\0' {words}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let read = String::from_utf8(output.stdout).unwrap();
    let expected: String = env.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
    assert_eq!(read, expected);
}

#[test]
fn the_quoting_does_not_depend_on_the_escape_directive() {
    let env = [("A".to_owned(), "`\\$".to_owned())];
    let new = rewrite(b"# escape=`\nFROM debian\n", &Changes { env: &env, ..Changes::default() }).unwrap();
    assert_eq!(String::from_utf8(new.text).unwrap(), "# escape=`\nFROM debian\nENV A='`\\$'\n");
}

#[test]
fn what_is_put_in_is_an_instruction_wherever_it_stands() {
    let env = [("A".to_owned(), "x".to_owned())];
    let changes = Changes { env: &env, built_env: &env, ..CHANGES };
    for (name, text) in super::fixtures::files("in") {
        let stages = rewrite(&text, &changes).unwrap();
        let text = String::from_utf8_lossy(&stages.text).into_owned();
        let set = text.lines().filter(|line| *line == "ENV A='x'").count();
        // Of what was put in nothing joined a line or a heredoc: with these lines gone, all else is as without them.
        let rest: String = text.split_inclusive('\n').filter(|line| line.trim_end() != "ENV A='x'").collect();
        let without = rewrite(&super::fixtures::files("in")[&name], &CHANGES).unwrap().text;
        let without = String::from_utf8_lossy(&without).into_owned();
        // Where no line followed a continuation, it is gone as well.
        if !name.contains("open") && !name.contains("joints") {
            assert_eq!(rest.trim_end(), without.trim_end(), "{name}");
        }
        assert!(set >= 2, "{name}:\n{text}");
    }
}
