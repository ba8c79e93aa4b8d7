//! Waiting for the end of a build, whatever becomes of the daemon meanwhile.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::client::{Client, ClientError};
use super::output::Show;
use super::style::{Style, harmless, tone};
use super::{Global, builds, runtime, socket};
use crate::control::protocol::{Build, BuildName, Phase};

/// How often it is asked for: soon at first, as many builds are short.
const PACE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How long a daemon that does not answer is waited for: it is restarted, say, or upgraded.
const PATIENCE: Duration = Duration::from_secs(120);

/// The end of a build.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct End(pub(super) Build);

/// Why the end of a build cannot be told.
#[derive(Debug, thiserror::Error)]
pub(super) enum WaitError {
    /// The state was lost meanwhile: a build has that name, and it is another one.
    #[error("{0} is another build now: the daemon lost its state meanwhile")]
    Another(String),
}

/// Waits until `build` has ended.
///
/// # Errors
/// If it is not kept any more, or if there was no answer for too long.
pub(super) fn for_end(global: &Global, build: &Build) -> anyhow::Result<Build> {
    let sockets = socket::candidates(global)?;
    runtime::block_on(Duration::ZERO, follow(&sockets, build))?
}

async fn follow(sockets: &[PathBuf], build: &Build) -> anyhow::Result<Build> {
    let name = BuildName { build: build.build.to_string() };
    let (mut pace, mut silent_since) = (PACE.0, None);
    loop {
        match ask(sockets, &name).await {
            Ok(now) if now.id != build.id => return Err(WaitError::Another(name.build).into()),
            Ok(now) if has_ended(now.phase) => return Ok(now),
            Ok(_) => silent_since = None,
            Err(error) => {
                let since = *silent_since.get_or_insert_with(|| {
                    tell(&name, &error);
                    Instant::now()
                });
                if !may_pass(&error) || since.elapsed() > PATIENCE {
                    return Err(error.into());
                }
            }
        }
        sleep(pace).await;
        pace = (pace * 2).min(PACE.1);
    }
}

async fn ask(sockets: &[PathBuf], name: &BuildName) -> Result<Build, ClientError> {
    Ok(Client::connect(sockets).await?.build(name).await?.build)
}

/// Whether the daemon may answer later.
fn may_pass(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable(_) | ClientError::NotNow(_) | ClientError::Http { .. } => true,
        ClientError::Refused(_)
        | ClientError::NotUnderstood { .. }
        | ClientError::TooLong
        | ClientError::Write(_) => false,
    }
}

/// Best effort: who cannot be told waits all the same.
fn tell(name: &BuildName, error: &ClientError) {
    if may_pass(error) {
        let _ = writeln!(std::io::stderr(), "basewatch: {error}; waiting on for {}", name.build);
    }
}

fn has_ended(phase: Phase) -> bool {
    match phase {
        Phase::New | Phase::Pending | Phase::Running => false,
        Phase::Complete | Phase::Failed | Phase::Error | Phase::Cancelled => true,
    }
}

impl Show for End {
    fn show(&self, style: Style) -> String {
        let Self(build) = self;
        let why = builds::why(build, style).map(|why| format!(", {}", harmless(&why))).unwrap_or_default();
        format!("{} is {}{why}\n", build.build, style.paint(tone(build.phase), &format!("{:?}", build.phase)))
    }
}
