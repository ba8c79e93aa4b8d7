use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::*;
use crate::controller::StrategyOptions;

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
