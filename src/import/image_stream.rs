//! What an image stream says.

use serde_json::json;

use super::Status;
use super::fields::{Fields, quoted};
use super::object;

/// An image stream as it was written.
#[derive(Debug)]
pub(super) struct ImageStream {
    /// `spec.dockerImageRepository`: all its tags were imported once (F4).
    pub(super) repository: Option<String>,
    /// Where the cluster's own registry has it (F1), by the name that is known outside if there is one.
    pub(super) own_repository: Option<String>,
    /// Plain http will do.
    pub(super) insecure: bool,
    pub(super) tags: Vec<Tag>,
    /// What the tags resolved to.
    pub(super) history: Vec<History>,
}

/// A tag of the stream's `spec`.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    /// Where it is in the object.
    pub(super) path: String,
    pub(super) name: String,
    /// What it comes from; without it, it is pushed to the cluster's own registry.
    pub(super) from: Option<ObjectRef>,
    pub(super) reference: bool,
    pub(super) import: ImportPolicy,
    /// Builds are given the cluster's own registry in place of the image's.
    pub(super) local: bool,
    pub(super) prefer_arch: Option<String>,
    pub(super) prefer_os: Option<String>,
}

/// How a tag is imported. What is absent is OpenShift's default, which is not ours (F4, F10, D8).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ImportPolicy {
    pub(super) scheduled: bool,
    pub(super) insecure: bool,
    pub(super) mode: ImportMode,
}

/// What of a list of platforms is imported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ImportMode {
    /// The one child that suits.
    #[default]
    Legacy,
    /// The list.
    PreserveOriginal,
}

/// What names an image: `from`, or `output.to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectRef {
    pub(super) kind: RefKind,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefKind {
    DockerImage,
    ImageStreamTag,
    ImageStreamImage,
}

/// An image that a tag of the stream had.
#[derive(Debug)]
pub(super) struct History {
    pub(super) tag: String,
    /// It is what the tag holds; older ones are there to be named by their digest.
    pub(super) is_newest: bool,
    /// Where it can be pulled, by digest if it has one.
    pub(super) reference: String,
    /// Its digest.
    pub(super) image: String,
}

/// Reads an image stream.
pub(super) fn read(root: &mut Fields, status: Status) -> Option<ImageStream> {
    let insecure = object::metadata(root, |annotations| {
        annotations.text("openshift.io/image.insecureRepository").is_some_and(|text| text == "true")
    });
    let (repository, tags) = root
        .object("spec", |spec| (spec.text("dockerImageRepository"), spec.each("tags", tag)))
        .unwrap_or_default();
    let (own_repository, history) = self::status(root, status);
    Some(ImageStream { repository, own_repository, insecure, tags, history })
}

/// Reads where the stream is and what it holds. Names are looked up in it even where it is not taken along.
fn status(root: &mut Fields, wanted: Status) -> (Option<String>, Vec<History>) {
    let read = root.object("status", |status| {
        let own = status.text("dockerImageRepository");
        let public = status.text("publicDockerImageRepository");
        let history = status.each("tags", |tag| {
            tag.drop_silently(&["conditions"]);
            let name = tag.text("tag");
            let items = tag.each("items", |item| {
                item.drop_silently(&["created", "generation"]);
                Some((item.text("dockerImageReference"), item.text("image")))
            });
            let name = name?;
            let of = |(index, (reference, image)): (usize, (Option<String>, Option<String>))| {
                let image = image.unwrap_or_default();
                Some(History { tag: name.clone(), is_newest: index == 0, reference: reference?, image })
            };
            Some(items.into_iter().enumerate().filter_map(of).collect::<Vec<_>>())
        });
        (public.or(own), history.into_iter().flatten().collect::<Vec<_>>())
    });
    let (own_repository, history) = read.unwrap_or_default();
    if !history.is_empty() && wanted == Status::Left {
        root.tell("status", Status::LEFT_OUT);
    }
    (own_repository, history)
}

fn tag(fields: &mut Fields) -> Option<Tag> {
    fields.drop_silently(&["generation"]);
    let path = fields.place().to_owned();
    let name = fields.text("name");
    let from = object_ref(fields, "from", RefKind::DockerImage);
    let is_image = from.as_ref().is_some_and(|from| from.kind == RefKind::DockerImage);
    let mut tag = Tag {
        path,
        name: String::new(),
        from,
        reference: is_image && fields.flag("reference").unwrap_or(false),
        import: ImportPolicy::default(),
        local: false,
        prefer_arch: None,
        prefer_os: None,
    };
    if is_image {
        read_policies(&mut tag, fields);
    } else if tag.from.is_none() {
        // As they are exported where nobody wrote any.
        fields.drop_default("importPolicy", &json!({ "importMode": "Legacy" }));
        fields.drop_default("referencePolicy", &json!({ "type": "Source" }));
    } else {
        // The policy of a tag that is copied is that of the tag it is copied from.
        tag.local = local(fields);
    }
    match name {
        Some(name) => Some(Tag { name, ..tag }),
        None => {
            fields.refuse("name", "is missing");
            None
        }
    }
}

fn read_policies(tag: &mut Tag, fields: &mut Fields) {
    tag.local = local(fields);
    if tag.reference {
        // It is never polled, so that what is left says nothing here.
        return;
    }
    tag.import = fields.object("importPolicy", import_policy).unwrap_or_default();
    if tag.import.mode == ImportMode::PreserveOriginal {
        return;
    }
    let prefers = fields.object("annotations", |annotations| {
        let arch = annotations.text("importer.image.openshift.io/prefer-arch");
        (arch, annotations.text("importer.image.openshift.io/prefer-os"))
    });
    (tag.prefer_arch, tag.prefer_os) = prefers.unwrap_or_default();
}

fn local(fields: &mut Fields) -> bool {
    let read = |policy: &mut Fields| policy.word("type", &[("Source", false), ("Local", true)]);
    fields.object("referencePolicy", read).flatten().unwrap_or(false)
}

fn import_policy(fields: &mut Fields) -> ImportPolicy {
    let modes = [("Legacy", ImportMode::Legacy), ("PreserveOriginal", ImportMode::PreserveOriginal)];
    ImportPolicy {
        scheduled: fields.flag("scheduled").unwrap_or(false),
        insecure: fields.flag("insecure").unwrap_or(false),
        mode: fields.word("importMode", &modes).unwrap_or_default(),
    }
}

/// Reads what names an image. `default` is its kind where none is written.
pub(super) fn object_ref(fields: &mut Fields, key: &str, default: RefKind) -> Option<ObjectRef> {
    fields.object(key, |from| reference(from, default)).flatten()
}

/// The same in a build config, which is no stream and so has to name one: `name:tag` (F20).
pub(super) fn build_ref(fields: &mut Fields, key: &str) -> Option<ObjectRef> {
    let read = fields.object(key, |from| {
        let reference = reference(from, RefKind::ImageStreamTag)?;
        let (between, form) = match reference.kind {
            RefKind::DockerImage => return Some(reference),
            RefKind::ImageStreamTag => (':', "name:tag"),
            RefKind::ImageStreamImage => ('@', "name@digest"),
        };
        let parts = reference.name.split_once(between);
        if parts.is_some_and(|(name, rest)| !name.is_empty() && !rest.is_empty()) {
            return Some(reference);
        }
        from.refuse("name", format!("is {}, and should be {form}", quoted(&reference.name)));
        None
    });
    read.flatten()
}

fn reference(from: &mut Fields, default: RefKind) -> Option<ObjectRef> {
    let kinds = [
        ("DockerImage", RefKind::DockerImage),
        ("ImageStreamTag", RefKind::ImageStreamTag),
        ("ImageStreamImage", RefKind::ImageStreamImage),
    ];
    from.drop_silently(&["apiVersion", "uid", "resourceVersion"]);
    let kind = if from.has("kind") { from.word("kind", &kinds) } else { Some(default) };
    let (name, namespace) = (from.text("name"), from.text("namespace"));
    if name.is_none() {
        from.refuse("name", "is missing");
    }
    Some(ObjectRef { kind: kind?, name: name?, namespace })
}
