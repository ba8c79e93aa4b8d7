use super::super::super::Depth;
use super::*;
use crate::image::TagRef;

fn tags(names: &[&str]) -> Vec<TagRef> {
    names.iter().map(|name| format!("reg.example.com/{name}").parse().unwrap()).collect()
}

#[test]
fn a_group_asks_for_each_of_its_repositories_once() {
    let (group, other) = (tags(&["a:1", "b:1", "a:2", "c/d:1"]), tags(&["z:1"]));
    let target = |tag, group| Target { tag, group, depth: Depth::Digest, known: None };
    assert_eq!(repositories(&target(&group[2], &group)), ["a", "b", "c/d"]);
    assert_eq!(repositories(&target(&group[2], &[])), ["a"]);
    assert_eq!(repositories(&target(&other[0], &group)), ["z"]);
    assert_eq!(scope("c/d"), "repository:c/d:pull");
}

#[test]
fn chunks_are_the_same_for_all_in_them_and_leave_nobody_out() {
    let names: Vec<String> = (0..25).map(|number| format!("r{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (most, chunks) in [(usize::MAX, 1), (25, 1), (12, 3), (6, 5), (3, 9), (1, 25), (0, 25)] {
        let mut seen: Vec<&[&str]> = names.iter().map(|name| chunk(&names, name, most)).collect();
        for (name, chunk) in names.iter().zip(&seen) {
            assert!(chunk.contains(name) && chunk.len() <= most.max(1), "{name} with {most}: {chunk:?}");
        }
        seen.dedup();
        assert_eq!(seen.len(), chunks, "{most}");
    }
}

#[test]
fn scopes_that_are_too_long_for_an_address_make_smaller_chunks() {
    let names: Vec<String> = (0..24).map(|number| format!("{}{number:02}", "x".repeat(250))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut seen: Vec<&[&str]> = names.iter().map(|name| chunk(&names, name, usize::MAX)).collect();
    seen.dedup();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen.concat(), names);
}
