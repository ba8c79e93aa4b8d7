//! One spelling per tag and digest, and what counts as another image (D10, D13).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn digest(version: &str) -> Digest {
    Digest::sha256_of(version.as_bytes())
}

// === Digest ===

#[test]
fn a_digest_is_printed_as_it_was_read() {
    let sha256 = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let sha512 = format!("sha512:{}", "fedcba9876543210".repeat(8));
    for text in [sha256, sha512] {
        let digest: Digest = text.parse().unwrap();
        assert_eq!(digest.to_string(), text);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }
}

#[test]
fn the_digest_of_bytes_is_their_sha256() {
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Digest::sha256_of(b"").to_string(), empty);
}

#[test]
fn the_sha512_of_bytes_is_theirs() {
    let empty = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                 47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
    assert_eq!(Digest::sha512_of(b"").to_string(), empty);
}

#[test]
fn what_is_not_a_digest_is_refused_and_the_message_says_why() {
    let hex = "0123456789abcdef".repeat(4);
    let cases = [
        (String::new(), "no `sha256:` in front"),
        (hex.clone(), "no `sha256:` in front"),
        (format!("md5:{hex}"), "digest algorithm `md5` is not known"),
        (format!("sha256:{}", &hex[1..]), "a sha256 digest has 64 lower-case hex digits"),
        (format!("sha256:{hex}0"), "a sha256 digest has 64 lower-case hex digits"),
        (format!("sha256:{}", hex.to_uppercase()), "a sha256 digest has 64 lower-case hex digits"),
        (format!("sha256:{}é", &hex[2..]), "a sha256 digest has 64 lower-case hex digits"),
        (format!("sha512:{hex}"), "a sha512 digest has 128 lower-case hex digits"),
    ];
    for (text, why) in cases {
        let error = text.parse::<Digest>().unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn a_long_or_strange_text_makes_a_short_and_harmless_message() {
    let error = format!("\u{1b}[31m{}", "x".repeat(1_000_000)).parse::<Digest>().unwrap_err().to_string();
    assert!(error.len() < 200 && !error.contains('\u{1b}'), "{error}");
}

// === Platform ===

#[test]
fn a_platform_is_printed_as_it_was_read_and_nothing_else_is_one() {
    for text in ["linux/amd64", "linux/arm/v7", "windows/amd64"] {
        assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
    }
    for text in ["", "linux", "linux/", "/amd64", "linux/arm/", "linux/arm/v7/x"] {
        assert!(text.parse::<Platform>().is_err(), "{text}");
    }
}

// === TagRef ===

#[test]
fn every_spelling_of_a_tag_is_one_tag() {
    let cases = [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:12", "docker.io/library/debian:12"),
        ("library/debian:12", "docker.io/library/debian:12"),
        ("docker.io/debian:12", "docker.io/library/debian:12"),
        ("index.docker.io/library/debian:12", "docker.io/library/debian:12"),
        ("docker.io/library/debian:12", "docker.io/library/debian:12"),
        ("grafana/grafana", "docker.io/grafana/grafana:latest"),
        ("quay.io/org/app:v1", "quay.io/org/app:v1"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("127.0.0.1:5000/a/b/c/d:1", "127.0.0.1:5000/a/b/c/d:1"),
        ("registry.test:5000/app", "registry.test:5000/app:latest"),
        ("Registry.TEST:5000/app:V1", "registry.test:5000/app:V1"),
        ("Docker.IO/debian:12", "docker.io/library/debian:12"),
        ("LOCALHOST/app:1", "localhost/app:1"),
    ];
    for (spelling, normal) in cases {
        assert_eq!(spelling.parse::<TagRef>().unwrap().as_str(), normal);
    }
}

#[test]
fn an_ordinary_reference_is_read_without_the_grammar() {
    for text in [
        "debian",
        "debian:12.5-slim",
        "grafana/grafana:11.1.0",
        "docker.io/library/debian:bookworm",
        "quay.io/prometheus/node-exporter:v1.8",
        "ghcr.io/some_org/some.app/part-2:sha-0123abc",
        "localhost:5000/app:1",
        "10.0.0.7:5000/team/base-7:Latest_1",
    ] {
        assert_eq!(plain::normal(text), Some(reference::normal_by_grammar(text).unwrap()), "{text}");
    }
}

#[test]
fn a_tag_knows_its_parts() {
    let tag: TagRef = "registry.test:5000/team/app:v1.2".parse().unwrap();
    assert_eq!(tag.host(), "registry.test:5000");
    assert_eq!(tag.repository(), "team/app");
    assert_eq!(tag.name(), "registry.test:5000/team/app");
    assert_eq!(tag.tag(), "v1.2");
    assert_eq!(tag.pinned(&digest("A")), format!("registry.test:5000/team/app@{}", digest("A")));
}

#[test]
fn f42_a_repository_without_a_namespace_is_in_library_on_a_v1_registry() {
    for (text, repository) in
        [("registry.test/app:1", "library/app"), ("registry.test/team/app:1", "team/app")]
    {
        let tag: TagRef = text.parse().unwrap();
        assert_eq!(tag.v1_repository(), repository);
        assert_eq!(tag.v1_reference(), format!("registry.test/{repository}:1"));
        assert_eq!(tag.as_str(), text, "the tag is what was written");
    }
}

#[test]
fn what_can_never_move_or_is_no_reference_is_refused() {
    let pinned = format!("debian@{}", digest("A"));
    assert_eq!(pinned.parse::<TagRef>(), Err(ReferenceError::Pinned(pinned)));
    let long = format!("registry.test/{}:1", "x".repeat(300));
    for text in
        ["", ":", "Debian", "registry.test/", "registry.test/a b:1", "a:b:c", "app:-x", "https://a/b", &long]
    {
        let error = text.parse::<TagRef>().unwrap_err();
        assert!(matches!(error, ReferenceError::Invalid { .. }), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn a_stored_tag_is_read_as_it_was_written(
        text in "([a-z]{1,8}(\\.[a-z]{2,3})?(:[1-9][0-9]{0,3})?/)?[a-z0-9]{1,6}(/[a-z0-9]{1,6}){0,2}(:[a-zA-Z0-9_.-]{0,5}[a-z])?"
    ) {
        if let Ok(tag) = text.parse::<TagRef>() {
            let json = serde_json::to_string(&tag).unwrap();
            let read: TagRef = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&read, &tag);
            prop_assert_eq!((read.host(), read.repository(), read.tag()), (tag.host(), tag.repository(), tag.tag()));
            prop_assert_eq!(format!("{}/{}:{}", tag.host(), tag.repository(), tag.tag()), tag.as_str());
            prop_assert_eq!(tag.as_str().parse::<TagRef>().unwrap(), tag);
        }
    }

    #[test]
    fn what_is_read_without_the_grammar_is_read_as_by_the_grammar(
        text in "(((index\\.)?docker\\.io|localhost|[a-zA-Z0-9._-]{0,5})(:[0-9]{0,3})?/)?\
                 [a-z0-9]{0,2}([A-Za-z0-9._/-]{0,3}[a-z0-9]{1,3}){0,3}(:[\\w.:/-]{0,3}[a-z0-9_.-]{0,2})?(@|é)?"
    ) {
        if let Some(normal) = plain::normal(&text) {
            prop_assert_eq!(reference::normal_by_grammar(&text), Ok(normal));
        }
    }

    #[test]
    fn no_length_is_read_otherwise_without_the_grammar(host in 1..260_usize, part in 240..260_usize, tag in 120..135_usize) {
        let label = format!("{}.x", "h".repeat(host));
        let long = format!("/{}:{}", "r".repeat(part), "t".repeat(tag));
        for text in [format!("{label}{long}"), long[1..].to_owned(), format!("docker.io{long}")] {
            if let Some(normal) = plain::normal(&text) {
                prop_assert_eq!(reference::normal_by_grammar(&text), Ok(normal));
            }
        }
    }

    #[test]
    fn no_text_whatever_makes_a_stored_tag_panic(text in "[a-z/:@.]{0,12}") {
        if let Ok(tag) = serde_json::from_value::<TagRef>(text.into()) {
            prop_assert!([tag.host(), tag.repository(), tag.tag()].iter().all(|part| !part.is_empty()));
        }
    }
}

#[test]
fn the_many_spellings_of_a_platform_are_one() {
    let cases = [
        ("linux/x86_64", "linux/amd64"),
        ("Linux/X86-64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64/v8"),
        ("linux/ARM/V7", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64"),
        ("windows(10.0.17763.1)/amd64", "windows(10.0.17763.1)/amd64"),
    ];
    for (written, meant) in cases {
        let platform: Platform = written.parse().unwrap();
        assert_eq!(platform.to_string(), meant);
        assert_eq!(platform, meant.parse().unwrap(), "what is printed is read as the same");
    }
}

#[test]
fn a_platform_that_is_asked_for_means_what_the_table_says() {
    let cases = [
        ("linux/arm64", "linux/arm64/v8", true),
        ("linux/arm64/v8", "linux/arm64", true),
        ("linux/arm64", "linux/arm64/v9", false),
        ("linux/arm", "linux/arm/v7", true),
        ("linux/arm", "linux/arm/v6", false),
        ("linux/arm/v6", "linux/arm", false),
        ("linux/amd64", "linux/amd64/v1", true),
        ("linux/amd64", "linux/amd64/v3", false),
        ("linux/amd64", "windows/amd64", false),
        ("windows/amd64", "windows(10.0.17763.1)/amd64", true),
        ("windows(10.0.17763)/amd64", "windows(10.0.17763.1)/amd64", true),
        ("windows(10.0.1776)/amd64", "windows(10.0.17763.1)/amd64", false),
        ("windows(10.0.17763.1)/amd64", "windows/amd64", false),
    ];
    for (wanted, offered, means) in cases {
        let [wanted, offered]: [Platform; 2] = [wanted, offered].map(|text| text.parse().unwrap());
        assert_eq!(wanted.means(&offered), means, "{wanted} and {offered}");
    }
}

#[test]
fn what_stands_for_a_platform_is_stored_and_is_none_to_a_person() {
    let unnamed = Platform::unnamed(&digest("a"));
    let json = serde_json::to_string(&unnamed).unwrap();
    assert_eq!(serde_json::from_str::<Platform>(&json).unwrap(), unnamed);
    assert!(!unnamed.is_named());
    assert!(unnamed.to_string().parse::<Platform>().is_err());
    assert_ne!(unnamed, Platform::unnamed(&digest("b")));
}

proptest! {
    #[test]
    fn no_words_make_a_platform_that_is_not_stored_as_it_is(
        os in "[a-zA-Z0-9/()._ -]{0,12}", version in "[0-9./()]{0,12}", architecture in "[a-z0-9/_-]{0,8}", variant in "[v0-9/]{0,3}"
    ) {
        if let Some(platform) = Platform::new(&os, &version, &architecture, &variant) {
            let json = serde_json::to_string(&platform).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Platform>(&json).unwrap(), &platform);
            prop_assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
        }
    }
}

// === Identity ===

/// An index that was read: its own digest, and the manifest of each platform.
fn index(own: &str, platforms: &[(&str, &str)]) -> Identity {
    let child = |(platform, version): &(&str, &str)| (platform.parse().unwrap(), digest(version));
    let children: BTreeMap<_, _> = platforms.iter().map(child).collect();
    Identity::Index { digest: digest(own), children: Some(children) }
}

fn unread_index(own: &str) -> Identity {
    Identity::Index { digest: digest(own), children: None }
}

fn single(version: &str) -> Identity {
    Identity::Digest(digest(version))
}

#[test]
fn an_image_is_news_to_a_stored_one_exactly_if_the_table_says_so() {
    let (amd, arm) = (("linux/amd64", "a"), ("linux/arm64", "b"));
    let both = || index("1", &[amd, arm]);
    let cases = [
        ("the same again", both(), both(), false),
        (
            "only attestations moved: another index, the same platforms",
            index("2", &[amd, arm]),
            both(),
            false,
        ),
        ("a platform moved", index("2", &[("linux/amd64", "x"), arm]), both(), true),
        ("every platform moved", index("2", &[("linux/amd64", "x"), ("linux/arm64", "y")]), both(), true),
        ("a platform was added", both(), index("2", &[amd]), true),
        ("a platform vanished", index("2", &[amd]), both(), false),
        ("it returned unchanged, in a third index", index("3", &[amd, arm]), both(), false),
        ("one vanished and another moved", index("2", &[("linux/amd64", "x")]), both(), true),
        (
            "a variant is a platform of its own",
            index("2", &[amd, arm, ("linux/arm64/v9", "b")]),
            both(),
            true,
        ),
        (
            "another name for a platform and its manifest",
            index("2", &[amd, ("linux/arm64/v8", "b")]),
            both(),
            false,
        ),
        ("no index was read: the same digest", unread_index("1"), unread_index("1"), false),
        ("no index was read: another digest", unread_index("2"), unread_index("1"), true),
        ("the new index was not read: the same digest", unread_index("1"), both(), false),
        ("the new index was not read: another digest", unread_index("2"), both(), true),
        ("the old index was not read: the same digest", both(), unread_index("1"), false),
        ("the old index was not read: another digest", both(), unread_index("2"), true),
        ("a single manifest, the same", single("a"), single("a"), false),
        ("a single manifest, another", single("b"), single("a"), true),
        ("a manifest became an index", both(), single("a"), true),
        ("an index became a manifest", single("a"), both(), true),
        ("the same bytes under another media type", single("1"), both(), false),
        ("a v1 tag never moves", Identity::V1Tag, Identity::V1Tag, false),
        ("v1 became v2: once (F44)", single("a"), Identity::V1Tag, true),
        ("v1 became v2, with an index", both(), Identity::V1Tag, true),
        ("v2 seems to be v1 now: never (D10)", Identity::V1Tag, single("a"), false),
        ("v2 seems to be v1 now, after an index", Identity::V1Tag, both(), false),
    ];
    for (why, new, stored, news) in cases {
        assert_eq!(new.differs_from(&stored), news, "{why}");
    }
}

#[test]
fn a_list_of_platforms_looks_at_nothing_else_and_at_any_name_for_them() {
    let these = |list: &[&str]| Platforms::These(list.iter().map(|text| text.parse().unwrap()).collect());
    let amd = || these(&["linux/amd64"]);
    let old = index("1", &[("linux/amd64", "a"), ("linux/arm64", "b")]);
    let cases = [
        ("another platform moved", amd(), index("2", &[("linux/amd64", "a"), ("linux/arm64", "x")]), false),
        ("another was added", amd(), index("2", &[("linux/amd64", "a"), ("linux/s390x", "x")]), false),
        ("the platform moved", amd(), index("2", &[("linux/amd64", "x"), ("linux/arm64", "b")]), true),
        ("the platform vanished", amd(), index("2", &[("linux/arm64", "b")]), false),
        ("it has a longer name", these(&["linux/arm64"]), index("2", &[("linux/arm64/v8", "b")]), false),
        (
            "it has another name and moved",
            these(&["linux/arm64"]),
            index("2", &[("linux/arm64/v8", "x")]),
            true,
        ),
        ("it is new", these(&["linux/s390x"]), index("2", &[("linux/s390x", "a")]), true),
        ("the new index was not read", amd(), unread_index("2"), true),
        ("the same index was not read", amd(), unread_index("1"), false),
        ("it is a manifest now", amd(), single("a"), true),
    ];
    for (why, platforms, new, news) in cases {
        assert_eq!(platforms.is_news(&new, &old), news, "{why}");
    }
    assert!(
        Platforms::Index.is_news(&index("2", &[("linux/amd64", "a")]), &index("1", &[("linux/amd64", "a")]))
    );
    assert!(!amd().is_news(&Identity::V1Tag, &old), "D10");
}

#[test]
fn images_that_name_no_platform_may_be_for_any() {
    let bare = |own: &str, versions: &[&str]| {
        let child = |version: &&str| (Platform::unnamed(&digest(version)), digest(version));
        Identity::Index { digest: digest(own), children: Some(versions.iter().map(child).collect()) }
    };
    let wanted = Platforms::These(vec!["linux/amd64".parse().unwrap()]);
    assert_eq!(wanted.missing_in(&bare("1", &["a", "b"])), []);
    for platforms in [wanted, Platforms::All] {
        assert!(!platforms.is_news(&bare("2", &["b", "a"]), &bare("1", &["a", "b"])));
        assert!(platforms.is_news(&bare("2", &["a", "x"]), &bare("1", &["a", "b"])));
    }
}

#[test]
fn only_a_platform_that_an_index_was_found_without_is_missing() {
    let list = ["linux/amd64", "linux/arm64"].map(|text| text.parse::<Platform>().unwrap());
    let wanted = Platforms::These(list.to_vec());
    let cases = [
        (index("1", &[("linux/amd64", "a"), ("linux/arm64/v8", "b")]), vec![]),
        (index("1", &[("linux/amd64", "a"), ("linux/arm/v7", "b")]), vec![list[1].clone()]),
        (index("1", &[]), list.to_vec()),
        (unread_index("1"), vec![]),
        (single("a"), vec![]),
        (Identity::V1Tag, vec![]),
    ];
    for (image, missing) in cases {
        assert_eq!(wanted.missing_in(&image), missing, "{image:?}");
        assert_eq!(Platforms::All.missing_in(&image), []);
        assert_eq!(Platforms::Index.missing_in(&image), []);
    }
}

#[test]
fn after_a_move_that_was_no_news_what_vanished_is_remembered_as_long_as_there_is_room() {
    let (amd, arm) = (("linux/amd64", "a"), ("linux/arm64", "b"));
    let cases = [
        (index("1", &[amd, arm]), index("2", &[amd]), index("2", &[amd, arm])),
        (
            index("1", &[amd, arm]),
            index("2", &[amd, ("linux/arm64", "x")]),
            index("2", &[amd, ("linux/arm64", "x")]),
        ),
        (unread_index("1"), index("1", &[amd]), index("1", &[amd])),
        (index("1", &[amd]), unread_index("1"), index("1", &[amd])),
        (index("1", &[amd]), unread_index("2"), unread_index("2")),
        (single("a"), single("a"), single("a")),
        (single("a"), Identity::V1Tag, single("a")),
    ];
    for (stored, new, expected) in cases {
        assert_eq!(stored.followed_by(&new), expected, "{stored:?} and {new:?}");
    }
    let names: Vec<String> = (0..MOST_CHILDREN).map(|number| format!("linux/arch{number}")).collect();
    let full: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "a")).collect();
    assert_eq!(index("1", &full).followed_by(&index("2", &[amd])), index("2", &[amd]));
}

#[test]
fn the_children_of_an_index_survive_being_written_and_read() {
    for identity in [index("1", &[("linux/arm/v7", "a")]), unread_index("1"), single("a"), Identity::V1Tag] {
        let json = serde_json::to_string(&identity).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&json).unwrap(), identity, "{json}");
    }
}

#[test]
fn an_image_survives_being_written_and_read_and_is_read_from_an_older_state() {
    let manifest = |media_type: &'static str| {
        Polled::Manifest(Descriptor { digest: digest("1"), media_type: media_type.into(), accept_version: 1 })
    };
    let children = index("1", &[("linux/arm/v7", "a")]).children().cloned();
    let of_index = manifest("application/vnd.oci.image.index.v1+json");
    let images = [
        Image::new(manifest("application/vnd.oci.image.manifest.v1+json"), None),
        Image::new(manifest("application/vnd.example.other"), None),
        Image::new(of_index.clone(), None),
        Image::new(of_index, children),
        Image::new(Polled::V1(ImageId::from_hex(&"a1".repeat(32)).unwrap()), None),
    ];
    for image in images {
        let mut json = serde_json::to_value(&image).unwrap();
        assert_eq!(serde_json::from_value::<Image>(json.clone()).unwrap(), image, "{json}");
        let stored = json.as_object_mut().unwrap();
        stored.remove("children");
        stored.insert("identity".to_owned(), serde_json::to_value(&image.identity).unwrap());
        stored.insert("reference".to_owned(), "registry.test/app".into());
        assert_eq!(serde_json::from_value::<Image>(json.clone()).unwrap(), image, "{json}");
    }
}

#[test]
fn f43_an_image_on_a_v1_registry_is_its_tag() {
    let tag: TagRef = "registry.test/app:1".parse().unwrap();
    let polled = Polled::V1(ImageId::from_hex(&"a1".repeat(32)).unwrap());
    let image = Image::new(polled.clone(), None);
    assert_eq!((&*image.reference(&tag), image.identity), ("registry.test/library/app:1", Identity::V1Tag));
    assert_eq!(
        (polled.digest(), polled.image_id().unwrap().to_string()),
        (None, format!("v1id:{}", "a1".repeat(32)))
    );
}

#[test]
fn an_image_is_pinned_to_what_was_polled() {
    let tag: TagRef = "registry.test/app:1".parse().unwrap();
    let media_types = [
        ("application/vnd.oci.image.index.v1+json", true),
        ("application/vnd.docker.distribution.manifest.list.v2+json", true),
        ("application/vnd.oci.image.manifest.v1+json", false),
        ("", false),
    ];
    for (media_type, is_index) in media_types {
        let manifest = Descriptor { digest: digest("A"), media_type: media_type.into(), accept_version: 1 };
        let polled = Polled::Manifest(manifest);
        let image = Image::new(polled.clone(), None);
        assert_eq!(&*image.reference(&tag), format!("registry.test/app@{}", digest("A")));
        assert_eq!(image.polled, polled);
        assert_eq!(image.identity, if is_index { unread_index("A") } else { single("A") });
    }
}
