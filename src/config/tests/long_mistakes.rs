//! Each mistake in the long form is told once, with file, line, key, value and fix.

use super::problems;

/// A stream in which nothing is wrong, up to the tag that is added.
const STREAM: &str = "[[image_stream]]\nname = \"ruby\"\nrepository = \"reg.example.com/ruby\"\n";
const USED: &str = "[[build_config]]\nname = \"app\"\n[build_config.strategy]\ntype = \"Custom\"\n\
                    from = { name = \"ruby:2\" }\ncommand = [\"make\"]\n";

#[track_caller]
fn tells(cases: &[(&str, &str)], text: impl Fn(&str) -> String) {
    for (line, expected) in cases {
        assert_eq!(problems(&text(line)), [expected.to_string()], "of {line}");
    }
}

#[test]
fn a_mistake_in_a_stream_is_told() {
    let cases = [
        (
            "name = \"x\"\nrepository = \"reg.example.com/x:1\"",
            "main.toml:9: image_stream[0].repository: is one image, and a stream has a whole repository \
          (\"reg.example.com/x:1\"); write \"reg.example.com/x\"",
        ),
        (
            "name = \"x\"\nrepository = \"reg.example.com/X\"",
            "main.toml:9: image_stream[0].repository: is not a repository (\"reg.example.com/X\"); write it as host/path",
        ),
        ("repository = \"reg.example.com/x\"", "main.toml:7: image_stream[0]: has no name; add name = \"…\""),
        (
            "name = \"a/b\"\nrepository = \"reg.example.com/x\"",
            "main.toml:8: image_stream[0].name: is not the name of an image stream (\"a/b\"); \
          write 1 to 63 of a-z, 0-9 and - . _, with a letter or digit at both ends",
        ),
        (
            "name = \"x\"\nrepositry = \"reg.example.com/x\"\nrepository = \"reg.example.com/x\"",
            "main.toml:9: image_stream[0].repositry: unknown key; did you mean `repository`?",
        ),
    ];
    let watch = "[[watch]]\nimage = \"debian:12\"\nname = \"w\"\nrun = [\"make\"]\n\n\n";
    tells(&cases, |keys| format!("{watch}[[image_stream]]\n{keys}\n"));
    assert_eq!(
        problems(&format!("{STREAM}{STREAM}{USED}")),
        ["main.toml:5: image_stream[1].name: is default/ruby again, as at main.toml:1 (\"ruby\"); \
          make one [[image_stream]] of the two"]
    );
    assert_eq!(
        problems(&format!("{STREAM}{USED}[defaults]\nsystem_registry = \"https://reg.example.com\"\n")),
        [
            "main.toml:11: defaults.system_registry: is not the host of a registry (\"https://reg.example.com\"); \
          write \"reg.example.com\""
        ]
    );
    assert_eq!(
        problems(&format!(
            "{STREAM}{USED}[[registry]]\nhost = \"reg.example.com\"\nreference_prefix = \"a:b:c\"\n"
        )),
        ["main.toml:12: registry[0].reference_prefix: is not what a reference begins with (\"a:b:c\"); \
          write HOST or HOST/PATH, without a tag"]
    );
}

#[test]
fn a_mistake_in_a_tag_is_told() {
    let image = "from = { kind = \"DockerImage\", name = \"quay.example/ruby:2\" }\n";
    let tag = "from = { kind = \"ImageStreamTag\", name = \"1\" }\n";
    let with = |from: &str, more: &str| format!("name = \"2\"\n{from}{more}");
    let cases = [
        (image.to_owned(), "main.toml:4: image_stream[0].tag[0]: has no name; add name = \"latest\"".to_owned()),
        (
            with("from = { name = \"quay.example/ruby:2\" }\n", ""),
            "main.toml:6: image_stream[0].tag[0].from: does not say what kind of thing it names; \
             add kind = \"DockerImage\", or \"ImageStreamTag\" for another tag of this stream"
                .to_owned(),
        ),
        (
            with("from = { kind = \"DockerImage\" }\n", ""),
            "main.toml:6: image_stream[0].tag[0].from: names nothing; add name = \"…\"".to_owned(),
        ),
        (
            with("from = { kind = \"DockerImage\", name = \"Ruby\" }\n", ""),
            "main.toml:6: image_stream[0].tag[0].from.name: is not an image reference: invalid reference format \
             (\"Ruby\"); write it as host/repository:tag"
                .to_owned(),
        ),
        (
            format!("{}[[image_stream.tag]]\nname = \"1\"\nfrom = {{ kind = \"DockerImage\", name = \"Ruby\" }}", with(tag, "")),
            "main.toml:9: image_stream[0].tag[1].from.name: is not an image reference: invalid reference format \
             (\"Ruby\"); write it as host/repository:tag"
                .to_owned(),
        ),
        (
            with("from = { kind = \"DockerImage\", name = \"quay.example/ruby:2\", namespace = \"x\" }\n", ""),
            "main.toml:6: image_stream[0].tag[0].from.namespace: namespace is not valid when used with a 'DockerImage' \
             (\"x\"); delete it"
                .to_owned(),
        ),
        (
            with("from = { kind = \"ImageStreamTag\", name = \"other:1\" }\n", ""),
            "main.toml:6: image_stream[0].tag[0].from.name: is a tag of another image stream, and would not be followed \
             (\"other:1\"); name the image itself, kind = \"DockerImage\": by tag to follow it, by digest to hold it"
                .to_owned(),
        ),
        (
            with("from = { kind = \"ImageStreamTag\", name = \"ruby:1\", namespace = \"x\" }\n", ""),
            "main.toml:6: image_stream[0].tag[0].from.name: is a tag of another image stream, and would not be followed \
             (\"ruby:1\"); name the image itself, kind = \"DockerImage\": by tag to follow it, by digest to hold it"
                .to_owned(),
        ),
        (
            with(tag, "import_policy = { scheduled = true }"),
            "main.toml:7: image_stream[0].tag[0].import_policy.scheduled: only tags that come from a DockerImage can be \
             scheduled; delete it: such a tag is followed anyhow"
                .to_owned(),
        ),
        (
            with("", "import_policy = { scheduled = true }"),
            "main.toml:6: image_stream[0].tag[0].import_policy.scheduled: only tags that come from a DockerImage can be \
             scheduled; delete it: such a tag is followed anyhow"
                .to_owned(),
        ),
        (
            with(tag, "reference = true"),
            "main.toml:7: image_stream[0].tag[0].reference: a tag that follows another has no image of its own to refer \
             to; name the image itself, kind = \"DockerImage\""
                .to_owned(),
        ),
        (
            with(image, "reference = true\nimport_policy = { scheduled = true }"),
            "main.toml:8: image_stream[0].tag[0].import_policy.scheduled: stands beside `reference`, so that no registry \
             is asked; keep one of the two"
                .to_owned(),
        ),
        (
            with(image, "platforms = \"all\"\nimport_policy = { import_mode = \"Legacy\" }"),
            "main.toml:8: image_stream[0].tag[0].import_policy.import_mode: stands beside `platforms`; \
             keep one of the two; \"PreserveOriginal\" is platforms = \"index\""
                .to_owned(),
        ),
        (
            with(image, "import_policy = { import_mode = \"legacy\" }"),
            "main.toml:7: image_stream[0].tag[0].import_policy.import_mode: is not a choice here (\"legacy\"); \
             did you mean \"Legacy\"?"
                .to_owned(),
        ),
        (
            with(image, "prefer_arch = \"arm64\""),
            "main.toml:7: image_stream[0].tag[0].prefer_arch: is of no use without Legacy (\"arm64\"); \
             add import_policy = { import_mode = \"Legacy\" }, or write platforms instead"
                .to_owned(),
        ),
        (
            with(image, "reference_policy = \"Remote\""),
            "main.toml:7: image_stream[0].tag[0].reference_policy: is not a choice here (\"Remote\"); \
             write \"Source\" or \"Local\""
                .to_owned(),
        ),
        (
            with(tag, "interval = \"5m\""),
            "main.toml:7: warning: image_stream[0].tag[0].interval: has no effect: this tag follows another, and that \
             one says how it is looked at; write it there"
                .to_owned(),
        ),
        (
            format!("{}[[image_stream.tag]]\nname = \"2\"", with(image, "")),
            "main.toml:8: image_stream[0].tag[1].name: is in this stream already, at main.toml:5 (\"2\"); \
             make one [[image_stream.tag]] of the two"
                .to_owned(),
        ),
        (
            format!(
                "{}[[image_stream.tag]]\nname = \"1\"\nfrom = {{ kind = \"ImageStreamTag\", name = \"2\" }}",
                with(tag, "")
            ),
            "main.toml:9: image_stream[0].tag[1].from.name: goes round in a circle: 2 -> 1 -> 2; \
             let one of them come from a DockerImage"
                .to_owned(),
        ),
    ];
    for (keys, expected) in cases {
        let text = format!("{STREAM}[[image_stream.tag]]\n{keys}\n{USED}");
        assert_eq!(problems(&text), [expected], "of {keys}");
    }
}

#[test]
fn a_mistake_in_a_build_config_is_told() {
    let cases = [
        (
            "successful_builds_history_limit = -1",
            "main.toml:6: build_config[0].successful_builds_history_limit: is out of range (-1); \
             write a whole number from 0 to 100000",
        ),
        (
            "failed_builds_history_limit = -1",
            "main.toml:6: build_config[0].failed_builds_history_limit: is out of range (-1); \
             write a whole number from 0 to 100000",
        ),
        (
            "run_policy = \"Paralel\"",
            "main.toml:6: build_config[0].run_policy: is not a choice here (\"Paralel\"); did you mean \"Parallel\"?",
        ),
        (
            "output = { to = \"reg.example.com/app:1\", push = false }",
            "main.toml:6: build_config[0].output.push: cannot be turned off (false); \
             delete it: the command pushes, or does not",
        ),
        (
            "source = { git = { ref = \"main\" } }",
            "main.toml:6: build_config[0].source.git: names no repository; add uri = \"https://…\"",
        ),
        (
            "interval = \"5m\"",
            "main.toml:6: build_config[0].interval: unknown key; the keys here are labels, on_first, \
          run_policy, supersede, timeout, retry, on_interrupt, runner, secrets, auth_file, name, namespace, paused, \
          successful_builds_history_limit, failed_builds_history_limit, last_version, source, output, strategy, trigger",
        ),
    ];
    let used = |keys: &str| USED.replace("name = \"app\"\n", &format!("name = \"app\"\n{keys}\n"));
    tells(&cases, |keys| format!("{STREAM}{}", used(keys)));
    assert_eq!(
        problems(&format!("{STREAM}[[build_config]]\nname = \"app\"\n")),
        ["main.toml:4: build_config[0]: has no strategy; \
          add [build_config.strategy] with a type and a command below it"]
    );
    assert_eq!(
        problems(&format!("{STREAM}{}", USED.replace("name = \"app\"\n", ""))),
        ["main.toml:4: build_config[0]: has no name; add name = \"…\""]
    );
}

#[test]
fn a_mistake_in_a_strategy_is_told() {
    let cases = [
        (
            "command = [\"make\"]",
            "main.toml:3: build_config[0].strategy: has no type; \
          add type = \"Source\", \"Docker\", \"Custom\" or \"Command\"",
        ),
        (
            "type = \"JenkinsPipeline\"\ncommand = [\"make\"]",
            "main.toml:4: build_config[0].strategy.type: is not a choice here (\"JenkinsPipeline\"); \
          write \"Source\" or \"Docker\" or \"Custom\" or \"Command\"",
        ),
        (
            "type = \"Source\"\ncommand = [\"make\"]",
            "main.toml:3: build_config[0].strategy: a Source strategy is made from an image, and this names none; \
          add from = { kind = \"ImageStreamTag\", name = \"STREAM:TAG\" }",
        ),
        (
            "type = \"Custom\"\ncommand = [\"make\"]",
            "main.toml:3: build_config[0].strategy: a Custom strategy is made from an image, and this names none; \
          add from = { kind = \"ImageStreamTag\", name = \"STREAM:TAG\" }",
        ),
        (
            "type = \"Command\"",
            "main.toml:3: build_config[0].strategy: has nothing to run; \
          add command = [\"make\", \"image\"]",
        ),
        (
            "type = \"Custom\"\nfrom = { kind = \"DockerImage\", name = \"reg.example.com/x:1\" }",
            "main.toml:3: warning: build_config[0].strategy: has no command, which is all that a Custom build is: \
          its builds end in Error; add command = [\"make\", \"image\"]",
        ),
        (
            "type = \"Docker\"\ncommand = [\"make\"]\nincremental = true",
            "main.toml:6: build_config[0].strategy.incremental: is for Source strategies, and this is a Docker one; \
          delete it",
        ),
        (
            "type = \"Command\"\ncommand = [\"make\"]\nno_cache = true",
            "main.toml:6: build_config[0].strategy.no_cache: is for Docker strategies, and this is a Command one; \
          delete it",
        ),
        (
            "type = \"Command\"\ncommand = [\"make\"]\nforce_pull = false",
            "main.toml:6: build_config[0].strategy.force_pull: is for Source, Docker, Custom strategies, and this is a \
          Command one; delete it",
        ),
        (
            "type = \"Docker\"\ncommand = [\"make\"]\nfrom = { kind = \"DockerImage\", name = \"Ruby\" }",
            "main.toml:6: build_config[0].strategy.from.name: is not an image reference: invalid reference format \
          (\"Ruby\"); write it as host/repository:tag",
        ),
        (
            "type = \"Docker\"\ncommand = [\"make\"]\nfrom = { kind = \"ImageStreamImage\", name = \"ruby@sha256:9f86\" }",
            "main.toml:6: build_config[0].strategy.from.name: ImageStreamImage object references must be in the form \
          <name>@<id> (\"ruby@sha256:9f86\"); write it as name@sha256:…, with the whole digest",
        ),
        (
            "type = \"Docker\"\ncommand = [\"make\"]\nfrom = { name = \"reg.example.com/ruby:1\" }",
            "main.toml:6: build_config[0].strategy.from.name: ImageStreamTag object references must be in the form \
          <name>:<tag> (\"reg.example.com/ruby:1\"); write kind = \"DockerImage\" for an image that is named as its \
          registry has it",
        ),
        (
            "type = \"Docker\"\ncommand = [\"make\"]\nfrom = {}",
            "main.toml:6: build_config[0].strategy.from: names nothing; add name = \"…\"",
        ),
        (
            "type = \"Docker\"\ncommand = [\"make\"]\nenv = { A = \"b\" }",
            "main.toml:6: build_config[0].strategy.env: should be a list of tables, not a table ({…}); \
          write it like [{ name = \"K\", value = \"v\" }]",
        ),
        (
            "type = \"Docker\"\ncommand = [\"make\"]\nenv = [{ value = \"b\" }]",
            "main.toml:6: build_config[0].strategy.env[0]: names no variable; add name = \"…\"",
        ),
        (
            "type = \"Docker\"\ncommand = [\"make\"]\nenv = [{ name = \"A\" }, { name = \"A\" }]",
            "main.toml:6: build_config[0].strategy.env[1]: is a second value for one name, the first is at main.toml:6 \
          (A); keep one of the two",
        ),
        (
            "type = \"Docker\"\ncommand = [\"make\"]\nenv = [{ name = \"OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE\" }]",
            "main.toml:6: build_config[0].strategy.env[0]: is a variable that basewatch sets itself \
          (OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE); choose another name",
        ),
        (
            "type = \"Docker\"\ncommand = [\"make\"]\nbuild_args = { \"A B\" = \"1\" }",
            "main.toml:6: build_config[0].strategy.build_args.\"A B\": is not the name of a variable (A B); \
          write letters, digits and _, with no digit first",
        ),
    ];
    tells(&cases, |keys| format!("[[build_config]]\nname = \"app\"\n[build_config.strategy]\n{keys}\n"));
}

#[test]
fn a_mistake_in_a_trigger_is_told() {
    let cases = [
        (
            "image_change = {}",
            "main.toml:10: build_config[0].trigger[0]: has no type; \
          add type = \"ImageChange\", or what else it is",
        ),
        (
            "type = \"ImageChanged\"",
            "main.toml:11: build_config[0].trigger[0].type: is not a choice here (\"ImageChanged\"); \
          did you mean \"ImageChange\"?",
        ),
        (
            "type = \"ConfigChange\"\nimage_change = {}",
            "main.toml:12: build_config[0].trigger[0].image_change: is for ImageChange triggers, and this is of type \
          ConfigChange; delete it, or correct the type",
        ),
        (
            "type = \"ImageChange\"\nimage_change = { form = {} }",
            "main.toml:12: build_config[0].trigger[0].image_change.form: unknown key; did you mean `from`?",
        ),
        (
            "type = \"ImageChange\"\nimage_change = { last_triggered_image_id = \"A B\" }",
            "main.toml:12: build_config[0].trigger[0].image_change.last_triggered_image_id: is not a reference to an image \
          (\"A B\"); write it as host/repository@sha256:…",
        ),
        (
            "type = \"ImageChange\"\nimage_change = { from = {} }",
            "main.toml:12: build_config[0].trigger[0].image_change.from: names nothing; add name = \"…\"",
        ),
    ];
    tells(&cases, |keys| format!("{STREAM}{USED}[[build_config.trigger]]\n{keys}\n"));
}
