//! What a look costs before it asks anything.

use super::*;

#[test]
fn what_is_seldom_gone_does_not_make_each_look_larger() {
    let registries = Registries::new(&[]).unwrap();
    let tag: TagRef = "registry.test/team/app:1".parse().unwrap();
    let target = Target { tag: &tag, group: &[], depth: Depth::Moves, known: None };
    let size = size_of_val(&registries.resolve(target, &Open));
    // It is moved as a whole for each poll. Awaited in place, the ways through tokens, v1 and indexes would be most of it.
    assert!(size <= 3_000, "the future of a look has {size} bytes");
}
