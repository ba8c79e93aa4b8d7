//! A registry that has every tag, never moves one, and counts what it is asked. A process of its own.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use basewatch::image::Digest;

use super::child::{Answerer, answer_lines};

/// Progress is waited for so long, and then something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// The running registry, as others see it.
pub(crate) struct Registry {
    process: Answerer,
    host: String,
}

/// What it was asked so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) heads: u64,
    pub(crate) gets: u64,
    pub(crate) others: u64,
}

impl Registry {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut process = Answerer::start(&["registry"])?;
        let host = process.answer()?;
        Ok(Self { process, host })
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn counts(&mut self) -> anyhow::Result<Counts> {
        self.ask(0)
    }

    /// Waits for so many HEADs in all.
    pub(crate) fn wait(&mut self, heads: u64) -> anyhow::Result<Counts> {
        let counts = self.ask(heads)?;
        anyhow::ensure!(counts.heads >= heads, "{} HEADs of {heads} came within {PATIENCE:?}", counts.heads);
        Ok(counts)
    }

    fn ask(&mut self, heads: u64) -> anyhow::Result<Counts> {
        let answer = self.process.ask(&heads.to_string())?;
        let numbers: Result<Vec<u64>, _> = answer.split(' ').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[heads, gets, others]) => Ok(Counts { heads, gets, others }),
            Ok(_) | Err(_) => anyhow::bail!("the registry answered {answer}"),
        }
    }
}

impl Counts {
    pub(crate) fn since(self, before: Self) -> Self {
        let Self { heads, gets, others } = before;
        Self { heads: self.heads - heads, gets: self.gets - gets, others: self.others - others }
    }
}

/// What the registry's process knows.
#[derive(Default)]
struct Inside {
    heads: AtomicU64,
    gets: AtomicU64,
    others: AtomicU64,
    /// Whoever waits for so many HEADs is woken.
    wanted: AtomicU64,
    asleep: Mutex<()>,
    reached: Condvar,
}

/// The registry's process: prints where it listens, then answers each number of HEADs, once they came, with its counts.
pub(crate) fn serve() -> anyhow::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("bind a loopback port")?;
    listener.set_nonblocking(true)?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let inside = Arc::new(Inside::default());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&inside));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await })
    });
    answer_lines(|line| Ok(inside.wait(line.parse()?)))
}

impl Inside {
    fn count(&self, method: &Method) {
        match *method {
            Method::HEAD if self.heads.fetch_add(1, SeqCst) + 1 == self.wanted.load(SeqCst) => {
                let _asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
                self.reached.notify_all();
            }
            Method::HEAD => {}
            Method::GET => drop(self.gets.fetch_add(1, SeqCst)),
            _ => drop(self.others.fetch_add(1, SeqCst)),
        }
    }

    fn wait(&self, heads: u64) -> String {
        self.wanted.store(heads, SeqCst);
        let asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |_: &mut ()| self.heads.load(SeqCst) < heads;
        // Whether it was in time shows in the answer.
        drop(self.reached.wait_timeout_while(asleep, PATIENCE, missing));
        let now = |count: &AtomicU64| count.load(SeqCst);
        format!("{} {} {}", now(&self.heads), now(&self.gets), now(&self.others))
    }
}

/// The headers are those of distribution's registry, whose answer to a GET of a manifest would be as long.
async fn answer(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    inside.count(request.method());
    let digest = Digest::sha256_of(request.uri().path().as_bytes()).to_string();
    let (Ok(digest), Ok(etag)) =
        (HeaderValue::try_from(&digest), HeaderValue::try_from(format!("\"{digest}\"")))
    else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut headers = HeaderMap::new();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert("docker-content-digest", digest);
    headers.insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
    headers.insert(header::ETAG, etag);
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("428"));
    (StatusCode::OK, headers).into_response()
}
