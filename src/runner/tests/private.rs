use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::controller::Venue;
use crate::runner::private::Private;
use crate::runner::redact::Redactor;

/// What `secrets` and `auth_file` name, written as an editor would.
fn venue(dir: &TempDir, secrets: &[(&str, &str)], auth: Option<&str>) -> Box<Venue> {
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.into_boxed_path()
    };
    let secrets = secrets.iter().map(|(name, text)| ((*name).into(), write(name, text))).collect();
    Box::new(Venue { runner: None, secrets, auth_file: auth.map(|text| write("auth.json", text)) })
}

fn redactor(secrets: &[(&str, &str)], auth: Option<&str>) -> Redactor {
    let dir = TempDir::new().unwrap();
    Redactor::of(&Private::read(Some(&venue(&dir, secrets, auth))).unwrap())
}

fn redacted(redactor: &mut Redactor, pieces: &[&[u8]]) -> String {
    let mut shown: Vec<u8> = pieces.iter().flat_map(|piece| redactor.push(piece).into_owned()).collect();
    shown.extend(redactor.finish());
    String::from_utf8_lossy(&shown).into_owned()
}

#[tokio::test]
async fn secrets_are_files_of_the_build_as_long_as_it_lives() {
    let mut bench = Bench::new();
    let files = TempDir::new().unwrap();
    let mut spec = script(
        "cd $BASEWATCH_SECRETS_DIR && stat -c '%a %n' . npm && wc -c < npm && pwd > $BASEWATCH_RESULT_FILE.dir
         test $DOCKER_CONFIG/config.json = $REGISTRY_AUTH_FILE && stat -c %a $REGISTRY_AUTH_FILE",
    );
    spec.venue = Some(venue(&files, &[("npm", "hunter2\n")], Some("{\"auths\":{}}")));
    let ended = bench.run(&spec).await;
    assert_eq!(ended.tail, ["700 .", "400 npm", "8", "400"], "{}", bench.log());
    let dir = fs::read_to_string(bench.build_dir().join("result.json.dir")).unwrap();
    assert!(dir.starts_with(bench.build_dir().to_str().unwrap()), "{dir}");
    assert!(!Path::new(dir.trim()).exists() && !bench.build_dir().join("private").exists());
}

#[tokio::test]
async fn with_a_runtime_directory_they_are_there() {
    let runtime = TempDir::new().unwrap();
    let mut bench = Bench::with(|settings| settings.runtime_dir = Some(runtime.path().into()));
    let files = TempDir::new().unwrap();
    let mut spec = script("echo $BASEWATCH_SECRETS_DIR; exit 3");
    spec.venue = Some(venue(&files, &[("npm", "hunter2")], None));
    let ended = bench.run(&spec).await;
    assert_eq!(ended.tail, [format!("{}/builds/{}/secrets", runtime.path().display(), spec.id)]);
    assert_eq!(fs::read_dir(runtime.path().join("builds")).unwrap().count(), 0, "a failed build leaves none");
}

#[tokio::test]
async fn what_was_left_of_an_attempt_that_nobody_saw_end_is_removed() {
    let mut bench = Bench::new();
    let spec = script("");
    let left = bench.build_dir().join("private/secrets");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("npm"), "hunter2").unwrap();
    bench.exec.adopt(attempt(&spec, 1));
    assert_eq!(bench.ended().await.outcome, Outcome::Interrupted);
    assert!(!bench.build_dir().join("private").exists());
}

#[tokio::test]
async fn a_secret_that_is_printed_is_redacted_wherever_the_output_goes() {
    let mut bench = Bench::new();
    let files = TempDir::new().unwrap();
    let mut spec = script(
        "printf 'it is '; head -c 3 $BASEWATCH_SECRETS_DIR/npm; tail -c +4 $BASEWATCH_SECRETS_DIR/npm",
    );
    spec.venue = Some(venue(&files, &[("npm", "hunter2\n")], None));
    let ended = bench.run(&spec).await;
    assert_eq!(ended.tail, ["it is <redacted>"]);
    assert!(
        bench.log().contains("it is <redacted>\n") && !bench.log().contains("hunter2"),
        "{}",
        bench.log()
    );
}

#[tokio::test]
async fn a_secret_in_what_a_build_says_of_itself_is_redacted_too() {
    let mut bench = Bench::new();
    let files = TempDir::new().unwrap();
    let venue = venue(&files, &[("npm", "hunter2")], None);
    let digest = format!("sha256:{}", "0".repeat(64));
    let says = |text: &str| {
        let mut spec = script(&format!("printf '%s' '{text}' > $BASEWATCH_RESULT_FILE"));
        spec.venue = Some(venue.clone());
        spec
    };
    let image = format!("{{\"images\":[{{\"reference\":\"host/hunter2:1\",\"digest\":\"{digest}\"}}]}}");
    let ended = bench.run(&says(&image)).await;
    assert_eq!(*ended.images[0].reference, *"host/<redacted>:1");
    bench.run(&says("{\"images\":\"hunter2\"}")).await;
    let log = bench.log();
    assert!(
        log.contains("warning: result file") && log.contains("<redacted>") && !log.contains("hunter2"),
        "{log}"
    );
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_named_and_nothing_is_run() {
    let mut bench = Bench::new();
    let files = TempDir::new().unwrap();
    let mut spec = script("echo ran");
    spec.venue = Some(venue(&files, &[("npm", "hunter2")], None));
    fs::remove_file(files.path().join("npm")).unwrap();
    let Outcome::NotStarted(error) = bench.run(&spec).await.outcome else { panic!("it ran") };
    assert!(error.starts_with("read the secret npm from ") && error.contains("No such file"), "{error}");
}

#[test]
fn a_vault_is_for_its_owner_alone() {
    let (dir, files) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let private = Private::read(Some(&venue(&files, &[("a", "1"), ("b", "2")], None))).unwrap();
    let vault = crate::runner::private::Vault::of(None, Uuid::new_v4(), dir.path());
    private.lay_out(&vault).unwrap();
    // A second time over what a first attempt left.
    private.lay_out(&vault).unwrap();
    let mode = |path: &str| dir.path().join("private").join(path).metadata().unwrap().permissions().mode();
    assert_eq!((mode("secrets") & 0o777, mode("secrets/b") & 0o777), (0o700, 0o400));
    assert_eq!(dir.path().join("private/secrets").metadata().unwrap().uid(), geteuid().as_raw());
}

#[test]
fn what_it_holds_is_never_printed_and_survives_the_way_to_a_runner() {
    let dir = TempDir::new().unwrap();
    let private = Private::read(Some(&venue(&dir, &[("npm", "hunter2")], Some("{}")))).unwrap();
    let printed = format!("{private:?}");
    assert!(printed.contains("npm") && !printed.contains("hunter2"), "{printed}");
    let sent = serde_json::to_string(&private).unwrap();
    let received: Private = serde_json::from_str(&sent).unwrap();
    assert_eq!(received.hidden().collect::<Vec<_>>(), [b"hunter2".as_slice(), b"{}"]);
    let wrong = serde_json::from_str::<Private>(&sent.replace("aHVu", "!!!!")).unwrap_err().to_string();
    assert!(wrong.contains("not base64") && !wrong.contains("!!!!"), "{wrong}");
}

#[test]
fn passwords_of_a_file_of_credentials_are_hidden_in_every_form() {
    // ci:s3cret, as docker login writes it.
    let auth =
        "{\"auths\":{\"registry.example.com\":{\"auth\":\"Y2k6czNjcmV0\",\"identitytoken\":\"tok-1\"}}}";
    let mut redactor = redactor(&[], Some(auth));
    let shown = redacted(&mut redactor, &[b"Y2k6czNjcmV0 s3cret tok-1 ci registry.example.com"]);
    assert_eq!(shown, "<redacted> <redacted> <redacted> ci registry.example.com");
}

#[test]
fn each_line_of_a_key_is_hidden_and_so_is_the_whole() {
    let key = "-----BEGIN KEY-----\nAAAABBBBCCCC\r\nxyz\n-----END KEY-----\n";
    let shown = |text: &str| redacted(&mut redactor(&[("key", key)], None), &[text.as_bytes()]);
    assert_eq!(shown(&format!("a {key}b")), "a <redacted>\nb");
    assert_eq!(shown("line: AAAABBBBCCCC\n"), "line: <redacted>\n");
    assert_eq!(shown("xyz stays\n"), "xyz stays\n");
}

#[test]
fn an_empty_secret_hides_nothing() {
    assert_eq!(redacted(&mut redactor(&[("empty", "\n")], None), &[b"a\n\nb"]), "a\n\nb");
}

proptest! {
    /// Wherever the pieces are cut, what is shown is the same, and no secret is in it.
    #[test]
    fn no_cut_shows_a_secret(
        text in "[abc]{0,40}",
        secrets in proptest::collection::vec("[abc]{1,6}", 1..4),
        cuts in proptest::collection::vec(0_usize..41, 0..6),
    ) {
        let names = ["one", "two", "three"];
        let secrets: Vec<(&str, &str)> = names.into_iter().zip(secrets.iter().map(String::as_str)).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &text.as_bytes()[ends[0]..ends[1]]).collect();
        let shown = redacted(&mut redactor(&secrets, None), &pieces);
        prop_assert_eq!(&shown, &redacted(&mut redactor(&secrets, None), &[text.as_bytes()]));
        for (_, secret) in &secrets {
            let rest = shown.replace("<redacted>", "|");
            prop_assert!(!rest.contains(secret), "{} of {}: {}", secret, text, shown);
        }
    }
}
