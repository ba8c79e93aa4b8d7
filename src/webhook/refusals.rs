//! Who was refused, so that whoever knocks all day fills no log: one line when it begins, then a count. Pure.
//!
//! What is counted is told an hour after the last line, whether it goes on or not. Memory is bounded: where too many
//! addresses knock, those that are new share one line. Of callers who knew a secret each config and reason has its own
//! line, whoever else knocks; there are no more of those than there are configs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::Refusal;
use crate::controller::ConfigKey;

/// How long refusals of one kind are only counted.
const QUIET: Duration = Duration::from_hours(1);

/// How many addresses and reasons are told apart of callers who knew no secret.
const MOST: usize = 1_024;

/// What was refused since it was last told.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    strangers: HashMap<Kind, Count>,
    /// Callers who knew a secret: as many kinds as there are configs and reasons.
    known: HashMap<Kind, Count>,
}

/// What is told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    /// None for all that are too many to be told apart, and where the config tells them apart.
    actor: Option<IpAddr>,
    /// Only where the caller knew the secret: what others say is no name of ours.
    config: Option<ConfigKey>,
    reason: &'static str,
}

#[derive(Debug)]
struct Count {
    /// The last of them, if the line may name one.
    actor: Option<IpAddr>,
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
        let reason = refusal.reason();
        let (kinds, kind, who) = match config {
            Some(config) => {
                let kind = Kind { actor: None, config: Some(config.clone()), reason };
                (&mut self.known, kind, Some(actor))
            }
            None => {
                let kind = Kind { actor: Some(actor), config: None, reason };
                match self.strangers.len() < MOST || self.strangers.contains_key(&kind) {
                    true => (&mut self.strangers, kind, Some(actor)),
                    false => (&mut self.strangers, Kind { actor: None, ..kind }, None),
                }
            }
        };
        let error = config.map(|_| refusal.message());
        match kinds.get_mut(&kind) {
            Some(count) => {
                *count = Count { actor: who, told: count.told, since: count.since + 1, error };
                None
            }
            None => {
                let count =
                    kinds.entry(kind.clone()).or_insert(Count { actor: who, told: now, since: 1, error });
                Some(count.tell(&kind, now))
            }
        }
    }

    /// What was counted for long enough. What did not happen again is forgotten, and a new beginning the next time.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Told> {
        let mut lines = Vec::new();
        for kinds in [&mut self.strangers, &mut self.known] {
            kinds.retain(|kind, count| {
                if now.saturating_duration_since(count.told) < QUIET {
                    return true;
                }
                let happened = count.since > 0;
                if happened {
                    lines.push(count.tell(kind, now));
                }
                happened
            });
        }
        lines
    }
}

impl Count {
    /// A line of what was counted; counting begins anew.
    fn tell(&mut self, kind: &Kind, now: Instant) -> Told {
        let (since, error) = (std::mem::take(&mut self.since), self.error.take());
        self.told = now;
        Told { actor: self.actor, config: kind.config.clone(), reason: kind.reason, error, count: since }
    }
}
