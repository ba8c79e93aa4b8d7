//! Which move of a multi-platform image is news, and to whom (D13).

use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::{Identity, Platforms};

const AMD: (&str, &str) = ("linux/amd64", "amd");
const ARM: (&str, &str) = ("linux/arm64", "arm");
const NEW_AMD: (&str, &str) = ("linux/amd64", "new amd");
const NEW_ARM: (&str, &str) = ("linux/arm64", "new arm");

/// A config whose last build is of the index `1`, which was not looked into.
fn after_the_first_build(platforms: &Platforms) -> Mind {
    // A list is built for only once its platforms are known to be there, so that it comes later.
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.find("debian", unread("1"));
    mind.complete("app-1");
    mind.load([on(platforms, watch("app", &["debian"]))]);
    mind.pass(PATIENCE);
    mind
}

/// As [`after_the_first_build`], and both platforms of the index are known.
fn knowing_both(platforms: &Platforms) -> Mind {
    let mut mind = after_the_first_build(platforms);
    assert!(mind.find("debian", index("1", &[AMD, ARM])).is_empty(), "what is in it is no news");
    mind
}

/// `index_moved`, `image_changed FAN_OUT HELD`, `tag_held PLATFORMS`, `change_pending REASON`.
fn told(notes: &[Note]) -> Vec<String> {
    let line = |note: &Note| {
        if let Note::IndexMoved { .. } = note {
            Some("index_moved".to_owned())
        } else if let Note::ImageChanged { fan_out, held, .. } = note {
            Some(format!("image_changed {fan_out} {held}"))
        } else if let Note::TagHeld { platforms, .. } = note {
            let platforms: Vec<String> = platforms.iter().map(ToString::to_string).collect();
            Some(format!("tag_held {}", platforms.join(" ")))
        } else if let Note::ChangePending { reason, .. } = note {
            Some(format!("change_pending {}", reason.as_str()))
        } else {
            None
        }
    };
    notes.iter().filter_map(line).collect()
}

fn builds(mind: &Mind) -> usize {
    mind.controller.records().builds.len()
}

fn stored(mind: &Mind) -> Identity {
    mind.trigger("app", "debian").unwrap().stored.clone().unwrap()
}

/// Nothing is left to do, whatever is done to the daemon.
fn rests(mind: &mut Mind) {
    let before = (mind.controller.records().clone(), builds(mind));
    assert!(mind.restart().is_empty());
    mind.pass(PATIENCE);
    assert_eq!((mind.controller.records().clone(), builds(mind)), before, "a restart changes nothing");
}

#[test]
fn an_index_in_which_only_attestations_moved_is_a_line_and_nothing_else() {
    let mut mind = after_the_first_build(&Platforms::All);
    let notes = mind.find("debian", index_after("2", &[AMD, ARM], ("1", &[AMD, ARM])));
    assert_eq!(told(&notes), ["index_moved"]);
    assert_eq!(notes.len(), 1);
    assert_eq!(builds(&mind), 1);
    let record = &mind.controller.records().tags[&tag("debian")];
    assert_eq!(record.observed.identity.digest(), Some(&digest("2")), "the tag follows");
    assert_eq!(&*record.observed.reference(&tag("debian")), tag("debian").pinned(&digest("2")));
    assert_eq!(stored(&mind).digest(), Some(&digest("2")), "the trigger follows quietly");
    rests(&mut mind);
    assert_eq!(
        told(&mind.find("debian", index("3", &[AMD, ARM]))),
        ["index_moved"],
        "the old one need not be read"
    );
    rests(&mut mind);
}

#[test]
fn an_image_that_moved_in_an_index_is_one_build_of_the_whole_index() {
    let mut mind = after_the_first_build(&Platforms::All);
    let notes = mind.find("debian", index_after("2", &[AMD, NEW_ARM], ("1", &[AMD, ARM])));
    assert_eq!(told(&notes), ["image_changed 1 0"]);
    assert_eq!(mind.causes("app-2"), [("debian", digest("2"))]);
    let base = mind.spec("app-2").base();
    assert_eq!(&*base.reference, tag("debian").pinned(&digest("2")));
    assert_eq!(base.platforms, children(&[AMD, NEW_ARM]), "what is known of it is passed on");
    assert!(mind.spec("app-1").base().platforms.is_empty());
}

#[test]
fn where_the_old_index_is_gone_any_move_fires() {
    let mut mind = after_the_first_build(&Platforms::All);
    assert_eq!(told(&mind.find("debian", index("2", &[AMD, ARM]))), ["image_changed 1 0"]);
}

#[test]
fn a_platform_that_vanishes_and_returns_unchanged_starts_nothing() {
    let mut mind = knowing_both(&Platforms::All);
    assert_eq!(told(&mind.find("debian", index("2", &[AMD]))), ["index_moved"]);
    rests(&mut mind);
    assert_eq!(told(&mind.find("debian", index("3", &[AMD, ARM]))), ["index_moved"]);
    rests(&mut mind);
    assert_eq!(told(&mind.find("debian", index("4", &[AMD]))), ["index_moved"]);
    assert_eq!(
        told(&mind.find("debian", index("5", &[AMD, NEW_ARM]))),
        ["image_changed 1 0"],
        "it returned changed"
    );
}

#[test]
fn a_platform_that_was_not_there_at_the_last_build_is_news() {
    let mut mind = knowing_both(&Platforms::All);
    mind.find("debian", index("2", &[NEW_AMD]));
    mind.complete("app-2");
    assert_eq!(told(&mind.find("debian", index("3", &[NEW_AMD, ARM]))), ["image_changed 1 0"]);
}

#[test]
fn under_index_any_move_of_the_digest_fires() {
    let mut mind = after_the_first_build(&Platforms::Index);
    assert_eq!(told(&mind.find("debian", unread("2"))), ["image_changed 1 0"]);
    mind.complete("app-2");
    assert_eq!(
        told(&mind.find("debian", index("3", &[AMD]))),
        ["image_changed 1 0"],
        "read for another trigger"
    );
}

#[test]
fn a_list_of_platforms_fires_for_these_alone() {
    let mut mind = knowing_both(&these(&["linux/amd64"]));
    assert_eq!(told(&mind.find("debian", index("2", &[AMD, NEW_ARM]))), ["index_moved"]);
    assert_eq!(told(&mind.find("debian", index("3", &[AMD]))), ["index_moved"]);
    rests(&mut mind);
    assert_eq!(told(&mind.find("debian", index("4", &[NEW_AMD]))), ["image_changed 1 0"]);
    assert_eq!(mind.causes("app-2"), [("debian", digest("4"))], "the reference is the tag's own digest");
}

#[test]
fn each_trigger_of_a_tag_has_its_own_mind_about_a_move() {
    let config = |name: &str, platforms: &Platforms| on(platforms, watch(name, &["debian"]));
    let lists = [these(&["linux/amd64"]), these(&["linux/arm64"])];
    let configs = [
        config("amd", &lists[0]),
        config("arm", &lists[1]),
        config("all", &Platforms::All),
        config("index", &Platforms::Index),
    ];
    let mut mind = Mind::start(configs);
    mind.find("debian", index("1", &[AMD, ARM]));
    for build in ["amd-1", "arm-1", "all-1", "index-1"] {
        mind.complete(build);
    }
    assert_eq!(told(&mind.find("debian", index("2", &[AMD, NEW_ARM]))), ["image_changed 3 0"]);
    assert_eq!(mind.builds().iter().filter(|build| build.starts_with("amd-")).count(), 1);
    assert_eq!(
        told(&mind.find("debian", index("3", &[AMD, NEW_ARM]))),
        ["image_changed 1 0"],
        "for `index` alone"
    );
}

#[test]
fn a_missing_platform_holds_and_its_return_builds_once() {
    let mut mind = knowing_both(&these(&["linux/amd64", "linux/arm64"]));
    let since = mind.now.wall;
    assert_eq!(
        told(&mind.find("debian", index("2", &[NEW_AMD]))),
        ["image_changed 0 1", "tag_held linux/arm64"]
    );
    assert_eq!(mind.trigger("app", "debian").unwrap().pending.as_ref().unwrap().since, since);
    rests(&mut mind);
    mind.pass(MINUTE);
    assert_eq!(told(&mind.find("debian", index("3", &[NEW_AMD]))), ["index_moved"], "it is told once");
    assert_eq!(mind.trigger("app", "debian").unwrap().pending.as_ref().unwrap().since, since);
    assert_eq!(told(&mind.find("debian", index("4", &[NEW_AMD, NEW_ARM]))), ["image_changed 1 0"]);
    assert_eq!(mind.causes("app-2"), [("debian", digest("4"))]);
    assert_eq!(mind.trigger("app", "debian").unwrap().pending, None);
    mind.complete("app-2");
    rests(&mut mind);
}

#[test]
fn a_listed_platform_that_vanishes_and_returns_unchanged_is_told_and_not_built() {
    let mut mind = knowing_both(&these(&["linux/amd64", "linux/arm64"]));
    assert_eq!(told(&mind.find("debian", index("2", &[AMD]))), ["index_moved", "tag_held linux/arm64"]);
    rests(&mut mind);
    assert_eq!(told(&mind.find("debian", index("3", &[AMD, ARM]))), ["index_moved"]);
    assert_eq!(mind.trigger("app", "debian").unwrap().pending, None);
    rests(&mut mind);
    assert_eq!(builds(&mind), 1);
}

#[test]
fn what_an_image_lacks_is_one_line_however_many_configs_wait_for_it() {
    let config = |number: usize| {
        on(&these(&["linux/amd64", "linux/s390x"]), watch(&format!("app{number}"), &["debian"]))
    };
    let other = on(&these(&["linux/arm64"]), watch("other", &["debian"]));
    let mut mind = Mind::start((0..30).map(config).chain([other]));
    let notes = mind.find("debian", index("1", &[AMD]));
    assert_eq!(told(&notes), ["tag_held linux/arm64 linux/s390x"]);
    assert_eq!(builds(&mind), 0);
    assert!(mind.restart().is_empty());
    let notes = mind.find("debian", index("2", &[ARM]));
    assert_eq!(
        told(&notes),
        ["image_changed 1 30", "tag_held linux/amd64 linux/s390x"],
        "another platform is told"
    );
}

#[test]
fn a_first_image_that_lacks_a_platform_is_not_remembered_in_its_place() {
    let record = with(watch("app", &["debian"]), |policy| policy.on_first = OnFirst::Record);
    let mut mind = Mind::start([on(&these(&["linux/arm64"]), record)]);
    mind.find("debian", index("1", &[AMD]));
    assert_eq!(mind.trigger("app", "debian").unwrap().stored, None);
    mind.find("debian", index("2", &[AMD, ARM]));
    assert_eq!(stored(&mind).digest(), Some(&digest("2")));
    assert_eq!(builds(&mind), 0);
}

#[test]
fn a_build_for_another_tag_does_not_make_up_for_a_missing_platform() {
    let mut mind =
        Mind::start([serial(on(&these(&["linux/amd64", "linux/arm64"]), watch("app", &["debian", "node"])))]);
    mind.find("debian", index("1", &[AMD, ARM]));
    mind.see("node", "A");
    mind.find("debian", index("2", &[NEW_AMD]));
    mind.see("node", "B");
    assert_eq!(mind.causes("app-2"), [("node", digest("B"))]);
    assert!(mind.trigger("app", "debian").unwrap().pending.is_some(), "it still waits");
    rests(&mut mind);
    mind.find("debian", index("3", &[NEW_AMD, ARM]));
    assert_eq!(
        mind.causes("app-3"),
        [("debian", digest("3"))],
        "no build had the platform with the new image"
    );
}

#[test]
fn a_build_for_another_tag_forgets_no_platform_that_vanished() {
    let mut mind = Mind::start([serial(watch("app", &["debian", "node"]))]);
    mind.find("debian", index("1", &[AMD, ARM]));
    mind.see("node", "A");
    mind.find("debian", index("2", &[AMD]));
    mind.see("node", "B");
    assert_eq!(told(&mind.find("debian", index("3", &[AMD, ARM]))), ["index_moved"]);
    assert_eq!(builds(&mind), 2);
}

#[test]
fn a_pause_tells_of_images_and_not_of_attestations() {
    let mut mind = knowing_both(&Platforms::All);
    mind.load([paused(watch("app", &["debian"]), &["debian"])]);
    assert_eq!(told(&mind.find("debian", index("2", &[AMD, ARM]))), ["index_moved"]);
    assert_eq!(
        told(&mind.find("debian", index("3", &[NEW_AMD, ARM]))),
        ["image_changed 0 1", "change_pending paused"]
    );
    assert_eq!(told(&mind.find("debian", index("4", &[NEW_AMD, ARM]))), ["index_moved"]);
    assert_eq!(told(&mind.find("debian", index("5", &[AMD, ARM]))), ["image_changed 0 0"], "it went back");
    mind.load([watch("app", &["debian"])]);
    assert_eq!(builds(&mind), 1);
    mind.load([paused(watch("app", &["debian"]), &["debian"])]);
    mind.find("debian", index("6", &[NEW_AMD, ARM]));
    mind.load([watch("app", &["debian"])]);
    assert_eq!(mind.causes("app-2"), [("debian", digest("6"))]);
}

#[test]
fn another_choice_of_platforms_fires_nothing_by_itself() {
    let choices = [Platforms::All, Platforms::Index, these(&["linux/amd64"]), these(&["linux/arm64"])];
    for before in &choices {
        for after in &choices {
            let mut mind = after_the_first_build(before);
            if *before != Platforms::Index {
                mind.find("debian", index_after("2", &[AMD, ARM], ("1", &[AMD, ARM])));
                mind.find("debian", index("3", &[AMD]));
                mind.find("debian", index("4", &[AMD, ARM]));
            }
            assert_eq!(builds(&mind), 1);
            mind.load([on(after, watch("app", &["debian"]))]);
            let newest = stored(&mind);
            assert_eq!(builds(&mind), 1, "from {before:?} to {after:?}");
            // What a list asks for is looked into once, whatever it was read for before.
            let own = if *before == Platforms::Index { "1" } else { "4" };
            mind.find("debian", index(own, &[AMD, ARM]));
            assert_eq!(stored(&mind).digest(), newest.digest());
            assert_eq!(stored(&mind).children(), Some(&children(&[AMD, ARM])));
            rests(&mut mind);
            assert_eq!(builds(&mind), 1, "from {before:?} to {after:?}");
        }
    }
}

#[test]
fn what_was_in_an_index_is_remembered_by_all_who_stored_it() {
    let away = watch("away", &["debian"]);
    let held = watch("held", &["debian"]);
    let mut mind = Mind::start([watch("app", &["debian"]), away.clone(), held.clone()]);
    mind.find("debian", unread("1"));
    for build in ["app-1", "away-1", "held-1"] {
        mind.complete(build);
    }
    mind.load([watch("app", &["debian"]), paused(held.clone(), &["debian"])]);
    mind.find("debian", index_after("2", &[AMD, ARM], ("1", &[AMD, ARM])));
    mind.find("debian", index("3", &[AMD, ARM]));
    mind.load([watch("app", &["debian"]), held, away]);
    assert_eq!(builds(&mind), 3, "nothing moved that anyone builds for");
    rests(&mut mind);
}

#[test]
fn what_waits_learns_what_is_in_the_index_before_it() {
    let mut mind = Mind::start([paused(watch("app", &["debian"]), &["debian"])]);
    mind.find("debian", unread("1"));
    let notes = mind.find("debian", index_after("2", &[AMD, ARM], ("1", &[AMD, ARM])));
    assert_eq!(told(&notes), ["index_moved"], "no newer image waits now");
    let pending = mind.trigger("app", "debian").unwrap().pending.clone().unwrap();
    assert_eq!(pending.identity.digest(), Some(&digest("2")));
}

#[test]
fn an_index_that_is_seen_again_keeps_what_is_in_it() {
    let mut mind = knowing_both(&Platforms::All);
    assert!(mind.find("debian", unread("1")).is_empty());
    mind.load([]);
    mind.load([watch("app", &["debian"])]);
    mind.find("debian", unread("1"));
    let observed = &mind.controller.records().tags[&tag("debian")].observed;
    assert_eq!(observed.identity.children(), Some(&children(&[AMD, ARM])));
}

#[test]
fn a_single_manifest_is_its_own_digest_whatever_is_listed() {
    let mut mind = Mind::start([on(&these(&["linux/s390x"]), watch("app", &["debian"]))]);
    mind.see("debian", "A");
    mind.complete("app-1");
    assert_eq!(told(&mind.see("debian", "B")), ["image_changed 1 0"]);
    mind.complete("app-2");
    assert_eq!(told(&mind.find("debian", index("C", &[("linux/s390x", "x")]))), ["image_changed 1 0"]);
    mind.complete("app-3");
    assert_eq!(told(&mind.see("debian", "A")), ["image_changed 1 0"]);
}

#[test]
fn no_move_is_lost_to_a_name_for_a_platform() {
    let mut mind = Mind::start([on(&these(&["linux/arm64"]), watch("app", &["debian"]))]);
    mind.find("debian", index("1", &[("linux/arm64/v8", "arm")]));
    mind.complete("app-1");
    assert_eq!(told(&mind.find("debian", index("2", &[ARM]))), ["index_moved"]);
    assert_eq!(
        told(&mind.find("debian", index("3", &[("linux/arm64/v8", "new arm")]))),
        ["image_changed 1 0"]
    );
}

#[test]
fn a_list_fires_for_no_index_that_nobody_looked_into() {
    let list = || on(&these(&["linux/amd64", "linux/s390x"]), watch("app", &["debian"]));
    let mut mind = Mind::start([paused(on(&Platforms::Index, watch("app", &["debian"])), &["debian"])]);
    mind.find("debian", unread("1"));
    let notes = mind.load([list()]);
    assert_eq!(told(&notes), [""; 0], "a pause has told of it");
    mind.tell(&Event::Unresolved { tag: tag("debian"), is_v2: true });
    mind.pass(PATIENCE);
    assert_eq!(builds(&mind), 0, "whether it has s390x is not known");
    rests(&mut mind);
    assert_eq!(told(&mind.find("debian", index("1", &[AMD]))), ["tag_held linux/s390x"]);
    assert_eq!(builds(&mind), 0);
    let s390x = ("linux/s390x", "s390x");
    assert_eq!(told(&mind.find("debian", index("2", &[AMD, s390x]))), ["image_changed 1 0"]);
    assert_eq!(mind.causes("app-1"), [("debian", digest("2"))]);
}

#[test]
fn what_an_image_lacks_is_told_also_where_the_trigger_is_paused() {
    let both = these(&["linux/amd64", "linux/arm64"]);
    let mut mind = knowing_both(&both);
    mind.pause("app", &["debian"]);
    assert_eq!(
        told(&mind.find("debian", index("2", &[NEW_AMD]))),
        ["image_changed 0 1", "change_pending paused", "tag_held linux/arm64"]
    );
    assert_eq!(told(&mind.resume("app", &["debian"])), [""; 0], "it is told once");
    rests(&mut mind);
    assert_eq!(builds(&mind), 1);

    let mut mind = knowing_both(&both);
    mind.pause("app", &["debian"]);
    mind.find("debian", index("2", &[AMD]));
    assert_eq!(told(&mind.resume("app", &["debian"])), ["tag_held linux/arm64"], "nothing waited before");
}

#[test]
fn another_name_for_a_platform_is_no_move() {
    let mut mind = knowing_both(&Platforms::All);
    let renamed = ("linux/arm64/v8", "arm");
    assert_eq!(told(&mind.find("debian", index("2", &[AMD, renamed]))), ["index_moved"]);
    rests(&mut mind);
    assert_eq!(told(&mind.find("debian", index("3", &[AMD, ARM]))), ["index_moved"]);
    let swapped = ("linux/arm/v6", "arm");
    assert_eq!(
        told(&mind.find("debian", index("4", &[AMD, swapped]))),
        ["image_changed 1 0"],
        "another platform"
    );
}

#[test]
fn what_lacks_a_platform_and_is_no_news_is_not_counted_as_held() {
    let all = watch("all", &["debian"]);
    let both = on(&these(&["linux/amd64", "linux/arm64"]), watch("both", &["debian"]));
    let mut mind = Mind::start([all, both]);
    mind.find("debian", index("1", &[AMD, ARM]));
    let notes = mind.find("debian", index("2", &[AMD, ("linux/s390x", "s390x")]));
    assert_eq!(told(&notes), ["image_changed 1 0", "tag_held linux/arm64"]);
}
