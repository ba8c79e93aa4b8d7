//! When a host in trouble is left alone, and whose trouble it is. Pure: time comes in.

use std::time::Duration;

use super::cohort::hash;
use super::condition::{Scope, Trouble};

/// The first wait after trouble. It is short: the first failure of many polls is as likely an accident as an outage, and
/// one request a second later tells the two apart.
const FIRST: Duration = Duration::from_secs(1);
/// The first wait after a limit that came without a wish: who is asked too often is not asked again a second later.
const FIRST_AFTER_LIMIT: Duration = Duration::from_secs(10);
/// No wait is longer, unless the registry asks for it: a host that is well again is noticed within this time.
const LONGEST: Duration = Duration::from_mins(10);
/// A probe that takes longer holds up nobody any more: twice the longest time-out. It may wait for another poll, which
/// waits for what becomes of it.
const LONGEST_PROBE: Duration = Duration::from_mins(2);

/// Whether a host may be asked.
///
/// ```text
///           trouble of the host              the wait is over
///  open ──────────────────────────> closed ────────────────────> half-open: one probe
///   ^                                 ^                             │      │
///   │                                 └── trouble again: longer ────┘      │
///   └──────────────────────────── the host answers ────────────────────────┘
/// ```
/// The probe is one poll, with all the requests that it needs. Any answer opens, be it that the tag is missing: it is the
/// host that was in doubt. What else was in flight when the host was closed opens nothing and makes no wait longer, but a
/// registry's wish is kept whoever brings it.
///
/// While a probe is out, the further requests of polls that had asked before leave all the same: the probe may wait for one
/// of them, as for who fetches the token of both, and would wait for ever if that one waited for the probe.
#[derive(Debug)]
pub(super) struct Backoff {
    /// So that two hosts do not wait equally long.
    seed: u64,
    /// Whose request was answered by a 5xx, if nothing else was answered since.
    suspect: Option<Box<str>>,
    closed: Option<Closed>,
}

#[derive(Debug)]
struct Closed {
    until: Duration,
    /// Until when the registry itself wants to be left alone; zero if it said nothing.
    wished: Duration,
    /// How often in a row it was closed.
    times: u32,
    /// Since when the probe is out.
    probing: Option<Duration>,
}

/// Whether a request may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Yes.
    Open,
    /// No, for so long.
    Closed(Duration),
    /// Yes, as the probe.
    Probe,
    /// Not before it is known what became of the probe, or it takes too long: in so long.
    Probing(Duration),
}

/// Who asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    /// Whose tag it was.
    pub(super) repository: &'a str,
    /// Whether this poll was the probe.
    pub(super) probe: bool,
    /// Whether the host proved well after this tag had failed: see [`Blame::Tag`].
    pub(super) doubted: bool,
}

/// Whose trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The tag's alone.
    ///
    /// A 5xx is, while no other repository has one too. So is all that would be the host's, if the host was closed for this
    /// tag before and others then succeeded: a single tag with a body that never ends, or a repository that alone is
    /// limited or sent to a dead host, must not keep its host closed. What the registry wishes then holds for the tag.
    Tag,
    /// The host's: it is left alone.
    Host,
    /// The login's, and so that of all tags that need it; the host is asked as ever.
    Login,
}

impl Backoff {
    /// A host that was not asked yet.
    pub(super) fn new(host: &str) -> Self {
        Self { seed: hash(&[host.as_bytes()]), suspect: None, closed: None }
    }

    /// Whether a request may leave at `now`.
    pub(super) fn access(&self, now: Duration) -> Access {
        match &self.closed {
            None => Access::Open,
            Some(closed) if now < closed.until => Access::Closed(closed.until - now),
            Some(closed) => {
                let ends = closed.probing.map(|since| since.saturating_add(LONGEST_PROBE));
                ends.filter(|ends| now < *ends).map_or(Access::Probe, |ends| Access::Probing(ends - now))
            }
        }
    }

    /// Until when no request leaves but a probe, if the host is closed.
    pub(super) fn closed_until(&self) -> Option<Duration> {
        self.closed.as_ref().map(|closed| closed.until)
    }

    /// Something changed that may have been the trouble, or a person wants to know: the wait is cut short, but never the
    /// registry's own wish. Answers when the probe may leave, if the host is closed.
    pub(super) fn probe_soon(&mut self, now: Duration) -> Option<Duration> {
        let closed = self.closed.as_mut()?;
        closed.until = closed.until.min(closed.wished.max(now));
        Some(closed.until)
    }

    /// A poll is the probe from `now` on.
    pub(super) fn begin_probe(&mut self, now: Duration) {
        if let Some(closed) = &mut self.closed {
            closed.probing = Some(now);
        }
    }

    /// The probe was called off, or is over; another poll may be it.
    pub(super) fn end_probe(&mut self) {
        if let Some(closed) = &mut self.closed {
            closed.probing = None;
        }
    }

    /// The host answered, whatever it said.
    pub(super) fn answered(&mut self, asker: Asker<'_>, now: Duration) {
        match &mut self.closed {
            None => self.suspect = None,
            // While the probe was out, another poll may have brought a registry's wish.
            Some(closed) if asker.probe && closed.until <= now => self.closed = None,
            Some(closed) if asker.probe => closed.probing = None,
            Some(_) => {}
        }
    }

    /// A poll failed after it had asked: whose trouble it is, and the host is closed if it is the host's.
    pub(super) fn failed(&mut self, asker: Asker<'_>, trouble: &Trouble, now: Duration) -> Blame {
        let blame = self.blame(asker, trouble.scope);
        match blame {
            Blame::Host => self.close(asker.probe, trouble, now),
            Blame::Tag if trouble.scope == Scope::Server && self.closed.is_none() => {
                self.suspect = (!asker.doubted).then(|| asker.repository.into());
            }
            Blame::Tag | Blame::Login => self.answered(asker, now),
        }
        blame
    }

    /// Whose trouble that is, as far as can be told now.
    pub(super) fn blame(&self, asker: Asker<'_>, scope: Scope) -> Blame {
        let open = self.closed.is_none();
        match scope {
            Scope::Tag => Blame::Tag,
            Scope::Login => Blame::Login,
            Scope::Server | Scope::Exchange | Scope::Host if open && asker.doubted => Blame::Tag,
            Scope::Server
                if open && self.suspect.as_deref().is_none_or(|suspect| suspect == asker.repository) =>
            {
                Blame::Tag
            }
            Scope::Server | Scope::Exchange | Scope::Host => Blame::Host,
        }
    }

    fn close(&mut self, probe: bool, trouble: &Trouble, now: Duration) {
        let first = if trouble.kind == Trouble::LIMIT { FIRST_AFTER_LIMIT } else { FIRST };
        let (wait, times) = match &self.closed {
            None => (trouble.retry_after.unwrap_or(first), 1),
            Some(closed) if probe => {
                let longer = first.saturating_mul(1 << closed.times.min(16)).min(LONGEST);
                (longer.max(trouble.retry_after.unwrap_or_default()), closed.times.saturating_add(1))
            }
            Some(closed) => (trouble.retry_after.unwrap_or_default(), closed.times),
        };
        let until = now.saturating_add(self.jittered(wait, now));
        let probing = self.closed.as_ref().filter(|_| !probe).and_then(|closed| closed.probing);
        let before = self
            .closed
            .as_ref()
            .map_or((Duration::ZERO, Duration::ZERO), |closed| (closed.until, closed.wished));
        let wished = trouble.retry_after.map_or(Duration::ZERO, |wish| now.saturating_add(wish));
        self.suspect = None;
        self.closed =
            Some(Closed { until: until.max(before.0), wished: wished.max(before.1), times, probing });
    }

    /// Never shorter, for a registry's wish is kept; at most a tenth longer, so that those who were turned away together
    /// do not come back together.
    fn jittered(&self, wait: Duration, now: Duration) -> Duration {
        const PARTS: u64 = 1_000;
        let part = hash(&[&self.seed.to_be_bytes(), &now.as_nanos().to_be_bytes()]) % (PARTS + 1);
        wait.saturating_add((wait / 10).mul_f64(part as f64 / PARTS as f64))
    }
}
