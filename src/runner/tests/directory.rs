use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use nix::unistd::{Uid, setfsuid};
use serde_json::Value;

use super::*;
use crate::controller::{Source, StrategyOptions};
use crate::runner::directory::{Directory, remove};

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn build_json_tells_everything_but_the_values_of_the_environment() {
    let mut bench = Bench::new();
    let mut spec = script("cat $BASEWATCH_BUILD_FILE");
    spec.env = vec![("TOKEN".into(), "hunter2".into())];
    spec.labels = BTreeMap::from([("team".into(), "pay".into())]);
    bench.start_attempt(&spec, 2);
    assert_eq!(bench.ended().await.outcome, Outcome::Complete);
    let text = fs::read_to_string(bench.build_dir().join("build.json")).unwrap();
    assert!(bench.log().contains(&text), "the build reads the same file");
    assert!(!text.contains("hunter2"), "{text}");

    let found: Value = serde_json::from_str(&text).unwrap();
    let base = serde_json::json!({
        "named": "docker.io/library/debian:12",
        "tag": "docker.io/library/debian:12",
        "reference": spec.base_image.as_ref().unwrap().reference,
        "digest": Digest::sha256_of(b"new"),
    });
    let cause =
        serde_json::json!({ "type": "image-change", "image": base, "old_digest": Digest::sha256_of(b"old") });
    let expected = serde_json::json!({
        "build": "app-7", "build_config": "app", "namespace": "default", "number": 7,
        "id": spec.id, "attempt": 2, "created": "2026-01-02T03:04:05Z",
        "causes": [cause], "strategy": "Command", "base_image": base,
        "command": ["sh", "-c", "cat $BASEWATCH_BUILD_FILE"], "working_dir": bench.build_dir(),
        "env_names": ["TOKEN"], "labels": { "team": "pay" }, "timeout_ms": 3_600_000,
    });
    assert_eq!(found, expected);
}

#[tokio::test]
async fn build_json_has_values_of_build_arguments_only_for_a_command_that_has_them_from_nowhere_else() {
    let mut bench = Bench::new();
    let mut spec = script("exit 0");
    spec.strategy = StrategyKind::Docker;
    let build_args = vec![("WORD".into(), "hunter2".into())];
    spec.options =
        Some(Box::new(StrategyOptions { build_args, no_cache: true, ..StrategyOptions::default() }));
    let build_file = |bench: &Bench| -> Value {
        serde_json::from_slice(&fs::read(bench.build_dir().join("build.json")).unwrap()).unwrap()
    };
    bench.run(&spec).await;
    let found = build_file(&bench);
    assert_eq!(found["options"]["build_args"], serde_json::json!([["WORD", "hunter2"]]));

    spec.command.clear();
    bench.run(&spec).await;
    let found = build_file(&bench);
    assert!(!found.to_string().contains("hunter2"), "{found}");
    assert_eq!(found["options"], serde_json::json!({ "no_cache": true }));
    assert_eq!(found["build_arg_names"], serde_json::json!(["WORD"]));
}

#[tokio::test]
async fn a_builds_files_are_private() {
    let mut bench = Bench::new();
    bench.run(&script("exit 0")).await;
    let dir = bench.build_dir();
    assert_eq!([mode(dir.join("..")), mode(dir.clone())], [0o700, 0o700]);
    assert_eq!([mode(dir.join("build.json")), mode(dir.join("log"))], [0o600, 0o600]);
}

#[tokio::test]
async fn whatever_a_build_leaves_at_our_names_does_not_stop_the_next_attempt() {
    let mut bench = Bench::new();
    let leave = "cd $HOME; rm -f log build.json; mkfifo log build.json build.json.tmp; mkdir result.json";
    bench.start_attempt(&script(leave), 1);
    assert_eq!(bench.ended().await.outcome, Outcome::Complete);
    bench.start_attempt(&script("test -f $BASEWATCH_BUILD_FILE && echo well"), 2);
    let ended = bench.ended().await;
    assert_eq!((ended.outcome, ended.tail), (Outcome::Complete, vec!["well".to_owned()]));
}

#[tokio::test]
async fn a_discarded_build_leaves_nothing() {
    let mut bench = Bench::new();
    let spec = script("mkdir sub; ln -s / sub/root");
    bench.run(&spec).await;
    bench.exec.discard(&spec.build);
    eventually("the directory to go", || !bench.build_dir().exists()).await;
}

#[test]
fn directories_that_nobody_may_write_to_are_removed_and_links_are_not_followed() {
    // Root may do everything, but for a thread that goes about as somebody else.
    let removing = std::thread::spawn(|| {
        setfsuid(Uid::from_raw(65_534));
        let dir = TempDir::new().unwrap();
        let (tree, beyond) = (dir.path().join("tree"), dir.path().join("beyond"));
        for closed in [tree.join("cache/module@v1/sub"), tree.join("none"), beyond.clone()] {
            fs::create_dir_all(&closed).unwrap();
            fs::write(closed.join("file"), "x").unwrap();
        }
        std::os::unix::fs::symlink(&beyond, tree.join("link")).unwrap();
        let close =
            |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for name in ["cache/module@v1/sub", "cache/module@v1"] {
            close(tree.join(name), 0o555);
        }
        close(tree.join("none"), 0);
        close(beyond.clone(), 0o555);
        assert!(fs::remove_dir_all(&tree).is_err(), "as it is, it cannot be removed");
        remove(&tree).unwrap();
        assert!(!tree.exists());
        assert_eq!((mode(beyond.clone()), beyond.join("file").exists()), (0o555, true));
        close(beyond, 0o755);
    });
    removing.join().unwrap();
}

#[test]
fn what_is_left_of_an_attempt_is_in_no_other_ones_way() {
    let dir = TempDir::new().unwrap();
    let directory = Directory::at(dir.path().to_owned());
    let mut spec = script("exit 0");
    let own = Source { git: None, directory: Some(dir.path().into()), context_dir: None };
    spec.source = Some(Box::new(own));
    let lay = |text: &str| {
        fs::create_dir(dir.path().join("work")).unwrap();
        fs::write(dir.path().join("work/file"), text).unwrap();
        fs::write(dir.path().join("work.json"), text).unwrap();
    };
    let names = || {
        let entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| name.into_string().unwrap());
        names.filter(|name| name.starts_with("work")).collect::<BTreeSet<_>>()
    };
    lay("first");
    directory.prepare(&spec, 2).unwrap();
    let old = names();
    assert!(old.len() == 1 && old.iter().all(|name| name.starts_with("work.old-")), "{old:?}");

    lay("second");
    // As from a removal that was given up long ago.
    directory.remove_old_work().unwrap();
    assert_eq!(names(), BTreeSet::from(["work".to_owned(), "work.json".to_owned()]));
    directory.set_work_aside().unwrap();
    directory.remove_old_work().unwrap();
    assert_eq!(names(), BTreeSet::new());
}

#[tokio::test]
async fn a_sweep_removes_orphans_and_keeps_the_rest() {
    let bench = Bench::new();
    let builds = bench.dir.path().join("builds");
    for name in ["default/app-7", "default/app-8", "other/app-7", "other/theirs-1", "default/notes"] {
        fs::create_dir_all(builds.join(name)).unwrap();
    }
    for name in ["default/app-7", "default/app-8", "other/app-7"] {
        fs::write(builds.join(name).join("build.json"), "{}").unwrap();
    }
    let kept: BuildKey = "default/app-8".parse().unwrap();
    bench.exec.sweep(|build| *build == kept).await;
    let left = |name: &str| builds.join(name).exists();
    eventually("orphans to go", || !left("default/app-7") && !left("other/app-7")).await;
    assert!(left("default/app-8"), "its record is kept");
    assert!(left("other/theirs-1") && left("default/notes"), "these are not ours");
}

#[tokio::test]
async fn a_sweep_before_the_first_build_finds_nothing() {
    let bench = Bench::new();
    bench.exec.sweep(|_| panic!("there is no build")).await;
}
