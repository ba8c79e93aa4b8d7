//! The listener: calls become [`Call`]s that whoever owns the daemon's mind answers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use futures_util::StreamExt as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::answer::{Answer, Made, Refusal};
use super::bucket::Buckets;
use super::hooks::{Hooks, Leave};
use super::line::{tell_received, tell_refused};
use super::payload::{self, Payload};
use super::place::{self, Place};
use super::refusals::Refusals;
use super::secret::Offered;
use super::signature;
use crate::control::{Limited, Limits, Shares, Whence as _};
use crate::controller::{Origin, Start};

/// The longest body that is read, in bytes: more than any push of a day's work. GitHub sends up to 25 MB.
pub(super) const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(10);

/// How much is held at once, in bytes, of the bodies of callers who proved that they know a secret, and of those whose
/// body is the proof.
const PROVED: usize = 8 * LONGEST_BODY;
const UNPROVED: usize = 4 * LONGEST_BODY;

/// How much each body has beside that, in bytes: most pushes need no more, and wait for nobody.
const OWN: usize = 64 * 1024;

/// How many bodies of one address are read at once before it has proved anything.
const UNPROVED_OF_ONE: usize = 2;

/// What connections are held to.
const LIMITS: Limits = Limits {
    connections: 64,
    of_one: 16,
    head: Duration::from_secs(5),
    call: Duration::from_secs(40),
    linger: Duration::from_secs(1),
};

/// How long the daemon may take to answer: it may be waiting for a disk.
const ANSWER: Duration = Duration::from_secs(20);

/// How long open calls may go on once the daemon stops.
const GRACE: Duration = Duration::from_secs(2);

/// How often refusals that were only counted are looked through.
const SWEEP: Duration = Duration::from_secs(60);

/// A build that a caller may ask for, and who is told what came of it.
#[derive(Debug)]
pub struct Call {
    /// What is asked for.
    pub start: Start,
    /// Where the call came from.
    pub actor: IpAddr,
    /// Where the answer goes: the build, and what the caller should know about it.
    pub reply: oneshot::Sender<Result<(Made, Option<String>), Refusal>>,
}

/// A bound listener.
#[derive(Debug)]
pub struct Listener(TcpListener, SocketAddr);

/// The address cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("listen for webhooks at {address}, [webhook] listen: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// What a call needs.
struct Desk {
    hooks: watch::Receiver<Arc<Hooks>>,
    calls: mpsc::Sender<Call>,
    buckets: Mutex<Buckets>,
    refusals: Mutex<Refusals>,
    proved: Semaphore,
    unproved: Semaphore,
    shares: Shares,
}

/// A body, and the room that it takes for as long as this lives.
struct Held<'a> {
    bytes: Vec<u8>,
    room: Option<SemaphorePermit<'a>>,
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
struct Peer {
    actor: IpAddr,
    /// Whose share its body is counted in before it is proved.
    share: Option<IpAddr>,
}

/// A refusal, and whom it may be told of: of a config only once its secret was known.
struct Refused {
    leave: Option<Leave>,
    refusal: Refusal,
}

impl Listener {
    /// Listens at `address`.
    ///
    /// # Errors
    /// If that cannot be had.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let error = |source| BindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        Ok(Self(listener, address))
    }

    /// Where it is; of port 0, which one was free.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.1
    }
}

/// Serves calls until `shutdown` completes, and those under way a moment longer.
pub async fn serve(
    listener: Listener,
    hooks: watch::Receiver<Arc<Hooks>>,
    calls: mpsc::Sender<Call>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    serve_on(listener.0, hooks, calls, shutdown).await;
}

/// As [`serve`], of anything that connections come from.
pub(super) async fn serve_on<L: axum::serve::Listener<Addr = SocketAddr>>(
    listener: L,
    hooks: watch::Receiver<Arc<Hooks>>,
    calls: mpsc::Sender<Call>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let desk = Arc::new(Desk {
        hooks,
        calls,
        buckets: Mutex::default(),
        refusals: Mutex::default(),
        proved: Semaphore::new(PROVED),
        unproved: Semaphore::new(UNPROVED),
        shares: Shares::new(UNPROVED_OF_ONE),
    });
    let router = Router::new().fallback(answer).with_state(Arc::clone(&desk));
    let (stopping, stopped) = oneshot::channel::<()>();
    let signal = async move {
        shutdown.await;
        drop(stopping);
    };
    let listener = Limited::new(listener, LIMITS);
    let service = router.into_make_service_with_connect_info::<Peer>();
    let server = axum::serve(listener, service).with_graceful_shutdown(signal);
    let too_long = async {
        let _ = stopped.await;
        tokio::time::sleep(GRACE).await;
    };
    // All may be dropped at any time: nothing is stored here.
    tokio::select! {
        _ = server => {}
        () = too_long => {}
        () = desk.sweep() => {}
    }
}

impl<L: axum::serve::Listener<Addr = SocketAddr>> Connected<IncomingStream<'_, Limited<L>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Limited<L>>) -> Self {
        let address = stream.remote_addr();
        Self { actor: address.ip().to_canonical(), share: address.address() }
    }
}

/// One call. If the caller goes away meanwhile, what it asked for may be built all the same: the daemon tells of that.
async fn answer(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let actor = peer.actor;
    let mut response = match desk.take(peer, request).await {
        Ok(answer) => answer.into_response(),
        Err(Refused { leave, refusal }) => {
            let config = leave.as_ref().map(|leave| &leave.config);
            let told = lock(&desk.refusals).add(actor, config, &refusal, Instant::now());
            told.iter().for_each(tell_refused);
            refusal.into_response()
        }
    };
    // A connection that stays open after its call would keep its place from others.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

impl Desk {
    async fn take(&self, peer: Peer, request: Request) -> Result<Answer, Refused> {
        let nobody = |refusal: Refusal| Refused { leave: None, refusal };
        let path = request.uri().path();
        if request.method() != Method::POST {
            return Err(nobody(if place::is_ours(path) { Refusal::Method } else { Refusal::NotFound }));
        }
        let place = Place::read(path).map_err(|astray| nobody(astray.into()))?;
        let (parts, body) = request.into_parts();
        let (leave, body) = match &place.secret {
            Some(secret) => {
                let leave = self.ask(&place, secret).map_err(nobody)?;
                let body = read(&self.proved, body).await;
                (leave.clone(), body.map_err(|refusal| Refused { leave: Some(leave), refusal })?)
            }
            None => self.prove(peer, &place, &parts.headers, body).await.map_err(nobody)?,
        };
        let payload = payload::read(&leave, &parts.headers, &body.bytes);
        drop(body);
        let actor = peer.actor;
        let told = match payload {
            Ok(Payload::Build(wanted)) => self.build(actor, &leave, wanted).await,
            Ok(Payload::Nothing(skipped)) => {
                tell_received(actor, &leave.config, leave.kind, None, None, Some(skipped.reason));
                Ok(Answer { build: None, warning: skipped.warning })
            }
            Err(payload::Malformed(what)) => Err(Refusal::Malformed(what)),
        };
        told.map_err(|refusal| Refused { leave: Some(leave), refusal })
    }

    /// Lets in who has no secret in the path, but in a header, or who signed the body with it.
    async fn prove(
        &self,
        peer: Peer,
        place: &Place,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Leave, Held<'_>), Refusal> {
        if let Some(token) = signature::token(place.kind, headers) {
            let leave = self.ask(place, &Offered::secret(token))?;
            return Ok((leave, read(&self.proved, body).await?));
        }
        let signature = signature::signature(place.kind, headers).ok_or(Refusal::Unauthorized)?;
        let _turn = match peer.share {
            Some(address) => timeout(BODY, self.shares.wait(address)).await.map_err(|_| Refusal::TooSlow)?,
            None => None,
        };
        let body = read(&self.unproved, body).await?;
        let leave = self.ask(place, &Offered::Signature { signature, body: &body.bytes })?;
        Ok((leave, body))
    }

    fn ask(&self, place: &Place, offered: &Offered<'_>) -> Result<Leave, Refusal> {
        let hooks = Arc::clone(&self.hooks.borrow());
        hooks.ask(&place.config, place.kind, offered).ok_or(Refusal::Unauthorized)
    }

    /// Counts only the builds that are asked for, by those who know the secret, so that nothing else can use up what is
    /// theirs.
    fn pass(&self, leave: &Leave) -> Result<(), Refusal> {
        let rate = self.hooks.borrow().requests_per_second();
        let taken = lock(&self.buckets).take(&leave.config, rate, Instant::now());
        taken.map_err(Refusal::TooMany)
    }

    async fn build(&self, actor: IpAddr, leave: &Leave, wanted: payload::Wanted) -> Result<Answer, Refusal> {
        self.pass(leave)?;
        let (reply, answer) = oneshot::channel();
        let start = Start {
            config: leave.config.clone(),
            origin: Origin::Webhook(leave.kind),
            env: wanted.env,
            revision: wanted.revision,
            key: None,
            fresh: Vec::new(),
        };
        let asked = async {
            self.calls.send(Call { start, actor, reply }).await.ok()?;
            answer.await.ok()
        };
        match timeout(ANSWER, asked).await {
            Ok(Some(answer)) => {
                let (made, warning) = answer?;
                let warnings: Vec<String> = wanted.warning.into_iter().chain(warning).collect();
                let warning = (!warnings.is_empty()).then(|| warnings.join("; "));
                Ok(Answer { build: Some(made), warning })
            }
            Ok(None) => Err(Refusal::Failed("the daemon is stopping".to_owned())),
            Err(_) => {
                Err(Refusal::Failed("the daemon did not answer in time; it may still make one".to_owned()))
            }
        }
    }

    /// Tells what was only counted, for as long as the server runs.
    async fn sweep(&self) {
        let mut sweeps = tokio::time::interval(SWEEP);
        loop {
            sweeps.tick().await;
            let told = lock(&self.refusals).sweep(Instant::now());
            told.iter().for_each(tell_refused);
            let hooks = Arc::clone(&self.hooks.borrow());
            lock(&self.buckets).keep(|config| hooks.has(config));
        }
    }
}

/// The whole body. Its first bytes are its own, and the rest takes of `room` what has come: who dawdles keeps from others
/// no more than it has sent. Where long ones wait for each other, the time for it ends that.
async fn read(room: &Semaphore, body: Body) -> Result<Held<'_>, Refusal> {
    let too_long = |bytes: u64| bytes > LONGEST_BODY as u64;
    if too_long(body.size_hint().lower()) {
        return Err(Refusal::TooLong);
    }
    let whole = async {
        let mut pieces = body.into_data_stream();
        let mut held = Held { bytes: Vec::new(), room: None };
        while let Some(piece) = pieces.next().await {
            let cut_off = |_| Refusal::Malformed("the body cannot be read to its end".to_owned());
            let piece = piece.map_err(cut_off)?;
            let length = held.bytes.len() + piece.len();
            if too_long(length as u64) {
                return Err(Refusal::TooLong);
            }
            held.make_room(room, length).await;
            held.bytes.extend_from_slice(&piece);
        }
        Ok(held)
    };
    timeout(BODY, whole).await.unwrap_or(Err(Refusal::TooSlow))
}

impl<'a> Held<'a> {
    /// Waits until it may have so many bytes in all.
    async fn make_room(&mut self, room: &'a Semaphore, length: usize) {
        let has = self.room.as_ref().map_or(0, SemaphorePermit::num_permits);
        let missing = length.saturating_sub(OWN).saturating_sub(has);
        // No piece is longer than a body may be, and nobody closes the semaphore.
        let Ok(missing) = u32::try_from(missing) else { return };
        let Ok(more) = room.acquire_many(missing).await else { return };
        match &mut self.room {
            Some(room) => room.merge(more),
            None => self.room = Some(more),
        }
    }
}

/// Held for no longer than one look; a panic in between leaves it as it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
