//! The daemon's end: calls become [`Request`]s, answers become JSON.

use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::{mpsc, oneshot};

use super::limit::{Limited, Limits};
use super::protocol::{
    Build, BuildDetail, BuildName, Builds, BuildsQuery, Config, ConfigsQuery, PauseQuery, Pauses, PlanAnswer,
    PlanQuery, PollQuery, Polled, Problem, RebuildQuery, ReleaseQuery, Released, ReloadAnswer, ResumeQuery,
    Resumed, StartQuery, Started, Status, StatusQuery,
};
use super::{Listener, output, route};

/// How long the daemon may take to answer: it may be waiting for a disk.
const ANSWER: Duration = Duration::from_secs(20);

/// The same for a call that registries have a part in. A call may last 30 s in all.
const REFRESH_ANSWER: Duration = Duration::from_secs(28);

/// How long open calls may go on once the daemon stops.
const GRACE: Duration = Duration::from_secs(2);

/// What connections are held to.
const LIMITS: Limits = Limits {
    connections: 64,
    // They are all of one user.
    of_one: 64,
    head: Duration::from_secs(10),
    call: Duration::from_secs(30),
    linger: Duration::from_secs(1),
};

/// The longest body of a call, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;

/// A call, to be answered by whoever owns the daemon's mind.
#[derive(Debug)]
#[allow(missing_docs, reason = "one variant a route")]
pub enum Request {
    Status(StatusQuery, Reply<Status>),
    Configs(ConfigsQuery, Reply<Vec<Config>>),
    Builds(BuildsQuery, Reply<Builds>),
    Build(BuildName, Reply<BuildDetail>),
    Cancel(BuildName, Reply<Build>),
    Start(StartQuery, Reply<Started>),
    Rebuild(RebuildQuery, Reply<Started>),
    Release(ReleaseQuery, Reply<Released>),
    Pause(PauseQuery, Reply<Pauses>),
    Resume(ResumeQuery, Reply<Resumed>),
    Reload(Reply<ReloadAnswer>),
    Poll(PollQuery, Reply<Polled>),
    Plan(PlanQuery, Reply<PlanAnswer>),
}

/// Where the answer to a call goes.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// Why a call is not answered as it was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The call makes no sense.
    Malformed(Problem),
    /// What it names is not there.
    NotFound(Problem),
    /// What it names is not in a state for that.
    Conflict(Problem),
    /// What it asks for cannot be made of what is known (OpenShift's 422).
    Invalid(Problem),
    /// Not now.
    Unavailable(Problem),
}

impl Refusal {
    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Malformed(problem)
            | Self::NotFound(problem)
            | Self::Conflict(problem)
            | Self::Invalid(problem)
            | Self::Unavailable(problem) => problem,
        }
    }
}

#[derive(Debug, Clone)]
struct Daemon(mpsc::Sender<Request>);

/// Serves calls until `shutdown` completes, and those under way a moment longer. The socket's file is gone then.
pub async fn serve(
    listener: Listener,
    requests: mpsc::Sender<Request>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let Listener { socket, file } = listener;
    let (stopping, stopped) = oneshot::channel::<()>();
    let signal = async move {
        shutdown.await;
        drop(file);
        drop(stopping);
    };
    let socket = Limited::new(socket, LIMITS);
    let server = axum::serve(socket, router(Daemon(requests))).with_graceful_shutdown(signal);
    let too_long = async {
        let _ = stopped.await;
        tokio::time::sleep(GRACE).await;
    };
    // Both futures may be dropped at any time: nothing is stored here.
    tokio::select! {
        _ = server => {}
        () = too_long => {}
    }
}

fn router(daemon: Daemon) -> Router {
    let nowhere = || async { Refusal::NotFound(Problem::new("there is no such call")) };
    Router::new()
        .route(route::STATUS, get(status))
        .route(route::CONFIGS, get(configs))
        .route(route::BUILDS, get(builds))
        .route(route::BUILD, get(build))
        .route(route::LOG, get(log))
        .route(route::CANCEL, post(cancel))
        .route(route::START, post(start))
        .route(route::REBUILD, post(rebuild))
        .route(route::RELEASE, post(release))
        .route(route::PAUSE, post(pause))
        .route(route::RESUME, post(resume))
        .route(route::RELOAD, post(reload))
        .route(route::POLL, post(poll))
        .route(route::PLAN, post(plan))
        .fallback(nowhere)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(map_response(one_call_a_connection))
        .with_state(daemon)
}

/// A connection that stays open after its call would keep its place from others.
async fn one_call_a_connection(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

type Asked<T> = Result<Query<T>, QueryRejection>;
type Sent<T> = Result<Json<T>, JsonRejection>;
type Answer<T> = Result<Json<T>, Refusal>;

async fn status(State(daemon): State<Daemon>, query: Asked<StatusQuery>) -> Answer<Status> {
    let Query(query) = query?;
    daemon.ask(|reply| Request::Status(query, reply)).await.map(Json)
}

async fn configs(State(daemon): State<Daemon>, query: Asked<ConfigsQuery>) -> Answer<Vec<Config>> {
    let Query(query) = query?;
    daemon.ask(|reply| Request::Configs(query, reply)).await.map(Json)
}

async fn builds(State(daemon): State<Daemon>, query: Asked<BuildsQuery>) -> Answer<Builds> {
    let Query(query) = query?;
    daemon.ask(|reply| Request::Builds(query, reply)).await.map(Json)
}

async fn build(State(daemon): State<Daemon>, query: Asked<BuildName>) -> Answer<BuildDetail> {
    let Query(name) = query?;
    daemon.ask(|reply| Request::Build(name, reply)).await.map(Json)
}

async fn log(State(daemon): State<Daemon>, query: Asked<BuildName>) -> Result<Response, Refusal> {
    let Query(name) = query?;
    let detail = daemon.ask(|reply| Request::Build(name, reply)).await?;
    let file = output::open(detail.log).await.map_err(|error| {
        let problem = Problem::new(format!("read the log of {}: {error}", detail.build.build));
        Refusal::NotFound(problem.hint("a build has a log from its first attempt on"))
    })?;
    Ok(Body::from_stream(output::chunks(file)).into_response())
}

async fn cancel(State(daemon): State<Daemon>, body: Sent<BuildName>) -> Answer<Build> {
    let Json(name) = body?;
    daemon.ask(|reply| Request::Cancel(name, reply)).await.map(Json)
}

async fn start(State(daemon): State<Daemon>, body: Sent<StartQuery>) -> Answer<Started> {
    let Json(query) = body?;
    let patience = if query.refresh { REFRESH_ANSWER } else { ANSWER };
    daemon.ask_within(patience, |reply| Request::Start(query, reply)).await.map(Json)
}

async fn rebuild(State(daemon): State<Daemon>, body: Sent<RebuildQuery>) -> Answer<Started> {
    let Json(query) = body?;
    daemon.ask(|reply| Request::Rebuild(query, reply)).await.map(Json)
}

async fn release(State(daemon): State<Daemon>, body: Sent<ReleaseQuery>) -> Answer<Released> {
    let Json(query) = body?;
    daemon.ask(|reply| Request::Release(query, reply)).await.map(Json)
}

async fn pause(State(daemon): State<Daemon>, body: Sent<PauseQuery>) -> Answer<Pauses> {
    let Json(query) = body?;
    daemon.ask(|reply| Request::Pause(query, reply)).await.map(Json)
}

async fn resume(State(daemon): State<Daemon>, body: Sent<ResumeQuery>) -> Answer<Resumed> {
    let Json(query) = body?;
    daemon.ask(|reply| Request::Resume(query, reply)).await.map(Json)
}

async fn reload(State(daemon): State<Daemon>) -> Answer<ReloadAnswer> {
    daemon.ask(Request::Reload).await.map(Json)
}

async fn poll(State(daemon): State<Daemon>, body: Sent<PollQuery>) -> Answer<Polled> {
    let Json(query) = body?;
    daemon.ask(|reply| Request::Poll(query, reply)).await.map(Json)
}

async fn plan(State(daemon): State<Daemon>, body: Sent<PlanQuery>) -> Answer<PlanAnswer> {
    let Json(query) = body?;
    daemon.ask(|reply| Request::Plan(query, reply)).await.map(Json)
}

impl Daemon {
    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Refusal> {
        self.ask_within(ANSWER, request).await
    }

    async fn ask_within<T>(
        &self,
        patience: Duration,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.0.send(request(reply)).await.ok()?;
            answer.await.ok()
        };
        match tokio::time::timeout(patience, asked).await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(Refusal::Unavailable(Problem::new("the daemon is stopping"))),
            Err(_) => {
                Err(Refusal::Unavailable(Problem::new("the daemon is busy and did not answer in time").hint(
                    "its log tells what it waits for; a call that changes something may still take effect",
                )))
            }
        }
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::Malformed(Problem::new(rejection.body_text()))
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Self::Malformed(Problem::new(rejection.body_text()))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, problem) = match self {
            Self::Malformed(problem) => (StatusCode::BAD_REQUEST, problem),
            Self::NotFound(problem) => (StatusCode::NOT_FOUND, problem),
            Self::Conflict(problem) => (StatusCode::CONFLICT, problem),
            Self::Invalid(problem) => (StatusCode::UNPROCESSABLE_ENTITY, problem),
            Self::Unavailable(problem) => (StatusCode::SERVICE_UNAVAILABLE, problem),
        };
        (status, Json(problem)).into_response()
    }
}
