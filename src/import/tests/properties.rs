//! Whatever is fed in, nothing panics and what comes out is TOML.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Status, import, report};

/// Words that lead deep into the importer.
const WORDS: &[&str] = &[
    "kind",
    "apiVersion",
    "metadata",
    "name",
    "namespace",
    "annotations",
    "spec",
    "status",
    "items",
    "objects",
    "tags",
    "from",
    "reference",
    "importPolicy",
    "referencePolicy",
    "type",
    "strategy",
    "sourceStrategy",
    "dockerStrategy",
    "customStrategy",
    "env",
    "value",
    "valueFrom",
    "triggers",
    "imageChange",
    "generic",
    "github",
    "secretReference",
    "secret",
    "allowEnv",
    "paused",
    "lastTriggeredImageID",
    "imageChangeTriggers",
    "output",
    "to",
    "source",
    "git",
    "uri",
    "lastVersion",
    "dockerImageRepository",
    "image",
    "tag",
    "dockerImageReference",
    "buildArgs",
    "runPolicy",
];

const TEXTS: &[&str] = &[
    "ImageStream",
    "BuildConfig",
    "List",
    "Template",
    "BuildConfigList",
    "v1",
    "ImageChange",
    "Generic",
    "GitHub",
    "ConfigChange",
    "DockerImage",
    "ImageStreamTag",
    "ImageStreamImage",
    "a",
    "a:b",
    "a@sha256:1",
    "@",
    ":",
    "${X}",
    "${{X}}",
    "${",
    "",
    "\n",
    "\"\"\"",
    "'''",
    "\\",
    "\u{0}",
    "\u{1b}[2J",
    "Local",
    "Legacy",
    "Serial",
    "true",
];

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let key = prop_oneof![9 => prop::sample::select(WORDS).prop_map(str::to_owned), 1 => any::<String>()];
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::vec((key, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// An object that is read, with anything in it.
fn object() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(&["ImageStream", "BuildConfig"][..]);
    (kind, any::<String>(), tree(), tree(), tree()).prop_map(|(kind, name, spec, strategy, status)| {
        let mut spec = if spec.is_object() { spec } else { json!({ "triggers": [spec] }) };
        if let Some(spec) = spec.as_object_mut() {
            spec.insert("strategy".into(), json!({ "dockerStrategy": strategy }));
        }
        json!({ "kind": kind, "metadata": { "name": name }, "spec": spec, "status": status })
    })
}

fn check(text: &str) -> Result<(), TestCaseError> {
    for status in [Status::Left, Status::Taken] {
        let imported = import(text, status);
        let parsed: Result<toml::Table, _> = imported.toml.parse();
        prop_assert!(parsed.is_ok(), "{:?} of\n{}", parsed, imported.toml);
        prop_assert_eq!(report(&imported).lines().count(), imported.lines.len());
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_tree_gives_toml(tree in tree()) {
        check(&tree.to_string())?;
    }

    #[test]
    fn any_object_gives_toml(objects in prop::collection::vec(object(), 1..4)) {
        check(&json!({ "kind": "List", "items": objects }).to_string())?;
    }

    #[test]
    fn any_text_gives_toml(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn a_file_that_was_cut_off_gives_toml(end in 0..include_str!("every_field.yaml").len()) {
        let text = include_str!("every_field.yaml");
        check(text.get(..end).unwrap_or(text))?;
    }
}
