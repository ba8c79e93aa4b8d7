//! Loading the configuration anew: all or nothing, and the old one runs on until the new one is stored.
//!
//! ```text
//!  asked ──> files read and checked, registries prepared   (the blocking pool: nobody waits for it)
//!              │ Reading
//!            Event::Load, stored ──> registries, runner, polling ──> who asked is answered
//! ```
//! One reload is under way at a time. Who asks meanwhile may have written a file that is read already, so all of them
//! together get the next one.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::serve::Daemon;
use super::words::millis;
use super::{answer, plan, registry_settings};
use crate::config::{self, Difference, Problems, SecretFiles};
use crate::control::protocol::{ConfigProblem, Problem, Refused, ReloadAnswer};
use crate::control::{Refusal, Reply};
use crate::controller::Event;
use crate::poll;
use crate::registry::{Registries, SetupError, Update};
use crate::webhook::{Hooks, HooksError};

/// Who asks for reloads, and what they are made with.
pub(super) struct Reloads {
    pub(super) registries: Arc<Registries>,
    pub(super) secrets: SecretFiles,
    /// Where what was read is told.
    pub(super) readings: mpsc::Sender<Reading>,
    /// Who asked for the one that is under way; nobody if none is.
    under_way: Vec<Asker>,
    /// Who asked since it began.
    waiting: Vec<Asker>,
}

/// Who wants the configuration loaded anew.
#[derive(Debug)]
pub(super) enum Asker {
    /// SIGHUP: the log is the answer.
    Signal,
    /// `basewatch reload`.
    Command(Reply<ReloadAnswer>),
}

/// What came of reading the configuration.
pub(super) struct Reading {
    begun: Instant,
    read: Result<Box<Read>, Unread>,
}

/// A configuration that can take effect.
struct Read {
    settings: Arc<config::Settings>,
    warnings: Vec<config::Problem>,
    update: Update,
    hooks: Hooks,
    difference: Difference,
}

/// Why a configuration cannot.
enum Unread {
    Problems(Problems),
    /// A file that was well when it was checked is not any more.
    Setup(SetupError),
    /// The secret of a webhook cannot be had.
    Hooks(HooksError),
    /// A bug.
    Stopped(String),
}

/// Why nothing was loaded.
enum Failure {
    Config(Refused),
    Daemon(Refusal),
}

impl Reloads {
    pub(super) fn new(
        registries: Arc<Registries>,
        secrets: SecretFiles,
        readings: mpsc::Sender<Reading>,
    ) -> Self {
        Self { registries, secrets, readings, under_way: Vec::new(), waiting: Vec::new() }
    }

    fn wait(&mut self, asker: Asker) {
        let is_signal = |asker: &Asker| matches!(asker, Asker::Signal);
        // Signals that come together say no more than one.
        if !is_signal(&asker) || !self.waiting.iter().any(is_signal) {
            self.waiting.push(asker);
        }
    }
}

impl Daemon {
    /// Somebody wants the configuration loaded anew.
    pub(super) fn reload(&mut self, asker: Asker) {
        match (self.why_not_now(), &asker) {
            // It polls once with what it has, and ends.
            (_, Asker::Signal) if self.options.once => {}
            (Some(refusal), _) => self.tell(vec![asker], Instant::now(), Err(Failure::Daemon(refusal))),
            (None, _) => {
                self.reloads.wait(asker);
                self.begin_reload();
            }
        }
    }

    /// The configuration was read: it takes effect, or the old one runs on.
    pub(super) async fn finish_reload(&mut self, reading: Reading) {
        let Reading { begun, read } = reading;
        let askers = std::mem::take(&mut self.reloads.under_way);
        let outcome = match read {
            Ok(read) => self.take_over(*read).await,
            Err(unread) => Err(Failure::Config(self.refused(unread))),
        };
        self.tell(askers, begun, outcome);
        self.begin_reload();
    }

    fn begin_reload(&mut self) {
        let reloads = &mut self.reloads;
        if !reloads.under_way.is_empty() || reloads.waiting.is_empty() {
            return;
        }
        std::mem::swap(&mut reloads.under_way, &mut reloads.waiting);
        let (file, secrets) = (self.options.config.clone(), reloads.secrets.clone());
        let (old, registries) = (Arc::clone(&self.settings), Arc::clone(&reloads.registries));
        let v2_hosts = self.engine.controller.records().v2_hosts();
        let (readings, begun) = (reloads.readings.clone(), Instant::now());
        tokio::spawn(async move {
            let read = spawn_blocking(move || read(&file, &secrets, &old, &registries, &v2_hosts)).await;
            let read = read.unwrap_or_else(|stopped| Err(Unread::Stopped(stopped.to_string())));
            // A daemon that is gone needs no configuration.
            let _ = readings.send(Reading { begun, read }).await;
        });
    }

    /// Why the daemon can load nothing now, whatever the configuration says.
    fn why_not_now(&self) -> Option<Refusal> {
        if self.options.once {
            let problem = Problem::new("`run --once` loads no other configuration");
            return Some(Refusal::Conflict(problem.hint("run it again once it has ended")));
        }
        if self.draining {
            return Some(Refusal::Unavailable(Problem::new("the daemon is stopping")));
        }
        let trouble = self.engine.store_trouble()?;
        let problem = Problem::new(format!("the state cannot be stored: {}", trouble.error));
        Some(Refusal::Unavailable(problem.hint("mend the disk and ask again")))
    }

    async fn take_over(&mut self, read: Read) -> Result<ReloadAnswer, Failure> {
        if let Some(refusal) = self.why_not_now() {
            return Err(Failure::Daemon(refusal));
        }
        let Read { settings, warnings, update, hooks, difference } = read;
        if settings.controller != self.settings.controller {
            let load = Event::Load { settings: Arc::new(settings.controller.clone()), after_loss: false };
            let stored = self.engine.ask(load).await;
            stored.map_err(|error| Failure::Daemon(answer::not_stored(&error)))?;
        }
        let changed = update.changed().to_vec();
        self.reloads.registries.install(update);
        self.webhooks.hooks.send_replace(Arc::new(hooks));
        self.runner.set_output(settings.log.build_output);
        self.runner.set_sockets(settings.runners.clone());
        let plan = plan::change(&self.settings, &settings, self.engine.controller.records());
        for command in plan.into_iter().chain([poll::Command::Probe(changed)]) {
            // Polling that has ended is told of where its observations are missed.
            let _ = self.commands.send(command).await;
        }
        self.settings = settings;
        let records = self.engine.controller.records();
        let tags = self.settings.tags.iter().map(|watched| &watched.tag);
        self.pulse.watch(tags, |tag| records.tags.contains_key(tag));
        for warning in &warnings {
            tracing::warn!(event = "config_warning", %warning, "the configuration may not be what was meant");
        }
        Ok(answer::reloaded(difference, &warnings))
    }

    fn refused(&self, unread: Unread) -> Refused {
        let whole = |message: String, fix: &str| {
            let file = self.options.config.display().to_string();
            let text = format!("{file}: {message}; {fix}");
            let problem = ConfigProblem {
                severity: "error".to_owned(),
                file,
                line: None,
                key: String::new(),
                message,
                value: None,
                fix: fix.to_owned(),
                text,
            };
            Refused { summary: "1 error".to_owned(), problems: vec![problem] }
        };
        match unread {
            Unread::Problems(problems) => answer::refused(&problems),
            Unread::Setup(error) => {
                let message = format!("{:#}", anyhow::Error::from(error));
                whole(message, "let it be readable, and reload again")
            }
            Unread::Hooks(error) => {
                whole(error.to_string(), "let the file hold the secret, and be readable, and reload again")
            }
            Unread::Stopped(error) => {
                whole(format!("cannot be loaded: {error}"), "this is a bug in basewatch: please report it")
            }
        }
    }

    /// One line for the log, and an answer for each who asked.
    fn tell(&self, askers: Vec<Asker>, begun: Instant, outcome: Result<ReloadAnswer, Failure>) {
        let actor = askers.first().map_or("signal", Asker::as_str);
        let config = self.options.config.display();
        let refused = |error: String| {
            tracing::error!(event = "reload_refused", %config, actor, error, "the old configuration runs on");
        };
        let answer = match outcome {
            Ok(answer) => {
                self.tell_reloaded(&answer, actor, begun.elapsed());
                Ok(answer)
            }
            Err(Failure::Config(problems)) => {
                let lines: Vec<&str> = problems.problems.iter().map(|problem| &*problem.text).collect();
                refused(format!("{}: {}", problems.summary, lines.join(" | ")));
                Ok(ReloadAnswer::Refused(problems))
            }
            Err(Failure::Daemon(refusal)) => {
                refused(refusal.problem().error.clone());
                Err(refusal)
            }
        };
        for asker in askers {
            match asker {
                Asker::Signal => {}
                // Who asked may have gone away.
                Asker::Command(reply) => drop(reply.send(answer.clone())),
            }
        }
    }

    fn tell_reloaded(&self, answer: &ReloadAnswer, actor: &str, elapsed: Duration) {
        let ReloadAnswer::Reloaded(reloaded) = answer else { return };
        tracing::info!(
            event = "reloaded",
            config = %self.options.config.display(),
            actor,
            build_configs = self.settings.controller.build_configs.len(),
            tags = self.settings.tags.len(),
            registries = self.settings.registries.len(),
            added = reloaded.added.len(),
            removed = reloaded.removed.len(),
            edited = reloaded.edited.len(),
            tags_added = reloaded.tags_added.len(),
            tags_removed = reloaded.tags_removed.len(),
            later = (!reloaded.later.is_empty()).then(|| reloaded.later.join(", ")),
            elapsed_ms = millis(elapsed),
            "the configuration was loaded anew"
        );
    }
}

impl Asker {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Command(_) => "command",
        }
    }
}

fn read(
    file: &Path,
    secrets: &SecretFiles,
    old: &config::Settings,
    registries: &Registries,
    v2_hosts: &BTreeSet<Box<str>>,
) -> Result<Box<Read>, Unread> {
    let loaded = config::load(file, secrets).map_err(Unread::Problems)?;
    let update = registries.prepare(&registry_settings(&loaded.settings, v2_hosts)).map_err(Unread::Setup)?;
    let hooks = Hooks::read(&loaded.settings.webhook, &loaded.settings.controller.build_configs);
    let hooks = hooks.map_err(Unread::Hooks)?;
    let difference = Difference::between(old, &loaded.settings);
    let settings = Arc::new(loaded.settings);
    Ok(Box::new(Read { settings, warnings: loaded.warnings, update, hooks, difference }))
}
