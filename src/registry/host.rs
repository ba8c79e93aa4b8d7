//! One registry: how to reach it, its login, and what was learnt about it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Client, Url};

use super::api::Protocol;
use super::auth::{Bearer, Setup};
use super::clients::Ways;
use super::error::Trouble;
use super::keychain::Login;
use super::transport::PlainHttp;
use super::verdict::Verdict;
use super::{Settings, manifest};
use crate::image::{Digest, TagRef};

mod ask;

const DOCKER_HUB: &str = "docker.io";
/// Docker Hub's images are named by one host and served by another.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// A registry, for as long as the daemon runs.
#[derive(Debug)]
pub(super) struct Host {
    /// `https://registry.example.com:5000/`, parsed once: to do so for each look is a tenth of what a look costs. Or why it
    /// is no address.
    root: Result<Url, String>,
    client: Client,
    headers: HeaderMap,
    timeout: Duration,
    plain_http: PlainHttp,
    login: Option<Arc<Login>>,
    /// The registry asked for user and password before, so they go out unasked.
    wants_basic: AtomicBool,
    bearer: Bearer,
    verdict: Mutex<Verdict>,
    protocol: Mutex<Protocol>,
}

impl Host {
    pub(super) fn new(settings: &Settings, ways: Ways, plain_http: PlainHttp) -> Self {
        let scheme = if settings.insecure { "http" } else { "https" };
        let api = if settings.host == DOCKER_HUB { DOCKER_HUB_API } else { &settings.host };
        let root = parsed(&format!("{scheme}://{api}/"));
        let login = settings.credentials.clone().map(|credentials| Arc::new(Login::new(credentials)));
        let client = ways.registry.clone();
        let bearer = Bearer::new(Setup {
            host: settings.host.as_str().into(),
            home: root.as_ref().ok().cloned(),
            trusted_realms: settings.trusted_realms.clone(),
            plain_http: plain_http.clone(),
            ways,
            timeout: settings.timeout,
            login: login.clone(),
        });
        Self {
            root,
            client,
            headers: headers(),
            timeout: settings.timeout,
            plain_http,
            login,
            wants_basic: AtomicBool::new(false),
            bearer,
            verdict: Mutex::default(),
            protocol: Mutex::new(Protocol::new(settings.api, settings.known_v2)),
        }
    }

    /// What is known about this host's HEAD. Not to be held across an await.
    pub(super) fn verdict(&self) -> MutexGuard<'_, Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known about the protocol that this host speaks. Not to be held across an await.
    pub(super) fn protocol(&self) -> MutexGuard<'_, Protocol> {
        self.protocol.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the manifest behind a tag is.
    pub(super) fn manifest_url(&self, tag: &TagRef) -> Result<Url, Trouble> {
        self.url(&["/v2/", tag.repository(), "/manifests/", tag.tag()])
    }

    /// Where the manifest with this digest is, in the repository of a tag.
    pub(super) fn content_url(&self, tag: &TagRef, digest: &Digest) -> Result<Url, Trouble> {
        self.url(&["/v2/", tag.repository(), "/manifests/", &digest.to_string()])
    }

    /// Where a v2 registry says that it is one.
    pub(super) fn v2_url(&self) -> Result<Url, Trouble> {
        self.url(&["/v2/"])
    }

    /// Where a v1 registry has what `path` names.
    pub(super) fn v1_url(&self, path: &str) -> Result<Url, Trouble> {
        self.url(&["/v1/", path])
    }

    fn url(&self, path: &[&str]) -> Result<Url, Trouble> {
        let mut url = self.root.clone().map_err(|reason| Trouble::Address { reason })?;
        url.set_path(&path.concat());
        Ok(url)
    }
}

fn parsed(text: &str) -> Result<Url, String> {
    Url::parse(text).map_err(|error| format!("{error} in {text}"))
}

/// Repeated lines, as regclient and containers/image send them. `identity`, because Red Hat's registries compress if
/// asked, and the digest is that of the plain bytes.
fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for media_type in manifest::ACCEPT {
        headers.append(ACCEPT, HeaderValue::from_static(media_type));
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, agent());
    headers
}

/// Who asks.
pub(super) fn agent() -> HeaderValue {
    HeaderValue::from_static(concat!("basewatch/", env!("CARGO_PKG_VERSION")))
}

#[cfg(test)]
mod tests;
