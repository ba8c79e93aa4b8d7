//! Files made to cost much. Nothing here takes long unless something takes more than its share: twice the file, twice
//! the time.

use super::{BASE, CHANGES};
use crate::dockerfile::{Changes, LARGEST, rewrite};

/// As much of a pattern as a file may have, between a beginning and an end.
fn filled(begin: &str, pattern: &str, end: &str) -> String {
    let room = LARGEST - begin.len() - end.len();
    begin.to_owned() + &pattern.repeat(room / pattern.len()) + end
}

/// The same with an end to each line that builders may read.
fn lines(begin: &str, pattern: &str, end: &str) -> String {
    let line = pattern.repeat(60_000 / pattern.len());
    filled(begin, &format!("{line}\\\n"), end)
}

#[test]
fn the_largest_files_are_rewritten() {
    let from = "FROM debian\n";
    let files = [
        filled(from, "RUN x\n", ""),
        filled(from, "RUN x \\\n", "x\n"),
        filled(from, "\\\n", "x\n"),
        filled(from, "#\n", ""),
        filled("FROM \\\n", "#\n", "debian"),
        filled("FROM \\\n", "\n", "debian"),
        filled("FROM debian\nRUN <<EOF\n", "EO\n", "EOF\n"),
        filled(from, "RUN <<A\nA\n", ""),
        filled(from, "RUN x << A\nA\n", ""),
        filled(from, "RUN << (\n", ""),
        filled(from, "COPY --from=tools a b\n", ""),
        filled(from, "COPY --from=0 a b\n", ""),
        filled(from, "RUN --mount=from=tools x\n", ""),
        lines("FROM debian\nRUN --mount=", "from=tools,", "x y\n"),
        lines("FROM debian\nRUN ", "--mount=from=tools ", "y\n"),
        lines("FROM debian\nRUN <<A '", "''", "\n"),
        lines("FROM debian\nRUN <<A \"", "\\\"", "\n"),
        lines("FROM debian\nRUN ", "<<< ", "\n"),
        lines("FROM debian\nRUN [", "\"<<A\",", "\n"),
        lines("FROM debian\nRUN [", "[", "<<\n"),
        lines("FROM ", "--a ", "debian\n"),
        lines("FROM ", "a", "\n"),
        lines("", "ONBUILD ", "RUN <<A\nFROM debian\n"),
        lines("FROM debian\nCOPY --from=", "\"x\"", " a b\n"),
        lines("", "\u{a0}", "\nFROM debian\n"),
    ];
    for file in files {
        let new = rewrite(file.as_bytes(), &CHANGES);
        let start: String = file.chars().take(40).collect();
        let new = new.unwrap_or_else(|error| panic!("{start:?}: {error}"));
        assert!(new.replaced.iter().any(|one| one.new == BASE), "{start:?}");
    }
}

#[test]
fn a_long_line_of_heredocs_needs_all_its_ends() {
    let heads = lines("FROM debian\nRUN ", "<<A ", "\n");
    let ends = "A\n".repeat(heads.matches("<<A").count());
    // Cut to what fits: the ends of the last heredocs are missing.
    let file: String = (heads + &ends).chars().take(LARGEST).collect();
    assert!(rewrite(file.as_bytes(), &CHANGES).unwrap_err().to_string().contains("the heredoc A never ends"));
}

#[test]
fn a_chain_of_all_the_stages_there_may_be_is_followed() {
    let mut file = "FROM debian AS s0\n".to_owned();
    (1..1000).for_each(|stage| file += &format!("FROM s{} AS s{stage}\n", stage - 1));
    let new = rewrite(file.as_bytes(), &CHANGES).unwrap();
    assert_eq!(new.replaced.len(), 1);
    assert_eq!((new.replaced[0].line, new.replaced[0].old.as_str()), (1, "debian"));
}

#[test]
fn the_longest_environment_is_set_in_each_of_the_most_stages() {
    let env = [("A".to_owned(), "x".repeat(65_000))];
    let file = "FROM debian\n".repeat(1000);
    let new = rewrite(file.as_bytes(), &Changes { env: &env, ..CHANGES }).unwrap();
    assert_eq!(new.text.iter().filter(|byte| **byte == b'\n').count(), 2000);
}
