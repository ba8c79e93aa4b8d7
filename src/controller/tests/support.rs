//! Words for the tests: tags, images and build configs in a line each, and a mind to tell things to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::controller::*;
use crate::image::{Children, Descriptor, Digest, Earlier, Found, Identity, Platforms, TagRef};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const DAY: Duration = Duration::from_hours(24);

/// The id of the store that every test stands on, unless it says otherwise.
pub(super) const STORE: Uuid = Uuid::from_u128(0x5703e);

/// `registry.test/debian:1` for `debian`.
pub(super) fn tag(name: &str) -> TagRef {
    format!("registry.test/{name}:1").parse().unwrap()
}

/// The digest of one version of an image: `A`, `B`, …
pub(super) fn digest(version: &str) -> Digest {
    Digest::sha256_of(version.as_bytes())
}

/// What a registry answers about a tag that points to `version`.
pub(super) fn image(version: &str) -> Found {
    manifest(version).into()
}

/// What a look finds that does not look into the index `version`.
pub(super) fn unread(version: &str) -> Found {
    Descriptor { media_type: "application/vnd.oci.image.index.v1+json".into(), ..manifest(version) }.into()
}

/// What a look finds that does: a platform and a version each.
pub(super) fn index(version: &str, platforms: &[(&str, &str)]) -> Found {
    Found { children: Some(children(platforms)), ..unread(version) }
}

/// As [`index`], where the one before it was read too.
pub(super) fn index_after(
    version: &str,
    platforms: &[(&str, &str)],
    before: (&str, &[(&str, &str)]),
) -> Found {
    let earlier = Earlier { digest: digest(before.0), children: children(before.1) };
    Found { earlier: Some(earlier), ..index(version, platforms) }
}

pub(super) fn children(platforms: &[(&str, &str)]) -> Children {
    platforms.iter().map(|(platform, version)| (platform.parse().unwrap(), digest(version))).collect()
}

/// What names that manifest.
pub(super) fn manifest(version: &str) -> Descriptor {
    Descriptor {
        digest: digest(version),
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        accept_version: 1,
    }
}

pub(super) fn identity(version: &str) -> Identity {
    Identity::Digest(digest(version))
}

pub(super) fn app(name: &str) -> ConfigKey {
    ConfigKey::new("default", name)
}

pub(super) fn build(name: &str) -> BuildKey {
    BuildKey::parse(name, "default").unwrap()
}

/// A `[[watch]]` of these tags with the defaults of a watch; the first is what it builds from.
pub(super) fn watch(name: &str, tags: &[&str]) -> BuildConfig {
    let follow = |name: &&str| {
        Arc::new(StreamTag {
            tag: tag(name),
            named: (*name).into(),
            given: None,
            platforms: Platforms::All,
            unasked: false,
        })
    };
    let triggers: Vec<Trigger> =
        tags.iter().map(|name| Trigger { from: follow(name), paused: false, last: None }).collect();
    BuildConfig {
        key: app(name),
        strategy: Strategy {
            kind: StrategyKind::Command,
            from: Some(Base::Tag(Arc::clone(&triggers[0].from))),
            command: ["make".to_owned(), "BASE={base_image}".to_owned()].into(),
            env: Box::default(),
            working_dir: None,
            options: None,
        },
        triggers,
        config_change: false,
        paused: false,
        policy: Arc::new(Policy {
            run_policy: RunPolicy::SerialLatestOnly,
            supersede: Supersede::Images,
            on_first: OnFirst::Build,
            on_interrupt: OnInterrupt::Retry,
            retry: Retry { attempts: 3, backoff: 5 * MINUTE },
            timeout: 60 * MINUTE,
            history: History { successful: 20, failed: 20 },
        }),
        source: None,
        output: None,
        last_version: 0,
        labels: BTreeMap::new(),
    }
}

/// `config` with another policy.
pub(super) fn with(mut config: BuildConfig, change: impl FnOnce(&mut Policy)) -> BuildConfig {
    change(Arc::make_mut(&mut config.policy));
    config
}

/// `config` with its triggers on `tags` paused.
pub(super) fn paused(mut config: BuildConfig, tags: &[&str]) -> BuildConfig {
    for trigger in &mut config.triggers {
        trigger.paused |= tags.contains(&&*trigger.from.named);
    }
    config
}

/// `config` with every trigger for these platforms.
pub(super) fn on(platforms: &Platforms, mut config: BuildConfig) -> BuildConfig {
    for trigger in &mut config.triggers {
        Arc::make_mut(&mut trigger.from).platforms = platforms.clone();
    }
    config
}

pub(super) fn these(platforms: &[&str]) -> Platforms {
    Platforms::These(platforms.iter().map(|platform| platform.parse().unwrap()).collect())
}

/// The triggers of a config on these tags.
pub(super) fn pausable(config: &str, on: &[&str]) -> Pausable {
    let key = |name: &&str| TriggerKey { config: app(config), tag: tag(name) };
    Pausable { triggers: on.iter().map(key).collect(), configs: Vec::new() }
}

pub(super) fn serial(config: BuildConfig) -> BuildConfig {
    with(config, |policy| policy.run_policy = RunPolicy::Serial)
}

/// Room for ten builds, and no guard against a storm of first builds.
pub(super) fn settings(configs: impl IntoIterator<Item = BuildConfig>) -> Settings {
    Settings {
        build_configs: configs.into_iter().map(Arc::new).collect(),
        max_builds: 10,
        hold_above: usize::MAX,
    }
}

/// A build as it is when it was just made.
pub(super) fn new_build(name: &str, urgency: Urgency, created: Timestamp) -> Build {
    Build {
        id: Uuid::new_v5(&STORE, name.as_bytes()),
        urgency,
        run_policy: RunPolicy::SerialLatestOnly,
        supersede: Supersede::Images,
        created,
        key: None,
        ended: None,
        phase: Phase::New,
        attempts: 0,
        interruptions: 0,
        cancel_asked: false,
        history: Vec::new(),
        images: Vec::new(),
    }
}

/// What comes back when everything is written as JSON, as the journal does, and read again.
pub(super) fn reread(records: &Records) -> Records {
    let mut read = Records::default();
    for record in records.iter() {
        let line = serde_json::to_string(&record).unwrap();
        read.put(serde_json::from_str(&line).unwrap());
    }
    read
}

/// When the tests' time begins.
pub(super) fn dawn() -> Now {
    Now { wall: Timestamp::from_second(1_800_000_000).unwrap(), mono: Duration::ZERO }
}

/// A controller and what a driver keeps around it. Storing always succeeds; crashes are the simulation's.
pub(super) struct Mind {
    pub(super) controller: Controller,
    pub(super) now: Now,
    /// Effects that left and that nobody took yet.
    pub(super) effects: Vec<Effect>,
    specs: BTreeMap<BuildKey, BuildSpec>,
    settings: Arc<Settings>,
}

impl Mind {
    /// The first start, with these build configs.
    pub(super) fn start(configs: impl IntoIterator<Item = BuildConfig>) -> Self {
        Self::over(Records::default(), settings(configs))
    }

    /// A start over what was stored.
    pub(super) fn over(records: Records, settings: Settings) -> Self {
        let mut mind = Self {
            controller: Controller::new(STORE, records),
            now: dawn(),
            effects: Vec::new(),
            specs: BTreeMap::new(),
            settings: Arc::new(settings),
        };
        mind.wake(false);
        mind
    }

    /// The process ends at once, and another begins over what was stored.
    pub(super) fn restart(&mut self) -> Vec<Note> {
        self.controller = Controller::new(STORE, reread(self.controller.records()));
        self.now.mono = Duration::ZERO;
        self.effects.clear();
        self.wake(false)
    }

    /// As [`restart`](Self::restart), but a part of the state was lost.
    pub(super) fn restart_after_loss(&mut self, left: Records) {
        self.controller = Controller::new(STORE, left);
        self.wake(true);
    }

    fn wake(&mut self, after_loss: bool) -> Vec<Note> {
        self.step(&Event::Boot);
        self.tell(&Event::Load { settings: Arc::clone(&self.settings), after_loss })
    }

    /// A reload.
    pub(super) fn load(&mut self, configs: impl IntoIterator<Item = BuildConfig>) -> Vec<Note> {
        self.load_settings(Settings {
            build_configs: settings(configs).build_configs,
            ..(*self.settings).clone()
        })
    }

    pub(super) fn load_settings(&mut self, settings: Settings) -> Vec<Note> {
        self.settings = Arc::new(settings);
        self.tell(&Event::Load { settings: Arc::clone(&self.settings), after_loss: false })
    }

    /// A look at a tag finds this version.
    pub(super) fn see(&mut self, name: &str, version: &str) -> Vec<Note> {
        self.find(name, image(version))
    }

    /// A look at a tag finds this.
    pub(super) fn find(&mut self, name: &str, found: Found) -> Vec<Note> {
        self.tell(&Event::Observed { tag: tag(name), found })
    }

    /// A look at a tag fails, and proves nothing about its host.
    pub(super) fn miss(&mut self, name: &str) -> Vec<Note> {
        self.tell(&Event::Unresolved { tag: tag(name), is_v2: false })
    }

    /// The running attempt of a build ends.
    pub(super) fn end(&mut self, name: &str, outcome: Outcome) -> Vec<Note> {
        let key = build(name);
        let attempt = self.controller.records().builds[&key].attempts;
        self.tell(&Event::Ended(ended(key, attempt, outcome)))
    }

    pub(super) fn complete(&mut self, name: &str) -> Vec<Note> {
        self.end(name, Outcome::Complete)
    }

    pub(super) fn fail(&mut self, name: &str) -> Vec<Note> {
        self.end(name, Outcome::Failed(Failure::Exit(1)))
    }

    pub(super) fn cancel(&mut self, name: &str) -> Vec<Note> {
        self.tell(&Event::Cancel { build: build(name) })
    }

    /// A person pauses triggers of a config.
    pub(super) fn pause(&mut self, config: &str, on: &[&str]) -> Vec<Note> {
        self.tell(&Event::Pause { what: pausable(config, on), reason: None, until: None })
    }

    pub(super) fn resume(&mut self, config: &str, on: &[&str]) -> Vec<Note> {
        self.tell(&Event::Resume(pausable(config, on)))
    }

    /// Time passes, and the driver ticks.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<Note> {
        self.now.mono += time;
        self.now.wall += time;
        self.tell(&Event::Tick)
    }

    /// The event, then ticks until nothing comes of them, as the driver does. Answers what was told.
    pub(super) fn tell(&mut self, event: &Event) -> Vec<Note> {
        let mut notes = self.step(event).notes;
        for _ in 0..100 {
            let tick = self.step(&Event::Tick);
            if tick.is_empty() {
                return notes;
            }
            notes.extend(tick.notes);
        }
        panic!("a hundred ticks in a row had something to do");
    }

    /// One decision, applied. On the way it is taken back once, as after a failed commit.
    pub(super) fn step(&mut self, event: &Event) -> Transition {
        let transition = self.controller.decide(event, self.now);
        let before = self.controller.records().clone();
        let undo = self.controller.apply(&transition);
        self.controller.undo(undo);
        assert_eq!(*self.controller.records(), before, "undo left a trace of {event:?}");
        self.controller.apply(&transition);
        self.effects.extend(transition.effects.iter().cloned());
        let specs = transition.specs.iter().cloned();
        self.specs.extend(specs.map(|spec| (spec.build.clone(), spec)));
        transition
    }

    /// `["app-1 Complete", "app-2 Running"]`: every build there is.
    pub(super) fn builds(&self) -> Vec<String> {
        let builds = &self.controller.records().builds;
        builds.iter().map(|(key, build)| format!("{} {}", key.name(), build.phase.name())).collect()
    }

    pub(super) fn build(&self, name: &str) -> &Build {
        &self.controller.records().builds[&build(name)]
    }

    pub(super) fn phase(&self, name: &str) -> &Phase {
        &self.build(name).phase
    }

    pub(super) fn spec(&self, name: &str) -> &BuildSpec {
        self.spec_of(&build(name))
    }

    pub(super) fn spec_of(&self, key: &BuildKey) -> &BuildSpec {
        &self.specs[key]
    }

    /// The tags that caused a build, each with its digest, in the order of the causes.
    pub(super) fn causes(&self, name: &str) -> Vec<(&str, Digest)> {
        let causes = self.spec(name).causes.iter();
        causes
            .map(|cause| {
                let Cause::ImageChange { image, .. } = cause else { panic!("{cause:?}") };
                (&*image.named, image.digest.clone().unwrap())
            })
            .collect()
    }

    pub(super) fn trigger(&self, config: &str, on: &str) -> Option<&TriggerRecord> {
        let key = TriggerKey { config: app(config), tag: tag(on) };
        self.controller.records().triggers.get(&key).map(|record| &**record)
    }

    /// The builds whose start left as an effect since the last call, in order.
    pub(super) fn started(&mut self) -> Vec<String> {
        let start = |effect| {
            let Effect::Start(attempt) = effect else { return None };
            Some(attempt.build.name())
        };
        self.effects.drain(..).filter_map(start).collect()
    }
}

/// The runner's word that an attempt is over.
pub(super) fn ended(build: BuildKey, attempt: u32, outcome: Outcome) -> Ended {
    Ended { build, attempt, outcome, images: Vec::new(), tail: Vec::new(), elapsed: SECOND }
}

/// The `build_finished` lines in `notes`: the build and its phase.
pub(super) fn finished(notes: &[Note]) -> Vec<String> {
    let line = |note: &Note| {
        let Note::BuildFinished(finished) = note else { return None };
        Some(format!("{} {}", finished.build.name(), finished.phase.name()))
    };
    notes.iter().filter_map(line).collect()
}

impl BuildSpec {
    /// The strategy's own image, which it must have.
    pub(super) fn base(&self) -> &PinnedImage {
        self.base_image.as_ref().unwrap()
    }
}
