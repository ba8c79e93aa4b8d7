//! Words for the tests: tags, images and build configs in a line each, and a mind to tell things to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

pub(super) use super::mind::Mind;
use crate::controller::*;
use crate::image::{Children, Descriptor, Digest, Earlier, Found, Identity, Legacy, Platforms, TagRef};

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
            venue: None,
        }),
        source: None,
        image_sources: Box::default(),
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

/// A `[[build_config]]` of these triggers with the defaults of the long form, built by `kind` from the tag `from`.
pub(super) fn long_form(name: &str, kind: StrategyKind, from: &str, triggers: &[&str]) -> BuildConfig {
    let mut config = with(watch(name, &[from]), |policy| {
        policy.run_policy = RunPolicy::Serial;
        policy.supersede = Supersede::All;
        policy.retry = Retry { attempts: 1, backoff: MINUTE };
        policy.history = History { successful: 5, failed: 5 };
    });
    config.strategy.kind = kind;
    let own = config.triggers.remove(0);
    let trigger = |on: &&str| match *on == from {
        true => own.clone(),
        false => watch(name, &[on]).triggers.remove(0),
    };
    config.triggers = triggers.iter().map(trigger).collect();
    config
}

/// `config` with a ConfigChange trigger.
pub(super) fn config_change(mut config: BuildConfig) -> BuildConfig {
    config.config_change = true;
    config
}

/// `config` with `build_config.paused`.
pub(super) fn all_paused(mut config: BuildConfig) -> BuildConfig {
    config.paused = true;
    config
}

/// A person asks for a build of `name`.
pub(super) fn manual(name: &str) -> Start {
    Start {
        config: app(name),
        origin: Origin::Manual,
        env: Vec::new(),
        revision: None,
        key: None,
        fresh: Vec::new(),
    }
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
    shared(config)
}

/// `config` with its strategy and the trigger on the same tag of one mind, as they are in a configuration.
pub(super) fn shared(mut config: BuildConfig) -> BuildConfig {
    let own = config.strategy.tag().and_then(|tag| config.trigger(tag));
    if let Some(from) = own.map(|trigger| Arc::clone(&trigger.from)) {
        config.strategy.from = Some(Base::Tag(from));
    }
    config
}

/// The one image of an index that is for this host.
pub(super) fn legacy() -> Platforms {
    let host = "linux/amd64".parse().unwrap();
    Platforms::Legacy(Box::new(Legacy { os: None, architecture: None, host }))
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

/// All builds of a config, whatever asks for them.
pub(super) fn all_builds(config: &str) -> Pausable {
    Pausable { triggers: Vec::new(), configs: vec![app(config)] }
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
        commit: None,
        runner: None,
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

/// Variables, or whatever else has a name and a value.
pub(super) fn words(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The tags whose images a build took from their triggers, which told of it.
pub(super) fn swallowed(notes: &[Note]) -> Vec<String> {
    let line = |note: &Note| {
        let Note::TriggerSwallowed { tag, .. } = note else { return None };
        Some(tag.to_string())
    };
    notes.iter().filter_map(line).collect()
}

/// The runner's word that an attempt is over.
pub(super) fn ended(build: BuildKey, attempt: u32, outcome: Outcome) -> Ended {
    let (images, tail) = (Vec::new(), Vec::new());
    Ended { build, attempt, outcome, images, commit: None, tail, elapsed: SECOND }
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
