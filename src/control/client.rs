//! The other end: asks a running daemon, and never waits for ever.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::protocol::{
    Build, BuildDetail, BuildName, Builds, BuildsQuery, Config, ConfigsQuery, PauseQuery, Pauses, PlanAnswer,
    PlanQuery, PollQuery, Polled, Problem, RebuildQuery, ReleaseQuery, Released, ReloadAnswer, ResumeQuery,
    Resumed, StartQuery, Started, Status, StatusQuery,
};
use super::route;

/// A socket has no host; HTTP wants one.
const HOST: &str = "http://basewatch";

/// How long a daemon may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// How long it may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// The longest answer, in bytes: the status of 100,000 tags fits.
const LONGEST_ANSWER: usize = 128 * 1024 * 1024;

/// A running daemon.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    socket: PathBuf,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No daemon answers at any of these sockets.
    #[error("no daemon answers{}: {}", list(.0), way_out(.0))]
    Unreachable(Vec<(PathBuf, io::Error)>),
    /// The daemon says no.
    #[error("{}{}", .0.error, .0.hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default())]
    Refused(Problem),
    /// The daemon cannot say now: it is stopping, or busy, or what it asks for is not to be had.
    #[error("{}{}", .0.error, .0.hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default())]
    NotNow(Problem),
    /// The connection broke, or took too long.
    #[error("ask the daemon at {}", socket.display())]
    Http {
        /// Which daemon.
        socket: PathBuf,
        /// What happened.
        source: reqwest::Error,
    },
    /// The answer is not one that this version knows.
    #[error("the answer of the daemon at {} is not understood: is it another version?", socket.display())]
    NotUnderstood {
        /// Which daemon.
        socket: PathBuf,
        /// What is strange about it.
        source: serde_json::Error,
    },
    /// The answer is longer than any should be.
    #[error("the answer of the daemon is longer than {LONGEST_ANSWER} bytes: ask for less")]
    TooLong,
    /// What was received could not be passed on.
    #[error("write the log of the build")]
    Write(#[from] io::Error),
}

impl Client {
    /// Connects to the first of `sockets` where a daemon answers.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if there is none.
    pub async fn connect(sockets: &[PathBuf]) -> Result<Self, Error> {
        let mut tried = Vec::new();
        for socket in sockets {
            match try_connect(socket).await {
                Ok(()) => return Self::new(socket),
                Err(error) => tried.push((socket.clone(), error)),
            }
        }
        Err(Error::Unreachable(tried))
    }

    fn new(socket: &Path) -> Result<Self, Error> {
        // No certificates, no proxy: nothing leaves this machine, and neither may be missing or set up wrongly.
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .no_proxy()
            .tls_certs_only([])
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .build()
            .map_err(|source| Error::Http { socket: socket.to_owned(), source })?;
        Ok(Self { http, socket: socket.to_owned() })
    }

    /// Where everything stands.
    ///
    /// # Errors
    /// If a tag is named that is not watched, or if there is no answer.
    pub async fn status(&self, query: &StatusQuery) -> Result<Status, Error> {
        self.json(self.get(route::STATUS, &[("tags", Some(&query.tags))])).await
    }

    /// The build configs.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn configs(&self, query: &ConfigsQuery) -> Result<Vec<Config>, Error> {
        let filter = query.filter.map(|filter| filter.as_str());
        self.json(self.get(route::CONFIGS, &[("filter", filter), ("labels", Some(&query.labels))])).await
    }

    /// The builds, newest first.
    ///
    /// # Errors
    /// If a build config is named that is not there, or if there is no answer.
    pub async fn builds(&self, query: &BuildsQuery) -> Result<Builds, Error> {
        self.json(self.get(route::BUILDS, &[("build_config", query.build_config.as_deref())])).await
    }

    /// One build, in full.
    ///
    /// # Errors
    /// If it is not there, or if there is no answer.
    pub async fn build(&self, name: &BuildName) -> Result<BuildDetail, Error> {
        self.json(self.get(route::BUILD, &[("build", Some(&name.build))])).await
    }

    /// Passes what a build printed to `write`, piece by piece.
    ///
    /// # Errors
    /// If the build or its log is not there, if there is no answer, or if `write` fails.
    pub async fn log(
        &self,
        name: &BuildName,
        mut write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        let mut response = self.send(self.get(route::LOG, &[("build", Some(&name.build))])).await?;
        while let Some(piece) = response.chunk().await.map_err(|source| self.broken(source))? {
            write(&piece)?;
        }
        Ok(())
    }

    /// Calls a build off.
    ///
    /// # Errors
    /// If it is not there or has ended, or if there is no answer.
    pub async fn cancel(&self, name: &BuildName) -> Result<Build, Error> {
        self.json(self.post(route::CANCEL, name)).await
    }

    /// Starts a build.
    ///
    /// # Errors
    /// If it cannot be made, if a registry that is to be asked does not answer, or if there is no answer.
    pub async fn start(&self, query: &StartQuery) -> Result<Started, Error> {
        self.json(self.post(route::START, query)).await
    }

    /// Makes an earlier build again.
    ///
    /// # Errors
    /// If it is not there or cannot be made, or if there is no answer.
    pub async fn rebuild(&self, query: &RebuildQuery) -> Result<Started, Error> {
        self.json(self.post(route::REBUILD, query)).await
    }

    /// Lets held first builds go.
    ///
    /// # Errors
    /// If a build config is named that is not there or not held, or if there is no answer.
    pub async fn release(&self, query: &ReleaseQuery) -> Result<Released, Error> {
        self.json(self.post(route::RELEASE, query)).await
    }

    /// Pauses triggers.
    ///
    /// # Errors
    /// If something is named that is not there, or if there is no answer.
    pub async fn pause(&self, query: &PauseQuery) -> Result<Pauses, Error> {
        self.json(self.post(route::PAUSE, query)).await
    }

    /// Lets triggers go on.
    ///
    /// # Errors
    /// If something is named that is not there, or if there is no answer.
    pub async fn resume(&self, query: &ResumeQuery) -> Result<Resumed, Error> {
        self.json(self.post(route::RESUME, query)).await
    }

    /// Has the configuration loaded anew. That it cannot be used is an answer, too.
    ///
    /// # Errors
    /// If the daemon cannot load any, or if there is no answer.
    pub async fn reload(&self) -> Result<ReloadAnswer, Error> {
        self.json(self.http.post(format!("{HOST}{}", route::RELOAD))).await
    }

    /// Has tags looked at now.
    ///
    /// # Errors
    /// If a tag is named that is not watched, or if there is no answer.
    pub async fn poll(&self, query: &PollQuery) -> Result<Polled, Error> {
        self.json(self.post(route::POLL, query)).await
    }

    /// What would be built now, and what is held. That a new configuration cannot be used is an answer, too.
    ///
    /// # Errors
    /// If a tag is named that is not watched, or if there is no answer.
    pub async fn plan(&self, query: &PlanQuery) -> Result<PlanAnswer, Error> {
        self.json(self.post(route::PLAN, query)).await
    }

    fn get(&self, route: &str, query: &[(&str, Option<&str>)]) -> RequestBuilder {
        let given =
            query.iter().filter_map(|(name, value)| Some((name, value.filter(|text| !text.is_empty())?)));
        let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        self.http.get(format!("{HOST}{route}?{}", query.join("&")))
    }

    fn post(&self, route: &str, body: &impl Serialize) -> RequestBuilder {
        self.http.post(format!("{HOST}{route}")).json(body)
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let body = self.body(self.send(request).await?).await?;
        serde_json::from_slice(&body)
            .map_err(|source| Error::NotUnderstood { socket: self.socket.clone(), source })
    }

    /// An answer that is not a success is a [`Problem`].
    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let response = request.send().await.map_err(|source| self.broken(source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.body(response).await?;
        let problem = serde_json::from_slice(&body);
        let problem = problem.unwrap_or_else(|_| Problem::new(format!("the daemon answered {status}")));
        Err(match status == StatusCode::SERVICE_UNAVAILABLE {
            true => Error::NotNow(problem),
            false => Error::Refused(problem),
        })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|source| self.broken(source))? {
            if body.len() + piece.len() > LONGEST_ANSWER {
                return Err(Error::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    fn broken(&self, source: reqwest::Error) -> Error {
        Error::Http { socket: self.socket.clone(), source }
    }
}

async fn try_connect(socket: &Path) -> io::Result<()> {
    let connected = tokio::time::timeout(CONNECT, UnixStream::connect(socket)).await;
    connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map(drop)
}

/// As it may stand in a URL's query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                encoded.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            other => drop(write!(encoded, "%{other:02X}")),
        }
    }
    encoded
}

fn way_out(tried: &[(PathBuf, io::Error)]) -> &'static str {
    match tried.iter().any(|(_, error)| error.kind() == io::ErrorKind::PermissionDenied) {
        true => "one may run there, ask as its user or as root",
        false => "start one with `basewatch run`, or name its --socket",
    }
}

fn list(tried: &[(PathBuf, io::Error)]) -> String {
    let mut list = String::new();
    for (socket, error) in tried {
        // Writing to a String cannot fail.
        let _ =
            write!(list, "{} at {} ({error})", if list.is_empty() { "" } else { ", nor" }, socket.display());
    }
    list
}
