//! Image streams: from `namespace/stream:tag` to the tag in a registry that stands behind it.
//!
//! A stream is tied to one repository (F1). A tag that is not listed is one of that; a listed one may come from elsewhere
//! or follow another one of its stream.

mod check;
mod tag;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::super::file::{Document, Keys};
use super::super::image_stream::{ImageStream, Tag};
use super::super::problem::{Place, Problem, Problems};
use super::super::section::At;
use super::image::prefixed;
use super::registry::{Configured, plain};
use super::tag::Wish;
use crate::controller::StreamTag;
use crate::image::{Digest, TagRef};

pub(super) use check::check_no_namespace;

/// All image streams, those that nobody declared too.
pub(super) struct Streams<'a> {
    namespace: &'a str,
    system_registry: SystemRegistry,
    defaults: &'a Keys,
    hosts: &'a BTreeMap<String, Configured<'a>>,
    declared: HashMap<(String, String), &'a ImageStream>,
    /// What was resolved, by `namespace/stream:tag`; `None` if it could not be, and that was told.
    resolved: HashMap<String, Option<Followed<'a>>>,
    /// What was told already, of streams that nobody declared or that have no repository.
    told: HashSet<(String, String)>,
}

/// A tag of a stream, and what is wanted of it.
#[derive(Clone)]
pub(super) struct Followed<'a> {
    pub(super) from: Arc<StreamTag>,
    pub(super) wish: Wish<'a>,
}

/// A tag of a stream as a trigger or a strategy names it.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) namespace: &'a str,
    pub(super) stream: &'a str,
    pub(super) tag: &'a str,
    pub(super) place: &'a Place,
}

/// `[defaults] system_registry`.
enum SystemRegistry {
    Unsaid,
    /// It was refused, and that was told.
    Refused,
    Host(String),
}

impl<'a> Streams<'a> {
    /// Reads all streams that are declared, and resolves every tag that they list: a mistake is one even where nobody
    /// uses the tag.
    pub(super) fn check(
        document: &'a Document,
        namespace: &'a str,
        hosts: &'a BTreeMap<String, Configured<'a>>,
        problems: &mut Problems,
    ) -> Self {
        let defaults = &document.defaults;
        let mut streams = Self {
            namespace,
            system_registry: SystemRegistry::read(document, problems),
            defaults: &defaults.keys,
            hosts,
            declared: HashMap::new(),
            resolved: HashMap::new(),
            told: HashSet::new(),
        };
        for typed in &document.image_streams {
            streams.declare(typed, problems);
        }
        for typed in &document.image_streams {
            streams.resolve_listed(typed, problems);
        }
        streams
    }

    /// What stands behind a tag of a stream, told once if it is nothing.
    pub(super) fn resolve(&mut self, wanted: Wanted<'a>, problems: &mut Problems) -> Option<Followed<'a>> {
        let Wanted { namespace, stream, tag, .. } = wanted;
        let named = format!("{namespace}/{stream}:{tag}");
        if let Some(known) = self.resolved.get(&named) {
            return known.clone();
        }
        let followed = self.follow(wanted, &named, problems);
        self.resolved.insert(named, followed.clone());
        followed
    }

    /// One image of a stream by its digest: where it is, in the words that builds are given.
    pub(super) fn image(
        &mut self,
        wanted: Wanted<'a>,
        digest: &Digest,
        problems: &mut Problems,
    ) -> Option<(Arc<str>, TagRef)> {
        let repository = match self.only_source(wanted) {
            Some(source) => source,
            None => self.own_repository(wanted, problems)?,
        };
        let tag = TagRef::parse_image(&format!("{repository}@{digest}")).ok()?;
        let given = prefixed(&tag, self.hosts);
        let text = given.map_or_else(|| tag.as_str().into(), |given| format!("{given}@{digest}").into());
        Some((text, tag))
    }

    fn declare(&mut self, typed: &'a ImageStream, problems: &mut Problems) {
        if typed.name.is_absent() {
            problems.push(Problem::absence(&typed.place, "has no name", "add name = \"…\""));
        }
        check::check_names(typed, problems);
        let Some(name) = typed.name.given() else { return };
        let key = (self.namespace_of(typed).to_owned(), name.value.clone());
        if let Some(first) = self.declared.get(&key) {
            let message = format!("is {}/{} again, as at {}", key.0, key.1, first.place);
            let problem = Problem::error(&name.place, message, "make one [[image_stream]] of the two");
            problems.push(problem.with_value(format!("\"{}\"", name.value)));
            return;
        }
        self.declared.insert(key, typed);
    }

    fn resolve_listed(&mut self, typed: &'a ImageStream, problems: &mut Problems) {
        let Some(name) = typed.name.given() else { return };
        let namespace = self.namespace_of(typed);
        let in_stream = |tag: &'a str, place| Wanted { namespace, stream: &name.value, tag, place };
        for tag in &typed.tags {
            if let Some(tag_name) = tag.name.value() {
                self.resolve(in_stream(tag_name, &tag.place), problems);
            }
        }
        // A stream of which nothing is known but its name has its tags in its own repository, or nowhere.
        if typed.tags.is_empty() || typed.repository.given().is_some() {
            self.own_repository(in_stream("latest", &typed.place), problems);
        }
    }

    fn namespace_of(&self, typed: &'a ImageStream) -> &'a str {
        typed.namespace.value().map_or(self.namespace, String::as_str)
    }

    fn declared(&self, wanted: Wanted<'_>) -> Option<&'a ImageStream> {
        let key = (wanted.namespace.to_owned(), wanted.stream.to_owned());
        self.declared.get(&key).copied()
    }

    /// The repository that a stream is tied to (F1): told once if there is none.
    fn own_repository(&mut self, wanted: Wanted<'a>, problems: &mut Problems) -> Option<String> {
        let Wanted { namespace, stream, .. } = wanted;
        let declared = self.declared(wanted);
        let is_first = self.told.insert((namespace.to_owned(), stream.to_owned()));
        if let Some(written) = declared.and_then(|typed| typed.repository.given()) {
            let repository = repository(&written.value);
            if repository.is_none() && is_first {
                problems.push(no_whole_repository(written));
            }
            return repository;
        }
        let missing = declared.is_none_or(|typed| typed.repository.is_absent());
        let place = declared.map_or(wanted.place, |typed| &typed.place);
        match &self.system_registry {
            SystemRegistry::Host(host) => {
                if declared.is_none() && is_first {
                    problems.push(undeclared(wanted, host));
                }
                Some(format!("{host}/{namespace}/{stream}"))
            }
            SystemRegistry::Unsaid if missing && is_first => {
                problems.push(no_repository(wanted, declared.is_some(), place));
                None
            }
            SystemRegistry::Unsaid | SystemRegistry::Refused => None,
        }
    }

    /// The repository that a stream has, without a word if it has none.
    fn repository_if_any(&self, wanted: Wanted<'_>) -> Option<String> {
        let written = self.declared(wanted).and_then(|typed| typed.repository.given());
        match (written, &self.system_registry) {
            (Some(written), _) => repository(&written.value),
            (None, SystemRegistry::Host(host)) => {
                Some(format!("{host}/{}/{}", wanted.namespace, wanted.stream))
            }
            (None, SystemRegistry::Unsaid | SystemRegistry::Refused) => None,
        }
    }
}

impl SystemRegistry {
    fn read(document: &Document, problems: &mut Problems) -> Self {
        let typed = &document.defaults.system_registry;
        let Some(written) = typed.given() else {
            return if typed.is_absent() { Self::Unsaid } else { Self::Refused };
        };
        let otherwise = "write HOST or HOST:PORT, as it stands in image references";
        plain(written, "is not the host of a registry", otherwise, problems).map_or(Self::Refused, Self::Host)
    }
}

/// `host/path` in its one spelling; `None` if it is not that.
fn repository(text: &str) -> Option<String> {
    let last = text.rsplit('/').next()?;
    let tag: TagRef = text.parse().ok()?;
    (!last.contains(':')).then(|| tag.name().to_owned())
}

fn no_whole_repository(written: &At<String>) -> Problem {
    let text = written.value.as_str();
    let path = text.rfind('/').map_or(0, |slash| slash + 1);
    let end = text.get(path..).and_then(|last| last.find(['@', ':'])).map(|end| path + end);
    let (message, fix) = match end.and_then(|end| text.get(..end)).filter(|bare| repository(bare).is_some()) {
        Some(bare) => ("is one image, and a stream has a whole repository", format!("write \"{bare}\"")),
        None => ("is not a repository", "write it as host/path".to_owned()),
    };
    Problem::error(&written.place, message, fix).with_value(format!("\"{text}\""))
}

fn undeclared(wanted: Wanted<'_>, host: &str) -> Problem {
    let Wanted { namespace, stream, place, .. } = wanted;
    let message = format!(
        "there is no image stream {namespace}/{stream}: it is taken to be {host}/{namespace}/{stream}"
    );
    let fix = format!("add [[image_stream]] with name = \"{stream}\", or correct the name");
    Problem::warning(place, message, fix)
}

fn no_repository(wanted: Wanted<'_>, is_declared: bool, place: &Place) -> Problem {
    let Wanted { namespace, stream, .. } = wanted;
    match is_declared {
        true => {
            let message = format!("the image stream {namespace}/{stream} has no repository");
            let fix = "add repository = \"host/path\" to it, or system_registry = \"host\" to [defaults]";
            Problem::absence(place, message, fix)
        }
        false => {
            let message = format!("there is no image stream {namespace}/{stream}");
            let fix = format!(
                "add [[image_stream]] with name = \"{stream}\" and repository = \"host/path\", or \
                 system_registry = \"host\" to [defaults]"
            );
            Problem::absence(place, message, fix)
        }
    }
}

/// The tag that a stream lists by that name.
fn listed<'a>(stream: &'a ImageStream, name: &str) -> Option<&'a Tag> {
    stream.tags.iter().find(|tag| tag.name.value().is_some_and(|known| known == name))
}
