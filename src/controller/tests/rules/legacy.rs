//! One image of an index stands for the whole (F10).

use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::Digest;

fn built() -> Mind {
    let mut mind = Mind::start([on(&legacy(), long_form("app", StrategyKind::Source, "ruby", &["ruby"]))]);
    mind.find("ruby", index("I", &[("linux/amd64", "a"), ("linux/arm64", "b")]));
    mind.complete("app-1");
    mind
}

/// The digests in the `trigger_fired` lines.
fn fired(notes: &[Note]) -> Vec<(Option<Digest>, Option<Digest>)> {
    let line = |note: &Note| {
        let Note::TriggerFired { digest, old_digest, .. } = note else { return None };
        Some((digest.clone(), old_digest.clone()))
    };
    notes.iter().filter_map(line).collect()
}

#[test]
fn f10_builds_are_given_the_digest_of_the_one_image() {
    let mut mind = built();
    let notes = mind.find("ruby", index("J", &[("linux/amd64", "c"), ("linux/arm64", "b")]));
    let spec = mind.spec("app-2");
    let reference = format!("registry.test/ruby@{}", digest("c"));
    assert_eq!((&*spec.base().reference, &spec.base().digest), (&*reference, &Some(digest("c"))));
    let Cause::ImageChange { image, old_digest } = &spec.causes[0] else { panic!() };
    assert_eq!((&*image.reference, old_digest), (&*reference, &Some(digest("a"))));
    assert_eq!(fired(&notes), [(Some(digest("c")), Some(digest("a")))], "the log tells the same");
    assert_eq!(spec.command[1], format!("BASE={reference}"));
}

#[test]
fn f10_another_image_of_the_index_may_move() {
    let mut mind = built();
    mind.find("ruby", index("J", &[("linux/amd64", "a"), ("linux/arm64", "c")]));
    mind.find("ruby", index("K", &[("linux/amd64", "a")]));
    mind.see("ruby", "a");
    assert_eq!(mind.builds(), ["app-1 Complete"]);
}

#[test]
fn f10_a_single_manifest_is_its_own_image() {
    let mut mind = built();
    mind.see("ruby", "c");
    assert_eq!(mind.base("app-2"), digest("c"));
    mind.complete("app-2");
    mind.find("ruby", index("J", &[("linux/amd64", "c"), ("linux/arm64", "b")]));
    assert_eq!(mind.builds().len(), 2, "an index that has it is no news");
}

#[test]
fn f10_an_index_that_nobody_looked_into_holds() {
    let mut mind = built();
    let notes = mind.find("ruby", unread("J"));
    let pending =
        |note: &Note| matches!(note, Note::ChangePending { reason: HoldReason::PlatformsUnknown, .. });
    assert!(notes.iter().any(pending) && mind.builds().len() == 1);
    let refused = mind.ask(manual("app")).unwrap_err();
    assert!(matches!(refused, StartRefused::Unresolved { .. }), "nobody knows which image it is");
    mind.find("ruby", index("J", &[("linux/amd64", "c")]));
    assert_eq!(mind.causes("app-2"), [("ruby", digest("c"))]);
}

#[test]
fn f10_an_unread_index_of_the_strategy_holds_where_no_trigger_is_on_it() {
    let mut config = long_form("app", StrategyKind::Source, "ruby", &["custom"]);
    let from = StreamTag { platforms: legacy(), ..config.strategy.stream_tag().unwrap().clone() };
    config.strategy.from = Some(Base::Tag(from.into()));
    let mut mind = Mind::start([config]);
    mind.find("ruby", unread("I"));
    let notes = mind.see("custom", "A");
    let pending =
        |note: &Note| matches!(note, Note::ChangePending { reason: HoldReason::PlatformsUnknown, .. });
    assert!(notes.iter().any(pending) && mind.builds().is_empty());
    mind.find("ruby", index("I", &[("linux/amd64", "a")]));
    assert_eq!((mind.causes("app-1"), mind.base("app-1")), (vec![("custom", digest("A"))], digest("a")));
}

#[test]
fn f10_a_look_for_a_build_that_did_not_look_into_the_index_is_not_enough() {
    let mut mind = built();
    let refreshed = |version: &str| Start { fresh: vec![(tag("ruby"), unread(version))], ..manual("app") };
    assert!(matches!(mind.ask(refreshed("J")).unwrap_err(), StartRefused::Unresolved { .. }));
    mind.ask(refreshed("I")).unwrap();
    assert_eq!(mind.base("app-2"), digest("a"), "what is in it was known");
}
