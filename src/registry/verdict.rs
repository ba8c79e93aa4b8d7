//! Whether a host's HEAD can be relied on. Pure: time comes in.
//!
//! ```text
//!  Unknown ── HEAD brings a digest ──> Heads <── HEAD, tried once an hour, brings a digest ──┐
//!     │                                  │                                                   │
//!     └── HEAD is of no use, GET is ─────┴── HEAD is of no use, GET is ──────────────────> GetsOnly
//! ```
//! A GET counts as a pull on Docker Hub, so a host goes to `GetsOnly` only on evidence, and never stays there for good.
//! A 5xx is evidence only if it came three times in a row: one is bad luck, and an hour of GETs would cost pulls.

use std::time::Duration;

use tokio::time::Instant;

/// How long a host is asked by GET alone before HEAD gets another chance.
pub(super) const HEAD_AGAIN: Duration = Duration::from_secs(60 * 60);

/// So many 5xx to HEAD, each with a GET that was answered and no HEAD that was in between, are no bad luck.
const NO_ACCIDENT: u8 = 3;

/// What is known about a host's HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    standing: Standing,
    /// How often in a row HEAD brought a 5xx where GET brought an answer.
    server_errors: u8,
}

/// How a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Standing {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It has answered HEAD with a digest.
    Heads,
    /// Its HEAD is of no use, its GET is.
    GetsOnly {
        /// When HEAD was tried last.
        since: Instant,
    },
}

/// What to send first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// A HEAD: it costs the registry least, and the user nothing.
    Head,
    /// A GET: HEAD would be a request for nothing.
    Get,
}

/// Why the answer to a HEAD was of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symptom {
    /// 404, which some registries say to every HEAD (Nexus).
    NotFound,
    /// 400, 405 or 406: HEAD itself is refused.
    NotAllowed,
    /// 5xx: broken for HEAD, or broken for now.
    ServerError,
    /// 200 without a digest or without a media type.
    Silent,
}

impl Verdict {
    /// What to send first. Once an hour this lets one HEAD through to a host that is asked by GET.
    pub(super) fn first(&mut self, now: Instant) -> First {
        match &mut self.standing {
            Standing::Unknown | Standing::Heads => First::Head,
            Standing::GetsOnly { since } if now.duration_since(*since) < HEAD_AGAIN => First::Get,
            Standing::GetsOnly { since } => {
                *since = now;
                First::Head
            }
        }
    }

    /// Whether a GET may say more than the HEAD did. A host that is known to answer HEAD is believed when it says 404.
    pub(super) fn wants_get(self, symptom: Symptom) -> bool {
        !(self.standing == Standing::Heads && symptom == Symptom::NotFound)
    }

    /// HEAD brought a digest.
    pub(super) fn head_answered(&mut self) {
        *self = Self { standing: Standing::Heads, server_errors: 0 };
    }

    /// GET brought a manifest after HEAD had shown `symptom`.
    pub(super) fn get_answered(&mut self, symptom: Symptom, now: Instant) {
        let evidence = match symptom {
            Symptom::NotFound | Symptom::NotAllowed | Symptom::Silent => true,
            Symptom::ServerError => {
                self.server_errors = self.server_errors.saturating_add(1);
                self.server_errors >= NO_ACCIDENT
            }
        };
        if evidence {
            self.standing = Standing::GetsOnly { since: now };
        }
    }
}

#[cfg(test)]
mod tests;
