//! A build config as it is to be written.

use std::collections::{BTreeMap, BTreeSet};

use super::stream::{refuse, system_registry, undeclared, unknown_image};
use super::{Key, ObjectRef, RefKind, Remark, Report, Status, World, stream_tag};
use crate::import::build_config::{BuildConfig, ImageSource};
use crate::import::fields::quoted;
use crate::import::strategy::Kind;
use crate::import::trigger::{self, Hook, ImageChange, Secret};

/// A build config, and what the others say of it.
#[derive(Debug)]
pub(in crate::import) struct Config<'a> {
    pub(in crate::import) config: &'a BuildConfig,
    /// How long a build may take.
    pub(in crate::import) timeout: String,
    /// What the strategy is made from.
    pub(in crate::import) from: Option<ObjectRef>,
    /// The other images that it uses, as they are to be named.
    pub(in crate::import) images: Vec<(ObjectRef, &'a ImageSource)>,
    pub(in crate::import) triggers: Vec<Trigger<'a>>,
    /// Where the image goes, as `host/repo:tag`.
    pub(in crate::import) output: Option<String>,
}

/// What starts a build.
#[derive(Debug)]
pub(in crate::import) enum Trigger<'a> {
    ConfigChange,
    ImageChange {
        change: &'a ImageChange,
        /// What it last fired for.
        last: Option<String>,
    },
    Hook {
        hook: &'a Hook,
        file: HookFile,
    },
}

/// The file that a webhook's secret is to be in.
pub(in crate::import) type HookFile = String;

/// The files that are given out, and whose secret is in each.
#[derive(Debug, Default)]
pub(super) struct Files {
    given: BTreeMap<String, Owner>,
}

#[derive(Debug, PartialEq, Eq)]
enum Owner {
    /// The object of this name in this namespace.
    Named(Option<String>, String),
    /// One webhook alone.
    Hook,
}

/// An image that is stored, and the namespace and name of the tag it is of.
type Stored<'a> = (&'a (Option<String>, String), &'a String);

const NO_COMMAND: &str =
    "add `command` to its [build_config.strategy]: what runs a build in OpenShift is no part of the YAML";
const NO_SOURCE: &str = "names no repository: add `source`, or a `command` to its [build_config.strategy]";
const NO_DEADLINE: &str = "is absent, and OpenShift then waits for ever: timeout = \"720h\", the longest, is written: choose a shorter one";
const LONG_DEADLINE: &str = "is longer than the longest `timeout`, 720h, which is written";
const NO_NAME: &str =
    "is no name of a build config here: write another into the output, 1 to 63 of a-z, 0-9 and -";

/// The longest that a build may take, in seconds.
const LONGEST: i64 = 30 * 24 * 3600;
const LISTEN: &str = "webhooks are answered once the main file has [webhook] listen";

impl<'a> World<'a> {
    pub(super) fn config(
        &self,
        key: &Key,
        config: &'a BuildConfig,
        files: &mut Files,
        remarks: &mut Vec<Remark>,
        report: &mut Report,
    ) -> Config<'a> {
        match config.strategy.kind {
            Kind::Custom => remarks.push(Remark::told("", NO_COMMAND)),
            Kind::Source | Kind::Docker if config.source.uri.is_none() => {
                remarks.push(Remark::told("spec.source", NO_SOURCE));
            }
            Kind::Source | Kind::Docker => {}
        }
        if !is_name(&key.name) {
            remarks.push(Remark::told("metadata.name", NO_NAME));
        }
        let timeout = timeout(config.deadline, remarks);
        let path = format!("spec.strategy.{}.from", config.strategy.kind.field());
        let from = config.strategy.from.as_ref().and_then(|from| self.base(from, key, &path, remarks));
        let images = config.source.images.iter();
        let images = images
            .filter_map(|image| {
                Some((self.base(&image.from, key, &format!("{}.from", image.path), remarks)?, image))
            })
            .collect();
        let output = config.output.as_ref().and_then(|to| self.output(to, key, remarks));
        let triggers = config.triggers.iter().map(|trigger| match trigger {
            trigger::Trigger::ConfigChange => Trigger::ConfigChange,
            trigger::Trigger::ImageChange(change) => {
                Trigger::ImageChange { change, last: self.last(key, config, change) }
            }
            trigger::Trigger::Hook(hook) => {
                report.say_once(LISTEN.to_owned());
                Trigger::Hook { hook, file: files.file(key, hook, remarks) }
            }
        });
        let triggers = triggers.collect();
        tell_of_unused(key, config, remarks);
        self.tell_of_undeclared(key, config, remarks, report);
        Config { config, timeout, from, images, triggers, output }
    }

    /// What a build is made from or uses. An image of a stream becomes the image it is.
    fn base(&self, from: &ObjectRef, key: &Key, path: &str, remarks: &mut Vec<Remark>) -> Option<ObjectRef> {
        match from.kind {
            RefKind::DockerImage | RefKind::ImageStreamTag => Some(from.clone()),
            RefKind::ImageStreamImage => match self.by_digest(from, key) {
                Some(name) => Some(ObjectRef { kind: RefKind::DockerImage, name, namespace: None }),
                // It is looked for where the stream will be.
                None if is_whole(from) => Some(from.clone()),
                None => refuse(remarks, path.to_owned(), &unknown_image(from)),
            },
        }
    }

    /// Where the image goes. A stream tag is where its stream is in the cluster's own registry.
    fn output(&self, to: &ObjectRef, key: &Key, remarks: &mut Vec<Remark>) -> Option<String> {
        if to.kind == RefKind::DockerImage {
            return Some(to.name.clone());
        }
        let (stream, tag) = stream_tag(to, key)?;
        let own = self.streams.get(&stream).and_then(|stream| stream.own_repository.as_ref());
        if own.is_none() {
            let text = format!(
                "not carried over: the input does not tell where {stream} is: write output = {{ to = \
                 \"<system_registry>/{stream}:{tag}\" }}"
            );
            remarks.push(Remark::told("spec.output.to", text));
        }
        own.map(|own| format!("{own}:{tag}"))
    }

    /// What a trigger last fired for. The status wins; an older spec has it too (F12).
    fn last(&self, key: &Key, config: &BuildConfig, change: &ImageChange) -> Option<String> {
        if self.status == Status::Left {
            return None;
        }
        let from = change.from.as_ref().or(config.strategy.from.as_ref())?;
        let stored = stored(key, config, from);
        stored.map(|(_, image)| image.clone()).or_else(|| change.last_image.clone())
    }

    /// Names the streams that are used and not in the input.
    fn tell_of_undeclared(
        &self,
        key: &Key,
        config: &BuildConfig,
        remarks: &mut Vec<Remark>,
        report: &mut Report,
    ) {
        let followed = config.triggers.iter().filter_map(trigger::Trigger::from);
        let sources = config.source.images.iter().map(|image| &image.from);
        let named = config.strategy.from.iter().chain(followed).chain(sources);
        let named = named.filter_map(|from| stream_tag(from, key));
        let streams: BTreeSet<Key> = named.map(|(stream, _)| stream).collect();
        for stream in streams.iter().filter(|stream| !self.streams.contains_key(stream)) {
            let text = format!(
                "uses ImageStream {stream}, which is not in the input: <system_registry>/{stream} is taken; export \
                 its namespace too: its stored image is that of one platform"
            );
            remarks.push(Remark::told("", text));
            let known = self.streams.iter().find(|(_, known)| known.own_repository.is_some());
            report.say_once(known.map_or_else(undeclared, |(key, known)| system_registry(key, known)));
        }
    }
}

impl Files {
    /// The file that a webhook's secret is to be put into, by the name of the secret where it has one.
    fn file(&mut self, key: &Key, hook: &Hook, remarks: &mut Vec<Remark>) -> HookFile {
        let (wanted, owner) = match &hook.secret {
            Secret::Named(name) if is_file_name(name) => {
                (name.clone(), Owner::Named(key.namespace.clone(), name.clone()))
            }
            Secret::Named(_) | Secret::Bare => (format!("{}-{}", key.name, hook.kind.key()), Owner::Hook),
        };
        let name = self.give(&wanted, owner, key);
        let file = format!("/etc/basewatch/hooks/{name}");
        let text = match &hook.secret {
            Secret::Named(name) => format!(
                "placeholder: put the value of WebHookSecretKey of the Secret {name} into {file}, or choose a new one"
            ),
            Secret::Bare => format!(
                "placeholder: the secret stands in the YAML for all to see: put a new one into {file}"
            ),
        };
        remarks.push(Remark::told(hook.path.clone(), text));
        file
    }

    /// A name that nobody else has; one secret of one namespace has one name.
    fn give(&mut self, wanted: &str, owner: Owner, key: &Key) -> String {
        let wanted = if is_file_name(wanted) { wanted } else { "hook" };
        let with_namespace = key.namespace.as_ref().map(|namespace| format!("{namespace}.{wanted}"));
        let with_namespace = with_namespace.filter(|name| is_file_name(name));
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(with_namespace).chain(numbered);
        let free =
            |name: &String| self.given.get(name).is_none_or(|known| *known == owner && owner != Owner::Hook);
        let name = names.find(free).unwrap_or_default();
        self.given.insert(name.clone(), owner);
        name
    }
}

/// What is stored of a tag, and under which name. The namespace may be written on one side alone: then a name that only
/// one entry has will do.
fn stored<'b>(key: &Key, config: &'b BuildConfig, from: &ObjectRef) -> Option<Stored<'b>> {
    let place = |namespace: &Option<String>| namespace.clone().or_else(|| key.namespace.clone());
    let wanted = place(&from.namespace);
    let named = || config.stored.images.iter().filter(|((_, name), _)| *name == from.name);
    let exact = named().find(|((namespace, _), _)| place(namespace) == wanted);
    exact.or_else(|| {
        let mut all = named();
        let one = all.next().filter(|((namespace, _), _)| wanted.is_none() || place(namespace).is_none());
        one.filter(|_| all.next().is_none())
    })
}

/// Names what is stored and belongs to no trigger.
fn tell_of_unused(key: &Key, config: &BuildConfig, remarks: &mut Vec<Remark>) {
    let followed = config.triggers.iter().filter_map(|trigger| match trigger {
        trigger::Trigger::ImageChange(change) => change.from.as_ref().or(config.strategy.from.as_ref()),
        trigger::Trigger::ConfigChange | trigger::Trigger::Hook(_) => None,
    });
    let used: BTreeSet<_> = followed.filter_map(|from| stored(key, config, from)).map(|(of, _)| of).collect();
    for (_, name) in config.stored.images.keys().filter(|of| !used.contains(of)) {
        let text = format!("not carried over: the id stored of {} belongs to no trigger", quoted(name));
        remarks.push(Remark::told("status.imageChangeTriggers", text));
    }
}

/// Absence means for ever there, and a default here, so it is always written.
fn timeout(deadline: Option<i64>, remarks: &mut Vec<Remark>) -> String {
    let said = match deadline {
        Some(seconds) if seconds <= LONGEST => return format!("{seconds}s"),
        Some(_) => LONG_DEADLINE,
        None => NO_DEADLINE,
    };
    remarks.push(Remark::told("spec.completionDeadlineSeconds", said));
    format!("{}h", LONGEST / 3600)
}

/// Whether this is a name that the configuration takes for a build config.
fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether an `ImageStreamImage` has a whole digest, and not only the beginning of one.
fn is_whole(from: &ObjectRef) -> bool {
    from.name.split_once("@sha256:").is_some_and(|(_, hex)| hex.len() == 64)
}

/// Whether a text can be the name of a file, and of nothing above it.
fn is_file_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=200).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('.')
}
