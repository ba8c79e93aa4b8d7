use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use super::super::directory::Directory;
use super::super::{INHERITED, environment};
use super::*;
use crate::controller::{Git, ImagePath, ImageUse, PinnedSource, Source};

/// What `env -0` printed into the build's log.
fn seen(bench: &Bench) -> BTreeMap<String, String> {
    let log = bench.log();
    let (_, output) = log.split_once('\n').expect("a header line");
    let entries = output.split_terminator('\0').map(|entry| entry.split_once('=').expect("NAME=VALUE"));
    entries.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn expected(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_build_is_given_exactly_the_documented_environment() {
    let home = TempDir::new().unwrap();
    let home = home.path().to_str().unwrap();
    let inherited = [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", home),
        ("LANG", "C.UTF-8"),
        ("TMPDIR", "/var/tmp"),
        ("SSL_CERT_FILE", "/etc/ssl/corp.pem"),
        ("XDG_RUNTIME_DIR", "/run/user/7"),
        ("BUILDAH_ISOLATION", "chroot"),
        ("STORAGE_DRIVER", "vfs"),
        ("STORAGE_OPTS", "x=y"),
        ("CONTAINERS_STORAGE_CONF", "/etc/storage.conf"),
        ("CONTAINERS_REGISTRIES_CONF", "/etc/registries.conf"),
        ("CONTAINERS_CONF", "/etc/containers.conf"),
        ("DOCKER_HOST", "unix:///run/docker.sock"),
        ("DOCKER_BUILDKIT", "1"),
        ("HTTP_PROXY", "http://a.test"),
        ("HTTPS_PROXY", "http://b.test"),
        ("NO_PROXY", "c.test"),
        ("http_proxy", "http://d.test"),
        ("https_proxy", "http://e.test"),
        ("no_proxy", "f.test"),
        ("BASEWATCH_TOKEN", "the daemon's own"),
        ("REGISTRY_AUTH_FILE", "the daemon's own"),
    ];
    let mut bench = Bench::with(|settings| {
        settings.inherited = inherited.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    });
    let mut spec = spec(&["env", "-0"]);
    let base = spec.base_image.as_ref().unwrap().reference.clone();
    let second = image("quay.io/team/tools:v1", b"tools");
    spec.causes = vec![Cause::ImageChange { image: second, old_digest: Some(Digest::sha256_of(b"old")) }];
    spec.env = vec![("EXTRA".into(), "a b=c".into()), ("BASEWATCH_BUILD_ID".into(), "forged".into())];
    spec.labels = BTreeMap::from([("team".into(), "pay".into()), ("area".into(), "eu".into())]);
    bench.start_attempt(&spec, 3);
    assert_eq!(bench.ended().await.outcome, Outcome::Complete);

    let dir = bench.build_dir();
    let tools = Digest::sha256_of(b"tools").to_string();
    let base_digest = Digest::sha256_of(b"new");
    let mut all = expected(&inherited);
    assert!(all.remove("BASEWATCH_TOKEN").is_some() && all.remove("REGISTRY_AUTH_FILE").is_some());
    assert_eq!(all.keys().map(String::as_str).collect::<BTreeSet<_>>(), INHERITED.into_iter().collect());
    all.extend(expected(&[
        ("EXTRA", "a b=c"),
        ("BASEWATCH_BUILD", "app-7"),
        ("BASEWATCH_BUILD_ID", &spec.id.to_string()),
        ("BASEWATCH_BUILD_CONFIG", "app"),
        ("BASEWATCH_NAMESPACE", "default"),
        ("BASEWATCH_BUILD_NUMBER", "7"),
        ("BASEWATCH_ATTEMPT", "3"),
        ("BASEWATCH_CAUSE", "image-change"),
        ("BASEWATCH_BASE_IMAGE", &base),
        ("BASEWATCH_IMAGE", &format!("quay.io/team/tools@{tools}")),
        ("BASEWATCH_TAG", "quay.io/team/tools:v1"),
        ("BASEWATCH_DIGEST", &tools),
        ("BASEWATCH_OLD_DIGEST", &Digest::sha256_of(b"old").to_string()),
        ("BASEWATCH_BUILD_FILE", dir.join("build.json").to_str().unwrap()),
        ("BASEWATCH_RESULT_FILE", dir.join("result.json").to_str().unwrap()),
        (
            "BASEWATCH_LABELS",
            &format!(
                "area=eu\norg.opencontainers.image.base.digest={base_digest}\n\
                     org.opencontainers.image.base.name=docker.io/library/debian:12\nteam=pay"
            ),
        ),
    ]));
    assert_eq!(seen(&bench), all);
}

#[tokio::test]
async fn without_a_usable_home_the_build_has_its_own_directory_for_one() {
    for home in [None, Some("/nonexistent")] {
        let mut bench = Bench::with(|settings| {
            settings.inherited = home.map(|home| ("HOME".to_owned(), home.to_owned())).into_iter().collect();
        });
        assert_eq!(bench.run(&spec(&["env", "-0"])).await.outcome, Outcome::Complete);
        let seen = seen(&bench);
        assert_eq!(seen.get("HOME").unwrap(), bench.build_dir().to_str().unwrap());
        assert!(seen.get("PATH").unwrap().contains("/usr/bin"), "a PATH of its own");
        assert!(!seen.contains_key("LANG"), "nothing is invented");
    }
}

#[tokio::test]
async fn what_is_not_known_is_empty_not_missing() {
    let mut bench = Bench::new();
    let mut spec = spec(&["env", "-0"]);
    let v1 = PinnedImage { digest: None, ..image("old.example.com/base:1", b"") };
    spec.causes = vec![Cause::ImageChange { image: v1, old_digest: None }];
    spec.base_image = None;
    bench.run(&spec).await;
    let seen = seen(&bench);
    for name in ["BASEWATCH_DIGEST", "BASEWATCH_OLD_DIGEST", "BASEWATCH_LABELS"] {
        assert_eq!(seen.get(name).map(String::as_str), Some(""), "{name}");
    }
}

#[tokio::test]
async fn a_custom_build_starts_however_much_is_in_its_environment() {
    // What fits, too much in its values, too much even in its names.
    for (count, length, has_value, has_name) in
        [(3, 1000, true, true), (3, 50_000, false, true), (6000, 1, false, false)]
    {
        let mut bench = Bench::new();
        let mut spec = spec(&["env", "-0"]);
        spec.strategy = StrategyKind::Custom;
        spec.env = (0..count).map(|number| (format!("N{number:09}"), "x".repeat(length))).collect();
        let ended = bench.run(&spec).await;
        assert_eq!(ended.outcome, Outcome::Complete);
        let seen = seen(&bench);
        assert_eq!(seen["N000000002"].len(), length, "it is a variable in any case");
        let build: serde_json::Value = serde_json::from_str(&seen["BUILD"]).unwrap();
        let env = &build["spec"]["strategy"]["customStrategy"]["env"];
        assert_eq!((env[2]["value"].is_string(), env[2]["name"].is_string()), (has_value, has_name));
        assert_eq!(build["metadata"]["name"], "app-7");
    }
}

#[tokio::test]
async fn a_custom_build_is_told_what_openshift_tells_its_builders() {
    let mut bench = Bench::new();
    let mut spec = spec(&["env", "-0"]);
    spec.strategy = StrategyKind::Custom;
    spec.source = Some(Box::new(Source {
        git: Some(Git { uri: "https://git.test/app".into(), reference: Some("main".into()) }),
        directory: None,
        context_dir: Some("web".into()),
    }));
    spec.output = Some("r.test:5000/team/app:1".into());
    let path = ImagePath { source_path: "/lib/.".into(), destination_dir: "lib".into() };
    let of_use = ImageUse { aliases: vec!["tools".into()], paths: vec![path] };
    spec.image_sources = vec![PinnedSource { image: spec.base_image.clone().unwrap(), of_use }];
    let base = spec.base_image.as_ref().unwrap().reference.to_string();
    spec.env = vec![("OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE".into(), base.clone())];
    assert_eq!(bench.run(&spec).await.outcome, Outcome::Complete);
    let seen = seen(&bench);
    for (name, value) in [
        ("SOURCE_REPOSITORY", "https://git.test/app"),
        ("SOURCE_URI", "https://git.test/app"),
        ("SOURCE_REF", "main"),
        ("SOURCE_CONTEXT_DIR", "web"),
        ("OUTPUT_REGISTRY", "r.test:5000"),
        ("OUTPUT_IMAGE", "team/app:1"),
        ("OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE", &base),
    ] {
        assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name}");
    }
    let build: serde_json::Value = serde_json::from_str(&seen["BUILD"]).unwrap();
    assert_eq!(build["metadata"]["name"], "app-7");
    assert_eq!(build["spec"]["strategy"]["customStrategy"]["from"]["name"], *base);
    assert_eq!(build["spec"]["source"]["git"]["ref"], "main");
    let images = &build["spec"]["source"]["images"];
    assert_eq!(
        (&images[0]["from"]["name"], &images[0]["as"][0]),
        (&(*base).into(), &"tools".into()),
        "{images}"
    );
    assert_eq!(images[0]["paths"][0]["destinationDir"], "lib");
    assert_eq!(build["spec"]["output"]["to"]["name"], "r.test:5000/team/app:1");
    assert!(build["spec"].get("revision").is_none());
    assert!(!bench.build_dir().join("work").exists(), "its builder fetches");
}

#[test]
fn what_is_meant_for_an_image_does_not_rule_the_programs_that_build_it() {
    let bench = Bench::new();
    let directory = Directory::at(bench.build_dir());
    let inherited = [("PATH".to_owned(), "/usr/bin".to_owned())];
    let mut spec = spec(&[]);
    spec.strategy = StrategyKind::Docker;
    let all = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "GREETING", "https_proxy", "GIT_SSH_COMMAND"];
    spec.env = all.map(|name| (name.to_owned(), "of the image".to_owned())).into();
    let told = |spec: &BuildSpec| -> Vec<&str> {
        let given = environment::of(spec, 1, &directory, &inherited);
        all.into_iter()
            .filter(|name| given.get(OsStr::new(name)).is_some_and(|value| value == "of the image"))
            .collect()
    };
    assert_eq!(told(&spec), ["GREETING", "https_proxy", "GIT_SSH_COMMAND"]);
    spec.command = vec!["make".to_owned()];
    assert_eq!(told(&spec), all, "a command is told all");
}
