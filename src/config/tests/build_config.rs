//! What becomes of a build config of the long form.

use std::path::Path;
use std::time::Duration;

use super::{build_config, loaded, problems};
use crate::controller::{
    Base, Git, History, OnFirst, OnInterrupt, Retry, RunPolicy, StrategyKind, StrategyOptions, Supersede,
};

const STREAM: &str = "[[image_stream]]\nname = \"ruby\"\nrepository = \"reg.example.com/ruby\"\n";

/// A build config with a Custom strategy, with these keys and those of the strategy.
fn app(keys: &str, strategy: &str) -> String {
    format!(
        "{STREAM}[[build_config]]\nname = \"app\"\n{keys}\n[build_config.strategy]\ntype = \"Custom\"\n\
         from = {{ kind = \"ImageStreamTag\", name = \"ruby:2\" }}\ncommand = [\"make\"]\n{strategy}\n"
    )
}

#[test]
fn a_build_config_without_more_has_the_defaults_of_openshift() {
    let config = build_config(&app("", ""));
    assert_eq!(config.key.as_str(), "default/app");
    assert_eq!(config.policy.run_policy, RunPolicy::Serial);
    assert_eq!(config.policy.supersede, Supersede::All);
    assert_eq!(config.policy.on_first, OnFirst::Build);
    assert_eq!(config.policy.on_interrupt, OnInterrupt::Retry);
    assert_eq!(config.policy.retry.attempts, 1);
    assert_eq!(config.policy.timeout, Duration::from_hours(1));
    assert_eq!(config.policy.history, History { successful: 5, failed: 5 });
    assert!(!config.paused && !config.config_change && config.triggers.is_empty());
    assert_eq!((config.last_version, &config.source, &config.output), (0, &None, &None));
    assert_eq!(config.strategy.options, None);
}

#[test]
fn every_key_of_a_build_config_is_taken_over() {
    let text = app(
        r#"
        namespace = "team"
        paused = true
        run_policy = "Parallel"
        supersede = "images"
        successful_builds_history_limit = 0
        failed_builds_history_limit = 7
        timeout = "2h"
        retry = { attempts = 2, backoff = "1m" }
        on_first = "record"
        on_interrupt = "fail"
        labels = { team = "pay" }
        last_version = 7
        source = { git = { uri = "https://git.example.com/app.git", ref = "main" }, context_dir = "web" }
        output = { to = "reg.example.com/team/app:latest", push = true }
        "#,
        "env = [{ name = \"B\", value = \"1\" }, { name = \"A\" }]\nworking_dir = \"/srv\"\nforce_pull = true\n",
    );
    let config = build_config(&text.replace(STREAM, &format!("{STREAM}namespace = \"team\"\n")));
    assert_eq!(config.key.as_str(), "team/app");
    assert!(config.paused);
    assert_eq!(config.policy.run_policy, RunPolicy::Parallel);
    assert_eq!(config.policy.supersede, Supersede::Images);
    assert_eq!(config.policy.history, History { successful: 0, failed: 7 });
    assert_eq!(config.policy.timeout, Duration::from_hours(2));
    assert_eq!(config.policy.retry, Retry { attempts: 2, backoff: Duration::from_mins(1) });
    assert_eq!(config.policy.on_first, OnFirst::Record);
    assert_eq!(config.policy.on_interrupt, OnInterrupt::Fail);
    assert_eq!(config.labels.get("team").map(String::as_str), Some("pay"));
    assert_eq!(config.last_version, 7);
    let source = config.source.as_deref().unwrap();
    let git = Git { uri: "https://git.example.com/app.git".into(), reference: Some("main".into()) };
    assert_eq!((source.git.as_ref(), source.context_dir.as_deref()), (Some(&git), Some("web")));
    assert_eq!(config.output.as_deref(), Some("reg.example.com/team/app:latest"));
    let env = [("B".to_owned(), "1".to_owned()), ("A".to_owned(), String::new())];
    assert_eq!(*config.strategy.env, env, "in the order written");
    assert_eq!(config.strategy.working_dir.as_deref(), Some(Path::new("/srv")));
    assert!(config.strategy.options.as_ref().unwrap().force_pull);
}

#[test]
fn the_defaults_hold_for_both_forms_but_for_run_and_paused() {
    let defaults = r#"
        [defaults]
        run = ["from-defaults"]
        paused = true
        interval = "5m"
        on_first = "record"
        on_interrupt = "fail"
        timeout = "2h"
        labels = { team = "pay" }
        run_policy = "SerialLatestOnly"
        supersede = "images"
        retry = { attempts = 4 }
        env = { A = "defaults", B = "defaults" }
        working_dir = "/srv"
    "#;
    let text = format!(
        "{defaults}{}[[build_config.trigger]]\ntype = \"ImageChange\"\n",
        app("", "env = [{ name = \"B\", value = \"own\" }]")
    );
    let config = build_config(&text);
    assert_eq!(*config.strategy.command, ["make"]);
    assert!(!config.paused && !config.triggers[0].paused);
    assert_eq!(loaded(&text).settings.tags[0].interval, Duration::from_mins(5));
    assert_eq!((config.policy.on_first, config.policy.on_interrupt), (OnFirst::Record, OnInterrupt::Fail));
    assert_eq!(config.policy.timeout, Duration::from_hours(2));
    assert_eq!(config.labels.get("team").map(String::as_str), Some("pay"));
    assert_eq!(config.policy.run_policy, RunPolicy::SerialLatestOnly);
    assert_eq!((config.policy.supersede, config.policy.retry.attempts), (Supersede::Images, 4));
    let env = [("A", "defaults"), ("B", "own")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(*config.strategy.env, env);
    assert_eq!(config.strategy.working_dir.as_deref(), Some(Path::new("/srv")));
}

#[test]
fn s08_three_strategies_resolve_the_tag_they_are_made_from() {
    for (kind, name) in
        [(StrategyKind::Source, "Source"), (StrategyKind::Docker, "Docker"), (StrategyKind::Custom, "Custom")]
    {
        for from in ["{ kind = \"ImageStreamTag\", name = \"ruby:2\" }", "{ name = \"ruby:2\" }"] {
            let text = format!(
                "{STREAM}[[build_config]]\nname = \"app\"\n[build_config.strategy]\ntype = \"{name}\"\n\
                 from = {from}\ncommand = [\"make\"]\n"
            );
            let strategy = build_config(&text).strategy.clone();
            assert_eq!(strategy.kind, kind);
            assert_eq!(strategy.stream_tag().unwrap().tag.as_str(), "reg.example.com/ruby:2");
            assert_eq!(&*strategy.stream_tag().unwrap().named, "default/ruby:2");
            assert_eq!(
                loaded(&text).settings.tags.len(),
                1,
                "without a trigger it is looked at all the same (S24)"
            );
        }
    }
}

#[test]
fn a_docker_or_command_strategy_may_be_made_from_nothing() {
    for kind in ["Docker", "Command"] {
        let text = format!(
            "[[build_config]]\nname = \"app\"\n[build_config.strategy]\ntype = \"{kind}\"\ncommand = [\"make\"]\n"
        );
        assert_eq!(build_config(&text).strategy.from, None);
        assert_eq!(problems(&text), [""; 0]);
    }
}

#[test]
fn a_docker_image_stays_as_it_is_written_and_is_not_polled() {
    let prefix = "[[registry]]\nhost = \"reg.example.com\"\nreference_prefix = \"cache.example\"\n";
    let text = format!(
        "{prefix}[[build_config]]\nname = \"app\"\n[build_config.strategy]\ntype = \"Docker\"\n\
         from = {{ kind = \"DockerImage\", name = \"reg.example.com/ruby\" }}\ncommand = [\"make\"]\n"
    );
    match &build_config(&text).strategy.from {
        Some(Base::Image { text, tag }) => {
            assert_eq!((&**text, tag.as_str()), ("reg.example.com/ruby", "reg.example.com/ruby:latest"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(loaded(&text).settings.tags, []);
}

#[test]
fn the_options_of_a_docker_strategy_are_taken_over() {
    for build_args in
        ["{ B = \"1\", A = \"2\" }", "[{ name = \"B\", value = \"1\" }, { name = \"A\", value = \"2\" }]"]
    {
        let text = format!(
            "[[build_config]]\nname = \"app\"\n[build_config.strategy]\ntype = \"Docker\"\ncommand = [\"make\"]\n\
             dockerfile_path = \"D\"\nbuild_args = {build_args}\ntarget = \"t\"\nno_cache = true\n"
        );
        let options = StrategyOptions {
            dockerfile_path: Some("D".into()),
            build_args: vec![("B".into(), "1".into()), ("A".into(), "2".into())],
            target: Some("t".into()),
            no_cache: true,
            ..StrategyOptions::default()
        };
        assert_eq!(build_config(&text).strategy.options.as_deref(), Some(&options));
    }
}

#[test]
fn a_custom_strategy_may_say_where_its_own_image_stands() {
    let config = build_config(&app(
        "",
        "env = [{ name = \"A\" }, { name = \"OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE\", value = \"x\" }, { name = \"B\" }]",
    ));
    let names: Vec<&str> = config.strategy.env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["A", "OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE", "B"]);
}

#[test]
fn a_name_is_given_once_over_both_forms() {
    let text = format!("[[watch]]\nimage = \"debian:12\"\nname = \"app\"\nrun = [\"make\"]\n{}", app("", ""));
    assert_eq!(
        problems(&text),
        [
            "main.toml:9: build_config[0].name: gives a second build config the name default/app, the first is at \
          main.toml:3 (app); give one of the two another `name`"
        ]
    );
    let elsewhere = text.replace("[[build_config]]", "[[build_config]]\nnamespace = \"other\"");
    assert_eq!(
        problems(&elsewhere),
        ["main.toml:14: build_config[0].strategy.from.name: there is no image stream other/ruby; add \
          [[image_stream]] with name = \"ruby\" and repository = \"host/path\", or system_registry = \"host\" to \
          [defaults]"],
        "the name is another there, and so is the stream"
    );
}

#[test]
fn watch_and_its_long_form_watch_the_same() {
    let watch = build_config(
        "[[watch]]\nimages = [\"reg.example.com/ruby:2\", \"reg.example.com/custom:1\"]\nname = \"app\"\n\
         run = [\"make\"]\npaused = true\n",
    );
    let long = "[[image_stream]]\nname = \"ruby\"\nrepository = \"reg.example.com/ruby\"\n\
                [[image_stream]]\nname = \"custom\"\nrepository = \"reg.example.com/custom\"\n\
                [[build_config]]\nname = \"app\"\n\
                [build_config.strategy]\ntype = \"Command\"\nfrom = { name = \"ruby:2\" }\ncommand = [\"make\"]\n\
                [[build_config.trigger]]\ntype = \"ImageChange\"\nimage_change = { paused = true }\n\
                [[build_config.trigger]]\ntype = \"ImageChange\"\n\
                image_change = { from = { name = \"custom:1\" }, paused = true }\n";
    let twin = build_config(long);
    assert_eq!(twin.key, watch.key);
    assert_eq!(twin.strategy.tag(), watch.strategy.tag());
    assert_eq!(twin.strategy.command, watch.strategy.command);
    let triggers = |config: &crate::controller::BuildConfig| -> Vec<_> {
        let what = config.triggers.iter();
        what.map(|trigger| (trigger.from.tag.clone(), trigger.from.platforms.clone(), trigger.paused))
            .collect()
    };
    assert_eq!(triggers(&twin), triggers(&watch));
    let short = "[[watch]]\nimages = [\"reg.example.com/ruby:2\", \"reg.example.com/custom:1\"]\nname = \"app\"\n\
                 run = [\"make\"]\n";
    assert_eq!(loaded(long).settings.tags, loaded(short).settings.tags);
    assert_eq!(loaded(long).settings.registries, loaded(short).settings.registries);
}

#[test]
fn a_password_in_the_address_of_a_repository_is_refused_and_not_shown() {
    let text = |uri: &str| {
        format!(
            "[[build_config]]\nname = \"app\"\nsource = {{ git = {{ uri = \"{uri}\" }} }}\n\
             [build_config.strategy]\ntype = \"Command\"\ncommand = [\"true\"]\n"
        )
    };
    for uri in
        ["https://git.example.com/a.git", "ssh://git@git.example.com:22/a.git", "git@git.example.com:a.git"]
    {
        assert!(problems(&text(uri)).is_empty(), "{uri}");
    }
    let told = problems(&text("https://ci:hunter2@git.example.com/a.git"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("main.toml:3: build_config[0].source.git.uri: has a password in it"),
        "{told:?}"
    );
    assert!(!told[0].contains("hunter2"), "{told:?}");
}

#[test]
fn an_incremental_strategy_without_an_output_is_a_warning() {
    let text = |output: &str, incremental: bool| {
        format!(
            "[[build_config]]\nname = \"app\"\nsource = {{ directory = \"/srv\" }}\n{output}\n[build_config.strategy]\n\
             type = \"Source\"\nfrom = {{ kind = \"DockerImage\", name = \"reg.example.com/ruby:2\" }}\n\
             incremental = {incremental}\n"
        )
    };
    let expected = "main.toml:8: warning: build_config[0].strategy.incremental: does nothing without an output: no build \
                    finds the image of the one before; add output = { to = \"…\" }, or delete it";
    let found = problems(&text("", true));
    assert!(found.iter().any(|problem| problem == expected), "{found:?}");
    for (output, incremental) in
        [("output = { to = \"reg.example.com/app:1\", push = false }", true), ("", false)]
    {
        let found = problems(&text(output, incremental));
        assert!(!found.iter().any(|problem| problem.contains("incremental")), "{found:?}");
    }
}
