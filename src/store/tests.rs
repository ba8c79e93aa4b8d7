//! The store against real files: closed well, cut off, damaged, full.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::recover::{self, Recovery};
use super::*;
use crate::controller::{
    BuildSpec, ConfigKey, ConfigRecord, RegistryRecord, TagRecord, TriggerKey, TriggerRecord,
};
use crate::image::{Descriptor, Digest, Image, Polled, TagRef};

fn tag(number: usize) -> TagRef {
    format!("registry.test:5000/team/app-{number}:1").parse().unwrap()
}

fn tag_record(number: usize, content: &str) -> Record {
    let polled = Polled::Manifest(Descriptor {
        digest: Digest::sha256_of(content.as_bytes()),
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        accept_version: 1,
    });
    let observed = Image::new(polled, None);
    let record =
        TagRecord { observed, since: Timestamp::UNIX_EPOCH, earlier: Vec::new(), unwatched_since: None };
    Record::Tag(tag(number), Some(Box::new(record)))
}

fn registry_record(host: &str) -> Record {
    let record = RegistryRecord { v2_since: Some(Timestamp::UNIX_EPOCH) };
    Record::Registry(host.into(), Some(Box::new(record)))
}

fn transition(records: Vec<Record>) -> Transition {
    Transition { records, ..Transition::default() }
}

fn config_record(name: &str, last_number: u64) -> Record {
    let record = ConfigRecord { last_number, ..ConfigRecord::default() };
    Record::Config(ConfigKey::new("default", name), Some(Box::new(record)))
}

async fn fill(store: &Store, from: usize, to: usize) {
    for number in from..to {
        let trigger = TriggerKey { config: ConfigKey::new("default", "app"), tag: tag(number) };
        let trigger = Record::Trigger(trigger, Some(Box::new(TriggerRecord::default())));
        let group = [
            transition(vec![tag_record(number, "a"), trigger]),
            transition(vec![config_record("app", number as u64)]),
        ];
        store.commit(&group).await.unwrap();
    }
}

/// What a kill -9 leaves: the files as they are at this moment.
fn crash_image(dir: &Path) -> TempDir {
    let image = TempDir::new().unwrap();
    copy(dir, image.path());
    image
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn journal_files(dir: &Path) -> Vec<PathBuf> {
    spec::numbered_files(&dir.join("journal"), ".log").unwrap().into_iter().map(|(_, path)| path).collect()
}

fn journal_bytes(dir: &Path) -> u64 {
    journal_files(dir).iter().map(|path| path.metadata().unwrap().len()).sum()
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_clean_close() {
    let dir = TempDir::new().unwrap();
    let first = Store::open(dir.path()).unwrap();
    assert_eq!(first.recovery, Recovery::First);
    fill(&first.store, 0, 20).await;
    first.store.close().await;

    let again = Store::open(dir.path()).unwrap();
    assert_eq!(again.recovery, Recovery::Whole { replayed: 0 });
    assert_eq!(again.store_id, first.store_id);
    assert_eq!((again.records.tags.len(), again.records.triggers.len()), (20, 20));
    assert_eq!(again.records.configs[&ConfigKey::new("default", "app")].last_number, 19);
}

#[tokio::test]
async fn d10_what_was_found_out_about_a_host_is_there_after_a_crash_a_stop_and_a_rebuild() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    let host = "registry.test:5000";
    opened.store.commit(&[transition(vec![registry_record(host)])]).await.unwrap();
    let is_there = |dir: &Path| Store::open(dir).unwrap().records.v2_hosts().contains(host);
    assert!(is_there(crash_image(dir.path()).path()));
    opened.store.close().await;
    assert!(is_there(crash_image(dir.path()).path()));
    let rebuilt = crash_image(dir.path());
    fs::remove_dir_all(rebuilt.path().join("db")).unwrap();
    assert!(is_there(rebuilt.path()));
}

#[tokio::test]
async fn a_state_from_before_there_were_registries_in_it_opens() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    fill(&opened.store, 0, 3).await;
    opened.store.close().await;
    let db = sled::open(dir.path().join("db")).unwrap();
    assert!(db.drop_tree("registries").unwrap());
    drop(db);

    let again = Store::open(dir.path()).unwrap();
    assert_eq!(again.recovery, Recovery::Whole { replayed: 0 });
    assert_eq!((again.records.tags.len(), again.records.registries.len()), (3, 0));
    again.store.commit(&[transition(vec![registry_record("registry.test:5000")])]).await.unwrap();
    again.store.close().await;
    assert_eq!(Store::open(dir.path()).unwrap().records.registries.len(), 1);
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_crash() {
    let dir = TempDir::new().unwrap();
    let first = Store::open(dir.path()).unwrap();
    for number in 0..20 {
        fill(&first.store, number, number + 1).await;
        let image = crash_image(dir.path());
        let again = Store::open(image.path()).unwrap();
        assert!(matches!(again.recovery, Recovery::Whole { .. }), "{:?}", again.recovery);
        assert_eq!(again.records.tags.len(), number + 1);
        assert_eq!(again.store_id, first.store_id);
    }
}

#[tokio::test]
async fn a_transition_that_stores_nothing_writes_nothing() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    fill(&opened.store, 0, 3).await;
    let before = journal_bytes(dir.path());
    opened.store.commit(&[Transition::default(), Transition::default()]).await.unwrap();
    assert_eq!(journal_bytes(dir.path()), before);
}

#[tokio::test]
async fn a_line_cut_off_at_the_end_is_dropped_and_no_loss() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    fill(&opened.store, 0, 3).await;
    let image = crash_image(dir.path());
    let journal = journal_files(image.path()).pop().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    bytes.extend_from_slice(b"0badc0de {\"seq\":7,\"at\":\"20");
    fs::write(&journal, &bytes).unwrap();

    let again = Store::open(image.path()).unwrap();
    assert!(matches!(again.recovery, Recovery::Whole { .. }), "{:?}", again.recovery);
    fill(&again.store, 3, 4).await;
    let later = Store::open(crash_image(image.path()).path()).unwrap();
    assert!(matches!(later.recovery, Recovery::Whole { .. }), "{:?}", later.recovery);
    assert_eq!(later.records.tags.len(), 4);
}

/// Flips a bit in the middle of the newest journal.
fn flip_journal(dir: &Path) {
    let journal = journal_files(dir).pop().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::write(&journal, &bytes).unwrap();
}

#[tokio::test]
async fn a_bad_line_that_the_database_has_is_no_loss() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    fill(&opened.store, 0, 5).await;
    let image = crash_image(dir.path());
    flip_journal(image.path());

    let again = Store::open(image.path()).unwrap();
    assert!(matches!(again.recovery, Recovery::Rebuilt { .. }), "{:?}", again.recovery);
    assert_eq!((again.store_id, again.records.tags.len()), (opened.store_id, 5));
    again.store.close().await;
    assert_eq!(Store::open(image.path()).unwrap().recovery, Recovery::Whole { replayed: 0 });
    assert!(image.path().join("quarantine").is_dir());
}

#[tokio::test]
async fn a_bad_line_that_the_database_lacks_is_a_loss_until_it_is_allowed_for() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    fill(&opened.store, 0, 1).await;
    let early = crash_image(dir.path());
    fill(&opened.store, 1, 9).await;
    let image = crash_image(dir.path());
    fs::remove_dir_all(image.path().join("db")).unwrap();
    copy(&early.path().join("db"), &image.path().join("db"));
    flip_journal(image.path());

    let again = Store::open(image.path()).unwrap();
    assert!(again.recovery.is_loss(), "{:?}", again.recovery);
    assert_ne!(again.store_id, opened.store_id, "build ids must not be used twice after a loss");
    again.store.close().await;
    // Whoever met the loss may have died before it could act on it.
    let again = Store::open(image.path()).unwrap();
    assert!(again.recovery.is_loss(), "{:?}", again.recovery);
    again.store.forget_loss().unwrap();
    again.store.close().await;
    assert_eq!(Store::open(image.path()).unwrap().recovery, Recovery::Whole { replayed: 0 });
}

#[tokio::test]
async fn a_first_start_that_was_cut_off_is_still_a_first_start() {
    let dir = TempDir::new().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let whole = crash_image(dir.path());
    for missing in [&["db"][..], &["journal", "db"], &["journal", "db", "snapshot"], &["lock"]] {
        let image = crash_image(whole.path());
        for name in missing {
            let path = image.path().join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        let again = Store::open(image.path()).unwrap();
        assert!(!again.recovery.is_loss(), "without {missing:?}: {:?}", again.recovery);
        fill(&again.store, 0, 2).await;
        again.store.close().await;
        assert_eq!(Store::open(image.path()).unwrap().records.tags.len(), 2);
    }
}

#[tokio::test]
async fn a_line_cut_off_and_a_database_gone_are_no_loss_and_not_one_start_later_either() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    fill(&opened.store, 0, 3).await;
    let image = crash_image(dir.path());
    let journal = journal_files(image.path()).pop().unwrap();
    let bytes = [&fs::read(&journal).unwrap()[..], b"0badc0de {\"seq\":7,\"at\":\"20"].concat();
    fs::write(&journal, bytes).unwrap();
    remove_database(image.path());
    for expected in [3, 4, 5] {
        let again = Store::open(image.path()).unwrap();
        assert!(!again.recovery.is_loss(), "{:?}", again.recovery);
        assert_eq!(again.records.tags.len(), expected);
        fill(&again.store, expected, expected + 1).await;
        again.store.close().await;
    }
}

#[tokio::test]
async fn many_specs_of_one_group_are_all_there() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    let specs: Vec<BuildSpec> = (1..=60).map(spec_of).collect();
    let transition = Transition { specs: specs.clone(), ..transition(vec![config_record("app", 60)]) };
    opened.store.commit(&[transition]).await.unwrap();
    for spec in &specs {
        assert_eq!(opened.store.specs().read(&spec.build).unwrap(), *spec);
    }
    let names = fs::read_dir(dir.path().join("specs/default")).unwrap();
    assert_eq!(names.count(), 60, "nothing half written is left beside them");
}

fn spec_of(number: u64) -> BuildSpec {
    let json = serde_json::json!({
        "build": format!("default/app-{number}"), "id": Uuid::nil(), "created": "2026-01-01T00:00:00Z",
        "causes": [], "command": ["true"], "timeout": { "secs": 1, "nanos": 0 },
        "base_image": { "named": "debian", "tag": "docker.io/library/debian:12", "reference": "x@sha256:1" },
    });
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn a_damaged_database_is_put_aside_and_rebuilt_from_snapshot_and_journal() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    let store_id = opened.store_id;
    fill(&opened.store, 0, 30).await;
    opened.store.close().await;
    let opened = Store::open(dir.path()).unwrap();
    fill(&opened.store, 30, 40).await;

    for (damage, remains) in
        [(truncate_database as fn(&Path), true), (flip_database, true), (remove_database, false)]
    {
        let image = crash_image(dir.path());
        damage(image.path());
        let again = Store::open(image.path()).unwrap();
        assert_eq!(again.records.tags.len(), 40);
        let Recovery::Rebuilt { quarantine, .. } = &again.recovery else { panic!("{:?}", again.recovery) };
        assert_eq!(quarantine.is_some(), remains);
        assert!(quarantine.iter().all(|quarantine| quarantine.join("db").is_dir()));
        assert_eq!(again.store_id, store_id);
        again.store.close().await;
        let later = Store::open(image.path()).unwrap();
        assert_eq!(later.recovery, Recovery::Whole { replayed: 0 });
        assert_eq!(later.records.tags.len(), 40);
    }
}

fn truncate_database(dir: &Path) {
    let file = File::options().write(true).open(dir.join("db/db")).unwrap();
    file.set_len(100).unwrap();
}

fn flip_database(dir: &Path) {
    let path = dir.join("db/db");
    let mut bytes = fs::read(&path).unwrap();
    for byte in bytes.iter_mut().step_by(97) {
        *byte ^= 0x55;
    }
    fs::write(&path, bytes).unwrap();
}

fn remove_database(dir: &Path) {
    fs::remove_dir_all(dir.join("db")).unwrap();
}

#[tokio::test]
async fn a_database_older_than_its_last_sync_is_not_believed() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    fill(&opened.store, 0, 5).await;
    opened.store.close().await;
    let old = crash_image(dir.path());
    let opened = Store::open(dir.path()).unwrap();
    fill(&opened.store, 5, 10).await;
    opened.store.close().await;
    fs::remove_dir_all(dir.path().join("db")).unwrap();
    copy(&old.path().join("db"), &dir.path().join("db"));

    let again = Store::open(dir.path()).unwrap();
    assert!(matches!(again.recovery, Recovery::Rebuilt { .. }), "{:?}", again.recovery);
    assert_eq!(again.records.tags.len(), 10);
}

#[tokio::test]
async fn builds_without_a_state_are_a_loss_and_not_a_first_start() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("builds/default/app-1")).unwrap();
    let opened = Store::open(dir.path()).unwrap();
    assert!(opened.recovery.is_loss());
    opened.store.forget_loss().unwrap();
    opened.store.close().await;
    assert_eq!(Store::open(dir.path()).unwrap().recovery, Recovery::Whole { replayed: 0 });
}

#[tokio::test]
async fn a_second_process_is_told_that_the_state_is_in_use() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Locked(_)), "{error}");
    opened.store.close().await;
    assert!(Store::open(dir.path()).is_ok());
}

#[tokio::test]
async fn checkpoints_keep_the_journal_short_and_lose_nothing() {
    let dir = TempDir::new().unwrap();
    for round in 0..5 {
        let opened = Store::open(dir.path()).unwrap();
        fill(&opened.store, round * 10, round * 10 + 10).await;
        opened.store.close().await;
    }
    assert!(journal_files(dir.path()).len() <= 3, "{:?}", journal_files(dir.path()));
    assert_eq!(spec::numbered_files(&dir.path().join("snapshot"), ".snap").unwrap().len(), 2);
    // The newest snapshot is damaged as well as the database: the one before and the journals since it do.
    remove_database(dir.path());
    let (_, newest) = spec::numbered_files(&dir.path().join("snapshot"), ".snap").unwrap().pop().unwrap();
    fs::write(newest, b"nonsense\n").unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().records.tags.len(), 50);
}

#[tokio::test]
async fn an_older_format_is_exported_before_it_is_upgraded_and_a_newer_one_refused() {
    let dir = TempDir::new().unwrap();
    let opened = Store::open(dir.path()).unwrap();
    fill(&opened.store, 0, 3).await;
    opened.store.close().await;

    let upgrade: recover::Upgrade = |mut records| {
        records.put(config_record("upgraded", 1));
        records
    };
    let found = recover::open_with(dir.path(), &[upgrade], 2).unwrap();
    assert!(found.records.configs.contains_key(&ConfigKey::new("default", "upgraded")));
    drop((found.database, found.journal));
    let exports = fs::read_dir(dir.path().join("exports")).unwrap().count();
    assert_eq!(exports, 1);

    let again = recover::open_with(dir.path(), &[upgrade], 2).unwrap();
    assert_eq!(again.recovery, Recovery::Whole { replayed: 0 });
    drop((again.database, again.journal));
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error}");
}
