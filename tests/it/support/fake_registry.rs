//! A registry that does as it is told: in this process, on a free loopback port, on a thread of its own.
//!
//! ```no_run
//! let registry = FakeRegistry::start();
//! let digest = registry.push("team/app", "1", 7);
//! registry.fault("team/app", Fault::status(503).times(2));
//! // ... let something ask `registry.host()` ...
//! assert_eq!(registry.count(Method::HEAD, "/v2/team/app/"), 3);
//! ```
//! Any runtime may ask it, or another process. It stops when it is dropped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use basewatch::image::{Digest, ImageId, TagRef};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

pub(crate) use fault::Fault;
use tls::Tls;
pub(crate) use token::{Grants, Tokens};
pub(crate) use v1::{Speaks, Tags};

mod fault;
mod tls;
mod token;
mod v1;

/// Every repository, where a fault wants to know which.
pub(crate) const ANY: &str = "*";

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A running fake registry.
pub(crate) struct FakeRegistry {
    address: SocketAddr,
    inside: Arc<Inside>,
    tls: Option<Tls>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// One request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) has_authorization: bool,
    pub(crate) at: Instant,
}

struct Inside {
    content: Mutex<Content>,
    /// How many requests came in; the waiting look at this.
    arrived: watch::Sender<usize>,
    /// How often hanging requests were let go.
    released: watch::Sender<usize>,
}

#[derive(Default)]
struct Content {
    /// By repository and tag or digest.
    manifests: BTreeMap<(String, String), Manifest>,
    speaks: Speaks,
    v1: v1::V1,
    faults: Vec<(String, Fault)>,
    /// Who answers at `/token`.
    issuer: Option<Tokens>,
    /// Whose tokens are wanted, and where they are said to be had.
    guard: Option<(Tokens, String)>,
    requests: Vec<Recorded>,
}

#[derive(Clone)]
struct Manifest {
    media_type: String,
    body: Vec<u8>,
}

/// What is going to be answered, as long as faults can still change it.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

// === impl FakeRegistry ===

impl FakeRegistry {
    /// Starts one that speaks plain http.
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts one that speaks https, with a certificate of a CA that nobody knows.
    pub(crate) fn start_tls() -> Self {
        Self::start_with(Some(Tls::new()))
    }

    fn start_with(tls: Option<Tls>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind a loopback port");
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let inside = Arc::new(Inside {
            content: Mutex::default(),
            arrived: watch::Sender::new(0),
            released: watch::Sender::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let (router, acceptor) = (router(&inside), tls.as_ref().map(Tls::acceptor));
        let thread = std::thread::spawn(move || {
            serve(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                match acceptor {
                    None => run(listener, router, stopped).await,
                    Some(acceptor) => run(tls::TlsListener { listener, acceptor }, router, stopped).await,
                }
            });
        });
        Self { address, inside, tls, stop: Some(stop), thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT`, or https.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.address)
    }

    /// What a watch list would call a tag here.
    pub(crate) fn tag(&self, repository: &str, tag: &str) -> TagRef {
        format!("{}/{repository}:{tag}", self.address).parse().unwrap()
    }

    /// The CA file of a registry that speaks https.
    pub(crate) fn ca_file(&self) -> std::path::PathBuf {
        self.tls.as_ref().expect("a registry started with start_tls()").ca_file()
    }

    /// Moves a tag to the one image that `seed` stands for.
    pub(crate) fn push(&self, repository: &str, tag: &str, seed: u64) -> Digest {
        self.push_raw(repository, tag, OCI_MANIFEST, manifest(&seed.to_string()).as_bytes())
    }

    /// Moves a tag to the one index that `seed` stands for: linux/amd64 and linux/arm64, which can be asked for too.
    pub(crate) fn push_index(&self, repository: &str, tag: &str, seed: u64) -> Digest {
        let children = ["amd64", "arm64"].map(|architecture| {
            let body = manifest(&format!("{seed} {architecture}"));
            let digest = self.store(repository, None, OCI_MANIFEST, body.as_bytes());
            format!(
                r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{digest}","size":{},"platform":{{"os":"linux","architecture":"{architecture}"}}}}"#,
                body.len()
            )
        });
        let body = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{}],"annotations":{{"seed":"{seed}"}}}}"#,
            children.join(",")
        );
        self.push_raw(repository, tag, OCI_INDEX, body.as_bytes())
    }

    /// Moves a tag to an index as buildx pushes it: an image of this seed for each platform, and an attestation for each
    /// that is another for other `noise`.
    pub(crate) fn push_platforms(
        &self,
        repository: &str,
        tag: &str,
        images: &[(&str, u64)],
        noise: u64,
    ) -> Digest {
        let image = |(platform, seed): &(&str, u64)| {
            let mut words = platform.split('/');
            let mut platform = json!({ "os": words.next().unwrap(), "architecture": words.next().unwrap() });
            if let Some(variant) = words.next() {
                platform["variant"] = variant.into();
            }
            json!({ "mediaType": OCI_MANIFEST, "digest": child(&platform, *seed), "size": 500, "platform": platform })
        };
        let attestation = |(platform, seed): &(&str, u64)| {
            json!({
                "mediaType": OCI_MANIFEST,
                "digest": Digest::sha256_of(format!("{platform} {seed} {noise}").as_bytes()),
                "size": 566,
                "annotations": { "vnd.docker.reference.type": "attestation-manifest" },
                "platform": { "architecture": "unknown", "os": "unknown" },
            })
        };
        let manifests: Vec<Value> = images.iter().map(image).chain(images.iter().map(attestation)).collect();
        let body = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
        self.push_raw(repository, tag, OCI_INDEX, body.to_string().as_bytes())
    }

    /// Moves a tag to whatever this is.
    pub(crate) fn push_raw(&self, repository: &str, tag: &str, media_type: &str, body: &[u8]) -> Digest {
        self.store(repository, Some(tag), media_type, body)
    }

    fn store(&self, repository: &str, tag: Option<&str>, media_type: &str, body: &[u8]) -> Digest {
        let digest = Digest::sha256_of(body);
        let manifest = Manifest { media_type: media_type.to_owned(), body: body.to_vec() };
        let mut content = self.inside.lock();
        for reference in tag.map(str::to_owned).into_iter().chain([digest.to_string()]) {
            content.manifests.insert((repository.to_owned(), reference), manifest.clone());
        }
        digest
    }

    /// Speaks these protocols from now on; it spoke v2 alone until then.
    pub(crate) fn speak(&self, protocols: Speaks) {
        self.inside.lock().speaks = protocols;
    }

    /// Has its v1 tags in this form.
    pub(crate) fn keep_v1_tags(&self, tags: Tags) {
        self.inside.lock().v1.tags = tags;
    }

    /// Moves a tag of v1 to the one image that `seed` stands for.
    pub(crate) fn push_v1(&self, repository: &str, tag: &str, seed: u64) -> ImageId {
        let (hex, id) = v1::image_id(seed);
        let mut content = self.inside.lock();
        let tags = content.v1.repositories.entry(repository.to_owned()).or_default();
        tags.insert(tag.to_owned(), hex);
        id
    }

    /// Removes a tag; what it pointed to stays.
    pub(crate) fn remove(&self, repository: &str, tag: &str) {
        self.inside.lock().manifests.remove(&(repository.to_owned(), tag.to_owned()));
    }

    /// From now on only a token of `tokens` opens it, which is to be had at its own `/token`.
    pub(crate) fn want_tokens(&self, tokens: &Tokens) {
        self.issue(tokens);
        self.want_tokens_from(tokens, &format!("{}/token", self.url()));
    }

    /// The same, and they are said to be had at `realm`.
    pub(crate) fn want_tokens_from(&self, tokens: &Tokens, realm: &str) {
        self.inside.lock().guard = Some((tokens.clone(), realm.to_owned()));
    }

    /// From now on it wants no token.
    pub(crate) fn want_none(&self) {
        self.inside.lock().guard = None;
    }

    /// From now on `tokens` are to be had at `/token`.
    pub(crate) fn issue(&self, tokens: &Tokens) {
        self.inside.lock().issuer = Some(tokens.clone());
    }

    /// From now on a repository, a path or [`ANY`] has a fault. Several faults add up, the oldest first.
    pub(crate) fn fault(&self, repository: &str, fault: Fault) {
        self.inside.lock().faults.push((repository.to_owned(), fault));
    }

    /// Ends all faults, and lets go what hangs.
    pub(crate) fn heal(&self) {
        self.inside.lock().faults.clear();
        self.release();
    }

    /// Lets go the requests that hang, not those that will.
    pub(crate) fn release(&self) {
        self.inside.released.send_modify(|times| *times += 1);
    }

    /// All requests since the start or the last [`FakeRegistry::reset_counts`], in order.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.inside.lock().requests.clone()
    }

    /// How many requests of a method went to paths that start so.
    #[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
    pub(crate) fn count(&self, method: Method, path_prefix: &str) -> usize {
        let matches = |request: &&Recorded| request.method == method && request.path.starts_with(path_prefix);
        self.inside.lock().requests.iter().filter(matches).count()
    }

    /// How many HEADs and GETs there were.
    pub(crate) fn heads_and_gets(&self) -> (usize, usize) {
        (self.count(Method::HEAD, ""), self.count(Method::GET, ""))
    }

    /// Forgets all requests so far.
    pub(crate) fn reset_counts(&self) {
        self.inside.lock().requests.clear();
    }

    /// Waits, on this thread, until at least `count` such requests were made.
    #[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
    pub(crate) fn wait_requests(&self, count: usize, method: Method, path_prefix: &str) {
        let what = format!("{count} {method} requests below {path_prefix}");
        super::eventually(&what, || (self.count(method.clone(), path_prefix) >= count).then_some(()));
    }

    /// Returns when there were that many such requests; panics if that takes too long.
    pub(crate) async fn wait_for(&self, count: usize, method: Method, path_prefix: &str, deadline: Duration) {
        let mut arrived = self.inside.arrived.subscribe();
        let enough = arrived.wait_for(|_| self.count(method.clone(), path_prefix) >= count);
        let in_time = tokio::time::timeout(deadline, enough).await.is_ok();
        let seen = self.requests();
        assert!(in_time, "{count} × {method} {path_prefix}… did not come within {deadline:?}, but {seen:#?}");
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the fake registry's thread");
        }
    }
}

// === serving ===

fn serve(registry: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(registry);
    runtime.shutdown_background();
}

async fn run<L: Listener<Addr = SocketAddr>>(listener: L, router: Router, stopped: oneshot::Receiver<()>) {
    tokio::select! {
        served = axum::serve(listener, router) => served.unwrap(),
        _ = stopped => {}
    }
}

fn router(inside: &Arc<Inside>) -> Router {
    Router::new().fallback(answer).with_state(Arc::clone(inside))
}

async fn answer(Shared(inside): Shared<Arc<Inside>>, request: Request) -> Response {
    // Before anyone is told of the request, so that no release in between is missed.
    let mut released = inside.released.subscribe();
    let request = inside.record(&request);
    let mut reply = inside.look_up(&request);
    let mut seen = 0;
    while let Some((place, fault)) = inside.next_fault(seen, &request) {
        seen = place + 1;
        match fault.apply(reply, &request, &mut released).await {
            Ok(changed) => reply = changed,
            Err(response) => return response,
        }
    }
    reply.into_response()
}

// === impl Inside ===

impl Inside {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }

    fn record(&self, request: &Request) -> Recorded {
        let recorded = Recorded {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers: request.headers().clone(),
            has_authorization: request.headers().contains_key(header::AUTHORIZATION),
            at: Instant::now(),
        };
        self.lock().requests.push(recorded.clone());
        self.arrived.send_modify(|count| *count += 1);
        recorded
    }

    fn look_up(&self, request: &Recorded) -> Reply {
        let content = self.lock();
        let path = request.path.as_str();
        if let Some(issuer) = content.issuer.as_ref().filter(|_| path == "/token") {
            return issuer.answer(request);
        }
        match (content.speaks, path.starts_with("/v1/")) {
            (Speaks::V1 | Speaks::Both, true) => return content.v1.answer(path),
            (Speaks::V2, true) => return v1::not_spoken(),
            (Speaks::V1, false) => return v1::not_v2(),
            (Speaks::V2 | Speaks::Both, false) => {}
        }
        let guard = content.guard.as_ref();
        let repository = split(path).map(|(repository, _)| repository);
        if let Some(refusal) = guard.and_then(|(tokens, realm)| tokens.refuse(request, repository, realm)) {
            return refusal;
        }
        if path == "/v2/" {
            return Reply::new(StatusCode::OK, "application/json", b"{}").marked();
        }
        let key = split(path).map(|(repository, reference)| (repository.to_owned(), reference.to_owned()));
        match key.and_then(|key| content.manifests.get(&key)) {
            Some(manifest) => Reply::manifest(manifest),
            None => Reply::error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown"),
        }
    }

    /// The next fault that concerns this request. One that has only so many turns has one less.
    fn next_fault(&self, seen: usize, request: &Recorded) -> Option<(usize, Fault)> {
        let repository = split(&request.path).map_or("", |(repository, _)| repository);
        let mut content = self.lock();
        let mut rest = content.faults.iter_mut().enumerate().skip(seen);
        rest.find_map(|(place, (wanted, fault))| {
            let concerned = wanted == ANY || wanted == repository || *wanted == request.path;
            concerned.then(|| fault.take_turn(request)).flatten().map(|fault| (place, fault))
        })
    }
}

/// `/v2/team/app/manifests/1` is about `team/app` and `1`.
fn split(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/v2/")?.rsplit_once("/manifests/")
}

/// The digest of the image that an index has for a platform.
fn child(platform: &Value, seed: u64) -> Digest {
    Digest::sha256_of(format!("{platform} {seed}").as_bytes())
}

fn manifest(seed: &str) -> String {
    let config = Digest::sha256_of(seed.as_bytes());
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[]}}"#
    )
}

// === impl Reply ===

impl Reply {
    fn new(status: StatusCode, content_type: &str, body: &[u8]) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, value(content_type))]);
        Self { status, headers, body: body.to_vec() }
    }

    fn manifest(manifest: &Manifest) -> Self {
        let mut reply = Self::new(StatusCode::OK, &manifest.media_type, &manifest.body);
        let digest = Digest::sha256_of(&manifest.body).to_string();
        reply.headers.insert("docker-content-digest", value(&digest));
        reply.headers.insert(header::ETAG, value(&format!("\"{digest}\"")));
        reply.marked()
    }

    fn error(status: StatusCode, code: &str, message: &str) -> Self {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
        Self::new(status, "application/json", body.as_bytes()).marked()
    }

    /// As every answer of a v2 registry is.
    fn marked(mut self) -> Self {
        self.headers.insert("docker-distribution-api-version", value("registry/2.0"));
        self
    }

    fn with_body(self, body: Body) -> Response {
        (self.status, self.headers, body).into_response()
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        (self.status, self.headers, self.body).into_response()
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap()
}
