//! Builds that somebody asks for: a person, a webhook, or a person who wants an earlier one made again.

use super::Controller;
use super::build::{BuildSpec, Cause, Making};
use super::environment::CUSTOM_BASE_IMAGE;
use super::event::{Now, Transition};
use super::key::{BuildKey, ConfigKey};
use super::policy;
use super::record::Urgency;
use super::settings::{BuildConfig, StreamTag};
use super::source::{HookKind, Revision};
use super::strategy::StrategyKind;
use super::tag::Finding;
use super::trigger::Look;
use crate::image::{Found, TagRef};

/// A build that is asked for.
#[derive(Debug, Clone)]
pub struct Start {
    /// Of which config.
    pub config: ConfigKey,
    /// Who asks.
    pub origin: Origin,
    /// Variables that it is given besides the strategy's, or in their place (F27).
    pub env: Vec<(String, String)>,
    /// The revision of the source code that it is of.
    pub revision: Option<Revision>,
    /// What who asks calls it: asked for again by that name it is the same build.
    pub key: Option<Box<str>>,
    /// Tags that were looked at for its sake, and what they point to (`start --refresh`).
    pub fresh: Vec<(TagRef, Found)>,
}

/// Who asks for a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A person.
    Manual,
    /// A webhook.
    Webhook(HookKind),
}

/// An earlier build that is to be made again from the same images (F35).
#[derive(Debug, Clone)]
pub struct Rebuild {
    /// What the earlier build was given.
    pub of: Box<BuildSpec>,
    /// As in [`Start::env`].
    pub env: Vec<(String, String)>,
    /// As in [`Start::key`].
    pub key: Option<Box<str>>,
}

/// Why a build that is asked for is not made. No number is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartRefused {
    /// There is no such config.
    #[error("there is no build config {0}")]
    NoConfig(ConfigKey),
    /// All of its builds are paused (F22).
    #[error("all builds of {0} are paused")]
    Paused(ConfigKey),
    /// What the strategy is made from was never resolved (F34, the wording is OpenShift's).
    #[error(
        "Error resolving ImageStreamTag {named} in namespace {namespace}: unable to find latest tagged image"
    )]
    Unresolved {
        /// `name:tag`, or an image reference.
        named: Box<str>,
        /// Its namespace.
        namespace: Box<str>,
    },
}

impl Controller {
    /// Whether a build of `config` can be made now.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check_start(&self, start: &Start) -> Result<(), StartRefused> {
        let config = self.startable(&start.config)?;
        let identity = |from: &StreamTag| match start.fresh.iter().find(|(tag, _)| *tag == from.tag) {
            Some((tag, found)) => Some(self.image_of(tag, found).identity),
            None => self.records.tags.get(&from.tag).map(|tag| tag.admitted().identity.clone()),
        };
        let is_pinned = |from: &&StreamTag| {
            identity(from).is_some_and(|identity| from.platforms.is_answered_by(&identity))
        };
        match config.pinned_tags().find(|from| !is_pinned(from)) {
            None => Ok(()),
            Some(from) => Err(StartRefused::unresolved(config, from)),
        }
    }

    /// Whether an earlier build of `config` can be made again now.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check_rebuild(&self, config: &ConfigKey) -> Result<(), StartRefused> {
        self.startable(config).map(|_| ())
    }

    /// The build of `config` that was asked for by this name before, of those that are kept.
    #[must_use]
    pub fn asked_before(&self, config: &ConfigKey, key: &str) -> Option<&BuildKey> {
        let mut builds = self.records.builds_of(config).rev();
        builds.find(|(_, build)| build.key.as_deref() == Some(key)).map(|(key, _)| key)
    }

    fn startable(&self, key: &ConfigKey) -> Result<&BuildConfig, StartRefused> {
        let config = self.config(key).ok_or_else(|| StartRefused::NoConfig(key.clone()))?;
        match self.pause_of(key) {
            Some(_) => Err(StartRefused::Paused(key.clone())),
            None => Ok(config),
        }
    }

    /// A build is asked for: it is made from what is stored, and from nothing that is asked now (S24). What was looked at
    /// for its sake is stored with it, and starts the builds of others.
    pub(super) fn start(&self, start: &Start, now: Now, t: &mut Transition) {
        let again = start.key.as_deref().is_some_and(|key| self.asked_before(&start.config, key).is_some());
        if again || self.check_start(start).is_err() {
            return;
        }
        for (tag, found) in &start.fresh {
            self.note_look(tag, found.polled.digest().is_some(), now, t);
        }
        let finding = Finding::of(self, &start.fresh, now);
        let look = Look { controller: self, fresh: &finding.fresh, now };
        if let Some(config) = self.config(&start.config) {
            look.start(config, start, t);
        }
        finding.tell(self, Some(&start.config), now, t);
    }

    /// An earlier build is made again. Triggers have no part in it: its images are not new, and it takes no other build's
    /// place.
    pub(super) fn rebuild(&self, rebuild: &Rebuild, now: Now, t: &mut Transition) {
        let of = &rebuild.of;
        let key = &of.build.config;
        let again = rebuild.key.as_deref().is_some_and(|name| self.asked_before(key, name).is_some());
        let Some(config) = self.startable(key).ok().filter(|_| !again) else { return };
        let look = Look { controller: self, fresh: &[], now };
        let (build, id) = look.next(config);
        let commit = self.records.builds.get(&of.build).and_then(|build| build.commit.as_deref());
        let spec = of.again(config, &rebuild.env, build, id, now.wall, commit);
        look.make(config, spec, Urgency::Rebuild, rebuild.key.as_deref(), t);
    }
}

impl<'a> Look<'a> {
    fn start(&self, config: &'a BuildConfig, start: &Start, t: &mut Transition) {
        let (cause, urgency) = match start.origin {
            Origin::Manual => (Cause::Manual, Urgency::Manual),
            Origin::Webhook(hook) => (Cause::Webhook { hook }, Urgency::Webhook),
        };
        let (build, id) = self.next(config);
        let making = Making {
            config,
            base: self.base(config),
            image_sources: self.image_sources(config),
            causes: vec![cause],
            env: &start.env,
            revision: start.revision.as_ref(),
        };
        let spec = making.spec(build.clone(), id, self.now.wall);
        let made = self.make(config, spec, urgency, start.key.as_deref(), t);
        let weighed = self.weigh_all(config);
        self.settle(config, &build, &weighed, |_| false, t);
        policy::make_room(self.controller, &build, &made, self.now, t);
    }
}

impl Start {
    /// Those of its variables that basewatch sets itself, so that they have no effect (D6).
    #[must_use]
    pub fn overridden(&self, config: &BuildConfig) -> Option<&str> {
        let is_custom = config.strategy.kind == StrategyKind::Custom;
        let set = self.env.iter().map(|(name, _)| name.as_str()).find(|name| *name == CUSTOM_BASE_IMAGE);
        set.filter(|_| is_custom)
    }
}

impl StartRefused {
    /// A tag of an image stream as OpenShift writes it: without its namespace, which is told beside it.
    fn unresolved(config: &BuildConfig, from: &StreamTag) -> Self {
        let is_image = TagRef::parse_image(&from.named).is_ok_and(|image| image == from.tag);
        let (namespace, named) = match from.named.split_once('/').filter(|_| !is_image) {
            Some((namespace, named)) => (namespace, named),
            None => (config.key.namespace(), &*from.named),
        };
        Self::Unresolved { named: named.into(), namespace: namespace.into() }
    }
}
