//! When to ask which registry about which tag, and how politely.
//!
//! ```text
//!  Plan ──> cohort     which tags are asked for together, and at which phase of their interval   (pure)
//!             │
//!          schedule    which cohort is due                                                       (pure)
//!             │ Round
//!          progress    whose turn it is: a lane for each host, held while the host is left alone     (pure)
//!             │ Step
//!           poller     the loop: a round asks for its tags one after the other; books: what is known
//!             │ Target
//!           Resolve    the registry, and gate: no request leaves without a permit of its host's budget, nor while
//!             │        the host is closed: backoff says when that is, and whose a trouble is        (pure)
//!             │ Found, or Trouble
//!           poller ──> Observation to whoever decides;  condition, host: what is told, and how often
//! ```
//! A look that somebody asks for goes beside the rounds and through the same gates; only who asks is told of it: `look`.
//!
//! It knows nothing of what was seen before, nor of what a new digest means: every answer is handed on, and the
//! receiver compares.

mod backoff;
mod books;
mod budget;
mod clock;
mod cohort;
mod condition;
mod forecast;
mod gate;
mod ground;
mod host;
mod lane;
mod log;
mod look;
mod plan;
mod poller;
mod progress;
mod replan;
mod resolve;
mod schedule;
mod status;
mod stretch;

pub use budget::Limits;
pub use condition::{Condition, Scope, Trouble};
pub use plan::{HostPlan, Mode, Plan, TagPlan, Until};
pub use poller::{Command, Observation, Outcome, Poller};
pub use resolve::Resolve;
pub use status::{HostStatus, HostTrouble, Status, TagStatus};
pub use stretch::Stretched;

#[cfg(test)]
mod tests;
