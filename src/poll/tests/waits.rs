//! Polls of one host that wait for each other, as those do that share a token.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, mpsc};
use tokio::time::sleep;
use tracing::Level;

use super::lines::Lines;
use super::support::{NO_RATE, base, host, pass, resolved, trouble_of};
use crate::image::Found;
use crate::poll::{HostPlan, Mode, Observation, Outcome, Plan, Poller, Resolve, Trouble};
use crate::registry::{Gate, Target};

const SECOND: Duration = Duration::from_secs(1);

/// `app-0` closes the host for a second. `app-1` fetches what `app-2` needs too, which is the probe meanwhile.
struct Sharing {
    /// Whether who fetches has asked for something before.
    asks_before: bool,
    closed: OnceCell<()>,
    fetched: OnceCell<()>,
}

impl Sharing {
    async fn share(&self, gate: &impl Gate) {
        self.fetched.get_or_init(|| gate.permit()).await;
    }
}

impl Resolve for Sharing {
    async fn resolve(&self, target: Target<'_>, gate: &impl Gate) -> Result<Found, Trouble> {
        match target.tag.repository() {
            "app-0" => {
                gate.permit().await;
                sleep(SECOND / 10).await;
                if self.closed.set(()).is_ok() {
                    return Err(Trouble { retry_after: Some(SECOND), ..trouble_of(Trouble::LIMIT) });
                }
            }
            "app-1" => {
                if self.asks_before {
                    gate.permit().await;
                }
                sleep(4 * SECOND).await;
                self.share(gate).await;
            }
            _ => {
                gate.permit().await;
                sleep(5 * SECOND).await;
                self.share(gate).await;
            }
        }
        resolved()
    }

    fn is_v2(&self, _: &str) -> bool {
        true
    }
}

/// Three tags that are polled side by side, in order.
fn side_by_side() -> HostPlan {
    let mut plan = host("registry.example.com", 3, NO_RATE);
    for (hours, tag) in (6..).zip(&mut plan.tags) {
        tag.interval = Duration::from_hours(hours);
    }
    plan
}

/// What is seen within so long.
async fn seen_within(within: Duration, resolver: impl Resolve + 'static) -> Vec<Observation> {
    let (sender, mut observations) = mpsc::channel(100);
    let (_commands, commands) = mpsc::channel(1);
    let plan = Plan { hosts: vec![side_by_side()] };
    let resolver = Arc::new(resolver);
    let poller =
        Poller { plan, mode: Mode::Continuous, resolver, wall: base, observations: sender, commands };
    tokio::select! {
        () = poller.run() => {}
        () = pass(within) => {}
    }
    let mut all = Vec::new();
    while let Some(seen) = observations.recv().await {
        all.push(seen);
    }
    all
}

/// All that is resolved `within` so long.
async fn resolved_within(within: Duration, asks_before: bool) -> Vec<String> {
    let resolver = Sharing { asks_before, closed: OnceCell::new(), fetched: OnceCell::new() };
    let seen = seen_within(within, resolver).await.into_iter();
    let resolved = seen.filter(|seen| matches!(seen.outcome, Outcome::Resolved(_)));
    let mut all: Vec<String> = resolved.map(|seen| seen.tag.repository().to_owned()).collect();
    all.sort_unstable();
    all
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_waits_for_a_poll_that_had_asked_before_does_not_wait_for_ever() {
    assert_eq!(resolved_within(10 * SECOND, true).await, ["app-0", "app-1", "app-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_waits_for_a_poll_that_had_asked_nothing_is_replaced() {
    assert_eq!(resolved_within(180 * SECOND, false).await, ["app-0", "app-1", "app-2"]);
}

/// `app-0` is answered by a 5xx, and all others share what became of that.
struct Followed;

impl Resolve for Followed {
    async fn resolve(&self, target: Target<'_>, gate: &impl Gate) -> Result<Found, Trouble> {
        let leads = target.tag.repository() == "app-0";
        if leads {
            gate.permit().await;
        }
        sleep(if leads { SECOND } else { SECOND * 2 }).await;
        Err(trouble_of("server_error"))
    }

    fn is_v2(&self, _: &str) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_of_a_poll_that_asked_nothing_is_the_tags_while_its_host_is_open() {
    let lines = Lines::capture();
    assert_eq!(seen_within(10 * SECOND, Followed).await.len(), 3);
    assert_eq!(lines.events(Level::INFO), ["tag_unresolved"; 3]);
}
