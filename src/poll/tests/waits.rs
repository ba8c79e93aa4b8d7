//! Polls of one host that wait for each other, as those do that share a token.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, mpsc};
use tokio::time::sleep;

use super::support::{NO_RATE, base, host, pass, resolved, trouble_of};
use crate::image::Found;
use crate::poll::{HostPlan, Mode, Outcome, Plan, Poller, Resolve, Trouble};
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

/// All that is resolved `within` so long.
async fn resolved_within(within: Duration, asks_before: bool) -> Vec<String> {
    let resolver = Arc::new(Sharing { asks_before, closed: OnceCell::new(), fetched: OnceCell::new() });
    let (sender, mut observations) = mpsc::channel(100);
    let (_commands, commands) = mpsc::channel(1);
    let plan = Plan { hosts: vec![side_by_side()] };
    let poller =
        Poller { plan, mode: Mode::Continuous, resolver, wall: base, observations: sender, commands };
    let polling = tokio::spawn(poller.run());
    pass(within).await;
    polling.abort();
    let mut all = Vec::new();
    while let Some(seen) = observations.recv().await {
        let is_resolved = matches!(seen.outcome, Outcome::Resolved(_));
        all.extend(is_resolved.then(|| seen.tag.repository().to_owned()));
    }
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
