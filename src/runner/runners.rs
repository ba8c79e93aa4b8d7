//! All runners as one: which one an attempt is for, its build says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::socket::Sockets;
use super::{Exec, Settings};
use crate::controller::{AttemptRef, BuildKey, BuildSpec, Event};
use crate::logging::BuildOutput;

/// Every runner there is. Cloning costs a counter; all clones are one.
///
/// Each attempt is a task that reports to the channel of events. Somebody must read from there all the time, also
/// while [`Runners::drain`] is awaited.
#[derive(Debug, Clone)]
pub struct Runners {
    exec: Exec,
    sockets: Sockets,
}

impl Runners {
    /// The exec runner, and the socket runners at `sockets`, all of which report to `events`.
    #[must_use]
    pub fn new(
        settings: Settings,
        sockets: BTreeMap<Box<str>, PathBuf>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let exec = Exec::new(settings.clone(), events.clone());
        Self { exec, sockets: Sockets::new(settings, sockets, events) }
    }

    /// Where the output of the next attempts goes.
    pub fn set_output(&self, output: BuildOutput) {
        self.exec.set_output(output);
        self.sockets.set_output(output);
    }

    /// Where the socket runners are from now on, by name. What runs stays where it is.
    pub fn set_sockets(&self, sockets: BTreeMap<Box<str>, PathBuf>) {
        self.sockets.set_paths(sockets);
    }

    /// Starts `attempt`, whose record must be on disk.
    pub fn start(&self, attempt: AttemptRef, spec: BuildSpec) {
        match attempt.runner {
            None => self.exec.start(attempt, spec),
            Some(_) => self.sockets.start(attempt, spec),
        }
    }

    /// Takes up `attempt`, from before a restart. In the exec runner it is ended; in a socket runner it may run on.
    pub fn adopt(&self, attempt: AttemptRef) {
        match attempt.runner {
            None => self.exec.adopt(attempt),
            Some(_) => self.sockets.adopt(attempt),
        }
    }

    /// Ends `attempt`; its end is reported as for any other.
    pub fn cancel(&self, attempt: &AttemptRef) {
        match attempt.runner {
            None => self.exec.cancel(attempt),
            Some(_) => self.sockets.cancel(attempt),
        }
    }

    /// The end of `attempt` is stored: whoever keeps it may forget it. The exec runner keeps nothing.
    pub fn acknowledge(&self, attempt: &AttemptRef) {
        if attempt.runner.is_some() {
            self.sockets.acknowledge(attempt);
        }
    }

    /// Removes the directory of a build whose record is gone, whatever ran it. What is left is swept at the next start.
    pub fn discard(&self, build: &BuildKey) {
        self.exec.discard(build);
    }

    /// Removes the directories of builds that are not to be kept: what a crash left behind.
    pub async fn sweep(&self, keep: impl Fn(&BuildKey) -> bool) {
        self.exec.sweep(keep).await;
    }

    /// Waits until all attempts of the exec runner have ended, and cuts them off after `patience`. Those in socket runners
    /// are let go then: they run on, and the next start takes them up.
    pub async fn drain(&self, patience: Duration) {
        self.exec.drain(patience).await;
        self.sockets.let_go();
    }

    /// Waits until socket runners know that the ends they told are stored, but no longer than `patience`.
    pub async fn settle(&self, patience: Duration) {
        self.sockets.let_go();
        self.sockets.settle(patience).await;
    }
}
