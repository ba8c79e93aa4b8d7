//! What the objects mean together: where a tag of another stream comes from, which image a digest is of, and which files
//! webhooks read.

mod config;
mod stream;

use std::collections::{BTreeMap, BTreeSet};

use super::Status;
use super::image_stream::{ImageStream, ImportPolicy, ObjectRef, RefKind, Tag};
use super::object::{Body, Key, Object};
use super::report::{Remark, Report};
pub(super) use config::{Config, Trigger};
pub(super) use stream::{From, Stream, StreamTag};

/// An object as it is to be written.
#[derive(Debug)]
pub(super) struct Resolved<'a> {
    /// As messages name it.
    pub(super) label: &'a str,
    pub(super) key: &'a Key,
    pub(super) entry: Entry<'a>,
}

#[derive(Debug)]
pub(super) enum Entry<'a> {
    Stream(Stream<'a>),
    Config(Config<'a>),
}

/// Everything that objects are looked up in.
struct World<'a> {
    streams: BTreeMap<&'a Key, &'a ImageStream>,
    /// The tags that build configs are built from or follow.
    used: BTreeSet<(Key, String)>,
    status: Status,
}

/// An image that something is found to be.
struct Image {
    /// Where it can be pulled.
    name: String,
    /// How it is imported; nothing of one that is in the cluster's own registry or held by its digest.
    import: Option<ImportPolicy>,
    prefer_arch: Option<String>,
    prefer_os: Option<String>,
}

/// Brings the objects together, in the order of the input.
pub(super) fn resolve<'a>(objects: &'a [Object], status: Status, report: &mut Report) -> Vec<Resolved<'a>> {
    let world = World { streams: streams(objects), used: used(objects), status };
    let mut files = config::Files::default();
    objects
        .iter()
        .map(|object| {
            let mut remarks = Vec::new();
            let entry = match &object.body {
                Body::ImageStream(stream) => {
                    Entry::Stream(world.stream(&object.key, stream, &mut remarks, report))
                }
                Body::BuildConfig(config) => {
                    Entry::Config(world.config(&object.key, config, &mut files, &mut remarks, report))
                }
            };
            let Object { key, label, origin, .. } = object;
            report.add(origin, label, remarks);
            Resolved { label, key, entry }
        })
        .collect()
}

fn streams(objects: &[Object]) -> BTreeMap<&Key, &ImageStream> {
    objects
        .iter()
        .filter_map(|object| match &object.body {
            Body::ImageStream(stream) => Some((&object.key, stream)),
            Body::BuildConfig(_) => None,
        })
        .collect()
}

/// The tags that build configs name, and those that these track within their stream.
fn used(objects: &[Object]) -> BTreeSet<(Key, String)> {
    let mut used = BTreeSet::new();
    for object in objects {
        match &object.body {
            Body::BuildConfig(config) => {
                let followed = config.triggers.iter().filter_map(super::trigger::Trigger::from);
                let sources = config.source.images.iter().map(|image| &image.from);
                for from in config.strategy.from.iter().chain(followed).chain(sources) {
                    used.extend(stream_tag(from, &object.key));
                }
            }
            Body::ImageStream(stream) => {
                let tracked = stream.tags.iter().filter_map(|tag| tag.from.as_ref());
                used.extend(tracked.filter_map(|from| stream_tag(from, &object.key)));
            }
        }
    }
    used
}

/// The stream and tag that an `ImageStreamTag` names. Within its own stream a tag may name another without the stream.
fn stream_tag(from: &ObjectRef, of: &Key) -> Option<(Key, String)> {
    if from.kind != RefKind::ImageStreamTag {
        return None;
    }
    let namespace = from.namespace.clone().or_else(|| of.namespace.clone());
    let (name, tag) = from.name.split_once(':').unwrap_or((&of.name, &from.name));
    Some((Key { namespace, name: name.to_owned() }, tag.to_owned()))
}

impl World<'_> {
    /// The image behind a tag of a stream, as far as the input tells.
    fn image(&self, stream: &Key, tag: &str) -> Option<Image> {
        self.image_within(stream, tag, 10)
    }

    /// `steps` ends a circle of tags.
    fn image_within(&self, key: &Key, tag: &str, steps: usize) -> Option<Image> {
        let stream = self.streams.get(key)?;
        let from = stream.tags.iter().find(|known| known.name == tag);
        match from.and_then(|known| Some((known, known.from.as_ref()?))) {
            None => self.untagged(stream, tag),
            Some((known, from)) => match from.kind {
                RefKind::DockerImage => Some(imported(known, &from.name)),
                RefKind::ImageStreamImage => self.by_digest(from, key).map(Image::held),
                RefKind::ImageStreamTag => {
                    let (key, tag) = stream_tag(from, key)?;
                    self.image_within(&key, &tag, steps.checked_sub(1)?)
                }
            },
        }
    }

    /// A tag that nobody lists: of the repository that is imported, else of the cluster's own registry.
    fn untagged(&self, stream: &ImageStream, tag: &str) -> Option<Image> {
        let import = stream.repository.as_ref().map(|_| ImportPolicy::default());
        let repository = stream.repository.as_ref().or(stream.own_repository.as_ref())?;
        let name = format!("{repository}:{tag}");
        Some(Image { name, import, prefer_arch: None, prefer_os: None })
    }

    /// The image that an `ImageStreamImage` names, pinned: by the history of its stream, or where the stream is. A part
    /// of the digest will do where the history has the whole.
    fn by_digest(&self, from: &ObjectRef, of: &Key) -> Option<String> {
        let (name, digest) = from.name.split_once('@').unwrap_or((&of.name, &from.name));
        let namespace = from.namespace.clone().or_else(|| of.namespace.clone());
        let stream = self.streams.get(&Key { namespace, name: name.to_owned() })?;
        if let Some(known) = stream.history.iter().find(|history| history.image.starts_with(digest)) {
            return Some(known.reference.clone());
        }
        let repository = stream.repository.as_ref().or(stream.own_repository.as_ref())?;
        let whole = digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64);
        whole.then(|| format!("{repository}@{digest}"))
    }
}

impl Image {
    /// An image that is named by its digest.
    fn held(name: String) -> Self {
        Self { name, import: None, prefer_arch: None, prefer_os: None }
    }
}

fn imported(tag: &Tag, name: &str) -> Image {
    Image {
        name: name.to_owned(),
        import: (!tag.reference).then_some(tag.import),
        prefer_arch: tag.prefer_arch.clone(),
        prefer_os: tag.prefer_os.clone(),
    }
}
