use serde_json::{Value, json};

use super::*;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

fn digest(name: &str) -> Digest {
    Digest::sha256_of(name.as_bytes())
}

/// An entry as buildx and most others write it.
fn entry(name: &str, platform: impl Into<Value>) -> Value {
    let platform: Value = platform.into();
    json!({ "mediaType": MANIFEST, "digest": digest(name), "size": 7, "platform": platform })
}

fn linux(name: &str, architecture: &str) -> Value {
    entry(name, json!({ "os": "linux", "architecture": architecture }))
}

fn nested(name: &str) -> Value {
    json!({ "mediaType": INDEX, "digest": digest(name), "size": 7 })
}

/// What BuildKit says about the image `about`.
fn attestation(name: &str, about: &str) -> Value {
    json!({
        "mediaType": MANIFEST, "digest": digest(name), "size": 7,
        "annotations": {
            "vnd.docker.reference.digest": digest(about),
            "vnd.docker.reference.type": "attestation-manifest",
        },
        "platform": { "architecture": "unknown", "os": "unknown" },
    })
}

fn index(entries: &[Value]) -> Vec<u8> {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }).to_string().into_bytes()
}

/// What is in the index "own" where nothing is nested.
fn flat(entries: &[Value]) -> Children {
    let mut contents = Contents::of(&digest("own"));
    assert_eq!(contents.next(), Some(digest("own")));
    contents.add(&index(entries)).unwrap();
    assert_eq!(contents.next(), None);
    contents.into_children()
}

/// What is in the index "own" where `body` is what each index holds, and how many were read.
fn read(body: impl Fn(&Digest) -> Vec<u8>) -> (Children, usize) {
    let mut contents = Contents::of(&digest("own"));
    let mut reads = 0;
    while let Some(next) = contents.next() {
        contents.add(&body(&next)).unwrap();
        reads += 1;
        assert!(reads < 100, "it ends");
    }
    (contents.into_children(), reads)
}

fn children(expected: &[(&str, &str)]) -> Children {
    expected.iter().map(|(platform, name)| (platform.parse().unwrap(), digest(name))).collect()
}

/// The index's own digest stands for all that is in it.
fn unclear() -> Children {
    Children::from([(Platform::unnamed(&digest("own")), digest("own"))])
}

#[test]
fn an_index_of_buildx_is_its_images_without_what_is_said_about_them() {
    let both = [linux("a", "amd64"), linux("b", "arm64")];
    let noise = [attestation("x", "a"), attestation("y", "b")];
    let expected = children(&[("linux/amd64", "a"), ("linux/arm64", "b")]);
    assert_eq!(flat(&[&both[..], &noise[..]].concat()), expected);
    assert_eq!(flat(&[&noise[..], &both[..]].concat()), expected, "whatever the order");
    assert_eq!(flat(&both), expected);
}

#[test]
fn what_is_no_image_is_skipped_by_each_of_its_marks() {
    let marks = [
        entry("x", json!({ "os": "unknown", "architecture": "unknown" })),
        json!({ "mediaType": MANIFEST, "digest": digest("x"), "annotations": { "vnd.docker.reference.type": "attestation-manifest" } }),
        json!({ "mediaType": MANIFEST, "digest": digest("x"), "artifactType": "application/vnd.example.sbom" }),
        json!({ "mediaType": INDEX, "digest": digest("x"), "artifactType": "application/vnd.example.sbom" }),
    ];
    for mark in marks {
        assert_eq!(flat(&[linux("a", "amd64"), mark.clone()]), children(&[("linux/amd64", "a")]), "{mark}");
    }
    let image = json!({ "mediaType": MANIFEST, "digest": digest("b"), "artifactType": "", "platform": { "os": "linux", "architecture": "s390x" },
        "annotations": { "vnd.docker.reference.type": "provenance", "odd": 7 } });
    assert_eq!(flat(&[image]), children(&[("linux/s390x", "b")]), "neither mark is one");
}

#[test]
fn a_list_of_docker_is_read_as_an_index_is() {
    let entry = |name: &str, architecture: &str, variant: Option<&str>| {
        json!({ "mediaType": DOCKER_MANIFEST, "size": 1, "digest": digest(name),
            "platform": { "architecture": architecture, "os": "linux", "variant": variant, "os.version": null } })
    };
    let entries = [entry("a", "amd64", None), entry("b", "arm", Some("v5")), entry("c", "arm", Some("v7"))];
    let body = json!({ "manifests": entries, "mediaType": DOCKER_LIST, "schemaVersion": 2 }).to_string();
    let (found, _) = read(|_| body.clone().into_bytes());
    assert_eq!(found, children(&[("linux/amd64", "a"), ("linux/arm/v5", "b"), ("linux/arm/v7", "c")]));
}

#[test]
fn images_of_windows_are_told_apart_by_their_version() {
    let windows = |name: &str, version: &str| {
        entry(
            name,
            json!({ "os": "windows", "architecture": "amd64", "os.version": version, "os.features": ["win32k"] }),
        )
    };
    let found = flat(&[windows("a", "10.0.17763.1"), windows("b", "10.0.20348.2"), linux("c", "amd64")]);
    let expected =
        [("windows(10.0.17763.1)/amd64", "a"), ("windows(10.0.20348.2)/amd64", "b"), ("linux/amd64", "c")];
    assert_eq!(found, children(&expected));
}

#[test]
fn of_two_images_for_one_platform_the_first_counts() {
    let aliases = [linux("a", "x86_64"), linux("b", "amd64"), linux("c", "AMD64")];
    assert_eq!(flat(&aliases), children(&[("linux/amd64", "a")]));
}

#[test]
fn an_image_without_a_platform_is_known_by_its_digest_alone() {
    let bare = |name: &str| json!({ "mediaType": MANIFEST, "digest": digest(name), "size": 7 });
    let found = flat(&[bare("a"), linux("b", "amd64"), bare("c")]);
    assert_eq!(found, flat(&[bare("c"), bare("a"), linux("b", "amd64")]), "whatever the order");
    assert_eq!(found.len(), 3);
    assert_eq!(found.keys().filter(|platform| platform.is_named()).count(), 1);
    assert_ne!(found, flat(&[bare("a"), linux("b", "amd64"), bare("d")]), "another digest is another image");
    let odd = [
        json!({}),
        json!({ "os": "linux" }),
        json!({ "os": "li nux", "architecture": "amd64" }),
        json!({ "os": "", "architecture": "" }),
        json!({ "os": "unknown", "architecture": "amd64" }),
        json!({ "os": "x".repeat(100), "architecture": "amd64" }),
        Value::Null,
    ];
    for platform in odd {
        let found = flat(&[entry("a", platform.clone())]);
        assert_eq!(found, Children::from([(Platform::unnamed(&digest("a")), digest("a"))]), "{platform}");
    }
}

#[test]
fn an_index_in_an_index_is_read_and_one_that_is_met_again_is_not() {
    let (found, reads) = read(|asked| match asked {
        asked if *asked == digest("own") => {
            index(&[nested("inner"), linux("a", "amd64"), nested("inner"), nested("own")])
        }
        asked if *asked == digest("inner") => {
            index(&[linux("x", "amd64"), linux("b", "arm64"), nested("own"), nested("inner")])
        }
        other => panic!("{other} was asked for"),
    });
    assert_eq!(found, children(&[("linux/amd64", "a"), ("linux/arm64", "b")]), "the outer one goes before");
    assert_eq!(reads, 2);
}

#[test]
fn indexes_without_end_are_read_only_so_far_and_then_any_move_counts() {
    let deeper = |asked: &Digest| index(&[linux("a", "amd64"), nested(&format!("{asked} deeper"))]);
    assert_eq!(read(deeper), (unclear(), 3));
    let wide = |asked: &Digest| match *asked == digest("own") {
        true => index(&(0..1_000).map(|number| nested(&number.to_string())).collect::<Vec<_>>()),
        false => index(&[linux("a", "amd64")]),
    };
    assert_eq!(read(wide), (unclear(), 1), "nothing is read that will not be used");
    let some = |asked: &Digest| match *asked == digest("own") {
        true => index(&(0..7).map(|number| nested(&number.to_string())).collect::<Vec<_>>()),
        false => index(&[linux("a", "amd64")]),
    };
    assert_eq!(read(some), (children(&[("linux/amd64", "a")]), 8));
}

#[test]
fn what_cannot_be_told_apart_is_the_index_itself() {
    let many = |count: usize| -> Vec<Value> {
        (0..count).map(|number| linux(&number.to_string(), &format!("arch{number}"))).collect()
    };
    assert_eq!(flat(&many(MOST_CHILDREN)).len(), MOST_CHILDREN);
    assert_eq!(flat(&many(MOST_CHILDREN + 1)), unclear());
    assert_eq!(flat(&many(20_000)), unclear());
    assert_eq!(flat(&[attestation("x", "a")]), unclear(), "no image at all");
    let foreign = json!({ "mediaType": MANIFEST, "digest": "blake3:0123", "size": 7 });
    assert_eq!(flat(&[linux("a", "amd64"), foreign]), unclear(), "another algorithm");
    assert_eq!(flat(&[]), Children::new(), "an index that is yet to be filled is no such thing");
}

#[test]
fn what_is_stored_of_a_trigger_is_small_whatever_an_index_says() {
    let longest = |number: usize| {
        let version = format!("10.0.20348.{number:016}");
        entry(&number.to_string(), json!({ "os": "windows", "architecture": "amd64", "os.version": version }))
    };
    let children = flat(&(0..MOST_CHILDREN).map(longest).collect::<Vec<_>>());
    assert_eq!(children.len(), MOST_CHILDREN);
    assert!(serde_json::to_vec(&children).unwrap().len() < 2_500);
}

#[test]
fn what_is_no_index_is_malformed() {
    let bodies = [
        "",
        "<html>log in</html>",
        "[]",
        "{}",
        r#"{"manifests":{}}"#,
        r#"{"manifests":[7]}"#,
        r#"{"manifests":[{"mediaType":"x"}]}"#,
        r#"{"manifests":[{"digest":7}]}"#,
        &"[".repeat(100_000),
    ];
    for body in bodies {
        let mut contents = Contents::of(&digest("own"));
        contents.next();
        let error = contents.add(body.as_bytes()).unwrap_err();
        assert!(matches!(error, Malformed::NotAnIndex(_)), "{body:.40}: {error}");
        assert!(error.to_string().chars().count() < 300);
    }
}
