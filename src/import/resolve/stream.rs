//! An image stream as it is to be written.

use super::{Image, Key, Remark, Report, Status, Tag, World, stream_tag};
use crate::import::fields::quoted;
use crate::import::image_stream::{ImageStream, ImportPolicy, ObjectRef, RefKind};

/// An image stream, with the tags that say something.
#[derive(Debug)]
pub(in crate::import) struct Stream<'a> {
    pub(in crate::import) stream: &'a ImageStream,
    pub(in crate::import) tags: Vec<StreamTag>,
}

/// A tag that comes from somewhere.
#[derive(Debug)]
pub(in crate::import) struct StreamTag {
    pub(in crate::import) name: String,
    pub(in crate::import) from: From,
    pub(in crate::import) reference: bool,
    /// How it is polled; our own defaults if absent.
    pub(in crate::import) import: Option<ImportPolicy>,
    pub(in crate::import) local: bool,
    pub(in crate::import) prefer_arch: Option<String>,
    pub(in crate::import) prefer_os: Option<String>,
}

/// Where a tag comes from.
#[derive(Debug)]
pub(in crate::import) enum From {
    DockerImage(String),
    /// Another tag of the same stream, as `stream:tag`.
    Tracked(String),
}

const OUR_REGISTRY: &str =
    "set [defaults] system_registry in the main file to the registry that the image streams are in";

impl<'a> World<'a> {
    pub(super) fn stream(
        &self,
        key: &Key,
        stream: &'a ImageStream,
        remarks: &mut Vec<Remark>,
        report: &mut Report,
    ) -> Stream<'a> {
        let mut tags: Vec<StreamTag> =
            stream.tags.iter().filter_map(|tag| self.tag(key, stream, tag, remarks)).collect();
        let used = self.used.iter().filter(|(of, _)| of == key).map(|(_, tag)| tag);
        let unlisted: Vec<&String> = used.filter(|name| !tags.iter().any(|tag| tag.name == **name)).collect();
        match &stream.repository {
            Some(repository) => {
                tags.extend(unlisted.iter().map(|tag| of_repository(repository, tag)));
                remarks.extend((!unlisted.is_empty()).then(once_of_repository));
            }
            // What is pushed to the cluster's own registry, listed or not, has to be somewhere here.
            None if tags.is_empty() || !unlisted.is_empty() => report.say_once(system_registry(key, stream)),
            None => {}
        }
        Stream { stream, tags }
    }

    fn tag(
        &self,
        key: &Key,
        stream: &ImageStream,
        tag: &Tag,
        remarks: &mut Vec<Remark>,
    ) -> Option<StreamTag> {
        // Without a `from` it is pushed where the stream is, and there it is found without being listed.
        let from = tag.from.as_ref()?;
        let written = |from, import| StreamTag {
            name: tag.name.clone(),
            from,
            reference: tag.reference,
            import,
            local: tag.local,
            prefer_arch: tag.prefer_arch.clone(),
            prefer_os: tag.prefer_os.clone(),
        };
        let path = format!("{}.from", tag.path);
        if tag.local {
            remarks.push(Remark::told(format!("{}.referencePolicy", tag.path), LOCAL));
        }
        match from.kind {
            RefKind::DockerImage => {
                remarks.extend(imported_once(tag, from));
                let import = (!tag.reference).then_some(tag.import);
                Some(written(From::DockerImage(from.name.clone()), import))
            }
            RefKind::ImageStreamTag => {
                let (other, name) = stream_tag(from, key)?;
                if other == *key {
                    return Some(written(From::Tracked(format!("{}:{name}", other.name)), None));
                }
                let image = self.of_another(stream, tag, (&other, &name), &path, remarks)?;
                let Image { name, import, prefer_arch, prefer_os } = image;
                let tag = written(From::DockerImage(name), import);
                Some(StreamTag { prefer_arch, prefer_os, ..tag })
            }
            RefKind::ImageStreamImage => match self.by_digest(from, key) {
                Some(image) => Some(written(From::DockerImage(image), None)),
                None => refuse(remarks, path, &unknown_image(from)),
            },
        }
    }

    /// A tag that OpenShift copied once from another stream: held where the digest it has is known and wanted, else
    /// followed where the other comes from.
    fn of_another(
        &self,
        stream: &ImageStream,
        tag: &Tag,
        (other, name): (&Key, &str),
        path: &str,
        remarks: &mut Vec<Remark>,
    ) -> Option<Image> {
        let held = stream.history.iter().find(|history| history.is_newest && history.tag == tag.name);
        let held = held.filter(|_| self.status == Status::Taken);
        if let Some(history) = held {
            let text = format!(
                "held at the image it has, since OpenShift copied it once from {other}:{name}: name the image by its \
                 tag to follow it"
            );
            remarks.push(Remark::told(path, text));
            return Some(Image::held(history.reference.clone()));
        }
        let Some(image) = self.image(other, name) else {
            let text = format!(
                "is a tag of another stream, {other}:{name}, and the input does not tell where that comes from: import \
                 that stream too, or with --with-status what the tag holds"
            );
            return refuse(remarks, path.to_owned(), &text);
        };
        let text = format!(
            "followed as {}, where {other}:{name} comes from; OpenShift copied it once: name a digest to hold it",
            quoted(&image.name)
        );
        remarks.push(Remark::told(path, text));
        Some(image)
    }
}

const LOCAL: &str = "Local: builds are given the system registry's name of the image, so that one has to pass on what it \
                     does not hold";

fn imported_once(tag: &Tag, from: &ObjectRef) -> Option<Remark> {
    let moves = !tag.reference && !from.name.contains('@');
    let text =
        "OpenShift imported this tag once, so it is written with scheduled = false: write true to follow it";
    (moves && !tag.import.scheduled)
        .then(|| Remark::told(format!("{}.importPolicy.scheduled", tag.path), text))
}

/// A tag of `spec.dockerImageRepository`: imported once, and of a list the one child that suits (F4, F10).
fn of_repository(repository: &str, tag: &str) -> StreamTag {
    StreamTag {
        name: tag.to_owned(),
        from: From::DockerImage(format!("{repository}:{tag}")),
        reference: false,
        import: Some(ImportPolicy::default()),
        local: false,
        prefer_arch: None,
        prefer_os: None,
    }
}

fn once_of_repository() -> Remark {
    let text = "OpenShift imported its tags once, so those that are used are written with scheduled = false: write true \
                to follow them";
    Remark::told("spec.dockerImageRepository", text)
}

pub(super) fn system_registry(key: &Key, stream: &ImageStream) -> String {
    let end = format!("/{key}");
    let host = stream.own_repository.as_deref().and_then(|own| match key.namespace {
        Some(_) => own.strip_suffix(&end),
        None => own.split_once('/').map(|(host, _)| host),
    });
    match host {
        Some(host) => format!("set [defaults] system_registry = {} in the main file", quoted(host)),
        None => OUR_REGISTRY.to_owned(),
    }
}

pub(super) fn unknown_image(from: &ObjectRef) -> String {
    format!(
        "is {}, and the input does not tell where that image is: import its stream too, or name the image",
        quoted(&from.name)
    )
}

pub(super) fn refuse<T>(remarks: &mut Vec<Remark>, path: String, text: &str) -> Option<T> {
    remarks.push(Remark::refused(path, text));
    None
}

/// Says that a stream which is used has to be somewhere.
pub(super) fn undeclared() -> String {
    OUR_REGISTRY.to_owned()
}
