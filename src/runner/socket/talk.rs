//! The conversation about one attempt, from the question to the acknowledgement.
//!
//! ```text
//!  start ──> connect ──> say start ──> accepted ──> output … ──> ended ──> stored ──> acknowledge
//!               │            │ no answer   │ broken     │                     │
//!               │ not there  └─────────────┴────────────┴──> attach ──────────┘ broken: attach again
//!               └──> again, for two minutes;                   │ as long as it takes
//!                    then it was never started                 └──> unknown: it was cut off
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::super::attempt::bounded;
use super::super::private::Private;
use super::super::result::{BuildResult, vetted};
use super::super::tail::{LINES, TAIL_LIMIT, printable};
use super::super::wire::{Attach, Reply, Report, Request, Start, WireError};
use super::link::{Answer, Link, advice};
use super::mirror::Mirror;
use super::{Orders, Sockets};
use crate::controller::{AttemptRef, BuildSpec, Ended, Event, Outcome};
use crate::failpoint;

/// How long a runner that is not there is tried before an attempt is not started for its sake.
const PATIENCE: Duration = Duration::from_secs(120);
/// The waits between two tries: they double from the first to the last.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How often an acknowledgement is tried.
const TRIES: u32 = 5;

/// The conversation about one attempt.
#[derive(Debug)]
pub(super) struct Talk {
    sockets: Sockets,
    this: AttemptRef,
    orders: watch::Receiver<Orders>,
    /// Where the attempt was asked for, if somebody may have heard it.
    asked_at: Option<PathBuf>,
    wait: Duration,
}

/// What came of asking for a start.
enum Asked {
    /// It runs.
    Has(Link),
    /// The question may have been heard, and the answer is lost.
    Lost,
    /// It was not started, and never will be.
    Not(Outcome),
}

/// How an attempt ended, and who told.
struct End {
    report: Report,
    link: Option<Link>,
    mirror: Option<Mirror>,
}

impl Talk {
    pub(super) fn new(sockets: Sockets, this: AttemptRef, orders: watch::Receiver<Orders>) -> Self {
        Self { sockets, this, orders, asked_at: None, wait: WAITS.0 }
    }

    /// Sees the attempt through, unless it is let go before it ends.
    pub(super) async fn run(mut self, spec: Option<Box<BuildSpec>>) {
        let mut orders = self.orders.clone();
        // Cancel-safe: what is dropped is a connection and a file, and both are taken up where they were.
        let end = tokio::select! {
            biased;
            _ = ordered(&mut orders, |orders| orders.let_go) => return,
            end = self.until_end(spec) => end,
        };
        let End { report, link, mirror } = end;
        let ended = self.ended(report, mirror).await;
        failpoint::pass("socket-before-ended");
        // Where nobody listens any more, the next start attaches again.
        let _ = self.sockets.events.send(Event::Ended(ended)).await;
        if let Some(link) = link {
            ordered(&mut orders, |orders| orders.acknowledge).await;
            failpoint::pass("socket-before-acknowledge");
            self.acknowledge(link).await;
        }
    }

    async fn until_end(&mut self, spec: Option<Box<BuildSpec>>) -> End {
        let Some(spec) = spec else {
            let mirror = Mirror::resume(self.sockets.settings(), self.this.clone()).await;
            return self.follow(None, mirror).await;
        };
        let laid_out = Mirror::lay_out(self.sockets.settings(), self.this.clone(), (*spec).clone()).await;
        let mirror = match laid_out {
            Ok(mirror) => mirror,
            Err(error) => return End::unheard(not_started(&error.to_string())),
        };
        match self.start(spec).await {
            Asked::Has(link) => self.follow(Some(link), mirror).await,
            Asked::Lost => self.follow(None, mirror).await,
            Asked::Not(outcome) => End { mirror: Some(mirror), ..End::unheard(outcome) },
        }
    }

    /// Asks for the attempt, as often as it takes until somebody can have heard it.
    async fn start(&mut self, spec: Box<BuildSpec>) -> Asked {
        let request = match self.question(spec).await {
            Ok(request) => request,
            Err(error) => return Asked::Not(not_started(&error)),
        };
        let until = Instant::now() + PATIENCE;
        loop {
            if self.orders.borrow().cancel {
                return Asked::Not(Outcome::Cancelled);
            }
            let Some(socket) = self.sockets.path(self.runner()) else {
                return Asked::Not(not_started(&self.unconfigured()));
            };
            let error = match self.say(&socket, &request).await {
                Ok(link) => return self.hear(link, &socket).await,
                Err(error @ WireError::TooLong(_)) => {
                    return Asked::Not(not_started(&self.unreachable(&socket, &error)));
                }
                Err(error) => error,
            };
            if Instant::now() > until {
                return Asked::Not(not_started(&self.unreachable(&socket, &error)));
            }
            self.met(&socket, &error);
            self.pause().await;
        }
    }

    async fn question(&self, spec: Box<BuildSpec>) -> Result<Request, String> {
        let (attempt, log_limit) = (self.this.attempt, self.sockets.settings().log_limit);
        let asked = spawn_blocking(move || {
            let private = Private::read(spec.venue.as_deref())?;
            Ok(Request::Start(Box::new(Start { spec: *spec, attempt, log_limit, private })))
        });
        let asked = asked.await.map_err(|stopped| stopped.to_string())?;
        asked.map_err(|error: super::super::private::PrivateError| error.to_string())
    }

    /// Nobody can have understood it before this is done. From then on the attempt is looked for there and nowhere else:
    /// a runner that is configured elsewhere meanwhile knows nothing of it, and would say that it is gone.
    async fn say(&mut self, socket: &Path, request: &Request) -> Result<Link, WireError> {
        let mut link = Link::open(socket).await?;
        failpoint::pass("socket-before-start");
        link.ask(request).await?;
        self.asked_at = Some(socket.to_owned());
        Ok(link)
    }

    async fn hear(&mut self, mut link: Link, socket: &Path) -> Asked {
        match link.answer().await {
            Ok(Answer::Has) => {
                self.accepted(socket).await;
                Asked::Has(link)
            }
            Ok(Answer::Refused(reason)) => {
                self.sockets.shared.troubles.over(self.runner(), socket);
                let reason = printable(reason.as_bytes(), TAIL_LIMIT);
                Asked::Not(not_started(&format!("start it in runner {}: {reason}", self.runner())))
            }
            Ok(Answer::Unknown) => Asked::Lost,
            Err(error) => {
                self.met(socket, &error);
                Asked::Lost
            }
        }
    }

    /// Follows the attempt until its end is told, by whatever connections.
    async fn follow(&mut self, mut link: Option<Link>, mut mirror: Mirror) -> End {
        loop {
            let mut current = match link.take() {
                Some(link) => link,
                None => match self.attach(mirror.known()).await {
                    Some(link) => link,
                    None => {
                        let mirror = Some(mirror);
                        return End { mirror, ..End::unheard(Outcome::Interrupted) };
                    }
                },
            };
            match self.listen(&mut current, &mut mirror).await {
                Ok(report) => return End { report, link: Some(current), mirror: Some(mirror) },
                Err(WireError::Closed) => {}
                Err(error) => {
                    let socket = self.socket().unwrap_or_default();
                    self.met(&socket, &error);
                }
            }
            drop(current);
            self.pause().await;
        }
    }

    /// Asks what became of the attempt, until somebody answers. None if nothing did, or ever will.
    async fn attach(&mut self, offset: u64) -> Option<Link> {
        loop {
            match self.socket() {
                Some(socket) => match Link::attach(&socket, self.question_again(offset)).await {
                    Ok((link, Answer::Has)) => {
                        self.accepted(&socket).await;
                        return Some(link);
                    }
                    Ok((_, Answer::Unknown)) => {
                        self.sockets.shared.troubles.over(self.runner(), &socket);
                        return None;
                    }
                    Ok((_, Answer::Refused(reason))) => {
                        let reason = printable(reason.as_bytes(), TAIL_LIMIT);
                        self.sockets.shared.troubles.met(self.runner(), &socket, &self.this, &reason);
                    }
                    Err(error) => self.met(&socket, &error),
                },
                None => {
                    let error = self.unconfigured();
                    self.sockets.shared.troubles.met(self.runner(), Path::new(""), &self.this, &error);
                }
            }
            self.pause().await;
        }
    }

    fn question_again(&self, offset: u64) -> Attach {
        let AttemptRef { build, id, attempt, .. } = self.this.clone();
        Attach { id, build, attempt, offset }
    }

    async fn listen(&mut self, link: &mut Link, mirror: &mut Mirror) -> Result<Report, WireError> {
        let mut orders = self.orders.clone();
        let mut is_told = false;
        loop {
            // Cancel-safe: a word that is not all there stays with the link, and orders are only looked at.
            let (reply, bytes) = tokio::select! {
                reply = link.next() => reply?,
                _ = ordered(&mut orders, |orders| orders.cancel), if !is_told => {
                    link.ask(&Request::Cancel).await?;
                    is_told = true;
                    continue;
                }
            };
            self.wait = WAITS.0;
            match reply {
                Reply::Output { offset, .. } => mirror.take(offset, bytes).await?,
                Reply::Ended(report) => return Ok(*report),
                Reply::Accepted | Reply::Unknown | Reply::Refused { .. } => {
                    return Err(WireError::Unexpected(reply.name()));
                }
            }
        }
    }

    /// The attempt is known to an instance. Its socket is what finds it after a restart, whatever is configured then.
    async fn accepted(&mut self, socket: &Path) {
        self.sockets.shared.troubles.over(self.runner(), socket);
        let handle = socket.to_str().map(Box::from);
        if self.this.handle.is_some() || handle.is_none() {
            return;
        }
        self.this.handle = handle.clone();
        failpoint::pass("socket-before-accepted");
        let AttemptRef { build, attempt, .. } = self.this.clone();
        let handle = handle.unwrap_or_default();
        // Where nobody listens any more, nobody misses it.
        let _ = self.sockets.events.send(Event::Accepted { build, attempt, handle }).await;
    }

    async fn ended(&self, report: Report, mirror: Option<Mirror>) -> Ended {
        let AttemptRef { build, attempt, .. } = self.this.clone();
        let Report { outcome, images, commit, tail, elapsed } = report;
        let (BuildResult { images, commit }, wrong) = vetted(images, commit);
        if let Some(error) = wrong {
            tracing::warn!(event = "build_result_ignored", %build, attempt, %error, "result is not, or not all, used");
        }
        let known = match mirror {
            Some(mirror) => mirror.finish().await,
            None => Vec::new(),
        };
        let lines = tail.len().saturating_sub(LINES);
        let told = tail.iter().skip(lines).map(|line| printable(line.as_bytes(), TAIL_LIMIT));
        // Of one that was cut off, often nobody but this daemon has seen the last lines.
        let tail = match tail.is_empty() && outcome == Outcome::Interrupted {
            true => known,
            false => told.collect(),
        };
        Ended { build, attempt, outcome: harmless(outcome), images, commit, tail, elapsed }
    }

    /// Best effort: what is not acknowledged, the runner forgets by itself in time.
    async fn acknowledge(&mut self, mut link: Link) {
        for _ in 0..TRIES {
            if link.acknowledge().await.is_ok() {
                return;
            }
            self.pause().await;
            let Some(socket) = self.socket() else { return };
            match Link::attach(&socket, self.question_again(u64::MAX)).await {
                Ok((again, Answer::Has)) => {
                    link = again;
                    if !heard_end(&mut link).await {
                        self.pause().await;
                    }
                }
                Ok((_, Answer::Unknown | Answer::Refused(_))) => return,
                Err(_) => {}
            }
        }
    }

    async fn pause(&mut self) {
        let wait = self.wait;
        self.wait = (wait * 2).min(WAITS.1);
        let mut orders = self.orders.clone();
        let is_cancelled = orders.borrow_and_update().cancel;
        // Cancel-safe: both only wait.
        tokio::select! {
            () = sleep(wait) => {}
            _ = ordered(&mut orders, |orders| orders.cancel), if !is_cancelled => {}
        }
    }

    /// Where the attempt is: where it was accepted or asked for, else where its runner is by now.
    fn socket(&self) -> Option<PathBuf> {
        let accepted = self.this.handle.as_deref().map(PathBuf::from);
        accepted.or_else(|| self.asked_at.clone()).or_else(|| self.sockets.path(self.runner()))
    }

    fn runner(&self) -> &str {
        self.this.runner.as_deref().unwrap_or_default()
    }

    fn met(&self, socket: &Path, error: &WireError) {
        let error = format!("{error}: {}", advice(error));
        self.sockets.shared.troubles.met(self.runner(), socket, &self.this, &error);
    }

    fn unreachable(&self, socket: &Path, error: &WireError) -> String {
        let (runner, socket, advice) = (self.runner(), socket.display(), advice(error));
        format!("start it in runner {runner} at {socket}: {error}: {advice}")
    }

    fn unconfigured(&self) -> String {
        let runner = self.runner();
        format!("the configuration has no [runner.{runner}] any more: add it again, with its socket")
    }
}

impl End {
    /// Of an attempt that no instance has.
    fn unheard(outcome: Outcome) -> Self {
        let report =
            Report { outcome, images: Vec::new(), commit: None, tail: Vec::new(), elapsed: Duration::ZERO };
        Self { report, link: None, mirror: None }
    }
}

/// Resolves once `orders` say so, which may be never.
async fn ordered(orders: &mut watch::Receiver<Orders>, wanted: impl Fn(&Orders) -> bool) {
    if orders.wait_for(|orders| wanted(orders)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Only what has ended can be acknowledged.
async fn heard_end(link: &mut Link) -> bool {
    loop {
        match link.next().await {
            Ok((Reply::Ended(_), _)) => return true,
            Ok((Reply::Output { .. }, _)) => {}
            Ok((Reply::Accepted | Reply::Unknown | Reply::Refused { .. }, _)) | Err(_) => return false,
        }
    }
}

fn not_started(reason: &str) -> Outcome {
    Outcome::NotStarted(bounded(reason))
}

/// The words of an outcome go into a record that must stay small, and to a terminal.
fn harmless(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::NotStarted(reason) => not_started(&printable(reason.as_bytes(), TAIL_LIMIT)),
        Outcome::Complete | Outcome::Failed(_) | Outcome::Interrupted | Outcome::Cancelled => outcome,
    }
}
