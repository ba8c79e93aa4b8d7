//! What becomes of a watch.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::{build_configs, loaded, problems};
use crate::controller::{History, OnFirst, OnInterrupt, Retry, RunPolicy, Supersede};
use crate::image::Platforms;

#[test]
fn a_watch_without_more_has_the_defaults_of_the_short_form() {
    let config = &build_configs("[[watch]]\nimage = \"debian:12\"\nrun = [\"make\"]\n")[0];
    assert_eq!(config.key.as_str(), "default/debian");
    assert_eq!(config.strategy.tag().unwrap().as_str(), "docker.io/library/debian:12");
    assert_eq!(&*config.strategy.stream_tag().unwrap().named, "debian:12");
    assert_eq!(config.policy.run_policy, RunPolicy::SerialLatestOnly);
    assert_eq!(config.policy.supersede, Supersede::Images);
    assert_eq!(config.policy.on_first, OnFirst::Build);
    assert_eq!(config.policy.on_interrupt, OnInterrupt::Retry);
    assert_eq!(config.policy.retry, Retry { attempts: 3, backoff: Duration::from_mins(5) });
    assert_eq!(config.policy.timeout, Duration::from_hours(1));
    assert_eq!(config.policy.history, History { successful: 20, failed: 20 });
    assert!(!config.triggers[0].paused);
    assert_eq!(config.triggers[0].from.platforms, Platforms::All);
}

#[test]
fn platforms_hold_for_every_trigger_of_a_watch_and_come_from_the_nearest_layer() {
    let configs = build_configs(
        r#"
        [defaults]
        run = ["make"]
        platforms = ["linux/x86_64", "linux/arm"]
        [template.t]
        platforms = "index"
        [[watch]]
        images = ["debian:12", "golang:1"]
        [[watch]]
        image = "debian:12"
        name = "two"
        use = "t"
        [[watch]]
        image = "debian:12"
        name = "three"
        use = "t"
        platforms = "all"
        "#,
    );
    let listed = Platforms::These(vec!["linux/amd64".parse().unwrap(), "linux/arm".parse().unwrap()]);
    assert!(configs[0].triggers.iter().all(|trigger| trigger.from.platforms == listed));
    assert_eq!(configs[0].triggers.len(), 2);
    assert_eq!(configs[1].triggers[0].from.platforms, Platforms::Index);
    assert_eq!(configs[2].triggers[0].from.platforms, Platforms::All);
}

#[test]
fn a_watch_goes_before_its_template_and_that_before_the_defaults() {
    let configs = build_configs(
        r#"
        [defaults]
        run = ["from-defaults"]
        timeout = "1m"
        retry = { attempts = 1, backoff = "1s" }
        env = { A = "defaults", B = "defaults", C = "defaults" }
        paused = true
        [template.t]
        timeout = "2m"
        retry = { attempts = 2 }
        env = { B = "template", C = "template" }
        [[watch]]
        image = "debian:12"
        name = "all"
        use = "t"
        timeout = "3m"
        paused = false
        env = { C = "watch", D = "watch" }
        [[watch]]
        image = "debian:12"
        name = "two"
        use = "t"
        [[watch]]
        image = "debian:12"
        name = "one"
        "#,
    );
    let env = |position: usize| {
        let env = configs[position].strategy.env.iter();
        env.fold(String::new(), |text, (name, value)| text + name + "=" + value + " ")
    };
    assert_eq!(env(0), "A=defaults B=template C=watch D=watch ");
    assert_eq!(env(1), "A=defaults B=template C=template ");
    assert_eq!(env(2), "A=defaults B=defaults C=defaults ");
    let minutes: Vec<u64> = configs.iter().map(|config| config.policy.timeout.as_secs() / 60).collect();
    assert_eq!(minutes, [3, 2, 1]);
    let attempts: Vec<u32> = configs.iter().map(|config| config.policy.retry.attempts).collect();
    assert_eq!(attempts, [2, 2, 1]);
    assert!(configs.iter().all(|config| config.policy.retry.backoff == Duration::from_secs(1)));
    assert!(configs.iter().all(|config| *config.strategy.command == ["from-defaults"]));
    let paused: Vec<bool> = configs.iter().map(|config| config.triggers[0].paused).collect();
    assert_eq!(paused, [false, true, true]);
}

#[test]
fn each_name_is_a_build_config_and_each_image_a_trigger() {
    let configs = build_configs(
        "[[watch]]\nimages = [\"alpine:3\", \"golang:1\"]\nnames = [\"a\", \"b\"]\nrun = [\"make\"]\n",
    );
    let keys: Vec<&str> = configs.iter().map(|config| config.key.as_str()).collect();
    assert_eq!(keys, ["default/a", "default/b"]);
    for config in &configs {
        assert_eq!(config.strategy.tag().unwrap().as_str(), "docker.io/library/alpine:3");
        let tags: Vec<&str> = config.triggers.iter().map(|trigger| trigger.from.tag.as_str()).collect();
        assert_eq!(tags, ["docker.io/library/alpine:3", "docker.io/library/golang:1"]);
    }
}

#[test]
fn two_spellings_of_one_tag_are_one_trigger_and_a_warning() {
    let text = "[[watch]]\nimages = [\"docker.io/library/debian:12\", \"debian:12\"]\nrun = [\"make\"]\n";
    assert_eq!(build_configs(text)[0].triggers.len(), 1);
    assert_eq!(
        problems(text),
        [
            "main.toml:2: warning: watch[0].images[1]: is docker.io/library/debian:12 again, as at main.toml:2: \
          one trigger watches both (\"debian:12\"); delete it"
        ]
    );
}

#[test]
fn the_default_name_is_the_last_part_of_the_repository_made_valid() {
    let cases = [
        ("docker.io/library/debian:12", "debian"),
        ("ghcr.io/org/my_app.web", "my-app-web"),
        ("localhost:5000/a:1", "a"),
    ];
    for (image, name) in cases {
        let text = format!("[[watch]]\nimage = \"{image}\"\nrun = [\"make\"]\n");
        assert_eq!(build_configs(&text)[0].key.name(), name);
    }
    let long = "a".repeat(64);
    let told = problems(&format!("[[watch]]\nimage = \"reg.example.com/{long}\"\nrun = [\"make\"]\n"));
    assert!(told[0].contains("; add name = "), "{told:?}");
}

#[test]
fn the_namespace_of_the_defaults_is_that_of_every_build_config() {
    let text = "[defaults]\nnamespace = \"team\"\n[[watch]]\nimage = \"debian:12\"\nrun = [\"make\"]\n";
    assert_eq!(build_configs(text)[0].key.as_str(), "team/debian");
}

#[test]
fn a_variable_and_a_label_keep_what_was_written() {
    let text = "[[watch]]\nimage = \"debian:12\"\nrun = [\"make\"]\nenv = { B = \"2\", A = \"\" }\n\
                labels = { \"example.com/team\" = \"pay\" }\n";
    let config = &build_configs(text)[0];
    let order: Vec<&str> = config.strategy.env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(order, ["B", "A"], "in the order written");
    assert_eq!(config.labels.get("example.com/team").map(String::as_str), Some("pay"));
}

#[test]
fn five_thousand_watches_become_as_many_build_configs_on_a_few_tags() {
    let mut text = String::new();
    for number in 0..5_000 {
        let base = number % 100;
        write!(
            text,
            "[[watch]]\nimage = \"reg{}.example.com/base/image-{base}:stable\"\nname = \"app-{number}\"\n\
             run = [\"make\", \"-C\", \"/srv/{{name}}\", \"BASE={{base_image}}\"]\nlabels = {{ team = \"t{base}\" }}\n",
            base % 10
        )
        .unwrap();
    }
    let loaded = loaded(&text);
    let configs = &loaded.settings.controller.build_configs;
    assert_eq!((configs.len(), loaded.warnings.len()), (5_000, 0));
    assert_eq!((loaded.settings.tags.len(), loaded.settings.registries.len()), (100, 10));
    let named = |position: usize| &configs[position].strategy.stream_tag().unwrap().named;
    assert!(Arc::ptr_eq(named(7), named(4_907)), "one text for one image");
}
