//! The one way to a host: its budget, and whether it is left alone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::Limits;
use super::backoff::{Access, Asker, Backoff, Blame};
use super::budget::Budget;
use super::clock::Steady;
use super::condition::Trouble;
use crate::registry::Gate;

/// One host, shared by all that ask it (invariant 5). It outlasts the plan.
#[derive(Debug)]
pub(super) struct HostGate {
    clock: Steady,
    /// Held while its holder waits for a permit: the lock is fair, so requests leave in the order they came.
    line: tokio::sync::Mutex<()>,
    /// Held by the one look that may go on beside the polls.
    looks: tokio::sync::Mutex<()>,
    inside: Mutex<Inside>,
    /// Who waits for a permit is to look again.
    changed: Notify,
    /// Apart from that, because every poll in flight listens to it for as long as it takes.
    gave_up: Notify,
}

#[derive(Debug)]
struct Inside {
    budget: Budget,
    backoff: Backoff,
    /// What it was closed for last.
    reason: Option<Box<Trouble>>,
    /// How many polls became the probe so far: the last of them is it.
    probes: u64,
    /// Nobody waits for this host any more, for this reason.
    given_up: Option<Trouble>,
}

/// One poll's way through the gate.
#[derive(Debug)]
pub(super) struct Turn {
    gate: Arc<HostGate>,
    asked: AtomicBool,
    /// Which probe it became; 0 if none.
    probe: AtomicU64,
}

/// What became of asking for a permit.
enum Reply {
    Go,
    /// As this probe.
    GoAsProbe(u64),
    /// Ask again after this time.
    Wait(Duration),
    /// Ask again when something has changed.
    Stay,
}

// === impl HostGate ===

impl HostGate {
    /// Nothing is spent, and nothing known.
    pub(super) fn new(host: &str, limits: Limits, clock: Steady) -> Self {
        let (budget, backoff) = (Budget::new(limits), Backoff::new(host));
        let inside = Inside { budget, backoff, reason: None, probes: 0, given_up: None };
        Self {
            clock,
            line: tokio::sync::Mutex::default(),
            looks: tokio::sync::Mutex::default(),
            inside: Mutex::new(inside),
            changed: Notify::new(),
            gave_up: Notify::new(),
        }
    }

    /// Other limits hold from now on. What was spent stays spent.
    pub(super) fn limit(&self, limits: Limits) {
        self.inside().budget.limit(limits, self.clock.now());
        self.changed.notify_waiters();
    }

    /// Whether another gate would keep requests from leaving for a shorter time.
    pub(super) fn is_needed(&self) -> bool {
        let (now, inside) = (self.clock.now(), self.inside());
        inside.backoff.closed_until().is_some_and(|until| until > now) || inside.budget.is_spent(now)
    }

    /// Until when no request leaves but a probe, if the host is closed.
    pub(super) fn closed_until(&self) -> Option<Duration> {
        self.inside().backoff.closed_until()
    }

    /// The wait of a closed host is cut short as far as its registry allows; answers until when it is, if it is closed.
    pub(super) fn probe_soon(&self) -> Option<Duration> {
        let until = self.inside().backoff.probe_soon(self.clock.now());
        self.changed.notify_waiters();
        until
    }

    /// All that wait end with this trouble, and so do all that come.
    pub(super) fn give_up(&self, trouble: Trouble) {
        self.inside().given_up = Some(trouble);
        self.changed.notify_waiters();
        self.gave_up.notify_waiters();
    }

    /// Returns when nobody waits for this host any more. Cancel safe.
    pub(super) async fn given_up(&self) -> Trouble {
        loop {
            let gave_up = self.gave_up.notified();
            let given_up = self.inside().given_up.clone();
            match given_up {
                Some(trouble) => return trouble,
                None => gave_up.await,
            }
        }
    }

    /// Returns when no other look at a tag of this host goes on, nor begins before what is returned is dropped. Cancel
    /// safe.
    pub(super) async fn looks(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.looks.lock().await
    }

    /// Returns when the host is closed, be it half-open: with what it was closed for. Cancel safe.
    pub(super) async fn closed(&self) -> Trouble {
        loop {
            let changed = self.changed.notified();
            let closed_for = self.inside().closed_for();
            match closed_for {
                Some(trouble) => return trouble,
                None => changed.await,
            }
        }
    }

    fn ask(&self, turn: &Turn) -> Reply {
        let now = self.clock.now();
        let inside = &mut *self.inside();
        let passes = inside.passes_probe(turn);
        if inside.given_up.is_some() {
            return Reply::Stay;
        }
        let access = inside.backoff.access(now);
        match access {
            Access::Closed(wait) => return Reply::Wait(wait),
            Access::Probing(wait) if !passes => return Reply::Wait(wait),
            Access::Open | Access::Probe | Access::Probing(_) => {}
        }
        match inside.budget.take(now) {
            Err(wait) => Reply::Wait(wait),
            Ok(()) if access == Access::Probe => {
                inside.backoff.begin_probe(now);
                inside.probes += 1;
                Reply::GoAsProbe(inside.probes)
            }
            Ok(()) => Reply::Go,
        }
    }

    /// Returns when `turn` need not queue: those in front of it wait for what becomes of a probe, and it does not.
    async fn passes_line(&self, turn: &Turn) {
        loop {
            let changed = self.changed.notified();
            let passes = {
                let inside = self.inside();
                let is_probing = matches!(inside.backoff.access(self.clock.now()), Access::Probing(_));
                inside.is_probe(turn) || is_probing && inside.passes_probe(turn)
            };
            if passes {
                return;
            }
            changed.await;
        }
    }

    /// Not to be held across an await.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inside ===

impl Inside {
    fn closed_for(&self) -> Option<Trouble> {
        self.backoff.closed_until()?;
        self.reason.as_deref().cloned()
    }

    /// Whether this poll is the probe: another one takes the place of a probe that takes too long.
    fn is_probe(&self, turn: &Turn) -> bool {
        let probe = turn.probe.load(Ordering::Relaxed);
        probe != 0 && probe == self.probes
    }

    /// Whether the requests of this poll leave while a probe is out. Those of a poll that has begun to ask do, because the
    /// probe may wait for it, and they are few: it was in flight when the host was closed.
    fn passes_probe(&self, turn: &Turn) -> bool {
        self.is_probe(turn) || turn.asked.load(Ordering::Relaxed)
    }
}

// === impl Turn ===

impl Turn {
    /// The way of a poll that has asked nothing yet.
    pub(super) fn new(gate: &Arc<HostGate>) -> Self {
        Self { gate: Arc::clone(gate), asked: AtomicBool::new(false), probe: AtomicU64::new(0) }
    }

    /// The poll is over: whose trouble it ran into, if into any. The gate has learnt from it.
    pub(super) fn settle(self, trouble: Option<&Trouble>, repository: &str, doubted: bool) -> Option<Blame> {
        let now = self.gate.clock.now();
        let mut guard = self.gate.inside();
        let inside = &mut *guard;
        let asker = Asker { repository, probe: inside.is_probe(&self), doubted };
        self.probe.store(0, Ordering::Relaxed);
        let backoff = &mut inside.backoff;
        let was_closed = backoff.closed_until().is_some();
        let blame = match trouble {
            // Who asked nothing has learnt nothing, and closes nothing.
            _ if !self.asked.load(Ordering::Relaxed) => {
                let blame = trouble.map(|trouble| backoff.blame(asker, trouble.scope));
                blame.map(|blame| if was_closed || blame != Blame::Host { blame } else { Blame::Tag })
            }
            None => {
                backoff.answered(asker, now);
                None
            }
            Some(trouble) => {
                let blame = backoff.failed(asker, trouble, now);
                if blame == Blame::Host {
                    inside.reason = Some(Box::new(trouble.clone()));
                }
                Some(blame)
            }
        };
        // Who waits at an open gate waits for the budget alone, of which an answer gives nothing back.
        let changed = was_closed || inside.backoff.closed_until().is_some();
        drop(guard);
        if changed {
            self.gate.changed.notify_waiters();
        }
        blame
    }
}

impl Gate for Turn {
    /// Cancel safe: who stops waiting has spent nothing.
    async fn permit(&self) {
        // Mostly nobody waits, and then there is nothing to weigh.
        let _line = match self.gate.line.try_lock() {
            Ok(line) => Some(line),
            Err(_) => tokio::select! {
                biased;
                () = self.gate.passes_line(self) => None,
                line = self.gate.line.lock() => Some(line),
            },
        };
        loop {
            let changed = self.gate.changed.notified();
            match self.gate.ask(self) {
                Reply::Go => {
                    self.asked.store(true, Ordering::Relaxed);
                    return;
                }
                Reply::GoAsProbe(probe) => {
                    self.asked.store(true, Ordering::Relaxed);
                    self.probe.store(probe, Ordering::Relaxed);
                    // Who stands in the line may pass it now.
                    self.gate.changed.notify_waiters();
                    return;
                }
                Reply::Wait(wait) => tokio::select! {
                    () = sleep(wait) => {}
                    () = changed => {}
                },
                Reply::Stay => changed.await,
            }
        }
    }
}

impl Drop for Turn {
    /// A probe that is dropped leaves its place to the next.
    fn drop(&mut self) {
        let mut inside = self.gate.inside();
        if inside.is_probe(self) {
            inside.backoff.end_probe();
            drop(inside);
            self.gate.changed.notify_waiters();
        }
    }
}
