//! Builds the parts, wires them, owns shutdown; the only room that sees everything.
//!
//! One task takes everything in and decides, one step at a time: observations, what the runner reports, what a person
//! or a webhook asks, and the clock. Polling, the control socket and the listener for webhooks are tasks of their own,
//! which only send.

pub mod answer;
mod engine;
mod forecast;
mod group;
mod narrate;
mod plan;
mod pulse;
mod rehearsal;
mod reload;
mod reply;
mod serve;
mod settings;
mod start;
mod webhook;
mod words;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use crate::controller::{BuildConfig, Controller, Event};
use crate::poll::{Mode, Poller};
use crate::registry::Registries;
use crate::runner::{self, Runners};
use crate::store::{Opened, Recovery, Store};
use crate::systemd::Manager;
use crate::{config, control, registry};

use engine::{Engine, GROUP};
use pulse::Pulse;
use reload::Reloads;
use serve::{Daemon, Inbox};
use start::Refreshed;
use webhook::Webhooks;

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
    /// Whether and where a reload looks for the files that hold secrets, as the start did.
    pub secrets: config::SecretFiles,
    /// Poll everything once, run what fires, and end.
    pub once: bool,
    /// The unit's runtime directory, if there is one.
    pub runtime_dir: Option<PathBuf>,
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

/// What signals say while the daemon runs.
#[derive(Debug)]
pub struct Signals {
    /// Its first word drains, its second ends the builds that still run.
    pub stop: mpsc::Receiver<()>,
    /// Each word loads the configuration anew.
    pub reload: mpsc::Receiver<()>,
}

/// Runs the daemon until it is told to stop.
///
/// It must be awaited in a [`LocalRuntime`](tokio::runtime::LocalRuntime), of which it is tasks like those of the
/// connections: in a `LocalSet` each answer would be handed from one queue of tasks to another.
///
/// # Errors
/// If the state cannot be opened, a certificate file cannot be read, the secret of a webhook cannot be
/// had, or the control socket or the address for webhooks cannot be bound.
pub async fn run(settings: config::Settings, options: Options, signals: Signals) -> anyhow::Result<Ending> {
    match spawn_local(start(settings, options, signals)).await {
        Ok(ending) => ending,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(error.into()),
        },
    }
}

/// Everything is built, in the order in which it depends on one another.
async fn start(settings: config::Settings, options: Options, signals: Signals) -> anyhow::Result<Ending> {
    let Opened { store, records, store_id, recovery } = Store::open(&options.state_dir)?;
    let registries = Registries::new(&registry_settings(&settings, &records.v2_hosts()));
    let registries = Arc::new(registries.context("set up the registries")?);
    tell_recovery(&recovery);
    let (events, events_in) = mpsc::channel(GROUP);
    let told = runner_settings(&settings, &options);
    let runner = Runners::new(told, settings.runners.clone(), events.clone());
    // After a loss a directory without a record may be the only trace of a build, or somebody else's.
    if !recovery.is_loss() {
        runner.sweep(|build| records.builds.contains_key(build)).await;
    }
    let listener = control::Listener::bind(&options.socket).await?;
    let (webhooks, calls_in, webhook) = Webhooks::start(&settings, options.once).await?;
    let plan = plan::first(&settings, &records);
    let (questions, questions_in) = mpsc::channel(16);
    let (stopping, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(control::serve(listener, questions, async { drop(stopped.await) }));
    tell_start(&settings, &options, webhook);

    let controller = Controller::new(store_id, records);
    let mut engine = Engine::new(controller, store, runner.clone(), builds_dir(&options), events);
    engine.step(vec![Event::Boot]).await;
    let after_loss = recovery.is_loss() && settings.daemon.on_lost_state == OnLostState::Record;
    let load = Event::Load { settings: Arc::new(settings.controller.clone()), after_loss };
    engine.step([load].into_iter().chain(plan::not_awaited(&plan)).collect()).await;
    if recovery.is_loss() && engine.failed_tries() == 0 {
        engine.store().forget_loss().context("note that a loss of state was allowed for")?;
    }

    let (observations, observations_in) = mpsc::channel(GROUP);
    let (commands, commands_in) = mpsc::channel(4);
    let mode = if options.once { Mode::Once } else { Mode::Continuous };
    let wall = Timestamp::now;
    let resolver = Arc::clone(&registries);
    let poller = Poller { plan, mode, resolver, wall, observations, commands: commands_in };
    spawn_local(poller.run());
    let (readings, readings_in) = mpsc::channel(1);
    let (looks, looks_in) = mpsc::channel(4);
    let (sightings, sightings_in) = mpsc::channel(4);
    let inbox = Inbox {
        signals,
        readings: readings_in,
        looks: looks_in,
        sightings: sightings_in,
        questions: questions_in,
        events: events_in,
        observations: observations_in,
        calls: calls_in,
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
        looks,
        refreshed: Refreshed::default(),
        webhooks,
        reloads: Reloads::new(registries, options.secrets.clone(), readings),
        options,
        sightings,
        settings: Arc::new(settings),
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

/// What is configured for each host, and whether it was found to be a v2 registry before (D10).
fn registry_settings(settings: &config::Settings, v2_hosts: &BTreeSet<Box<str>>) -> Vec<registry::Settings> {
    let hosts = settings.registries.iter();
    let told = hosts.map(|(name, host)| registry::Settings {
        known_v2: v2_hosts.contains(name.as_str()),
        ..host.registry.clone()
    });
    told.collect()
}

fn runner_settings(settings: &config::Settings, options: &Options) -> runner::Settings {
    runner::Settings {
        builds_dir: builds_dir(options),
        output: settings.log.build_output,
        log_limit: runner::Settings::LOG_LIMIT,
        grace: runner::Settings::GRACE,
        own_cgroup: false,
        runtime_dir: options.runtime_dir.clone(),
        inherited: options.inherited.clone(),
    }
}

/// Each build has a directory of its own below this one.
fn builds_dir(options: &Options) -> PathBuf {
    options.state_dir.join("builds")
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
fn tell_start(settings: &config::Settings, options: &Options, webhook: Option<SocketAddr>) {
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
        webhook = webhook.map(tracing::field::display),
        max_builds = settings.controller.max_builds,
        runner = runners(settings),
        "started"
    );
}

/// Where builds run: as this user, where any may, and in which socket runners.
fn runners(settings: &config::Settings) -> String {
    let in_exec =
        |config: &BuildConfig| config.policy.venue.as_deref().is_none_or(|venue| venue.runner.is_none());
    let exec = settings.controller.build_configs.iter().any(|config| in_exec(config));
    let sockets: Vec<&str> = settings.runners.keys().map(|name| &**name).collect();
    let also = if sockets.is_empty() { "" } else { ", and run builds in every socket runner" };
    let exec = exec.then(|| format!("exec: builds run as this user and can read what this user can{also}"));
    let sockets = (!sockets.is_empty()).then(|| format!("socket: {}", sockets.join(", ")));
    exec.into_iter().chain(sockets).collect::<Vec<_>>().join("; ")
}
