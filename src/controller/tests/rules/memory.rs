//! What is remembered, for how long, and what is let go (F39, D19).

use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::{Children, Digest, Identity, MOST_CHILDREN, kept_of};

fn keeping(successful: usize, failed: usize) -> BuildConfig {
    let retry = Retry { attempts: 1, backoff: MINUTE };
    with(watch("app", &["debian"]), |policy| {
        policy.history = History { successful, failed };
        policy.retry = retry;
    })
}

/// Makes a build for the next image and ends it.
fn build_one(mind: &mut Mind, number: u64, outcome: Outcome) {
    mind.see("debian", &format!("image {number}"));
    mind.end(&format!("app-{number}"), outcome);
}

fn failure() -> Outcome {
    Outcome::Failed(Failure::Exit(1))
}

#[test]
fn the_newest_builds_of_each_kind_are_kept_and_the_files_of_the_others_go() {
    let mut mind = Mind::start([keeping(2, 1)]);
    for number in 1..=4 {
        build_one(&mut mind, number, Outcome::Complete);
    }
    for number in 5..=6 {
        build_one(&mut mind, number, failure());
    }
    assert_eq!(mind.builds(), ["app-3 Complete", "app-4 Complete", "app-6 Failed"]);
    let gone = |name: &str| mind.effects.contains(&Effect::Discard(build(name)));
    assert!(["app-1", "app-2", "app-5"].iter().all(|name| gone(name)));
    assert!(!["app-3", "app-4", "app-6"].iter().any(|name| gone(name)));
}

#[test]
fn the_last_complete_build_is_never_let_go() {
    let mut mind = Mind::start([keeping(0, 0)]);
    build_one(&mut mind, 1, Outcome::Complete);
    for number in 2..=4 {
        build_one(&mut mind, number, failure());
    }
    assert_eq!(mind.builds(), ["app-1 Complete"]);
    build_one(&mut mind, 5, Outcome::Complete);
    assert_eq!(mind.builds(), ["app-5 Complete"]);
}

#[test]
fn a_build_that_has_not_ended_is_never_let_go() {
    let mut mind = Mind::start([serial(keeping(0, 0))]);
    for version in ["A", "B", "C"] {
        mind.see("debian", version);
    }
    mind.fail("app-1");
    assert_eq!(mind.builds(), ["app-2 Running", "app-3 New"]);
}

#[test]
fn what_was_unwatched_for_less_than_thirty_days_fires_nothing_when_it_returns() {
    let mut mind = Mind::start([keeping(5, 5)]);
    build_one(&mut mind, 1, Outcome::Complete);
    mind.load([]);
    mind.pass(29 * DAY);
    mind.load([]);
    mind.load([keeping(5, 5)]);
    mind.see("debian", "image 1");
    mind.pass(PATIENCE);
    assert_eq!(mind.builds(), ["app-1 Complete"]);

    mind.pass(29 * DAY);
    mind.load([]);
    mind.pass(29 * DAY);
    mind.load([keeping(5, 5)]);
    assert!(mind.trigger("app", "debian").unwrap().stored.is_some(), "the days are counted anew");
}

#[test]
fn what_moved_while_it_was_unwatched_fires_once_when_it_returns() {
    let mut mind = Mind::start([keeping(5, 5)]);
    build_one(&mut mind, 1, Outcome::Complete);
    mind.load([]);
    mind.load([keeping(5, 5)]);
    mind.see("debian", "image 2");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
}

#[test]
fn what_was_unwatched_for_longer_is_forgotten_and_new_when_it_returns() {
    let mut mind = Mind::start([keeping(5, 5)]);
    build_one(&mut mind, 1, Outcome::Complete);
    mind.load([]);
    mind.pass(30 * DAY + SECOND);
    mind.load([]);
    let records = mind.controller.records();
    assert!(records.triggers.is_empty() && records.tags.is_empty());

    mind.load([keeping(5, 5)]);
    mind.see("debian", "image 1");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"], "its numbers go on");
}

#[test]
fn a_clock_that_was_set_back_forgets_nothing() {
    let mut mind = Mind::start([keeping(5, 5)]);
    build_one(&mut mind, 1, Outcome::Complete);
    mind.load([]);
    mind.now.wall -= 400 * DAY;
    mind.load([]);
    assert!(mind.trigger("app", "debian").is_some());
}

#[test]
fn earlier_digests_are_kept_once_each_up_to_a_limit() {
    let mut mind = Mind::start([keeping(0, 0)]);
    for round in 0..3 {
        mind.see("debian", "A");
        mind.see("debian", "B");
        assert_eq!(
            mind.controller.records().tags[&tag("debian")].earlier.len(),
            if round == 0 { 1 } else { 2 }
        );
    }
    for number in 0..20 {
        mind.see("debian", &number.to_string());
    }
    let record = &mind.controller.records().tags[&tag("debian")];
    assert_eq!(record.earlier.len(), TagRecord::EARLIER);
    assert_eq!(record.earlier.last(), Some(&digest("18")));
}

#[test]
fn a_group_that_could_not_be_stored_is_taken_back_as_a_whole() {
    let mut mind = Mind::start([watch("app", &["debian"]), watch("lib", &["debian", "node"])]);
    mind.see("debian", "A");
    let events = [
        Event::Observed { tag: tag("node"), found: image("A") },
        Event::Tick,
        Event::Tick,
        Event::Ended(ended(build("app-1"), 1, failure())),
        Event::Load { settings: settings([watch("lib", &["debian"])]).into(), after_loss: false },
        Event::Tick,
        Event::Observed { tag: tag("debian"), found: image("B") },
        Event::Drain,
        Event::Tick,
    ];
    let before = mind.controller.records().clone();
    let ask =
        |mind: &Mind| events.iter().map(|e| format!("{:?}", mind.controller.decide(e, mind.now))).collect();
    let answers: Vec<String> = ask(&mind);
    let mut undos = Vec::new();
    for event in &events {
        let transition = mind.controller.decide(event, mind.now);
        undos.push(mind.controller.apply(&transition));
    }
    assert_ne!(*mind.controller.records(), before);
    for undo in undos.into_iter().rev() {
        mind.controller.undo(undo);
    }
    assert_eq!(*mind.controller.records(), before);
    assert_eq!(ask(&mind), answers);
}

#[test]
fn a_look_that_was_on_its_way_when_its_tag_was_removed_does_not_bring_it_back() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.complete("app-1");
    mind.load([watch("lib", &["node"])]);
    let removed = mind.controller.records().clone();
    assert!(removed.tags[&tag("debian")].unwatched_since.is_some());
    assert!(mind.see("debian", "B").is_empty() && mind.see("redis", "A").is_empty());
    mind.miss("debian");
    assert_eq!(*mind.controller.records(), removed);
    assert!(mind.controller.watches(&tag("node")) && !mind.controller.watches(&tag("debian")));
}

#[test]
fn what_is_stored_of_a_trigger_is_within_four_kilobytes_at_worst() {
    let platform = |number: usize| format!("windows(10.0.20348.{number:015})/amd64/v1").parse().unwrap();
    let full: Children = (0..MOST_CHILDREN).map(|number| (platform(number), digest("A"))).collect();
    let own = Digest::sha512_of(b"own");
    let identity = Identity::Index { digest: own.clone(), children: Some(kept_of(&own, full.clone())) };
    assert_eq!(identity.children(), Some(&full));
    let instant = dawn().wall + SECOND / 7;
    let record = TriggerRecord {
        stored: Some(identity.clone()),
        pending: Some(Box::new(PendingChange { identity, since: instant })),
        record_next: true,
        pause: Some(Box::new(Pause {
            since: instant,
            by: PausedBy::Command,
            reason: Some("x".repeat(Pause::LONGEST_REASON).into()),
            until: Some(instant),
        })),
        paused_in_config: true,
        unwatched_since: Some(Box::new(instant)),
    };
    let length = serde_json::to_vec(&record).unwrap().len();
    assert!(length < 4096, "{length}");

    let long = Children::from([("linux/amd64".parse().unwrap(), Digest::sha512_of(b"A"))]);
    let kept = kept_of(&digest("own"), long);
    assert_eq!(kept.values().collect::<Vec<_>>(), [&digest("own")], "long digests are not told apart");
}

#[test]
fn a_state_from_before_builds_could_be_asked_for_opens() {
    let manifest = format!(
        r#"{{"digest":"{}","media_type":"application/vnd.oci.image.manifest.v1+json","accept_version":1}}"#,
        digest("A")
    );
    let lines = [
        format!(
            r#"{{"tag":["registry.test/debian:1",{{"observed":{{"polled":{manifest}}},"since":"{WHEN}"}}]}}"#
        ),
        format!(
            r#"{{"trigger":[{{"config":"default/app","tag":"registry.test/debian:1"}},{{"stored":{{"digest":"{}"}}}}]}}"#,
            digest("A")
        ),
        r#"{"config":["default/app",{"last_number":1}]}"#.to_owned(),
        format!(
            r#"{{"build":["default/app-1",{{"id":"{STORE}","urgency":"image-change","run_policy":"SerialLatestOnly",
            "supersede":"images","created":"{WHEN}","ended":"{WHEN}","phase":"complete","attempts":1,
            "history":[{{"number":1,"started":"{WHEN}","outcome":"complete"}}]}}]}}"#
        ),
    ];
    let mut stored = Records::default();
    for line in &lines {
        stored.put(serde_json::from_str(line).unwrap());
    }
    let mut mind = Mind::over(stored.clone(), settings([config_change(watch("app", &["debian"]))]));
    mind.see("debian", "A");
    mind.pass(PATIENCE);
    assert_eq!(*mind.controller.records().builds[&build("app-1")], *stored.builds[&build("app-1")]);
    assert_eq!(mind.builds(), ["app-1 Complete"], "nothing of it is built again");
    mind.start_build("app");
    assert_eq!((mind.base("app-2"), mind.builds().len()), (digest("A"), 2));
}

/// When that state was written.
const WHEN: &str = "2027-01-15T08:00:00Z";
