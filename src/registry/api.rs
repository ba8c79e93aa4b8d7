//! Which protocol a host speaks: v2, or the v1 of before it (semantics F40 to F44, D10). Pure: time comes in.
//!
//! ```text
//!  Unknown ── /v2/ is no v2, /v1/_ping is v1, and a tag was read ──> V1
//!     │                                                              │ /v2/ is v2: looked at hourly,
//!     └───────────── v2 is proved ──────────────> V2 <───────────────┘ and when v1 does not answer as v1
//! ```
//! Nothing leads out of `V2`, and it is stored: whatever such a host seems to be later is an error page, a proxy or an
//! outage. To say otherwise is the user's alone, by `api = "v1"`.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::Answer;

/// How long a host is taken for a v1 registry before it is looked at again.
pub(super) const V2_AGAIN: Duration = Duration::from_secs(60 * 60);

/// How long what `/v2/` said holds for the other tags of a host: they shall not all ask for it.
pub(super) const REMEMBERED: Duration = Duration::from_secs(60);

/// What the user says a host speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Api {
    /// Nothing: it is found out, and v2 goes before v1.
    #[default]
    Auto,
    /// v2, and never v1.
    V2,
    /// v1, and nothing else is tried.
    V1,
}

/// What is known about the protocol of a host.
#[derive(Debug)]
pub(super) struct Protocol {
    api: Api,
    standing: Standing,
    /// When something last came from there that only a v2 registry sends.
    marked: Option<Instant>,
    /// What `/v2/` said last, unless v2 was seen since.
    pong: Option<(Instant, Pong)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unknown,
    V2,
    V1 {
        /// When v2 was looked for last.
        looked: Instant,
    },
}

/// What to ask for a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    V2,
    V1,
    /// v1, unless `/v2/` answers as v2 by now.
    V1UnlessV2,
}

/// What `/v2/` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pong {
    /// What only a v2 registry does: its header.
    V2,
    /// A success without that header. F40 takes that for v2, and a load balancer's own page says it too: no reason to try
    /// v1, and no proof.
    Perhaps,
    /// A status that no v2 registry gives.
    NotV2(Answer),
    /// A page for people, or from elsewhere: neither v2 nor a definite no.
    Page(Answer),
    /// Log in first. F40 takes that for v2, and a gate in front of anything says it: no reason to try v1, and no proof.
    Login,
}

/// Whether an answer that a stranger could have given too is to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It is the registry's own, or the user wants no other.
    No,
    /// Ask `/v2/`.
    Ask,
    /// `/v2/` was asked a moment ago and said this.
    Asked(Pong),
}

impl Protocol {
    /// A host of which nothing is known but what the user says, and whether it was found to be v2 before.
    pub(super) fn new(api: Api, known_v2: bool) -> Self {
        let standing = if known_v2 { Standing::V2 } else { Standing::Unknown };
        Self { api, standing, marked: None, pong: None }
    }

    /// What to ask for a tag now. Once an hour this has v2 looked for on a host that speaks v1.
    pub(super) fn ask(&mut self, now: Instant) -> Ask {
        match (self.api, &mut self.standing) {
            (Api::V1, _) => Ask::V1,
            (Api::V2, _) | (Api::Auto, Standing::Unknown | Standing::V2) => Ask::V2,
            (Api::Auto, Standing::V1 { looked }) if now.duration_since(*looked) < V2_AGAIN => Ask::V1,
            (Api::Auto, Standing::V1 { looked }) => {
                *looked = now;
                Ask::V1UnlessV2
            }
        }
    }

    /// Only a v2 registry sends what just came. Who is asked by v1 because the user says so proves nothing.
    pub(super) fn prove_v2(&mut self, now: Instant) {
        if self.api != Api::V1 {
            self.standing = Standing::V2;
            self.marked = Some(now);
            self.pong = None;
        }
    }

    /// Whether this host is a v2 registry for good, and asked as one.
    pub(super) fn is_v2(&self) -> bool {
        self.standing == Standing::V2 && self.api != Api::V1
    }

    /// Whether to doubt an answer to a look that began at `start`.
    pub(super) fn doubt(&self, start: Instant, now: Instant) -> Doubt {
        let marked = self.marked.is_some_and(|marked| marked >= start);
        match (self.api, &self.pong) {
            (Api::V1 | Api::V2, _) => Doubt::No,
            (Api::Auto, _) if marked => Doubt::No,
            (Api::Auto, Some((at, pong))) if now.duration_since(*at) < REMEMBERED => {
                Doubt::Asked(pong.clone())
            }
            (Api::Auto, Some(_) | None) => Doubt::Ask,
        }
    }

    /// `/v2/` was asked.
    pub(super) fn ponged(&mut self, pong: &Pong, now: Instant) {
        match pong {
            Pong::V2 => self.prove_v2(now),
            Pong::Perhaps | Pong::NotV2(_) | Pong::Page(_) | Pong::Login => {}
        }
        self.pong = Some((now, pong.clone()));
    }

    /// A tag was read by v1, after `/v2/` had said no and `/v1/_ping` yes. Whether that counts: a host that was found to
    /// be v2, even a moment ago by another look, stays it.
    pub(super) fn read_by_v1(&mut self, now: Instant) -> bool {
        if self.api == Api::Auto && self.standing == Standing::Unknown {
            self.standing = Standing::V1 { looked: now };
        }
        !self.is_v2()
    }
}

#[cfg(test)]
mod tests;
