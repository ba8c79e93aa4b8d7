use std::process::Command;

use super::*;
use crate::controller::{Build, BuiltImage};
use crate::runner::result::{BuildResult, read};

fn built(reference: &str) -> BuiltImage {
    BuiltImage { reference: reference.into(), digest: Digest::sha256_of(b"built") }
}

fn json(images: &[BuiltImage]) -> String {
    serde_json::json!({ "images": images }).to_string()
}

fn read_text(text: &str) -> (Vec<BuiltImage>, Option<String>) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("result.json");
    fs::write(&path, text).unwrap();
    let (result, wrong) = read(&path);
    (result.images, wrong.map(|error| error.to_string()))
}

#[tokio::test]
async fn what_a_build_made_is_reported_but_never_what_an_earlier_attempt_made() {
    let mut bench = Bench::new();
    let image = built("registry.example.com/app:1");
    let mut spec = script("[ $BASEWATCH_ATTEMPT = 2 ] || printf %s \"$RESULT\" > $BASEWATCH_RESULT_FILE");
    spec.env = vec![("RESULT".into(), json(std::slice::from_ref(&image)))];
    bench.start_attempt(&spec, 1);
    assert_eq!(bench.ended().await.images, [image]);
    bench.start_attempt(&spec, 2);
    assert_eq!(bench.ended().await.images, []);
}

#[tokio::test]
async fn a_malformed_result_is_a_warning_in_the_builds_log_and_no_failure() {
    let mut bench = Bench::new();
    let ended = bench.run(&script("echo '{\"images\": 5}' > $BASEWATCH_RESULT_FILE")).await;
    assert_eq!((ended.outcome, ended.images.len()), (Outcome::Complete, 0));
    assert!(bench.log().contains("--- warning: result file: it is not {\"images\""), "{}", bench.log());
}

#[test]
fn a_file_that_is_wrong_names_what_is_wrong() {
    let many: Vec<BuiltImage> = (0..9).map(|number| built(&format!("host/app:{number}"))).collect();
    let (images, wrong) = read_text(&json(&many));
    assert_eq!(images, many[..Build::IMAGES_KEPT]);
    assert!(wrong.unwrap().contains("9 images"));

    let table = [
        (format!("{{\"images\":[],\"x\":\"{}\"}}", "y".repeat(70_000)), "longer than 65536 bytes"),
        (json(&[built("host/app:1"), built("two words")]), "reference 2"),
        (json(&[built(&"x".repeat(301))]), "reference 1"),
        (
            "{\"images\":[{\"reference\":\"host/app\",\"digest\":\"sha256:00\"}]}".to_owned(),
            "64 lower-case hex",
        ),
        ("{\"commit\":\"HEAD\"}".to_owned(), "commit in it"),
        ("\u{0}".to_owned(), "it is not {\"images\""),
    ];
    for (text, says) in table {
        let (images, wrong) = read_text(&text);
        assert_eq!(images, []);
        assert!(wrong.as_deref().is_some_and(|wrong| wrong.contains(says)), "{wrong:?} for {says}");
    }
}

#[test]
fn images_and_commit_are_believed_each_for_itself() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("result.json");
    let good = "0".repeat(40);
    for (reference, commit, images_kept, commit_kept) in
        [("host/app:1", "HEAD", 1, false), ("two words", &good, 0, true), ("host/app:1", &good, 1, true)]
    {
        let text = serde_json::json!({ "images": [built(reference)], "commit": commit });
        fs::write(&path, text.to_string()).unwrap();
        let (result, wrong) = read(&path);
        assert_eq!((result.images.len(), result.commit.is_some()), (images_kept, commit_kept), "{text}");
        assert_eq!(wrong.is_some(), images_kept == 0 || !commit_kept, "{text}");
    }
}

#[test]
fn only_a_plain_file_is_read() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    assert!(matches!(read(&path("missing")), (result, None) if result == BuildResult::default()));

    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    fs::create_dir(path("dir")).unwrap();
    fs::write(path("good"), json(&[built("host/app:1")])).unwrap();
    std::os::unix::fs::symlink(path("good"), path("link")).unwrap();
    assert_eq!(read(&path("good")).0.images, [built("host/app:1")]);
    for name in ["pipe", "dir", "link"] {
        let (result, wrong) = read(&path(name));
        assert!(result == BuildResult::default() && wrong.is_some(), "{name}");
    }
}
