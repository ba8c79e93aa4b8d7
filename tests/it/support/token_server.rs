//! What issues tokens for Debian's docker-registry: JWTs that openssl signs, as distribution's token specification has
//! them. It listens on a free loopback port, on a thread of its own, and stops when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Url;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::process::output_of;

const SERVICE: &str = "basewatch test";
const ISSUER: &str = "basewatch test issuer";
const LIFE: u64 = 300;

/// What may be done without a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anonymous {
    MayPull,
    MayNothing,
}

/// A running token server.
pub(crate) struct TokenServer {
    host: String,
    user: String,
    password: String,
    certificate: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Inside {
    directory: PathBuf,
    login: String,
    anonymous: Anonymous,
    /// The certificate, as the header of a JWT carries it.
    x5c: String,
    count: AtomicUsize,
}

impl TokenServer {
    /// Makes a new key in `directory`, and starts.
    pub(crate) fn start(directory: &Path, user: &str, password: &str, anonymous: Anonymous) -> Self {
        let certificate = directory.join("token.pem");
        let mut request = Command::new("openssl");
        request.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens"]);
        request.arg("-keyout").arg(directory.join("token.key")).arg("-out").arg(&certificate);
        output_of(&mut request);
        let mut binary = Command::new("openssl");
        binary.args(["x509", "-outform", "DER", "-in"]).arg(&certificate);
        let inside = Arc::new(Inside {
            directory: directory.to_owned(),
            login: http_auth::basic::encode_credentials(user, password),
            anonymous,
            x5c: STANDARD.encode(output_of(&mut binary)),
            count: AtomicUsize::new(0),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind a loopback port");
        listener.set_nonblocking(true).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || serve(listener, inside, stopped));
        let (user, password) = (user.to_owned(), password.to_owned());
        Self { host, user, password, certificate, stop: Some(stop), thread: Some(thread) }
    }

    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> String {
        self.host.clone()
    }

    /// User and password.
    pub(crate) fn login(&self) -> (&str, &str) {
        (&self.user, &self.password)
    }

    /// What the registry is told of it.
    pub(crate) fn settings(&self) -> serde_json::Value {
        json!({
            "realm": format!("http://{}/token", self.host),
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": self.certificate,
        })
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the token server's thread");
        }
    }
}

fn serve(listener: std::net::TcpListener, inside: Arc<Inside>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let router = Router::new().fallback(answer).with_state(inside);
        let listener = TcpListener::from_std(listener).unwrap();
        tokio::select! {
            served = axum::serve(listener, router) => served.unwrap(),
            _ = stopped => {}
        }
    });
    runtime.shutdown_background();
}

async fn answer(
    State(inside): State<Arc<Inside>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let known = match headers.get(header::AUTHORIZATION) {
        Some(sent) if sent.to_str().ok() == Some(&inside.login) => true,
        Some(_) => return StatusCode::UNAUTHORIZED.into_response(),
        None => false,
    };
    let url = Url::parse(&format!("http://token/?{}", query.unwrap_or_default())).unwrap();
    let scopes = url.query_pairs().filter(|(name, _)| name == "scope");
    let access: Vec<_> = scopes.filter_map(|(_, scope)| inside.access(&scope, known)).collect();
    axum::Json(json!({ "token": inside.token(&json!(access)), "expires_in": LIFE })).into_response()
}

impl Inside {
    /// `repository:team/app:pull,push`, as far as it is granted.
    fn access(&self, scope: &str, known: bool) -> Option<serde_json::Value> {
        let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
        let granted = |action: &&str| known || (*action == "pull" && self.anonymous == Anonymous::MayPull);
        let actions: Vec<&str> = actions.split(',').filter(granted).collect();
        Some(json!({ "type": "repository", "name": name, "actions": actions }))
    }

    fn token(&self, access: &serde_json::Value) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [self.x5c] });
        let claims = json!({
            "iss": ISSUER, "sub": "", "aud": SERVICE, "jti": number.to_string(),
            "iat": now, "nbf": now - 10, "exp": now + LIFE, "access": access,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let file = self.directory.join(format!("token-{number}"));
        fs::write(&file, &signed).expect("write what is to be signed");
        let mut sign = Command::new("openssl");
        sign.args(["dgst", "-sha256", "-sign"]).arg(self.directory.join("token.key")).arg(&file);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(output_of(&mut sign)))
    }
}
