//! Where builds run, what they are trusted with, and what they are made of besides their base.

use std::path::Path;

use super::{Dir, build_config, build_configs, loaded, problems};
use crate::controller::{Base, ImagePath, Tool, Venue};

const RUNNER: &str = "[runner.docker]\nsocket = \"/run/basewatch-runner/docker.sock\"\n";
const STREAM: &str = "[[image_stream]]\nname = \"ruby\"\nrepository = \"reg.example.com/ruby\"\n";

fn watch(keys: &str) -> String {
    format!("[[watch]]\nimage = \"reg.example.com/app:1\"\nrun = [\"make\"]\n{keys}\n")
}

/// A Docker build config with these keys, and those of the strategy.
fn docker(keys: &str, strategy: &str) -> String {
    format!(
        "{STREAM}[[build_config]]\nname = \"app\"\n{keys}\n[build_config.strategy]\ntype = \"Docker\"\n\
         from = {{ name = \"ruby:2\" }}\n{strategy}\n"
    )
}

#[test]
fn where_builds_run_comes_from_the_nearest_layer_and_secrets_from_all() {
    let dir = Dir::with(&[
        ("a", "1"),
        ("b", "2"),
        ("c", "3"),
        ("credentials/push", "{}"),
        ("main.toml", &{
            let defaults = "[defaults]\nrunner = \"docker\"\nsecrets = { one = \"a\", two = \"a\" }\n";
            let auth = "auth_file = \"credential:push\"\n";
            let template = "[template.t]\nsecrets = { two = \"b\" }\n";
            let keys = "use = \"t\"\nsecrets = { three = \"c\" }\nrunner = \"exec\"";
            let long = docker("source = { directory = \"/srv\" }", "")
                .replace("from", "# from")
                .replace("\"app\"", "\"long\"");
            format!("{defaults}{auth}{template}{}{}{RUNNER}", watch(keys), long.replace(STREAM, ""))
        }),
    ]);
    let settings = dir.load().unwrap().settings;
    assert_eq!(settings.runners["docker"], Path::new("/run/basewatch-runner/docker.sock"));
    let venue = |nth: usize| settings.controller.build_configs[nth].policy.venue.clone().unwrap();
    let file = |name: &str| dir.path(name).into_boxed_path();
    let own = Venue {
        runner: None,
        secrets: vec![("one".into(), file("a")), ("two".into(), file("b")), ("three".into(), file("c"))],
        auth_file: Some(file("credentials/push")),
    };
    assert_eq!(*venue(0), own);
    let secrets = vec![("one".into(), file("a")), ("two".into(), file("a"))];
    assert_eq!(*venue(1), Venue { runner: Some("docker".into()), secrets, ..own });
}

#[test]
fn a_config_that_says_nothing_of_it_has_nothing_of_it() {
    assert_eq!(build_configs(&watch(""))[0].policy.venue, None);
    assert_eq!(build_configs(&watch("runner = \"exec\""))[0].policy.venue, None);
}

#[test]
fn a_mistake_in_where_builds_run_is_told_once() {
    let told = [
        (
            format!(
                "{RUNNER}[defaults]\nrunner = \"doker\"\n{}{}",
                watch("name = \"a\""),
                watch("name = \"b\"")
            ),
            vec![
                "main.toml:4: defaults.runner: there is no such runner (\"doker\"); did you mean \"docker\"?",
            ],
        ),
        (
            watch("runner = \"docker\""),
            vec![
                "main.toml:4: watch[0].runner: there is no such runner (\"docker\"); \
                 add [runner.docker] with a socket",
            ],
        ),
        (
            format!("[runner.exec]\nsocket = \"/s\"\n{}", watch("")),
            vec![
                "main.toml:1: runner.exec: cannot be configured; give it another name: `exec` is the daemon itself",
            ],
        ),
        (
            format!("[runner.docker]\n{}", watch("runner = \"docker\"")),
            vec![
                "main.toml:1: runner.docker: has no socket; \
                 add socket = \"/run/basewatch-runner/runner.sock\"",
            ],
        ),
        (
            format!("{RUNNER}{}", watch("")),
            vec![
                "main.toml:1: warning: runner.docker: no build runs in this runner; \
                 write runner = \"docker\" in a watch, or delete it",
            ],
        ),
        (
            watch("secrets = { \".npm\" = \"main.toml\" }"),
            vec![
                "main.toml:4: watch[0].secrets.\".npm\": is not a name for a secret (.npm); \
                 write 1 to 100 letters, digits and - _ ., with no . first",
            ],
        ),
        (
            watch("secrets = { npm = \"/no/such/file\" }"),
            vec![
                "main.toml:4: watch[0].secrets.npm: cannot be read: No such file or directory (os error 2) \
                 (/no/such/file); create it, and let the user that runs basewatch read it",
            ],
        ),
    ];
    for (text, expected) in told {
        assert_eq!(problems(&text), expected, "of {text}");
    }
}

#[test]
fn image_sources_are_taken_over_and_their_tags_polled() {
    let source = r#"
        [build_config.source]
        git = { uri = "https://git.example.com/app.git" }
        images = [
            { from = { name = "ruby:3" }, as = ["assets", "tools"] },
            { from = { kind = "DockerImage", name = "quay.io/org/x:1" }, paths = [
                { source_path = "/dist/.", destination_dir = "public" } ] },
        ]"#;
    let text = format!("{}{source}\n", docker("", ""));
    let loaded = loaded(&text);
    assert_eq!(loaded.warnings, []);
    let config = &loaded.settings.controller.build_configs[0];
    let Base::Tag(from) = &config.image_sources[0].from else { panic!("it follows a tag") };
    assert_eq!(from.tag.to_string(), "reg.example.com/ruby:3");
    assert_eq!(config.image_sources[0].of_use.aliases, ["assets".into(), "tools".into()]);
    let Base::Image { text, .. } = &config.image_sources[1].from else { panic!("it is named outright") };
    assert_eq!(&**text, "quay.io/org/x:1");
    let path = ImagePath { source_path: "/dist/.".into(), destination_dir: "public".into() };
    assert_eq!(config.image_sources[1].of_use.paths, [path]);
    let polled: Vec<String> = loaded.settings.tags.iter().map(|tag| tag.tag.to_string()).collect();
    assert_eq!(polled, ["reg.example.com/ruby:2", "reg.example.com/ruby:3"]);
}

#[test]
fn a_mistake_in_the_source_code_is_told() {
    let git = "git = { uri = \"https://g.example.com/a.git\" }";
    let cases = [
        (
            format!("source = {{ {git}, directory = \"/srv\" }}"),
            "main.toml:6: build_config[0].source.git: stands beside `directory`; keep either `git` or `directory`",
        ),
        (
            "source = { git = { uri = \"--upload-pack=x\" } }".to_owned(),
            "main.toml:6: build_config[0].source.git.uri: begins with a - (--upload-pack=x); \
             write what does not look like an option of git",
        ),
        (
            format!("source = {{ {git}, context_dir = \"../x\" }}"),
            "main.toml:6: build_config[0].source.context_dir: leads out of the source code (\"../x\"); \
             write a path below it, without .. and without a / in front",
        ),
        (
            format!("source = {{ {git}, images = [{{ as = [\"a\"] }}] }}"),
            "main.toml:6: build_config[0].source.images[0]: names no image; \
             add from = { kind = \"ImageStreamTag\", name = \"STREAM:TAG\" }",
        ),
        (
            format!("source = {{ {git}, images = [{{ from = {{ name = \"ruby:2\" }} }}] }}"),
            "main.toml:6: build_config[0].source.images[0]: says nothing of what it is for; \
             add as = [\"NAME\"], or paths = [{ source_path, destination_dir }]",
        ),
        (
            format!(
                "source = {{ {git}, images = [{{ from = {{ name = \"ruby:2\" }}, as = [\"a\", \"a\"] }}] }}"
            ),
            "main.toml:6: build_config[0].source.images[0].as[1]: is a second image of one name, \
             the first is at main.toml:6 (\"a\"); keep one of the two",
        ),
        (
            format!(
                "source = {{ {git}, images = [{{ from = {{ name = \"ruby:2\" }}, \
                 paths = [{{ source_path = \"dist\", destination_dir = \"d\" }}] }}] }}"
            ),
            "main.toml:6: build_config[0].source.images[0].paths[0].source_path: is not an absolute path (dist); \
             write the whole path in the image",
        ),
        (
            String::new(),
            "main.toml:4: warning: build_config[0]: has no source code and no command: its builds end in Error; \
             add source = { git = { uri = \"https://…\" } } or { directory = \"/path\" }",
        ),
    ];
    for (keys, expected) in cases {
        assert_eq!(problems(&docker(&keys, "")), [expected], "of {keys}");
    }
}

#[test]
fn a_tool_is_for_what_it_can_build() {
    let source = "source = { directory = \"/srv\" }";
    let tool = |text: &str| build_config(&docker(source, text)).strategy.options.as_ref()?.tool;
    assert_eq!(tool("tool = \"podman\""), Some(Tool::Podman));
    assert_eq!(tool(""), None);
    assert_eq!(
        problems(&docker(source, "tool = \"s2i\"")),
        ["main.toml:10: build_config[0].strategy.tool: is for Source strategies (\"s2i\"); \
          write \"buildah\", \"podman\" or \"docker\""]
    );
}

#[test]
fn a_built_in_strategy_knows_what_it_may_ask_by_plain_http_and_whether_to_push() {
    let keys = "source = { directory = \"/srv\" }\noutput = { to = \"out.example.com/app:1\", push = false }";
    let registry = |host: &str| format!("[[registry]]\nhost = \"{host}\"\ninsecure = true\n");
    let text = format!("{}{}", docker(keys, ""), registry("out.example.com"));
    let loaded = loaded(&text);
    assert_eq!(loaded.warnings, [], "a registry that is only pushed to is of use");
    let options = loaded.settings.controller.build_configs[0].strategy.options.clone().unwrap();
    assert_eq!((options.insecure, options.no_push), (vec!["out.example.com".into()], true));
}
