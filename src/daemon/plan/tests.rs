use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::controller::{Base, ImageSource, ImageUse, Record, StreamTag, TagRecord, TriggerRecord};
use crate::image::{Children, Descriptor, Digest};

fn settings(watches: &[(&str, &str, &str)]) -> config::Settings {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("main.toml");
    let watch = |(name, image, keys): &(&str, &str, &str)| {
        format!(
            "[[watch]]\nname = \"{name}\"\nimage = \"127.0.0.1:5000/{image}\"\nrun = [\"make\"]\n{keys}\n"
        )
    };
    fs::write(&file, watches.iter().map(watch).collect::<String>()).unwrap();
    load(&file)
}

fn load(file: &Path) -> config::Settings {
    let loaded = config::load(file, &config::SecretFiles::Skip);
    loaded.unwrap_or_else(|problems| panic!("{problems}")).settings
}

/// A config on one image by two streams: its strategy by the one, its trigger by the other. The tag of each says this.
fn two_streams(of_strategy: &str, of_trigger: &str) -> config::Settings {
    let stream = |name: &str, keys: &str| {
        format!(
            "[[image_stream]]\nname = \"{name}\"\n[[image_stream.tag]]\nname = \"1\"\n\
             from = {{ kind = \"DockerImage\", name = \"127.0.0.1:5000/base:1\" }}\n{keys}\n"
        )
    };
    let config = "[[build_config]]\nname = \"app\"\n[build_config.strategy]\ntype = \"Source\"\n\
                  from = { name = \"a:1\" }\ncommand = [\"make\"]\n\
                  [[build_config.trigger]]\ntype = \"ImageChange\"\n\
                  image_change = { from = { kind = \"ImageStreamTag\", name = \"b:1\" } }\n";
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("main.toml");
    fs::write(&file, stream("a", of_strategy) + &stream("b", of_trigger) + config).unwrap();
    load(&file)
}

fn tag(image: &str) -> TagRef {
    TagRef::parse_image(&format!("127.0.0.1:5000/{image}")).unwrap()
}

/// What is stored once every tag was seen, and every trigger has fired but for these.
fn records(settings: &config::Settings, unsettled: &[&str]) -> Records {
    let manifest = Descriptor {
        digest: Digest::sha256_of(b"x"),
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        accept_version: 1,
    };
    let mut records = Records::default();
    for config::WatchedTag { tag, .. } in &settings.tags {
        let record = TagRecord {
            observed: Image::new(Polled::Manifest(manifest.clone()), None),
            since: jiff::Timestamp::UNIX_EPOCH,
            earlier: Vec::new(),
            unwatched_since: None,
        };
        records.put(Record::Tag(tag.clone(), Some(Box::new(record))));
    }
    for key in triggers(settings) {
        let stored = Some(Identity::Digest(manifest.digest.clone()));
        let stored = stored.filter(|_| !unsettled.contains(&key.config.name()));
        let record = TriggerRecord { stored, ..TriggerRecord::default() };
        records.put(Record::Trigger(key, Some(Box::new(record))));
    }
    records
}

fn eager(plan: &Plan) -> BTreeMap<&str, bool> {
    let tags = plan.hosts.iter().flat_map(|host| &host.tags);
    tags.map(|tag| (tag.tag.repository(), tag.eager)).collect()
}

/// The tags of the new plan that cannot wait, and those that are asked for besides; `None` for no new plan.
fn said(commands: &[poll::Command]) -> (Option<Vec<&str>>, Vec<&str>) {
    let mut said = (None, Vec::new());
    for command in commands {
        if let poll::Command::Replan(plan) = command {
            let wanted = eager(plan).into_iter().filter_map(|(tag, eager)| eager.then_some(tag));
            said.0 = Some(wanted.collect());
        }
        if let poll::Command::Poll { tags, .. } = command {
            said.1 = tags.iter().map(TagRef::repository).collect();
        }
    }
    said
}

const APP: (&str, &str, &str) = ("app", "base:1", "");
const LIB: (&str, &str, &str) = ("lib", "tools:1", "");

#[test]
fn what_was_never_seen_or_settled_is_eager_at_the_start() {
    let settings = settings(&[APP, LIB]);
    let first = |records: &Records| {
        let plan = first(&settings, records);
        eager(&plan).into_values().collect::<Vec<_>>()
    };
    assert_eq!(first(&Records::default()), [true, true]);
    assert_eq!(first(&records(&settings, &["lib"])), [false, true]);
    assert_eq!(first(&records(&settings, &[])), [false, false]);
}

#[test]
fn polling_hears_nothing_of_what_is_not_its_own() {
    let old = settings(&[APP, LIB]);
    let new = settings(&[("lib", "tools:1", "timeout = \"2h\"\npaused = true"), APP]);
    for unsettled in [&[][..], &["app", "lib"]] {
        let commands = change(&old, &new, &records(&old, unsettled));
        assert!(commands.is_empty(), "whatever waits was not kept waiting: {commands:?}");
    }
}

#[test]
fn a_tag_that_is_new_cannot_wait_and_no_other_is_asked_again() {
    let (old, new) = (settings(&[APP]), settings(&[APP, LIB]));
    let commands = change(&old, &new, &records(&old, &["app"]));
    assert_eq!(said(&commands), (Some(vec!["tools"]), vec![]));
    let back = change(&old, &new, &records(&new, &[]));
    assert_eq!(said(&back), (Some(vec![]), vec![]), "what is remembered may wait for its slot");
}

#[test]
fn a_new_trigger_on_a_known_tag_has_it_asked_at_once() {
    let old = settings(&[APP]);
    let new = settings(&[APP, ("web", "base:1", "")]);
    assert_eq!(said(&change(&old, &new, &records(&old, &["app"]))), (None, vec!["base"]));
}

#[test]
fn another_interval_or_one_tag_less_is_another_plan() {
    let old = settings(&[APP, LIB]);
    let records = records(&old, &[]);
    let sooner = settings(&[("app", "base:1", "interval = \"7m\""), LIB]);
    let commands = change(&old, &sooner, &records);
    let [poll::Command::Replan(plan)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(plan.hosts[0].tags.iter().map(|tag| tag.interval).min(), Some(Duration::from_mins(7)));
    let [poll::Command::Replan(plan)] = &change(&old, &settings(&[LIB]), &records)[..] else { panic!() };
    assert_eq!(plan.hosts[0].tags.len(), 1);
    assert_eq!(plan.hosts[0].tags[0].tag, tag("tools:1"));
}

/// The same settings, whose first tag is polled until it is found.
fn once(mut settings: config::Settings) -> config::Settings {
    settings.tags[0].once = true;
    settings
}

fn until(plan: &Plan) -> Vec<(bool, Until)> {
    plan.hosts[0].tags.iter().map(|tag| (tag.eager, tag.until)).collect()
}

#[test]
fn a_tag_that_was_found_once_is_not_polled_after_a_restart_whatever_its_trigger_stored() {
    let settings = once(settings(&[APP]));
    assert_eq!(until(&first(&settings, &Records::default())), [(true, Until::Found)]);
    for unsettled in [&[][..], &["app"]] {
        let plan = first(&settings, &records(&settings, unsettled));
        assert_eq!(until(&plan), [(false, Until::Asked)]);
    }
}

#[test]
fn what_was_written_down_unasked_is_not_found_yet() {
    let settings = once(settings(&[APP]));
    let mut records = records(&settings, &[]);
    let record = TagRecord {
        observed: Image::new(Polled::Unasked, None),
        since: jiff::Timestamp::UNIX_EPOCH,
        earlier: Vec::new(),
        unwatched_since: None,
    };
    records.put(Record::Tag(tag("base:1"), Some(Box::new(record))));
    assert_eq!(until(&first(&settings, &records)), [(false, Until::Found)]);
}

#[test]
fn a_new_trigger_on_a_tag_that_was_found_once_has_nobody_asked() {
    let old = once(settings(&[APP]));
    let new = once(settings(&[APP, ("web", "base:1", "")]));
    let known = records(&old, &["app"]);
    assert_eq!(said(&change(&old, &new, &known)), (None, vec![]));
}

#[test]
fn a_tag_that_is_added_again_is_imported_again_but_for_a_digest() {
    let pinned = format!("base@{}", Digest::sha256_of(b"x"));
    for (image, expected) in [("base:1", (true, Until::Found)), (&*pinned, (false, Until::Asked))] {
        let away = settings(&[LIB]);
        let mut here = once(settings(&[APP]));
        here.tags[0].tag = tag(image);
        let mut known = records(&here, &[]);
        let commands = change(&away, &here, &known);
        let [poll::Command::Replan(plan)] = &commands[..] else { panic!("{commands:?}") };
        assert_eq!(until(plan), [expected], "{image}, by a reload");
        let record = TagRecord {
            unwatched_since: Some(Box::new(jiff::Timestamp::UNIX_EPOCH)),
            ..(*known.tags[&tag(image)]).clone()
        };
        known.put(Record::Tag(tag(image), Some(Box::new(record))));
        assert_eq!(until(&first(&here, &known)), [expected], "{image}, by a restart");
    }
}

#[test]
fn a_tag_is_looked_into_as_deep_as_the_strategy_or_the_trigger_on_it_needs() {
    let legacy = "import_policy = { import_mode = \"Legacy\" }";
    for settings in [two_streams(legacy, ""), two_streams("", legacy)] {
        let plan = first(&settings, &Records::default());
        let depths: Vec<Depth> = plan.hosts[0].tags.iter().map(|tag| tag.depth).collect();
        assert_eq!(depths, [Depth::Contents]);
    }
    // As much as an image source needs it, if a trigger on the same tag needs less.
    let mut settings = settings(&[APP]);
    let config = std::sync::Arc::make_mut(&mut settings.controller.build_configs[0]);
    let from = StreamTag {
        platforms: Platforms::These(["linux/amd64".parse().unwrap()].into()),
        ..(*config.triggers[0].from).clone()
    };
    let source = ImageSource { from: Base::Tag(std::sync::Arc::new(from)), of_use: ImageUse::default() };
    config.image_sources = [source].into();
    let plan = first(&settings, &Records::default());
    assert_eq!(plan.hosts[0].tags[0].depth, Depth::Contents);
}

#[test]
fn an_index_that_was_found_once_is_polled_until_it_is_read_if_what_is_in_it_matters_since() {
    let plan_of = |keys: &str, children: Option<Children>| {
        let settings = once(settings(&[("app", "base:1", keys)]));
        let index = Descriptor {
            digest: Digest::sha256_of(b"index"),
            media_type: "application/vnd.oci.image.index.v1+json".into(),
            accept_version: 1,
        };
        let record = TagRecord {
            observed: Image::new(Polled::Manifest(index), children),
            since: jiff::Timestamp::UNIX_EPOCH,
            earlier: Vec::new(),
            unwatched_since: None,
        };
        let mut records = records(&settings, &[]);
        records.put(Record::Tag(tag("base:1"), Some(Box::new(record))));
        until(&first(&settings, &records))
    };
    let listed = "platforms = [\"linux/amd64\"]";
    let children = Children::from([("linux/amd64".parse().unwrap(), Digest::sha256_of(b"amd64"))]);
    assert_eq!(plan_of("platforms = \"all\"", None), [(false, Until::Asked)]);
    assert_eq!(plan_of(listed, None), [(false, Until::Found)]);
    assert_eq!(plan_of(listed, Some(children)), [(false, Until::Asked)]);
}

#[test]
fn only_what_is_polled_if_somebody_asks_is_not_awaited() {
    let settings = once(settings(&[APP, LIB]));
    let told = |records: &Records| -> Vec<TagRef> {
        let tag = |event| {
            let Event::Unresolved { tag, is_v2: false } = event else { panic!("{event:?}") };
            tag
        };
        not_awaited(&first(&settings, records)).into_iter().map(tag).collect()
    };
    assert_eq!(told(&Records::default()), []);
    assert_eq!(told(&records(&settings, &["app"])), [settings.tags[0].tag.clone()]);
}
