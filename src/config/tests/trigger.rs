//! What starts the builds of a build config.

use std::sync::Arc;

use super::{build_config, problems};
use crate::controller::{Base, BuildConfig};
use crate::image::Identity;

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

const APP: &str = "[defaults]\nsystem_registry = \"reg.example.com\"\nnamespace = \"team\"\n\
                   [[image_stream]]\nname = \"ruby\"\n[[image_stream]]\nname = \"custom\"\n\
                   [[image_stream.tag]]\nname = \"same\"\n\
                   from = { kind = \"ImageStreamTag\", name = \"latest\" }\n\
                   [[build_config]]\nname = \"app\"\n\
                   [build_config.strategy]\ntype = \"Source\"\nfrom = { name = \"ruby:latest\" }\n\
                   command = [\"make\"]\n";

/// A build config with triggers of these keys.
fn with(triggers: &[&str]) -> String {
    let table = |keys: &&str| format!("[[build_config.trigger]]\n{keys}\n");
    APP.to_owned() + &triggers.iter().map(table).collect::<String>()
}

/// An ImageChange trigger on a tag.
fn on(name: &str) -> String {
    format!(
        "type = \"ImageChange\"\nimage_change = {{ from = {{ kind = \"ImageStreamTag\", name = \"{name}\" }} }}"
    )
}

const DEFAULT: &str = "type = \"ImageChange\"\nimage_change = {}";

fn watched(config: &BuildConfig) -> Vec<&str> {
    config.triggers.iter().map(|trigger| trigger.from.tag.as_str()).collect()
}

#[test]
fn s10_a_config_has_any_number_of_triggers() {
    assert_eq!(watched(&build_config(&with(&[]))), [""; 0]);
    assert_eq!(watched(&build_config(&with(&[DEFAULT]))), ["reg.example.com/team/ruby:latest"]);
    let two = build_config(&with(&[DEFAULT, &on("custom:latest")]));
    assert_eq!(watched(&two), ["reg.example.com/team/ruby:latest", "reg.example.com/team/custom:latest"]);
    let five = build_config(&with(&[
        &on("custom:1"),
        &on("custom:2"),
        DEFAULT,
        &on("custom:3"),
        "type = \"ConfigChange\"",
    ]));
    assert_eq!(
        watched(&five),
        [
            "reg.example.com/team/custom:1",
            "reg.example.com/team/custom:2",
            "reg.example.com/team/ruby:latest",
            "reg.example.com/team/custom:3",
        ],
        "in the order written"
    );
    assert!(five.config_change);
}

#[test]
fn s10_two_triggers_on_one_stream_tag_are_an_error_that_names_both() {
    let expected = |line: usize| {
        format!(
            "main.toml:{line}: build_config[0].trigger[1].image_change: multiple ImageChange triggers refer to the same \
             image stream tag: team/ruby:latest, first at main.toml:19; delete one of the two"
        )
    };
    assert_eq!(
        problems(&with(&[DEFAULT, &on("ruby:latest")])),
        [expected(22)],
        "that of the strategy is one"
    );
    assert_eq!(problems(&with(&[&on("ruby:latest"), DEFAULT])), [expected(22)]);
    assert_eq!(problems(&with(&[&on("ruby:latest"), &on("ruby:latest")])), [expected(22)]);
}

#[test]
fn two_names_of_one_tag_are_one_trigger_and_a_warning() {
    let paused =
        "type = \"ImageChange\"\nimage_change = { from = { name = \"custom:same\" }, paused = true }";
    let text = with(&[&on("custom:latest"), paused]);
    assert_eq!(
        problems(&text),
        [
            "main.toml:22: warning: build_config[0].trigger[1].image_change: is reg.example.com/team/custom:latest again, \
          as at main.toml:19: one trigger watches both (team/custom:same); delete one of the two"
        ]
    );
    let config = build_config(&text);
    assert_eq!(watched(&config), ["reg.example.com/team/custom:latest"]);
    assert!(!config.triggers[0].paused, "one of the two is not");
    let both = with(&[&paused.replace("same", "latest"), paused]);
    assert!(build_config(&both).triggers[0].paused);
}

#[test]
fn s11_an_empty_trigger_watches_what_the_strategy_is_made_from() {
    for default in [DEFAULT, "type = \"ImageChange\"", "type = \"imageChange\""] {
        let config = build_config(&with(&[default]));
        let Some(Base::Tag(from)) = &config.strategy.from else { panic!("{:?}", config.strategy.from) };
        assert!(Arc::ptr_eq(from, &config.triggers[0].from) && !config.triggers[0].paused);
    }
    let paused = build_config(&with(&["type = \"ImageChange\"\nimage_change = { paused = true }"]));
    assert!(paused.triggers[0].paused, "`paused` may stand beside an absent `from`");
}

#[test]
fn s11_an_empty_trigger_needs_a_strategy_made_from_a_stream_tag() {
    let expected = "main.toml:19: build_config[0].trigger[0].image_change: a default ImageChange trigger can only be \
                    used when the build strategy includes an ImageStreamTag reference.; let it name a tag of an image \
                    stream: image_change = { from = { name = \"STREAM:TAG\" } }";
    let image = "from = { kind = \"DockerImage\", name = \"reg.example.com/ruby:1\" }";
    let of_image = with(&[DEFAULT]).replace("from = { name = \"ruby:latest\" }", image);
    assert_eq!(problems(&of_image), [expected]);
    let of_nothing = with(&[DEFAULT])
        .replace("type = \"Source\"\nfrom = { name = \"ruby:latest\" }", "type = \"Docker\"\n");
    assert_eq!(problems(&of_nothing), [expected]);
}

#[test]
fn s12_a_trigger_names_only_image_stream_tags() {
    for kind in ["DockerImage", "ImageStreamImage"] {
        let trigger = on("custom:latest").replace("ImageStreamTag", kind);
        assert_eq!(
            problems(&with(&[&trigger])),
            [format!(
                "main.toml:19: build_config[0].trigger[0].image_change.from.kind: only an ImageStreamTag type of \
                 reference is allowed in an ImageChange trigger. (\"{kind}\"); add an [[image_stream]] with a tag that \
                 comes from the image, and name that"
            )]
        );
    }
    for name in ["custom", "custom:", ":latest", "a/b:c"] {
        let told = problems(&with(&[&on(name)]));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("must be in the form <name>:<tag>"), "{told:?}");
    }
    let other =
        "type = \"ImageChange\"\nimage_change = { from = { name = \"custom:1\", namespace = \"other\" } }";
    let config = build_config(&with(&[other]));
    assert_eq!(watched(&config), ["reg.example.com/other/custom:1"]);
    assert_eq!(config.strategy.tag().unwrap().as_str(), "reg.example.com/team/ruby:latest");
}

#[test]
fn what_a_trigger_last_fired_for_is_taken_over() {
    let last = |image: &str| {
        let keys =
            format!("type = \"ImageChange\"\nimage_change = {{ last_triggered_image_id = \"{image}\" }}");
        build_config(&with(&[&keys])).triggers[0].last.as_deref().cloned()
    };
    let digest = Some(Identity::Digest(DIGEST.parse().unwrap()));
    assert_eq!(last(&format!("172.30.17.3:5001/team/ruby@{DIGEST}")), digest);
    assert_eq!(last(DIGEST), digest);
    assert_eq!(last("172.30.17.3:5001/team/ruby:latest"), Some(Identity::V1Tag), "as of a v1 registry (F43)");
    assert_eq!(build_config(&with(&[DEFAULT])).triggers[0].last, None);
}
