//! What stands behind the tags of image streams.

use std::sync::Arc;
use std::time::Duration;

use super::{build_config, build_configs, loaded, problems};
use crate::config::WatchedTag;
use crate::controller::{Base, StreamTag};
use crate::image::Platforms;

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A build config that is made from `from`, after whatever else there is.
fn made_from(before: &str, from: &str) -> String {
    format!(
        "{before}\n[[build_config]]\nname = \"app\"\n[build_config.strategy]\ntype = \"Source\"\n\
         from = {from}\ncommand = [\"make\"]\n"
    )
}

/// The tag that `ruby:latest` is, with these streams.
fn ruby(streams: &str) -> Arc<StreamTag> {
    match &build_config(&made_from(streams, "{ name = \"ruby:latest\" }")).strategy.from {
        Some(Base::Tag(from)) => Arc::clone(from),
        other => panic!("{other:?}"),
    }
}

/// A stream `ruby` whose tag `latest` says this.
fn latest(keys: &str) -> String {
    format!("[[image_stream]]\nname = \"ruby\"\n[[image_stream.tag]]\nname = \"latest\"\n{keys}\n")
}

fn watched(text: &str) -> Vec<WatchedTag> {
    loaded(text).settings.tags
}

const SYSTEM: &str = "[defaults]\nsystem_registry = \"registry.example.com:5000\"\nnamespace = \"team\"\n";
const FROM: &str = "from = { kind = \"DockerImage\", name = \"quay.example/base/ruby:2.0\" }";

#[test]
fn s06_a_stream_is_tied_to_the_system_registry_unless_it_says_otherwise() {
    let name_only = format!("{SYSTEM}[[image_stream]]\nname = \"ruby\"\n");
    assert_eq!(ruby(&name_only).tag.as_str(), "registry.example.com:5000/team/ruby:latest");
    assert_eq!(&*ruby(&name_only).named, "team/ruby:latest");
    assert_eq!(ruby(&name_only).given, None);
    let repository = format!("{name_only}repository = \"quay.example/other/ruby-centos\"\n");
    assert_eq!(ruby(&repository).tag.as_str(), "quay.example/other/ruby-centos:latest");
    assert_eq!(ruby(&latest(FROM)).tag.as_str(), "quay.example/base/ruby:2.0");
}

#[test]
fn s07_a_stream_with_neither_repository_nor_system_registry_names_both_keys() {
    let expected = "main.toml:2: image_stream[0]: the image stream default/ruby has no repository; add repository = \
                    \"host/path\" to it, or system_registry = \"host\" to [defaults]";
    let text = made_from("\n[[image_stream]]\nname = \"ruby\"\n", "{ name = \"ruby:latest\" }");
    assert_eq!(problems(&text), [expected], "once, however often it is used");
    let undeclared = problems(&made_from("", "{ name = \"ruby:latest\" }"));
    assert_eq!(
        undeclared,
        ["main.toml:6: build_config[0].strategy.from.name: there is no image stream default/ruby; add \
          [[image_stream]] with name = \"ruby\" and repository = \"host/path\", or system_registry = \"host\" to \
          [defaults]"]
    );
    // Only the tags that come from elsewhere are used: nothing is missing.
    assert_eq!(problems(&made_from(&latest(FROM), "{ name = \"ruby:latest\" }")), [""; 0]);
    let other_tag = problems(&made_from(&latest(FROM), "{ name = \"ruby:2\" }"));
    assert_eq!(other_tag.len(), 1, "{other_tag:?}");
    assert!(other_tag[0].contains("repository = ") && other_tag[0].contains("system_registry = "));
}

#[test]
fn a_stream_that_nobody_declared_is_taken_from_the_system_registry_with_a_warning() {
    let text = made_from(SYSTEM, "{ name = \"ruby:latest\" }");
    assert_eq!(ruby(SYSTEM).tag.as_str(), "registry.example.com:5000/team/ruby:latest");
    let expected = "main.toml:9: warning: build_config[0].strategy.from.name: there is no image stream team/ruby: it is \
                    taken to be registry.example.com:5000/team/ruby; add [[image_stream]] with name = \"ruby\", or \
                    correct the name";
    assert_eq!(problems(&text), [expected]);
}

#[test]
fn s09_the_namespace_is_the_configs_unless_from_says_another() {
    let streams = format!(
        "{SYSTEM}[[image_stream]]\nname = \"ruby\"\n[[image_stream]]\nname = \"ruby\"\nnamespace = \"other\"\n\
         repository = \"quay.example/other/ruby\"\n"
    );
    let tag = |from: &str, namespace: &str| {
        let text =
            made_from(&streams, from).replace("name = \"app\"", &format!("name = \"app\"\n{namespace}"));
        build_config(&text).strategy.stream_tag().unwrap().clone()
    };
    let own = tag("{ name = \"ruby:1\" }", "");
    assert_eq!((own.tag.as_str(), &*own.named), ("registry.example.com:5000/team/ruby:1", "team/ruby:1"));
    let across = tag("{ name = \"ruby:1\", namespace = \"other\" }", "");
    assert_eq!((across.tag.as_str(), &*across.named), ("quay.example/other/ruby:1", "other/ruby:1"));
    let of_config = tag("{ name = \"ruby:1\" }", "namespace = \"other\"");
    assert_eq!(of_config, across, "the config's own namespace goes before that of the defaults");
    let told = problems(&made_from(&streams, "{ name = \"ruby\" }"));
    assert_eq!(
        told,
        [
            "main.toml:15: build_config[0].strategy.from.name: ImageStreamTag object references must be in the form \
          <name>:<tag> (\"ruby\"); write \"ruby:latest\""
        ]
    );
}

#[test]
fn a_tag_that_follows_another_is_that_one_under_its_own_name() {
    let streams = |from: &str| {
        format!(
            "{}[[image_stream.tag]]\nname = \"stable\"\n{FROM}\ninterval = \"5m\"\n",
            latest(&format!("from = {{ kind = \"ImageStreamTag\", name = \"{from}\" }}"))
        )
    };
    for from in ["stable", "ruby:stable"] {
        let followed = ruby(&streams(from));
        assert_eq!(
            (followed.tag.as_str(), &*followed.named),
            ("quay.example/base/ruby:2.0", "default/ruby:latest")
        );
        let tags = watched(&made_from(&streams(from), "{ name = \"ruby:latest\" }"));
        assert_eq!((tags.len(), tags[0].interval), (1, Duration::from_mins(5)));
    }
}

#[test]
fn an_image_pinned_to_a_digest_is_looked_at_once() {
    let streams =
        latest(&format!("from = {{ kind = \"DockerImage\", name = \"quay.example/base/ruby@{DIGEST}\" }}"));
    assert_eq!(ruby(&streams).tag.as_str(), format!("quay.example/base/ruby@{DIGEST}"));
    let tags = watched(&made_from(&streams, "{ name = \"ruby:latest\" }"));
    assert!(tags.len() == 1 && tags[0].once);
}

#[test]
fn what_is_not_scheduled_is_looked_at_once_unless_somebody_wants_more() {
    let streams = latest(&format!("{FROM}\nimport_policy = {{ scheduled = false }}"));
    let text = made_from(&streams, "{ name = \"ruby:latest\" }");
    assert!(watched(&text)[0].once);
    let watch = "[[watch]]\nimage = \"quay.example/base/ruby:2.0\"\nname = \"w\"\nrun = [\"make\"]\n";
    assert!(!watched(&format!("{text}{watch}"))[0].once);
}

#[test]
fn a_reference_is_taken_as_it_is_and_never_polled() {
    let streams = latest(&format!("{FROM}\nreference = true"));
    let text = made_from(&streams, "{ name = \"ruby:latest\" }");
    assert!(ruby(&streams).unasked);
    assert_eq!(watched(&text), []);
    let watch = "[[watch]]\nimage = \"quay.example/base/ruby:2.0\"\nname = \"w\"\nrun = [\"make\"]\n";
    assert_eq!(
        problems(&format!("{text}{watch}")),
        [
            "main.toml:3: image_stream[0].tag[0]: takes quay.example/base/ruby:2.0 as it is written, and main.toml:15 \
          follows what it points to; let both say the same of `reference`"
        ]
    );
}

#[test]
fn the_import_mode_says_what_of_an_index_counts() {
    let platforms = |keys: &str| ruby(&latest(&format!("{FROM}\n{keys}"))).platforms.clone();
    assert_eq!(platforms(""), Platforms::All);
    assert_eq!(platforms("import_policy = { import_mode = \"PreserveOriginal\" }"), Platforms::Index);
    assert_eq!(
        platforms("platforms = [\"linux/arm64\"]"),
        Platforms::These(vec!["linux/arm64".parse().unwrap()])
    );
    let legacy = "import_policy = { import_mode = \"Legacy\" }\nprefer_arch = \"arm64\"";
    match platforms(legacy) {
        Platforms::Legacy(legacy) => {
            assert_eq!((legacy.architecture.as_deref(), legacy.os.as_deref()), (Some("arm64"), None));
            let host = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
            assert_eq!(legacy.host, host.parse().unwrap());
        }
        other => panic!("{other:?}"),
    }
    let nearest = format!(
        "[defaults]\nplatforms = \"index\"\n{}",
        latest(FROM).replace("name = \"ruby\"", "name = \"ruby\"\nplatforms = [\"linux/arm64\"]")
    );
    assert_eq!(ruby(&nearest).platforms, Platforms::These(vec!["linux/arm64".parse().unwrap()]));
    assert_eq!(
        ruby(&format!("[defaults]\nplatforms = \"index\"\n{}", latest(FROM))).platforms,
        Platforms::Index
    );
}

#[test]
fn a_local_reference_policy_gives_builds_the_streams_own_repository() {
    let local = latest(&format!("{FROM}\nreference_policy = \"Local\""));
    assert_eq!(
        ruby(&format!("{SYSTEM}{local}")).given.as_deref(),
        Some("registry.example.com:5000/team/ruby")
    );
    assert_eq!(ruby(&local).given, None, "without a repository of its own it is as Source (F11)");
    let prefix = "[[registry]]\nhost = \"quay.example\"\nreference_prefix = \"cache.example/hub\"\n";
    assert_eq!(
        ruby(&format!("{SYSTEM}{local}{prefix}")).given.as_deref(),
        Some("registry.example.com:5000/team/ruby"),
        "Local goes before a prefix"
    );
    assert_eq!(
        ruby(&format!("{}{prefix}", latest(FROM))).given.as_deref(),
        Some("cache.example/hub/base/ruby")
    );
}

#[test]
fn a_prefix_changes_what_builds_are_given_and_nothing_else() {
    let watch = "[[watch]]\nimage = \"quay.example/base/ruby:2.0\"\nrun = [\"make\"]\n";
    let prefix = "[[registry]]\nhost = \"quay.example\"\nreference_prefix = \"cache.example/hub\"\n";
    let plain = build_config(watch);
    let prefixed = build_config(&format!("{watch}{prefix}"));
    let from = prefixed.strategy.stream_tag().unwrap();
    assert_eq!(from.given.as_deref(), Some("cache.example/hub/base/ruby"));
    assert_eq!(StreamTag { given: None, ..from.clone() }, *plain.strategy.stream_tag().unwrap());
}

#[test]
fn one_image_of_a_stream_is_a_pinned_reference_to_it() {
    let from = format!("{{ kind = \"ImageStreamImage\", name = \"ruby@{DIGEST}\" }}");
    let image = |streams: &str| match &build_config(&made_from(streams, &from)).strategy.from {
        Some(Base::Image { text, tag }) => {
            assert_eq!(tag.pinned_digest(), Some(DIGEST.parse().unwrap()));
            text.to_string()
        }
        other => panic!("{other:?}"),
    };
    let own = format!("{SYSTEM}[[image_stream]]\nname = \"ruby\"\n");
    assert_eq!(image(&own), format!("registry.example.com:5000/team/ruby@{DIGEST}"));
    assert_eq!(image(&latest(FROM)), format!("quay.example/base/ruby@{DIGEST}"));
    assert_eq!(watched(&made_from(&own, &from)), []);
}

#[test]
fn plain_http_for_a_tag_holds_for_its_host() {
    let insecure = latest(&format!("{FROM}\nimport_policy = {{ insecure = true }}"));
    let text = made_from(&insecure, "{ name = \"ruby:latest\" }");
    assert!(loaded(&text).settings.registries["quay.example"].registry.insecure);
    let whole = latest(FROM).replace("name = \"ruby\"", "name = \"ruby\"\ninsecure = true");
    let text_of_whole = made_from(&whole, "{ name = \"ruby:latest\" }");
    assert!(loaded(&text_of_whole).settings.registries["quay.example"].registry.insecure);
    let silent = "[[registry]]\nhost = \"quay.example\"\ntimeout = \"9s\"\n";
    let settings = loaded(&format!("{text}{silent}")).settings;
    assert!(settings.registries["quay.example"].registry.insecure);
    assert_eq!(
        problems(&format!("{text}{silent}insecure = false\n")),
        [
            "main.toml:6: image_stream[0].tag[0].import_policy.insecure: allows plain http for quay.example, and \
          main.toml:17 does not; let both say the same of `insecure`"
        ]
    );
}

#[test]
fn ten_configs_on_one_tag_share_it() {
    let mut text = format!("{SYSTEM}[[image_stream]]\nname = \"ruby\"\n");
    for number in 0..10 {
        text += &made_from("", "{ name = \"ruby:latest\" }").replace("\"app\"", &format!("\"app-{number}\""));
        text += "[[build_config.trigger]]\ntype = \"ImageChange\"\n";
    }
    let configs = build_configs(&text);
    let from = |position: usize| match &configs[position].strategy.from {
        Some(Base::Tag(from)) => from,
        other => panic!("{other:?}"),
    };
    assert!(Arc::ptr_eq(from(0), from(9)) && Arc::ptr_eq(from(0), &configs[9].triggers[0].from));
    assert!(Arc::ptr_eq(&configs[0].policy, &configs[9].policy));
}
