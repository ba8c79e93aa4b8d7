//! A registry that follows a script, and a poller that asks it in virtual time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::image::{Descriptor, Digest, Found, TagRef};
use crate::poll::{
    Command, HostPlan, Limits, Mode, Observation, Plan, Poller, Resolve, Scope, Status, TagPlan, Trouble,
    Until,
};
use crate::registry::{Depth, Gate, Known, Target};

pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const NO_RATE: Limits = Limits { max_connections: 2, requests_per_second: None };
pub(super) const FOR_EVER: Duration = Duration::MAX;

/// A moment in 2027, as good as any.
pub(super) fn base() -> Timestamp {
    Timestamp::from_second(1_800_000_123).unwrap()
}

/// A host with `count` tags, polled every minute and never seen before.
pub(super) fn host(name: &str, count: usize, limits: Limits) -> HostPlan {
    let tag = |number| TagPlan {
        tag: format!("{name}/app-{number}:1").parse().unwrap(),
        interval: MINUTE,
        eager: true,
        until: Until::Gone,
        depth: Depth::Digest,
        known: None,
    };
    HostPlan { host: name.to_owned(), limits, credential: None, tags: (0..count).map(tag).collect() }
}

/// The same host, but all of its tags were seen before.
pub(super) fn known(mut host: HostPlan) -> HostPlan {
    host.tags.iter_mut().for_each(|tag| tag.eager = false);
    host
}

pub(super) fn resolved() -> Result<Found, Trouble> {
    let digest = Digest::sha256_of(b"manifest");
    let media_type = "application/vnd.oci.image.manifest.v1+json".into();
    Ok(Descriptor { digest, media_type, accept_version: 1 }.into())
}

pub(super) fn trouble(kind: &'static str) -> Result<Found, Trouble> {
    Err(trouble_of(kind))
}

pub(super) fn trouble_of(kind: &'static str) -> Trouble {
    let scope = match kind {
        "server_error" => Scope::Server,
        "timeout" | "exchange" => Scope::Exchange,
        "dns" | "connect" | "tls" | Trouble::LIMIT => Scope::Host,
        "credentials_rejected" => Scope::Login,
        _ => Scope::Tag,
    };
    Trouble { kind, message: format!("registry answered: {kind}"), scope, retry_after: None }
}

/// One poll that reached the registry, after its permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Since the start.
    pub(super) at: Duration,
    pub(super) tag: TagRef,
    pub(super) group: Vec<TagRef>,
    pub(super) known: Option<Known>,
}

/// How long an answer takes and what it says, given the tag and how often it was asked before.
type Answer = dyn Fn(&TagRef, usize) -> (Duration, Result<Found, Trouble>) + Send + Sync;

/// The registry.
pub(super) struct Script {
    start: Instant,
    answer: Box<Answer>,
    requests_per_poll: usize,
    asked: Mutex<Vec<Asked>>,
    permits: Mutex<Vec<Duration>>,
    /// Polls in flight, now and at most, by host.
    in_flight: Mutex<HashMap<String, (usize, usize)>>,
}

impl Script {
    pub(super) fn new(
        answer: impl Fn(&TagRef, usize) -> (Duration, Result<Found, Trouble>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            start: Instant::now(),
            answer: Box::new(answer),
            requests_per_poll: 1,
            asked: Mutex::default(),
            permits: Mutex::default(),
            in_flight: Mutex::default(),
        }
    }

    /// A registry where nothing ever changes and every answer takes as long.
    pub(super) fn steady(wait: Duration) -> Self {
        Self::new(move |_, _| (wait, resolved()))
    }

    /// As when a token must be fetched first.
    pub(super) fn requests_per_poll(self, requests_per_poll: usize) -> Self {
        Self { requests_per_poll, ..self }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// When the tags of a host were asked for, in order.
    pub(super) fn asked_of_host(&self, host: &str) -> Vec<(Duration, TagRef)> {
        let asked = self.asked().into_iter().filter(|asked| asked.tag.host() == host);
        asked.map(|asked| (asked.at, asked.tag)).collect()
    }

    pub(super) fn asked_of(&self, tag: &TagRef) -> Vec<Duration> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.tag == *tag).map(|asked| asked.at).collect()
    }

    /// When requests left.
    pub(super) fn permits(&self) -> Vec<Duration> {
        self.permits.lock().unwrap().clone()
    }

    pub(super) fn most_in_flight(&self, host: &str) -> usize {
        self.in_flight.lock().unwrap().get(host).map_or(0, |(_, most)| *most)
    }
}

impl Resolve for Script {
    async fn resolve(&self, target: Target<'_>, gate: &impl Gate) -> Result<Found, Trouble> {
        let host = target.tag.host().to_owned();
        {
            let mut in_flight = self.in_flight.lock().unwrap();
            let (now, most) = in_flight.entry(host.clone()).or_default();
            *now += 1;
            *most = *now.max(most);
        }
        for _ in 0..self.requests_per_poll {
            gate.permit().await;
            self.permits.lock().unwrap().push(self.start.elapsed());
        }
        let (wait, result) = (self.answer)(target.tag, self.asked_of(target.tag).len());
        let (tag, group, known) = (target.tag.clone(), target.group.to_vec(), target.known.cloned());
        self.asked.lock().unwrap().push(Asked { at: self.start.elapsed(), tag, group, known });
        sleep(wait).await;
        self.in_flight.lock().unwrap().entry(host).or_default().0 -= 1;
        result
    }

    fn is_v2(&self, host: &str) -> bool {
        host.starts_with("v2.")
    }
}

/// A poller at work.
pub(super) struct Running {
    pub(super) script: Arc<Script>,
    pub(super) observations: mpsc::Receiver<Observation>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) task: JoinHandle<()>,
}

pub(super) fn start(mode: Mode, hosts: Vec<HostPlan>, script: Script) -> Running {
    start_with(mode, hosts, script, base, 100_000)
}

pub(super) fn start_with(
    mode: Mode,
    hosts: Vec<HostPlan>,
    script: Script,
    wall: impl Fn() -> Timestamp + Send + Sync + 'static,
    capacity: usize,
) -> Running {
    let script = Arc::new(script);
    let (sender, observations) = mpsc::channel(capacity);
    let (commands, receiver) = mpsc::channel(1);
    let poller = Poller {
        plan: Plan { hosts },
        mode,
        resolver: Arc::clone(&script),
        wall,
        observations: sender,
        commands: receiver,
    };
    Running { script, observations, commands, task: tokio::spawn(poller.run()) }
}

impl Running {
    pub(super) async fn status(&self) -> Status {
        let (reply, status) = oneshot::channel();
        self.commands.send(Command::Status(reply)).await.unwrap();
        status.await.unwrap()
    }

    /// Waits until polling ends by itself, and returns what it brought.
    pub(super) async fn finish(mut self) -> (Arc<Script>, Vec<Observation>) {
        let mut all = Vec::new();
        while let Some(observation) = self.observations.recv().await {
            all.push(observation);
        }
        self.task.await.unwrap();
        (self.script, all)
    }
}

/// Lets virtual time pass.
pub(super) async fn pass(time: Duration) {
    sleep(time).await;
}
