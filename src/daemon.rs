//! Builds the parts, wires them, owns shutdown; the only room that sees everything.
//!
//! One task takes everything in and decides, one step at a time: observations, what the runner reports, what a person
//! asks, and the clock. Polling and the control socket are tasks of their own, which only send.

pub mod answer;
mod engine;
mod narrate;
mod pulse;
mod reply;
mod serve;
mod settings;
mod words;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use crate::controller::{Controller, Event, Records, TriggerKey};
use crate::image::{Identity, Image, Platforms, Polled, TagRef};
use crate::poll::{HostPlan, Mode, Plan, Poller, TagPlan};
use crate::registry::{Depth, Known, Registries};
use crate::runner::{self, Exec};
use crate::store::{Opened, Recovery, Store};
use crate::systemd::Manager;
use crate::{config, control, registry};

use engine::{Engine, GROUP};
use pulse::Pulse;
use serve::{Daemon, Inbox};

pub use crate::runner::INHERITED;
pub use settings::{OnLostState, Settings};

/// What the command line and the environment say.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the state is.
    pub state_dir: PathBuf,
    /// Where the control socket is to be.
    pub socket: PathBuf,
    /// Which configuration this is, for the log.
    pub config: PathBuf,
    /// Poll everything once, run what fires, and end.
    pub once: bool,
    /// The variables that builds inherit, read at the edge.
    pub inherited: Vec<(String, String)>,
    /// Who started the daemon and wants to know how it is doing.
    pub manager: Manager,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Done,
    /// With `--once`: a tag was not resolved, a build failed, or it was stopped before it was through.
    SomethingFailed,
}

/// Runs the daemon until `stop` says so. Its first word drains, its second ends the builds that still run.
///
/// It must be awaited in a [`LocalRuntime`](tokio::runtime::LocalRuntime). It runs as tasks of that: what the runtime
/// itself waits for, or a `LocalSet`, is woken by the connections' tasks by way of the kernel, at each answer.
///
/// # Errors
/// If the state cannot be opened, a certificate file cannot be read, or the control socket cannot be bound.
pub async fn run(
    settings: config::Settings,
    options: Options,
    stop: mpsc::Receiver<()>,
) -> anyhow::Result<Ending> {
    match spawn_local(start(settings, options, stop)).await {
        Ok(ending) => ending,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(error.into()),
        },
    }
}

/// Everything is built, in the order in which it depends on one another.
async fn start(
    settings: config::Settings,
    options: Options,
    stop: mpsc::Receiver<()>,
) -> anyhow::Result<Ending> {
    let Opened { store, records, store_id, recovery } = Store::open(&options.state_dir)?;
    let registries =
        Registries::new(&registry_settings(&settings, &records)).context("set up the registries")?;
    tell_recovery(&recovery);
    let (events, events_in) = mpsc::channel(GROUP);
    let runner = Exec::new(runner_settings(&settings, &options), events.clone());
    // After a loss a directory without a record may be the only trace of a build, or somebody else's.
    if !recovery.is_loss() {
        runner.sweep(|build| records.builds.contains_key(build)).await;
    }
    let listener = control::Listener::bind(&options.socket).await?;
    let plan = plan(&settings, &records);
    let (questions, questions_in) = mpsc::channel(16);
    let (stopping, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(control::serve(listener, questions, async { drop(stopped.await) }));
    tell_start(&settings, &options);

    let controller = Controller::new(store_id, records);
    let mut engine = Engine::new(controller, store, runner.clone(), builds_dir(&options), events);
    engine.step(vec![Event::Boot]).await;
    let after_loss = recovery.is_loss() && settings.daemon.on_lost_state == OnLostState::Record;
    let load = Event::Load { settings: Arc::new(settings.controller.clone()), after_loss };
    engine.step(vec![load]).await;
    if recovery.is_loss() && engine.failed_tries() == 0 {
        engine.store().forget_loss().context("note that a loss of state was allowed for")?;
    }

    let (observations, observations_in) = mpsc::channel(GROUP);
    let (commands, commands_in) = mpsc::channel(4);
    let mode = if options.once { Mode::Once } else { Mode::Continuous };
    let wall = Timestamp::now;
    let poller =
        Poller { plan, mode, resolver: Arc::new(registries), wall, observations, commands: commands_in };
    spawn_local(poller.run());
    let inbox = Inbox {
        stop,
        questions: questions_in,
        events: events_in,
        observations: observations_in,
        summaries: reply::hourly(),
    };
    let mut pulse = Pulse::new(options.manager.clone());
    let tags = settings.tags.iter().map(|watched| &watched.tag);
    pulse.watch(tags, |tag| engine.controller.records().tags.contains_key(tag));
    let daemon = Daemon {
        engine,
        runner,
        inbox,
        commands,
        options,
        settings,
        started: Timestamp::now(),
        polling: true,
        last_polling: answer::Polling::default(),
        draining: false,
        unresolved: false,
        pulse,
    };
    let ending = daemon.serve().await;
    drop(stopping);
    // The server ends by itself, in bounded time; if it panicked, the hook has told of it.
    let _ = server.await;
    ending
}

/// What is configured for each host, and what was found out about it before (D10).
fn registry_settings(settings: &config::Settings, records: &Records) -> Vec<registry::Settings> {
    let hosts = settings.registries.iter();
    hosts
        .map(|(name, host)| registry::Settings { known_v2: records.is_v2(name), ..host.registry.clone() })
        .collect()
}

fn runner_settings(settings: &config::Settings, options: &Options) -> runner::Settings {
    runner::Settings {
        builds_dir: builds_dir(options),
        output: settings.log.build_output,
        log_limit: runner::Settings::LOG_LIMIT,
        grace: runner::Settings::GRACE,
        inherited: options.inherited.clone(),
    }
}

/// Each build has a directory of its own below this one.
fn builds_dir(options: &Options) -> PathBuf {
    options.state_dir.join("builds")
}

/// What to poll. A tag that was never seen, or that a trigger has nothing stored for, is not kept waiting.
fn plan(settings: &config::Settings, records: &Records) -> Plan {
    let mut eager: HashSet<&TagRef> = HashSet::new();
    let mut depths: HashMap<&TagRef, Depth> = HashMap::new();
    for config in &settings.controller.build_configs {
        for trigger in &config.triggers {
            let depth = depths.entry(&trigger.tag).or_default();
            *depth = depth_of(&trigger.platforms).max(*depth);
            let key = TriggerKey { config: config.key.clone(), tag: trigger.tag.clone() };
            if records.triggers.get(&key).is_none_or(|record| record.stored.is_none()) {
                eager.insert(&trigger.tag);
            }
        }
    }
    let mut tags: HashMap<&str, Vec<TagPlan>> = HashMap::new();
    for config::WatchedTag { tag, interval } in &settings.tags {
        let eager = eager.contains(tag) || !records.tags.contains_key(tag);
        tags.entry(tag.host()).or_default().push(TagPlan {
            tag: tag.clone(),
            interval: *interval,
            eager,
            depth: depths.get(tag).copied().unwrap_or_default(),
            known: records.tags.get(tag).and_then(|record| known(&record.observed)),
        });
    }
    let hosts = settings.registries.iter().filter_map(|(host, known)| {
        let credential = known.registry.credentials.as_ref().map(|credentials| credentials.username.clone());
        let tags = tags.remove(host.as_str())?;
        Some(HostPlan { host: host.clone(), limits: known.limits, credential, tags })
    });
    Plan { hosts: hosts.collect() }
}

fn depth_of(platforms: &Platforms) -> Depth {
    match platforms {
        Platforms::Index => Depth::Digest,
        Platforms::All => Depth::Moves,
        Platforms::These(_) => Depth::Contents,
    }
}

/// What was stored of a tag, as polling needs to know it.
fn known(image: &Image) -> Option<Known> {
    let Polled::Manifest(manifest) = &image.polled else { return None };
    let unread = matches!(image.identity, Identity::Index { children: None, .. });
    Some(Known { digest: manifest.digest.clone(), unread })
}

fn tell_recovery(recovery: &Recovery) {
    let shown = |quarantine: &Option<PathBuf>| quarantine.as_ref().map(|path| path.display().to_string());
    match recovery {
        Recovery::First | Recovery::Whole { replayed: 0 } => {}
        Recovery::Whole { replayed } => {
            tracing::info!(
                event = "state_recovered",
                replayed,
                "state is whole; the journal had more than the database"
            );
        }
        Recovery::Rebuilt { reason, quarantine } => {
            let quarantine = shown(quarantine);
            tracing::warn!(
                event = "state_recovered",
                reason,
                quarantine,
                "database was rebuilt; nothing is lost"
            );
        }
        Recovery::Lost { reason, quarantine } => {
            let quarantine = shown(quarantine);
            tracing::error!(
                event = "state_recovered",
                reason,
                quarantine,
                "some state is lost; see on_lost_state"
            );
        }
    }
}

/// The decisions made at the start, one line a fact.
fn tell_start(settings: &config::Settings, options: &Options) {
    tracing::info!(
        event = "config_loaded",
        config = %options.config.display(),
        build_configs = settings.controller.build_configs.len(),
        tags = settings.tags.len(),
        registries = settings.registries.len(),
        "configuration loaded"
    );
    tracing::info!(
        event = "started",
        version = env!("CARGO_PKG_VERSION"),
        state_dir = %options.state_dir.display(),
        socket = %options.socket.display(),
        max_builds = settings.controller.max_builds,
        runner = "exec: builds run as this user and can read what this user can",
        "started"
    );
}
