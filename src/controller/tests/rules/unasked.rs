//! Tags that no registry is asked about, and those that a digest stands in the place of (F2, F6).

use std::sync::Arc;

use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::{Identity, Polled, TagRef};

/// `config` with its tag on `ruby` taken as it is written.
fn unasked(mut config: BuildConfig) -> BuildConfig {
    let from = Arc::new(StreamTag { unasked: true, ..config.strategy.stream_tag().unwrap().clone() });
    for trigger in config.triggers.iter_mut().filter(|trigger| trigger.from.tag == from.tag) {
        trigger.from = from.clone();
    }
    config.strategy.from = Some(Base::Tag(from));
    config
}

fn source(triggers: &[&str]) -> BuildConfig {
    long_form("app", StrategyKind::Source, "ruby", triggers)
}

#[test]
fn f2_a_tag_that_is_taken_as_it_is_written_fires_once_without_a_look() {
    let mut mind = Mind::start([unasked(source(&["ruby"]))]);
    assert_eq!(mind.builds(), ["app-1 Running"], "and nobody waits for one");
    let base = mind.spec("app-1").base();
    assert_eq!((&*base.reference, &base.digest), ("registry.test/ruby:1", &None));
    assert_eq!(mind.stored("app", "ruby"), Some(Identity::V1Tag));
    mind.complete("app-1");
    mind.load([unasked(source(&["ruby"]))]);
    mind.restart();
    mind.pass(PATIENCE);
    assert_eq!(mind.builds(), ["app-1 Complete"]);
    mind.start_build("app");
    assert_eq!(&*mind.spec("app-2").base().reference, "registry.test/ruby:1");
}

#[test]
fn f2_a_tag_that_was_asked_about_before_is_given_as_it_is_written_and_fires_nothing() {
    let mut mind = Mind::start([source(&["ruby"])]);
    mind.see("ruby", "A");
    mind.complete("app-1");
    mind.load([]);
    mind.load([unasked(source(&["ruby"]))]);
    mind.start_build("app");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
    assert_eq!(&*mind.spec("app-2").base().reference, "registry.test/ruby:1");
}

#[test]
fn f2_a_tag_that_is_asked_about_from_now_on_is_unknown_until_it_was() {
    let mut mind = Mind::start([unasked(source(&["ruby"]))]);
    mind.complete("app-1");
    mind.load([source(&["ruby"])]);
    assert!(matches!(mind.ask(manual("app")).unwrap_err(), StartRefused::Unresolved { .. }));
    mind.see("ruby", "A");
    assert_eq!(mind.causes("app-2"), [("ruby", digest("A"))], "it has a digest now, which it had not");
}

#[test]
fn f2_where_another_stream_asks_there_is_an_answer_for_both() {
    let mut mind = Mind::start([unasked(source(&["ruby"])), watch("lib", &["ruby"])]);
    assert!(mind.builds().is_empty());
    mind.see("ruby", "A");
    assert_eq!(mind.builds(), ["app-1 Running", "lib-1 Running"]);
    assert_eq!(mind.base("app-1"), digest("A"));
}

#[test]
fn f6_a_tag_that_is_a_digest_fires_once_and_is_the_same_after_a_restart() {
    let text = format!("registry.test/ruby@{}", digest("A"));
    let pinned = TagRef::parse_image(&text).unwrap();
    let mut config = source(&["ruby"]);
    let from = StreamTag { tag: pinned.clone(), ..config.strategy.stream_tag().unwrap().clone() };
    config.triggers[0].from = from.into();
    config.strategy.from = Some(Base::Tag(config.triggers[0].from.clone()));
    let mut mind = Mind::start([config.clone()]);
    mind.tell(&Event::Observed { tag: pinned.clone(), found: image("A") });
    assert_eq!(
        (mind.builds(), &*mind.spec("app-1").base().reference),
        (vec!["app-1 Running".to_owned()], &*text)
    );
    mind.complete("app-1");
    mind.restart();
    assert_eq!(mind.controller.records().tags[&pinned].observed.polled, image("A").polled);
    mind.start_build("app");
    assert_eq!(mind.base("app-2"), digest("A"));

    let joined = BuildConfig { key: app("lib"), ..config.clone() };
    mind.load([config, joined]);
    assert_eq!(mind.builds()[2..], ["lib-1 Running"], "nobody waits for a look at what never moves");
}

#[test]
fn what_is_stored_of_such_tags_is_read_as_it_was_written() {
    let pinned = TagRef::parse_image(&format!("registry.test/ruby@{}", digest("A"))).unwrap();
    let asked = unasked(source(&[]));
    let mut mind = Mind::start([asked]);
    mind.see("other", "A");
    let mut records = mind.controller.records().clone();
    let record =
        TagRecord { observed: crate::image::Image::new(image("A").polled, None), ..record(&records) };
    records.put(Record::Tag(pinned, Some(Box::new(record))));
    assert_eq!(reread(&records), records);
    assert_eq!(records.tags[&tag("ruby")].observed.polled, Polled::Unasked);
}

fn record(records: &Records) -> TagRecord {
    (*records.tags[&tag("ruby")]).clone()
}
