//! `conf.d`: what adds up and what may be said only once.

use std::path::{Path, PathBuf};

use super::Dir;
use crate::config::{DEFAULT_PATH, locate};

const WATCH: &str = "[[watch]]\nimage = \"debian:12\"\nrun = [\"make\"]\n";

#[test]
fn watches_and_registries_add_up_in_lexical_order() {
    let watch = |name: &str| format!("{WATCH}name = \"{name}\"\n");
    let dir = Dir::with(&[
        ("main.toml", &watch("main")),
        ("conf.d/20.toml", &watch("second")),
        ("conf.d/10.toml", &watch("first")),
        ("conf.d/30.toml.bak", "not TOML"),
        ("conf.d/.#10.toml", "not TOML"),
    ]);
    let names: Vec<String> = dir
        .load()
        .unwrap()
        .settings
        .controller
        .build_configs
        .iter()
        .map(|config| config.key.to_string())
        .collect();
    assert_eq!(names, ["default/main", "default/first", "default/second"]);
}

#[test]
fn a_stream_may_stand_in_another_file_than_the_build_config_that_uses_it() {
    let config = "[[build_config]]\nname = \"app\"\n[build_config.strategy]\ntype = \"Source\"\n\
                  from = { name = \"ruby:2\" }\ncommand = [\"make\"]\n";
    let dir = Dir::with(&[
        ("main.toml", config),
        ("conf.d/a.toml", "[[image_stream]]\nname = \"ruby\"\nrepository = \"reg.example.com/ruby\"\n"),
    ]);
    let settings = dir.load().unwrap().settings;
    let strategy = &settings.controller.build_configs[0].strategy;
    assert_eq!(strategy.tag().unwrap().as_str(), "reg.example.com/ruby:2");
}

#[test]
fn a_key_set_twice_is_an_error_that_names_both_places() {
    let dir = Dir::with(&[
        ("main.toml", "[daemon]\nmax_builds = 3\n[template.make]\nrun = [\"make\"]\n"),
        ("conf.d/a.toml", "[daemon]\nhold_above = 5\nmax_builds = 4\n"),
        ("conf.d/b.toml", "[template.make]\nrun = [\"ninja\"]\n"),
    ]);
    assert_eq!(
        dir.problems(),
        [
            "conf.d/a.toml:3: daemon.max_builds: is set a second time, first at main.toml:2 (4); \
             keep one of the two",
            "conf.d/b.toml:1: template.make: is set a second time, first at main.toml:3 ({…}); \
             keep one of the two",
        ]
    );
}

#[test]
fn different_keys_of_one_table_may_stand_in_different_files() {
    let dir = Dir::with(&[
        ("main.toml", "[daemon]\nmax_builds = 3\n"),
        ("conf.d/a.toml", "[daemon]\nhold_above = 5\n"),
    ]);
    let controller = dir.load().unwrap().settings.controller;
    assert_eq!((controller.max_builds, controller.hold_above), (3, 5));
}

#[test]
fn a_template_may_stand_in_another_file_than_its_watch() {
    let dir = Dir::with(&[
        ("main.toml", "[[watch]]\nimage = \"debian:12\"\nuse = \"make\"\n"),
        ("conf.d/a.toml", "[template.make]\nrun = [\"make\"]\n"),
    ]);
    assert_eq!(*dir.load().unwrap().settings.controller.build_configs[0].strategy.command, ["make"]);
}

#[test]
fn a_relative_path_starts_at_its_own_file() {
    let dir = Dir::with(&[
        ("main.toml", "[daemon]\nstate_dir = \"state\"\nsocket = \"/run/b.sock\"\n"),
        ("conf.d/a.toml", &format!("{WATCH}working_dir = \"../{{name}}\"\n")),
    ]);
    let settings = dir.load().unwrap().settings;
    assert_eq!(settings.daemon.state_dir, Some(dir.path("state")));
    assert_eq!(settings.daemon.socket, Some(PathBuf::from("/run/b.sock")));
    assert_eq!(
        settings.controller.build_configs[0].strategy.working_dir,
        Some(dir.path("conf.d/../{name}").into_boxed_path()),
        "the placeholder is filled in when a build is made"
    );
}

#[test]
fn two_build_configs_of_one_name_are_an_error_that_names_both_places() {
    let dir = Dir::with(&[("main.toml", WATCH), ("conf.d/a.toml", &format!("\n\n{WATCH}"))]);
    assert_eq!(
        dir.problems(),
        ["conf.d/a.toml:4: watch[0].image: gives a second build config the name default/debian, \
          the first is at main.toml:2 (debian); give one of the two another `name`"]
    );
}

#[test]
fn the_argument_goes_before_the_environment_and_that_before_the_default() {
    let (argument, environment) = (Path::new("a.toml"), "e.toml".as_ref());
    assert_eq!(locate(Some(argument), Some(environment)), Path::new("a.toml"));
    assert_eq!(locate(None, Some(environment)), Path::new("e.toml"));
    assert_eq!(locate(None, Some("".as_ref())), Path::new(DEFAULT_PATH));
    assert_eq!(locate(None, None), Path::new(DEFAULT_PATH));
}
