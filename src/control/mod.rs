//! How a person asks the running daemon: HTTP on a unix socket, at both of its ends.
//!
//! The server knows nothing of the daemon's mind: it turns each call into a [`Request`] that whoever owns the mind
//! answers. Who may open the socket may do everything, so it is its owner's alone.

pub mod client;
mod limit;
mod listener;
mod output;
pub mod protocol;
mod server;
mod share;
#[cfg(test)]
mod tests;

pub(crate) use limit::{Limited, Limits, Whence};
pub use listener::{BindError, Listener};
pub use server::{Refusal, Reply, Request, serve};
pub(crate) use share::Shares;

/// The routes, in the one place that both ends read.
mod route {
    pub(super) const STATUS: &str = "/v1/status";
    pub(super) const CONFIGS: &str = "/v1/configs";
    pub(super) const BUILDS: &str = "/v1/builds";
    pub(super) const BUILD: &str = "/v1/build";
    pub(super) const LOG: &str = "/v1/build/log";
    pub(super) const CANCEL: &str = "/v1/build/cancel";
    pub(super) const START: &str = "/v1/start";
    pub(super) const REBUILD: &str = "/v1/build/rebuild";
    pub(super) const RELEASE: &str = "/v1/release";
    pub(super) const PAUSE: &str = "/v1/pause";
    pub(super) const RESUME: &str = "/v1/resume";
    pub(super) const RELOAD: &str = "/v1/reload";
    pub(super) const POLL: &str = "/v1/poll";
    pub(super) const PLAN: &str = "/v1/plan";
}
