//! What the tests stand on: registries that are real or scripted, and the images in them.

mod certificates;
pub(crate) mod daemon;
pub(crate) mod fake_registry;
pub(crate) mod http;
pub(crate) mod inetd;
mod oci_layout;
pub(crate) mod process;
pub(crate) mod proxy;
mod real_registry;
pub(crate) mod service_manager;
mod token_server;
pub(crate) mod watch_list;
pub(crate) mod workshop;

pub(crate) use real_registry::RealRegistry;

use std::time::{Duration, Instant};

/// Waits until `find` finds something. A deadline, not a timing: it is generous.
pub(crate) fn eventually<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + daemon::DEADLINE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
