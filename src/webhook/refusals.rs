//! Who was refused, so that whoever knocks all day fills no log: one line when it begins, then a count. Pure.
//!
//! What is counted is told an hour after the last line, whether it goes on or not. Memory is bounded: where too many
//! addresses knock, those that are new share one line.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::Refusal;
use crate::controller::ConfigKey;

/// How long refusals of one kind are only counted.
const QUIET: Duration = Duration::from_hours(1);

/// How many addresses and kinds are told apart.
const MOST: usize = 1_024;

/// What was refused since it was last told.
#[derive(Debug, Default)]
pub(super) struct Refusals(HashMap<Kind, Count>);

/// What is told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    /// None for all that are too many to be told apart.
    actor: Option<IpAddr>,
    /// Only where the caller knew the secret: what others say is no name of ours.
    config: Option<ConfigKey>,
    reason: &'static str,
}

#[derive(Debug)]
struct Count {
    told: Instant,
    since: u64,
    error: Option<String>,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) actor: Option<IpAddr>,
    pub(super) config: Option<ConfigKey>,
    pub(super) reason: &'static str,
    /// What the caller was told, where it knew the secret.
    pub(super) error: Option<String>,
    pub(super) count: u64,
}

impl Refusals {
    /// A call was refused; what is to be told of it now.
    pub(super) fn add(
        &mut self,
        actor: IpAddr,
        config: Option<&ConfigKey>,
        refusal: &Refusal,
        now: Instant,
    ) -> Option<Told> {
        let mut kind = Kind { actor: Some(actor), config: config.cloned(), reason: refusal.reason() };
        if self.0.len() >= MOST && !self.0.contains_key(&kind) {
            kind = Kind { actor: None, config: None, ..kind };
        }
        let error = config.map(|_| refusal.message());
        match self.0.get_mut(&kind) {
            Some(count) => {
                count.since += 1;
                count.error = error;
                None
            }
            None => {
                let told = kind.told(1, error);
                self.0.insert(kind, Count { told: now, since: 0, error: None });
                Some(told)
            }
        }
    }

    /// What was counted for long enough. What did not happen again is forgotten, and a new beginning the next time.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Told> {
        let mut lines = Vec::new();
        self.0.retain(|kind, count| {
            if now.saturating_duration_since(count.told) < QUIET {
                return true;
            }
            let happened = std::mem::take(&mut count.since);
            if happened > 0 {
                lines.push(kind.told(happened, count.error.take()));
                count.told = now;
            }
            happened > 0
        });
        lines
    }
}

impl Kind {
    fn told(&self, count: u64, error: Option<String>) -> Told {
        Told { actor: self.actor, config: self.config.clone(), reason: self.reason, error, count }
    }
}
