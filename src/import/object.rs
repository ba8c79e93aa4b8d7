//! Which objects are in a document: one, a list of them, or a template.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Status;
use super::build_config::{self, BuildConfig};
use super::fields::{Fields, Parameters, quoted};
use super::image_stream::{self, ImageStream};
use super::report::{Origin, Report, Weight};

/// The name of an object, and the namespace if one is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

/// An object that is ours to read.
#[derive(Debug)]
pub(super) struct Found {
    kind: Kind,
    root: Map<String, Value>,
    parameters: Parameters,
    origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    ImageStream,
    BuildConfig,
}

/// An object that was read.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) key: Key,
    /// As messages name it, such as `BuildConfig shop/app`.
    pub(super) label: String,
    pub(super) origin: Origin,
    pub(super) body: Body,
}

/// What an object says.
#[derive(Debug)]
pub(super) enum Body {
    ImageStream(ImageStream),
    BuildConfig(Box<BuildConfig>),
}

/// What stands around an object.
#[derive(Clone, Copy)]
struct Around<'a> {
    parameters: Parameters,
    /// What it is if it does not say: the items of an `ImageStreamList` need not.
    item_kind: Option<&'a str>,
}

/// Adds the objects of a document to `found`, and what is none to the report.
pub(super) fn find(tree: Value, origin: &Origin, found: &mut Vec<Found>, report: &mut Report) {
    find_in(tree, origin, Around { parameters: Parameters::None, item_kind: None }, found, report);
}

fn find_in(tree: Value, origin: &Origin, around: Around, found: &mut Vec<Found>, report: &mut Report) {
    let Value::Object(root) = tree else {
        return report.say(
            Weight::Refused,
            origin,
            "",
            "is no object: an object has a kind and an apiVersion",
        );
    };
    let kind = text(&root, "kind").or(around.item_kind).unwrap_or_default().to_owned();
    let label = label(&kind, &key_of(&root));
    if !is_known(&kind) {
        let (weight, text) = match kind.as_str() {
            "" => (Weight::Refused, "has no kind: write a whole object, with kind, apiVersion and metadata"),
            _ => (Weight::Told, "ignored: only image streams and build configs are imported"),
        };
        return report.say(weight, origin, &label, text);
    }
    if let Some(version) = text(&root, "apiVersion").filter(|version| !is_of(&kind, version)) {
        let text = format!("has the apiVersion {}, which is none that has a {kind}", quoted(version));
        return report.say(Weight::Refused, origin, &label, text);
    }
    let object = match kind.as_str() {
        "ImageStream" => Some(Kind::ImageStream),
        "BuildConfig" => Some(Kind::BuildConfig),
        _ => None,
    };
    if let Some(kind) = object {
        return found.push(Found { kind, root, parameters: around.parameters, origin: origin.clone() });
    }
    match kind.as_str() {
        "Template" => {
            let around = Around { parameters: Parameters::Open, item_kind: None };
            find_within(root, "objects", origin, &label, around, found, report);
        }
        _ => {
            let around =
                Around { item_kind: kind.strip_suffix("List").filter(|kind| !kind.is_empty()), ..around };
            find_within(root, "items", origin, &label, around, found, report);
        }
    }
}

/// Finds objects in the list `key` of a list or template.
fn find_within(
    root: Map<String, Value>,
    key: &str,
    origin: &Origin,
    label: &str,
    around: Around,
    found: &mut Vec<Found>,
    report: &mut Report,
) {
    let mut fields = Fields::new(root, Parameters::None);
    fields.drop_silently(&["kind", "apiVersion", "metadata", "parameters"]);
    let items = match fields.take(key) {
        Some(Value::Array(items)) => items,
        Some(_) => {
            fields.refuse(key, "is no list");
            Vec::new()
        }
        None => Vec::new(),
    };
    report.add(origin, label, fields.finish());
    for (index, item) in items.into_iter().enumerate() {
        let dot = if origin.item.is_empty() { "" } else { "." };
        let item_origin = Origin { item: format!("{}{dot}{key}[{index}]", origin.item), ..origin.clone() };
        find_in(item, &item_origin, around, found, report);
    }
}

impl Found {
    /// What the object says; nothing if it has no name, or cannot stand for anything here.
    pub(super) fn read(self, status: Status, report: &mut Report) -> Option<Object> {
        let Self { kind, root, parameters, origin } = self;
        let key = key_of(&root);
        let label = label(kind.as_str(), &key);
        let mut fields = Fields::new(root, parameters);
        fields.drop_silently(&["kind", "apiVersion"]);
        let body = match kind {
            Kind::ImageStream => image_stream::read(&mut fields, status).map(Body::ImageStream),
            Kind::BuildConfig => {
                build_config::read(&mut fields, status).map(|config| Body::BuildConfig(Box::new(config)))
            }
        };
        if key.is_none() {
            fields.refuse_here("has no metadata.name: an object without a name cannot be told from another");
        }
        report.add(&origin, &label, fields.finish());
        Some(Object { key: key?, label, origin, body: body? })
    }
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::ImageStream => "ImageStream",
            Self::BuildConfig => "BuildConfig",
        }
    }
}

/// Reads `metadata`, but for the name; `annotations` takes those that it knows.
pub(super) fn metadata<T: Default>(root: &mut Fields, annotations: impl FnOnce(&mut Fields) -> T) -> T {
    let known = root.object("metadata", |metadata| {
        // They are read already, and looked at for parameters here.
        let _ = (metadata.text("name"), metadata.text("namespace"));
        metadata.drop_silently(&[
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
            "selfLink",
        ]);
        metadata.object("annotations", |fields| {
            // The object again, as it was applied.
            fields.drop_silently(&["kubectl.kubernetes.io/last-applied-configuration"]);
            annotations(fields)
        })
    });
    known.flatten().unwrap_or_default()
}

/// Takes of several objects of one kind and name the first.
pub(super) fn first_of_each_name(objects: Vec<Object>, report: &mut Report) -> Vec<Object> {
    let mut seen = BTreeSet::new();
    let mut first = Vec::with_capacity(objects.len());
    for object in objects {
        let is_stream = matches!(object.body, Body::ImageStream(_));
        if seen.insert((is_stream, object.key.clone())) {
            first.push(object);
        } else {
            let text = "is in the input twice: the first is taken";
            report.say(Weight::Refused, &object.origin, &object.label, text);
        }
    }
    first
}

fn is_known(kind: &str) -> bool {
    ["ImageStream", "BuildConfig", "Template", "List", "ImageStreamList", "BuildConfigList"].contains(&kind)
}

/// Whether a kind is of this version of the API. `v1` is how all were written before there were groups.
fn is_of(kind: &str, version: &str) -> bool {
    let group = match kind {
        "ImageStream" | "ImageStreamList" => "image.openshift.io/v1",
        "BuildConfig" | "BuildConfigList" => "build.openshift.io/v1",
        "Template" => "template.openshift.io/v1",
        _ => "v1",
    };
    version == "v1" || version == group
}

fn key_of(root: &Map<String, Value>) -> Option<Key> {
    let metadata = root.get("metadata")?.as_object()?;
    let name = text(metadata, "name")?.to_owned();
    Some(Key { namespace: text(metadata, "namespace").map(str::to_owned), name })
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)?.as_str().filter(|text| !text.is_empty())
}

fn label(kind: &str, key: &Option<Key>) -> String {
    match key {
        Some(key) if kind.is_empty() => key.to_string(),
        Some(key) => format!("{kind} {key}"),
        None => kind.to_owned(),
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}
