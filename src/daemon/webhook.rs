//! What webhooks ask of the running daemon: builds, several of them stored at once.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::answer;
use super::engine::GROUP;
use super::serve::Daemon;
use crate::config;
use crate::controller::{BuildKey, Controller, Event, Origin, Start};
use crate::webhook::{self, Call, Hooks, Listener, Made, Refusal};

/// The listener, and what it goes by.
pub(super) struct Webhooks {
    /// Replaced by a reload.
    pub(super) hooks: watch::Sender<Arc<Hooks>>,
    /// Keeps the channel open where nothing listens.
    _calls: mpsc::Sender<Call>,
    server: Option<Server>,
}

struct Server {
    stopping: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Webhooks {
    /// Reads the secrets, and listens if that is configured; `run --once` waits for nobody.
    pub(super) async fn start(
        settings: &config::Settings,
        once: bool,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Call>, Option<SocketAddr>)> {
        let hooks = Hooks::read(&settings.webhook, &settings.controller.build_configs)
            .context("let the file hold the secret, and be readable, or take the webhook out")?;
        let (hooks, known) = watch::channel(Arc::new(hooks));
        let (calls, calls_in) = mpsc::channel(GROUP);
        let Some(address) = settings.webhook.listen.filter(|_| !once) else {
            return Ok((Self { hooks, _calls: calls, server: None }, calls_in, None));
        };
        let listener = Listener::bind(address).await?;
        let bound = listener.address();
        let (stopping, stopped) = oneshot::channel::<()>();
        let task =
            tokio::spawn(webhook::serve(listener, known, calls.clone(), async { drop(stopped.await) }));
        Ok((Self { hooks, _calls: calls, server: Some(Server { stopping, task }) }, calls_in, Some(bound)))
    }

    /// Takes no more calls, and lets those under way end. What waits in `calls` is let go first: nobody takes it any more,
    /// and whoever asked is to hear so.
    pub(super) async fn stop(self, calls: mpsc::Receiver<Call>) {
        drop(calls);
        if let Some(Server { stopping, task }) = self.server {
            drop(stopping);
            // It ends by itself, in bounded time; if it panicked, the hook has told of it.
            let _ = task.await;
        }
    }
}

impl Daemon {
    /// Makes the builds that are asked for: those that wait together are stored together.
    pub(super) async fn take_calls(&mut self, calls: Vec<Call>) {
        let (mut events, mut waiting) = (Vec::new(), Vec::new());
        for Call { start, actor, reply } in calls {
            match self.engine.controller.check_start(&start) {
                Ok(()) => {
                    let warning = self.overridden(&start);
                    waiting.push((start.clone(), actor, warning, reply));
                    events.push(Event::Start(Box::new(start)));
                }
                // Who asked may have gone away.
                Err(refused) => drop(reply.send(Err(refused.into()))),
            }
        }
        let mut made = Vec::new();
        let configs: Vec<_> = waiting.iter().map(|(start, ..)| start.config.clone()).collect();
        let mut next = configs.first().map(|config| self.engine.controller.next_build(config));
        let stored = self.engine.ask_all(&events, |controller, nth| {
            made.push(next.take().and_then(|build| made_as(controller, &build)));
            next = configs.get(nth + 1).map(|config| controller.next_build(config));
        });
        let stored = stored.await;
        for ((start, actor, warning, reply), made) in waiting.into_iter().zip(made) {
            let answer = match (&stored, made) {
                (Ok(()), Some(made)) => {
                    tell(&start, actor, &made);
                    Ok((made, warning))
                }
                (Ok(()), None) => Err(Refusal::Failed("it was refused".to_owned())),
                (Err(error), _) => Err(Refusal::Failed(error.to_string())),
            };
            drop(reply.send(answer));
        }
    }

    /// What a caller sets in vain, since basewatch sets it itself (D6).
    fn overridden(&self, start: &Start) -> Option<String> {
        answer::start_warnings(&self.engine.controller, start).pop()
    }
}

/// The build that a decision made under the name that was next before it; none if it made none.
fn made_as(controller: &Controller, key: &BuildKey) -> Option<Made> {
    let build = controller.records().builds.get(key)?;
    Some(Made { name: key.name(), build: answer::summary(key, build) })
}

fn tell(start: &Start, actor: IpAddr, made: &Made) {
    let commit = start.revision.as_ref().map(|revision| &*revision.commit);
    if let Origin::Webhook(hook) = start.origin {
        webhook::tell_received(actor, &start.config, hook, Some(&made.build.build), commit, None);
    }
}
