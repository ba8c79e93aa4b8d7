//! The rules of the importer, one by one.

use std::fmt::Write;

use super::{Status, Weight, import, openshift, report, toml};
use crate::import::{Input, Options};

/// A build config with more of a spec than a strategy.
fn config(spec: &str) -> String {
    let mut text =
        "kind: BuildConfig\napiVersion: build.openshift.io/v1\nmetadata: {name: app}\nspec:\n".to_owned();
    text.push_str("  strategy: {sourceStrategy: {from: {name: \"ruby:latest\"}}}\n");
    spec.lines().for_each(|line| writeln!(text, "  {line}").unwrap());
    text
}

fn refused(text: &str) -> String {
    let imported = import(text, Status::Left);
    assert_eq!(imported.worst(), Weight::Refused, "{}", report(&imported));
    report(&imported)
}

/// Asserts that it is refused with this line among others.
fn assert_refused(text: &str, line: &str) {
    let said = refused(text);
    assert!(said.lines().any(|known| known.contains(line)), "no line has {line:?}:\n{said}");
}

#[test]
fn every_type_of_trigger_has_its_own_in_every_spelling() {
    let text = config(
        "triggers:
- type: imageChange
- type: ConfigChange
- {type: github, github: {secretReference: {name: a}}}
- {type: GitHub, github: {secretReference: {name: b}}}
- {type: GitLab, gitlab: {secretReference: {name: c}}}
- {type: Bitbucket, bitbucket: {secretReference: {name: d}}}
- {type: generic, generic: {secretReference: {name: e}, allowEnv: true}}",
    );
    let config = &toml(&text)["build_config"][0];
    let triggers = config["trigger"].as_array().unwrap();
    let types: Vec<&str> = triggers.iter().map(|trigger| trigger["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["ImageChange", "ConfigChange", "GitHub", "GitHub", "GitLab", "Bitbucket", "Generic"]);
    assert_eq!(triggers[0]["image_change"].as_table().unwrap().len(), 0);
    assert_eq!(triggers[4]["gitlab"]["secret_file"].as_str(), Some("/etc/basewatch/hooks/c"));
    assert_eq!(triggers[6]["generic"]["allow_env"].as_bool(), Some(true));
}

#[test]
fn an_unknown_type_of_trigger_is_refused_and_the_others_stay() {
    let text = config("triggers: [{type: ImageChanged}, {type: ConfigChange}]");
    assert_refused(
        &text,
        "error: app.yaml: document 1: BuildConfig app: spec.triggers[0].type: is \"ImageChanged\"",
    );
    let toml = import(&text, Status::Left).toml.parse::<toml::Table>().unwrap();
    assert_eq!(toml["build_config"][0]["trigger"].as_array().unwrap().len(), 1);
}

#[test]
fn a_jenkins_pipeline_is_refused_and_left_out() {
    let text = "kind: BuildConfig\nmetadata: {name: app}\nspec: {strategy: {jenkinsPipelineStrategy: {}}}";
    assert_refused(text, "spec.strategy.jenkinsPipelineStrategy: is a Jenkins pipeline");
    assert!(import(text, Status::Left).toml.is_empty());
}

#[test]
fn what_has_no_strategy_or_several_or_no_name_is_refused() {
    let of = |rest: &str| format!("kind: BuildConfig\n{rest}");
    assert_refused(&of("metadata: {name: a}"), "spec: is missing");
    assert_refused(&of("metadata: {name: a}\nspec: {}"), "spec.strategy: is missing");
    assert_refused(&of("metadata: {name: a}\nspec: {strategy: {}}"), "spec.strategy: is none of");
    let two = "metadata: {name: a}\nspec: {strategy: {dockerStrategy: {}, customStrategy: {}}}";
    assert_refused(&of(two), "spec.strategy: is several at once");
    assert_refused(&of("spec: {strategy: {dockerStrategy: {}}}"), "has no metadata.name");
    assert_refused("kind: ImageStream", "ImageStream: has no metadata.name");
}

#[test]
fn a_history_of_none_stays_none_and_no_limit_stays_the_default() {
    let none = toml(&config("successfulBuildsHistoryLimit: 0\nfailedBuildsHistoryLimit: 0"));
    let config_of = |toml: &toml::Table| toml["build_config"][0].as_table().unwrap().clone();
    assert_eq!(config_of(&none)["successful_builds_history_limit"].as_integer(), Some(0));
    assert_eq!(config_of(&none)["failed_builds_history_limit"].as_integer(), Some(0));
    let absent = config_of(&toml(&config("")));
    assert!(!absent.contains_key("successful_builds_history_limit"));
    assert_refused(&config("failedBuildsHistoryLimit: -1"), "spec.failedBuildsHistoryLimit: is below 0");
}

#[test]
fn a_deadline_is_a_timeout_and_none_is_the_longest() {
    let some = config("completionDeadlineSeconds: 90");
    assert_eq!(toml(&some)["build_config"][0]["timeout"].as_str(), Some("90s"));
    let none = import(&config(""), Status::Left);
    let said = report(&none);
    assert!(said.contains("spec.completionDeadlineSeconds: is absent"), "{said}");
    assert!(none.toml.contains("\ntimeout = \"720h\"\n"), "{}", none.toml);
    let long = toml(&config("completionDeadlineSeconds: 99999999"));
    assert_eq!(long["build_config"][0]["timeout"].as_str(), Some("720h"));
    assert_refused(&config("completionDeadlineSeconds: 0"), "spec.completionDeadlineSeconds: is below 1");
}

#[test]
fn a_field_of_the_wrong_kind_is_refused_without_being_shown() {
    assert_refused(&config("runPolicy: 7"), "spec.runPolicy: is a number, and should be a text");
    assert_refused(&config("triggers: hunter2"), "spec.triggers: is a text, and should be a list");
    assert_refused(&config("triggers: [hunter2]"), "spec.triggers[0]: is a text, and should be an object");
    assert!(!refused(&config("triggers: [hunter2]")).contains("hunter2"));
    assert_refused(&config("runPolicy: Sometimes"), "should be Serial or SerialLatestOnly or Parallel");
}

#[test]
fn secrets_of_one_name_in_two_namespaces_get_two_files() {
    let text = |namespace: &str| {
        config("triggers: [{type: Generic, generic: {secretReference: {name: hook}}}]")
            .replace("{name: app}", &format!("{{name: app, namespace: {namespace}}}"))
    };
    let both = format!("{}---\n{}", text("a"), text("b"));
    let toml = toml(&both);
    let file = |index: usize| toml["build_config"][index]["trigger"][0]["generic"]["secret_file"].as_str();
    assert_eq!(file(0), Some("/etc/basewatch/hooks/hook"));
    assert_eq!(file(1), Some("/etc/basewatch/hooks/b.hook"));
}

#[test]
fn a_secrets_name_never_leads_out_of_the_directory() {
    let text = config("triggers: [{type: Generic, generic: {secretReference: {name: ../../shadow}}}]");
    let file = toml(&text)["build_config"][0]["trigger"][0]["generic"]["secret_file"].clone();
    assert_eq!(file.as_str(), Some("/etc/basewatch/hooks/app-generic"));
}

#[test]
fn a_hook_that_nobody_could_call_is_refused() {
    let text = config("triggers: [{type: GitHub, github: {}}, {type: Generic}]");
    assert_refused(&text, "spec.triggers[0].github: has neither a secretReference nor a secret");
    assert_refused(&text, "spec.triggers[1].generic: has neither a secretReference nor a secret");
}

#[test]
fn the_status_wins_over_what_an_older_spec_stored() {
    let text = config(
        "triggers:
- type: ImageChange
  imageChange: {lastTriggeredImageID: \"h/r@sha256:old\"}
- type: ImageChange
  imageChange: {from: {kind: ImageStreamTag, name: \"b:1\"}, lastTriggeredImageID: \"h/b@sha256:old\"}",
    ) + "status: {lastVersion: 3, imageChangeTriggers: [{from: {name: \"ruby:latest\"}, lastTriggeredImageID: \"h/r@sha256:new\"}]}";
    let imported = import(&text, Status::Taken);
    let toml: toml::Table = imported.toml.parse().unwrap();
    let config = &toml["build_config"][0];
    assert_eq!(config["last_version"].as_integer(), Some(3));
    let last = |index: usize| config["trigger"][index]["image_change"]["last_triggered_image_id"].as_str();
    assert_eq!((last(0), last(1)), (Some("h/r@sha256:new"), Some("h/b@sha256:old")));
    let left = import(&text, Status::Left);
    assert!(!left.toml.contains("last_"), "{}", left.toml);
    assert_eq!(report(&left).matches("--with-status takes the stored ids along").count(), 1);
}

#[test]
fn lists_in_json_with_tabs_are_read() {
    let text = "{\n\t\"kind\": \"ImageStreamList\",\n\t\"apiVersion\": \"image.openshift.io/v1\",\n\t\"items\": [\n\t\t{\"metadata\": {\"name\": \"a\"}}\n\t]\n}\n";
    assert_eq!(toml(text)["image_stream"][0]["name"].as_str(), Some("a"));
}

#[test]
fn an_error_names_the_file_the_document_and_the_place_in_a_list() {
    let text = "kind: ImageStream\nmetadata: {name: a}\n---\nkind: List\nitems:\n- kind: Secret\n  metadata: {name: s}\n- {kind: ImageStream, apiVersion: image/v2, metadata: {name: b}}";
    let said = refused(text);
    assert!(said.contains("Secret s: ignored: only image streams and build configs are imported"), "{said}");
    let line = "error: app.yaml: document 2, items[1]: ImageStream b: has the apiVersion \"image/v2\"";
    assert!(said.contains(line), "{said}");
}

#[test]
fn an_object_that_is_there_twice_is_refused() {
    let stream = "kind: ImageStream\nmetadata: {name: a}\n---\n".repeat(2);
    assert_refused(&stream, "document 2: ImageStream a: is in the input twice");
    let two_kinds = "kind: ImageStream\nmetadata: {name: app}\n---\n".to_owned() + &config("");
    assert_eq!(toml(&two_kinds).len(), 2);
}

#[test]
fn what_is_no_yaml_is_unreadable_and_shows_nothing_of_itself() {
    for text in ["a: [hunter2", "kind: ImageStream\n\tmetadata: hunter2", "{\"a\": hunter2,,}"] {
        let imported = import(text, Status::Left);
        assert_eq!(imported.worst(), Weight::Unreadable, "{text}");
        assert!(!report(&imported).contains("hunter2"), "{}", report(&imported));
    }
}

#[test]
fn bombs_are_refused() {
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let last = format!("*a{}, ", level - 1).repeat(9);
        writeln!(aliases, "a{level}: &a{level} [{last}]").unwrap();
    }
    let deep = "[".repeat(100_000);
    let deep_json = format!("{{\"a\":{}", "[".repeat(100_000));
    for bomb in [aliases, deep, deep_json] {
        assert_eq!(import(&bomb, Status::Left).worst(), Weight::Unreadable);
    }
}

#[test]
fn a_strange_text_stays_in_its_line() {
    let text = "kind: ImageStream\nmetadata: {name: \"a\\n[daemon]\\nx\\e[2J\"}\nspec: {odd: 1}";
    let imported = import(text, Status::Left);
    let toml: toml::Table = imported.toml.parse().unwrap();
    assert_eq!(toml.keys().collect::<Vec<_>>(), ["image_stream"]);
    assert_eq!(report(&imported).lines().count(), imported.lines.len());
    assert!(!report(&imported).contains('\u{1b}'));
}

#[test]
fn tags_in_a_circle_come_to_an_end() {
    let stream = |name: &str, other: &str| {
        format!(
            "kind: ImageStream\nmetadata: {{name: {name}}}\nspec: {{tags: [{{name: t, from: {{kind: ImageStreamTag, name: \"{other}:t\"}}}}]}}\n---\n"
        )
    };
    assert_refused(
        &(stream("a", "b") + &stream("b", "a")),
        "ImageStream a: spec.tags[0].from: is a tag of another",
    );
}

#[test]
fn several_files_are_one_input() {
    let stream = Input { name: "stream.yaml", text: "kind: ImageStream\nmetadata: {name: ruby}" };
    let text = config("");
    let imported = openshift(&[stream, Input { name: "config.yaml", text: &text }], Options::default());
    assert!(!report(&imported).contains("not in the input"), "{}", report(&imported));
    let alone = report(&import(&text, Status::Left));
    assert!(alone.contains("BuildConfig app: uses ImageStream ruby, which is not in the input"), "{alone}");
}

#[test]
fn a_variable_that_is_there_twice_has_its_last_value_and_one_that_is_none_is_named() {
    let text = config("").replace(
        "sourceStrategy: {",
        "sourceStrategy: {env: [{name: A, value: a}, {name: B, value: b}, {name: A, value: c}, {name: a.b, value: d}], ",
    );
    let env = toml(&text)["build_config"][0]["strategy"]["env"].clone();
    let env: Vec<(&str, &str)> = env
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["name"].as_str().unwrap(), entry["value"].as_str().unwrap()))
        .collect();
    assert_eq!(env, [("B", "b"), ("A", "c")]);
    let said = report(&import(&text, Status::Left));
    assert!(said.contains("sourceStrategy.env[3].name: not carried over"), "{said}");
}

#[test]
fn what_an_exported_object_says_by_default_is_no_line_of_the_report() {
    let text = config("nodeSelector: null\nresources: {}\npostCommit: {}\nsource: {type: None}")
        + "status: {lastVersion: 0}";
    let said = report(&import(&text, Status::Left));
    for field in ["nodeSelector", "resources", "postCommit", "source.type", "status"] {
        assert!(!said.contains(field), "{said}");
    }
}

#[test]
fn a_tag_that_is_pushed_needs_a_registry_even_beside_tags_from_elsewhere() {
    let stream = "kind: ImageStream
metadata: {name: ruby}
spec: {tags: [{name: latest}, {name: other, from: {kind: DockerImage, name: \"h.example.com/r:1\"}}]}
status: {dockerImageRepository: \"registry.internal:5000/shop/ruby\"}
---
";
    let said = report(&import(&(stream.to_owned() + &config("")), Status::Left));
    assert!(said.contains("set [defaults] system_registry = \"registry.internal:5000\""), "{said}");
}

#[test]
fn a_trigger_whose_tag_is_refused_is_left_out_and_follows_no_other() {
    for from in ["{kind: ImageStreamTga, name: \"b:1\"}", "{kind: ImageStreamTag}", "b"] {
        let text = config(&format!("triggers: [{{type: ImageChange, imageChange: {{from: {from}}}}}]"));
        assert_refused(&text, "spec.triggers[0].imageChange.from");
        let toml = import(&text, Status::Left).toml;
        assert!(!toml.contains("[[build_config.trigger]]"), "{toml}");
    }
    let text = config("triggers: [{type: ImageChange, imageChange: 7}]");
    assert!(!import(&text, Status::Left).toml.contains("[[build_config.trigger]]"));
}

#[test]
fn a_variable_whose_value_is_refused_is_left_out() {
    let text = config("")
        .replace("sourceStrategy: {", "sourceStrategy: {env: [{name: PORT, value: 8080}, {name: A}], ");
    assert_refused(&text, "env[0].value: is a number, and should be a text");
    let toml = import(&text, Status::Left).toml;
    assert!(!toml.contains("PORT") && toml.contains("name = \"A\""), "{toml}");
}

#[test]
fn a_base_that_is_refused_is_not_called_missing_too() {
    let text = config("").replace("{name: \"ruby:latest\"}", "{kind: Odd, name: \"ruby:latest\"}");
    let said = refused(&text);
    assert!(!said.contains("sourceStrategy.from: is missing"), "{said}");
}

#[test]
fn a_stored_id_is_found_by_its_name_alone_where_one_side_has_no_namespace_and_others_are_named() {
    let entry = |namespace: &str, name: &str, id: &str| {
        format!(
            "{{from: {{name: \"{name}\", namespace: {namespace}}}, lastTriggeredImageID: \"h/r@sha256:{id}\"}}"
        )
    };
    let of = |entries: &[String]| {
        let status = format!("status: {{imageChangeTriggers: [{}]}}", entries.join(", "));
        import(&(config("triggers: [{type: ImageChange, imageChange: {}}]") + &status), Status::Taken)
    };
    let one = of(&[entry("shop", "ruby:latest", "a"), entry("shop", "gone:1", "b")]);
    assert!(one.toml.contains("last_triggered_image_id = \"h/r@sha256:a\""), "{}", one.toml);
    assert!(
        report(&one).contains("status.imageChangeTriggers: not carried over: the id stored of \"gone:1\"")
    );
    let two = of(&[entry("shop", "ruby:latest", "a"), entry("other", "ruby:latest", "b")]);
    assert!(!two.toml.contains("last_triggered"), "{}", two.toml);
    assert_eq!(report(&two).matches("belongs to no trigger").count(), 2, "{}", report(&two));
}

#[test]
fn what_validate_would_refuse_is_left_out_or_cut_and_said() {
    let stream = "kind: ImageStream\nmetadata: {name: a}\nspec: {tags: [{name: t, reference: true, from: {kind: DockerImage, name: \"h/r:t\"}, annotations: {importer.image.openshift.io/prefer-arch: arm64}, importPolicy: {scheduled: true}}]}";
    let imported = import(stream, Status::Left);
    assert!(!imported.toml.contains("prefer_arch"), "{}", imported.toml);
    for path in ["annotations", "importPolicy"] {
        assert!(
            report(&imported).contains(&format!("spec.tags[0].{path}: not carried over")),
            "{}",
            report(&imported)
        );
    }
    let text = config("successfulBuildsHistoryLimit: 100001").replace(
        "sourceStrategy: {",
        "sourceStrategy: {env: [{name: OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE, value: a}, {name: BASEWATCH_TAG, value: b}], ",
    ) + "status: {lastVersion: 4294967296}";
    let imported = import(&text, Status::Taken);
    assert!(!imported.toml.contains("env = "), "{}", imported.toml);
    assert!(imported.toml.contains("successful_builds_history_limit = 100000\n"), "{}", imported.toml);
    assert!(imported.toml.contains("last_version = 4294967295\n"), "{}", imported.toml);
    let said = report(&imported);
    assert_eq!(said.matches("basewatch sets this variable itself").count(), 2, "{said}");
    assert_eq!(said.matches("which is written").count(), 2, "a limit and a number: {said}");
}

#[test]
fn s23_the_custom_image_keeps_its_place_without_a_value() {
    let text = "kind: BuildConfig\nmetadata: {name: app}\nspec: {strategy: {customStrategy: {from: {name: \"ruby:1\"}, env: [{name: A, value: a}, {name: OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE, valueFrom: {fieldRef: {fieldPath: x}}}, {name: B, value: b}]}}}";
    let env = toml(text)["build_config"][0]["strategy"]["env"].clone();
    let names: Vec<&str> = env.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["A", "OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE", "B"]);
    let said = report(&import(text, Status::Left));
    assert!(!said.contains("customStrategy.env"), "{said}");
}

#[test]
fn a_build_config_names_a_stream_and_a_tag() {
    for name in ["ruby", "ruby:", ":1"] {
        let text = config(&format!(
            "triggers: [{{type: ImageChange, imageChange: {{from: {{kind: ImageStreamTag, name: \"{name}\"}}}}}}]"
        ));
        assert_refused(&text, "spec.triggers[0].imageChange.from.name: is");
    }
}

#[test]
fn policies_of_a_pushed_tag_and_a_ref_without_a_uri_are_named() {
    let stream = "kind: ImageStream\nmetadata: {name: a}\nspec: {tags: [{name: t, importPolicy: {scheduled: true}, referencePolicy: {type: Local}}]}";
    let said = report(&import(stream, Status::Left));
    assert!(
        said.contains("spec.tags[0].importPolicy: not") && said.contains("spec.tags[0].referencePolicy: not"),
        "{said}"
    );
    let said = report(&import(&config("source: {git: {ref: main}}"), Status::Left));
    assert!(said.contains("spec.source.git.ref: not carried over: without a uri"), "{said}");
}

#[test]
fn an_older_image_is_found_by_its_digest_where_it_was() {
    let stream = "kind: ImageStream\nmetadata: {name: a}\nspec: {tags: [{name: t, from: {kind: ImageStreamImage, name: \"a@sha256:1\"}}]}\nstatus: {tags: [{tag: u, items: [{dockerImageReference: \"h/r@sha256:22\", image: \"sha256:22\"}, {dockerImageReference: \"h/r@sha256:11\", image: \"sha256:11\"}]}]}";
    let from = toml(stream)["image_stream"][0]["tag"][0]["from"]["name"].clone();
    assert_eq!(from.as_str(), Some("h/r@sha256:11"));
}
