//! Whatever is tried out, the mind is as it was: nobody can tell it from one that never tried anything.

use std::fs;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::config;
use crate::controller::{PATIENCE, Records, Settings};
use crate::image::{Descriptor, Digest, TagRef};

/// Three configurations that differ in names, pauses and images.
fn configurations() -> Vec<Arc<Settings>> {
    let one = ["app base", "lib tools"];
    let two = ["app base", "web base", "lib tools"];
    let three = ["app tools", "lib base"];
    let settings = |watches: &[&str], keys: &str| {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("main.toml");
        let watch = |watch: &&str| {
            let (name, image) = watch.split_once(' ').unwrap();
            format!(
                "[[watch]]\nname = \"{name}\"\nimages = [\"127.0.0.1:5000/{image}:1\", \"127.0.0.1:5000/all:1\"]\nrun = [\"make\"]\n{keys}\n"
            )
        };
        let daemon = "[daemon]\nmax_builds = 1\nhold_above = 2\n";
        fs::write(&file, watches.iter().map(watch).collect::<String>() + daemon).unwrap();
        let loaded = config::load(&file, &config::SecretFiles::Skip);
        Arc::new(loaded.unwrap_or_else(|problems| panic!("{problems}")).settings.controller)
    };
    vec![settings(&one, ""), settings(&two, "paused = true"), settings(&three, "run_policy = \"Serial\"")]
}

#[derive(Debug, Clone)]
enum Happening {
    Load(usize),
    Found { image: usize, seed: u8 },
    Pass(u16),
    Drain,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        1 => (0..3_usize).prop_map(Happening::Load),
        6 => (0..3_usize, 0..4_u8).prop_map(|(image, seed)| Happening::Found { image, seed }),
        2 => (0..15_u16).prop_map(Happening::Pass),
        1 => Just(Happening::Drain),
    ]
}

fn event_of(happening: &Happening, configurations: &[Arc<Settings>]) -> Event {
    match happening {
        Happening::Load(which) => {
            Event::Load { settings: Arc::clone(&configurations[*which]), after_loss: false }
        }
        Happening::Found { image, seed } => {
            let tag = format!("127.0.0.1:5000/{}:1", ["base", "tools", "all"][*image]);
            let media_type = Descriptor::known_media_type("application/vnd.oci.image.manifest.v1+json");
            let descriptor =
                Descriptor { digest: Digest::sha256_of(&[*seed]), media_type, accept_version: 1 };
            Event::Observed { tag: tag.parse::<TagRef>().unwrap(), found: descriptor.into() }
        }
        Happening::Pass(_) => Event::Tick,
        Happening::Drain => Event::Drain,
    }
}

fn now(seconds: u64) -> Now {
    let wall = Timestamp::from_second(1_800_000_000 + i64::try_from(seconds).unwrap()).unwrap();
    Now { wall, mono: Duration::from_secs(seconds) }
}

/// What one event and its ticks bring, in an order that does not depend on that of hash maps.
fn bring(controller: &mut Controller, event: &Event, now: Now) -> Vec<String> {
    let mut group = Group::default();
    group.decide(controller, event, now);
    group.tick(controller, now);
    let mut brought: Vec<String> = Vec::new();
    for transition in group.transitions() {
        brought.extend(transition.records.iter().map(|record| format!("{record:?}")));
        brought.extend(transition.specs.iter().map(|spec| format!("{spec:?}")));
        brought.extend(transition.effects.iter().map(|effect| format!("{effect:?}")));
        brought.extend(transition.notes.iter().map(|note| format!("{note:?}")));
    }
    brought.sort();
    brought
}

fn fresh() -> Controller {
    Controller::new(Uuid::nil(), Records::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whoever_rehearses_decides_as_its_twin_that_does_not(
        happenings in prop::collection::vec((happening(), prop::collection::vec(happening(), 0..6)), 1..25),
    ) {
        let configurations = configurations();
        let (mut tries, mut twin) = (fresh(), fresh());
        let mut seconds = 0;
        for (real, tried) in &happenings {
            seconds += if let Happening::Pass(more) = real { u64::from(*more) } else { 1 };
            let before = tries.records().clone();
            let next_tick = tries.next_tick(now(seconds));
            let mut rehearsal = Rehearsal::new(&mut tries, now(seconds));
            for happening in tried {
                rehearsal.meet(&event_of(happening, &configurations));
                if let Happening::Pass(more) = happening {
                    rehearsal.wait(Duration::from_secs(u64::from(*more)));
                }
            }
            rehearsal.wait(PATIENCE);
            drop(rehearsal);
            prop_assert_eq!(tries.records(), &before);
            prop_assert_eq!(tries.next_tick(now(seconds)), next_tick);
            let event = event_of(real, &configurations);
            prop_assert_eq!(bring(&mut tries, &event, now(seconds)), bring(&mut twin, &event, now(seconds)));
        }
        prop_assert_eq!(tries.records(), twin.records());
    }
}

#[test]
fn what_is_tried_out_is_what_would_be_decided() {
    let configurations = configurations();
    let mut controller = fresh();
    let load = Happening::Load(0);
    bring(&mut controller, &event_of(&load, &configurations), now(1));
    let found = Happening::Found { image: 0, seed: 1 };
    let mut rehearsal = Rehearsal::new(&mut controller, now(2));
    rehearsal.meet(&event_of(&found, &configurations));
    let made = |rehearsal: &Rehearsal<'_>| {
        rehearsal
            .decided()
            .iter()
            .flat_map(|transition| &transition.specs)
            .map(|spec| spec.build.name())
            .collect::<Vec<_>>()
    };
    assert!(made(&rehearsal).is_empty(), "the other image was not looked at yet");
    rehearsal.wait(PATIENCE);
    assert_eq!(made(&rehearsal), ["app-1"]);
    assert_eq!(rehearsal.controller().live_builds().count(), 1);
    drop(rehearsal);
    assert_eq!(controller.live_builds().count(), 0);
    assert!(controller.records().tags.is_empty());
}
