//! When to ask which registry about which tag, and how politely.
//!
//! ```text
//!  Plan ──> cohort     which tags are asked for together, and at which phase of their interval   (pure)
//!             │
//!          schedule    which cohort is due                                                       (pure)
//!             │ Round
//!           poller     the loop: a round asks for its tags one after the other
//!             │ Target
//!           Resolve    the registry, and gate: no request leaves without a permit of its host's budget
//!             │ Found, or Trouble
//!           poller ──> Observation to whoever decides;  condition: what is told, and how often
//! ```
//!
//! It knows nothing of what was seen before, nor of what a new digest means: every answer is handed on, and the
//! receiver compares.

mod backoff;
mod books;
mod budget;
mod clock;
mod cohort;
mod condition;
mod gate;
mod ground;
mod host;
mod log;
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
pub use plan::{HostPlan, Mode, Plan, TagPlan};
pub use poller::{Command, Observation, Outcome, Poller};
pub use resolve::Resolve;
pub use status::{HostStatus, HostTrouble, Status, TagStatus};
pub use stretch::Stretched;

#[cfg(test)]
mod tests;
