//! How many repositories one token of a host may serve. Pure: time comes in.
//!
//! ```text
//!  Untried ── a shared token served a second repository ──> Shares
//!     │                                                       │
//!     └── it did not, and a token of its own did ──> Alone <──┘ (so two tokens in a row)
//! ```
//! Some token servers read only the first scope, and some refuse all if one is refused. As long as that is not known
//! one group tries, so that a server that does not share costs one token and not one per group. `Alone` is for good.
//!
//! A token that can be read serves what it says it grants, so two repositories in it prove sharing before it is sent. A
//! shared token that the server refuses to issue did not serve, and the one it issues instead for one repository did.
//!
//! A token that can be read and leaves out a repository does not refute yet: we may not be let see it. Tokens for that
//! repository are asked for it alone, and the first one that serves it refutes.

use std::time::Duration;

use tokio::time::Instant;

/// A longer token makes the chunks of its host smaller: servers bound their headers at 8 KiB, some at 4.
pub(super) const LONG_TOKEN: usize = 4 * 1024;
/// A longer token is not sent at all if it can be had smaller.
pub(super) const TOO_LONG_TOKEN: usize = 7 * 1024;
/// How long a pioneer has for bringing news. No token lives shorter.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many shared tokens in a row that were refused where they were asked for are no accident.
const NO_ACCIDENT: u8 = 2;

/// What is known about a host's tokens.
#[derive(Debug)]
pub(super) struct Sharing {
    stage: Stage,
    /// The most repositories for which a token is asked at once.
    most: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Untried {
        /// The group that tries, by its first repository, and until when.
        pioneer: Option<(Box<str>, Instant)>,
        /// What the last shared token that can be read was asked for and does not grant.
        withheld: Vec<Box<str>>,
    },
    Shares,
    Alone,
}

impl Default for Sharing {
    fn default() -> Self {
        Self { stage: Stage::Untried { pioneer: None, withheld: Vec::new() }, most: usize::MAX }
    }
}

impl Sharing {
    /// For how many repositories of the group that begins with `group` a token may be asked. Who asks while nothing is
    /// known, and is let, is the pioneer.
    pub(super) fn most(&mut self, group: &str, now: Instant) -> usize {
        match &mut self.stage {
            Stage::Alone => 1,
            Stage::Shares => self.most,
            Stage::Untried { pioneer: Some((other, until)), .. } if &**other != group && now < *until => 1,
            Stage::Untried { pioneer, .. } => {
                if pioneer.as_ref().is_none_or(|(known, _)| &**known != group) {
                    *pioneer = Some((group.into(), now + PATIENCE));
                }
                self.most
            }
        }
    }

    /// Whether nobody knows yet.
    pub(super) fn is_untried(&self) -> bool {
        matches!(self.stage, Stage::Untried { .. })
    }

    /// Whether a token serves the repository it was asked for first, and no other.
    pub(super) fn is_alone(&self) -> bool {
        self.stage == Stage::Alone
    }

    /// A token served a repository that was not the first it was asked for.
    pub(super) fn proved(&mut self) {
        if self.is_untried() {
            self.stage = Stage::Shares;
        }
    }

    /// A shared token did not serve a repository that one of its own served.
    pub(super) fn refuted(&mut self) {
        self.stage = Stage::Alone;
    }

    /// What was tried told nothing: the next one may try.
    pub(super) fn told_nothing(&mut self) {
        if let Stage::Untried { pioneer, .. } = &mut self.stage {
            *pioneer = None;
        }
    }

    /// A shared token that can be read grants its first repository at most, and leaves out these.
    pub(super) fn left_out(&mut self, repositories: Vec<Box<str>>) {
        if let Stage::Untried { withheld, .. } = &mut self.stage {
            *withheld = repositories;
        }
    }

    /// Whether a shared token left out this repository, so that one of its own tells more than another shared one.
    pub(super) fn is_left_out(&self, repository: &str) -> bool {
        match &self.stage {
            Stage::Untried { withheld, .. } => withheld.iter().any(|one| &**one == repository),
            Stage::Shares | Stage::Alone => false,
        }
    }

    /// A token for so many repositories was so long.
    pub(super) fn measured(&mut self, repositories: usize, length: usize) {
        if repositories > 1 && length > LONG_TOKEN {
            self.most = self.most.min(repositories / 2);
        }
    }

    /// So many shared tokens in a row were refused, and their replacement was not.
    pub(super) fn struck(&mut self, strikes: u8) {
        if strikes >= NO_ACCIDENT {
            self.refuted();
        }
    }
}

#[cfg(test)]
mod tests;
