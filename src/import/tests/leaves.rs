//! No field is lost in silence, whatever the recorded files say: each one that is changed shows.

use serde_json::Value;

use super::super::read::documents;
use super::{Status, import, report};

const EVERY_FIELD: &str = include_str!("every_field.yaml");

/// The only fields without a word of their own.
const SILENT: [&str; 18] = [
    // What the cluster notes for itself.
    "metadata.annotations[\"kubectl.kubernetes.io/last-applied-configuration\"]",
    "metadata.creationTimestamp",
    "metadata.generation",
    "metadata.managedFields[0].manager",
    "metadata.managedFields[0].operation",
    "metadata.resourceVersion",
    "metadata.selfLink",
    "metadata.uid",
    "spec.tags[0].generation",
    "spec.tags[0].from.apiVersion",
    "spec.tags[0].from.resourceVersion",
    "spec.tags[0].from.uid",
    // An image outside is in no namespace.
    "spec.tags[0].from.namespace",
    // A tag that says nothing but its name is found without being listed.
    "spec.tags[5].name",
    // Which strategy or source it is follows from what is in it.
    "spec.strategy.type",
    "spec.source.type",
    // The line about the status is about these too.
    "spec.triggers[0].imageChange.lastTriggeredImageID",
    "spec.triggers[1].imageChange.lastTriggeredImageID",
];

/// A step from an object or a list to what is in it.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// The way to every value that holds no other.
fn leaves(value: &Value, way: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                way.push(Step::Key(key.clone()));
                leaves(value, way, found);
                way.pop();
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (position, value) in list.iter().enumerate() {
                way.push(Step::Index(position));
                leaves(value, way, found);
                way.pop();
            }
        }
        // Nothing is said there that could be lost.
        Value::Object(_) | Value::Array(_) | Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(way.clone()),
    }
}

fn at<'a>(value: &'a mut Value, way: &[Step]) -> &'a mut Value {
    way.iter().fold(value, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Index(position) => &mut value[*position],
    })
}

/// Another value of the same kind.
fn change(value: &mut Value) {
    *value = match &*value {
        Value::Bool(flag) => (!flag).into(),
        Value::Number(number) => (number.as_i64().unwrap() + 1).into(),
        Value::String(text) => format!("{text}x").into(),
        holder @ (Value::Null | Value::Array(_) | Value::Object(_)) => panic!("{holder} is no leaf"),
    };
}

/// The way as the report writes it, and every way above it but the root.
fn named(way: &[Step]) -> Vec<String> {
    let mut name = String::new();
    let mut names = Vec::new();
    for step in way {
        match step {
            Step::Index(position) => name.push_str(&format!("[{position}]")),
            Step::Key(key) if key.contains(['.', '/']) => name.push_str(&format!("[\"{key}\"]")),
            Step::Key(key) if name.is_empty() => name.push_str(key),
            Step::Key(key) => name.push_str(&format!(".{key}")),
        }
        names.push(name.clone());
    }
    names
}

#[test]
fn every_leaf_of_every_field_is_written_or_named() {
    let objects: Vec<Value> = documents(EVERY_FIELD).into_iter().map(Result::unwrap).collect();
    let text = |objects: &[Value]| objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let before = import(&text(&objects), Status::Left);
    let said = report(&before);
    let mut lost = Vec::new();
    let mut seen = 0;
    for (number, object) in objects.iter().enumerate() {
        let mut ways = Vec::new();
        leaves(object, &mut Vec::new(), &mut ways);
        for way in ways {
            let mut changed = objects.clone();
            change(at(&mut changed[number], &way));
            let after = import(&text(&changed), Status::Left);
            let names = named(&way);
            let metadata = |key: &str| object["metadata"][key].as_str().unwrap();
            let of = format!(" {}/{}: ", metadata("namespace"), metadata("name"));
            let is_named = names.iter().any(|name| said.contains(&format!("{of}{name}: ")));
            let shows = after.toml != before.toml || report(&after) != said;
            seen += 1;
            if !is_named && !shows && !SILENT.contains(&names.last().unwrap().as_str()) {
                lost.push(format!("{of}{}", names.last().unwrap()));
            }
        }
    }
    assert!(seen > 150, "only {seen} fields were changed");
    assert!(lost.is_empty(), "{lost:#?}");
}
