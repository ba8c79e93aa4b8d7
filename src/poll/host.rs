//! The health of a host, and of the login there: what is told once and not of each tag.

use std::time::Duration;

use jiff::Timestamp;

use super::backoff::Blame;
use super::condition::{Condition, Trouble};
use super::{HostTrouble, log};

/// What is remembered of a host between two polls.
#[derive(Debug, Default)]
pub(super) struct HostHealth {
    /// Why it is left alone.
    backing_off: Option<Box<Condition>>,
    /// What became of the login.
    rejected: Option<Box<Condition>>,
}

impl HostHealth {
    /// A poll that ended at `now` ran into trouble that is not the tag's alone.
    pub(super) fn fail(
        &mut self,
        host: &str,
        trouble: &Trouble,
        blame: Blame,
        now: Timestamp,
        closed_for: Option<Duration>,
    ) {
        match blame {
            Blame::Tag => {}
            Blame::Host => {
                let (condition, news) = Condition::enter(&mut self.backing_off, trouble.clone(), now);
                if news {
                    log::backing_off(host, condition, closed_for);
                }
            }
            Blame::Login => {
                let (condition, news) = Condition::enter(&mut self.rejected, trouble.clone(), now);
                if news {
                    log::rejected(host, condition);
                }
            }
        }
    }

    /// The host is asked as ever again.
    pub(super) fn opened(&mut self, host: &str, now: Timestamp) {
        if let Some(condition) = self.backing_off.take() {
            log::host_recovered(host, &condition, now);
        }
    }

    /// A tag that needed the login was answered.
    pub(super) fn login_accepted(&mut self, host: &str, now: Timestamp) {
        if let Some(condition) = self.rejected.take() {
            log::host_recovered(host, &condition, now);
        }
    }

    /// What is wrong: the host itself comes first.
    pub(super) fn trouble(&self, closed_for: Option<Duration>) -> Option<HostTrouble> {
        let of = |condition: &Condition, closed_for| HostTrouble { condition: condition.clone(), closed_for };
        match (&self.backing_off, &self.rejected) {
            (Some(condition), _) => Some(of(condition, closed_for)),
            (None, Some(condition)) => Some(of(condition, None)),
            (None, None) => None,
        }
    }
}
