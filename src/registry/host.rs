//! One registry: how to reach it, its login, and what was learnt about it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Client, Method, StatusCode, Url};

use super::challenge::Offer;
use super::error::{Advice, Trouble};
use super::keychain::{Login, Pass};
use super::transport::{PlainHttp, Question, Reply, send};
use super::verdict::Verdict;
use super::{Gate, Settings, manifest};
use crate::image::{Digest, TagRef};

const DOCKER_HUB: &str = "docker.io";
/// Docker Hub's images are named by one host and served by another.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// A registry, for as long as the daemon runs.
#[derive(Debug)]
pub(super) struct Host {
    /// `https://registry.example.com:5000/v2/`.
    base: Box<str>,
    client: Client,
    headers: HeaderMap,
    timeout: Duration,
    plain_http: PlainHttp,
    login: Option<Login>,
    /// The registry asked for user and password before, so they go out unasked.
    wants_basic: AtomicBool,
    verdict: Mutex<Verdict>,
}

impl Host {
    pub(super) fn new(settings: &Settings, client: Client, plain_http: PlainHttp) -> Self {
        let scheme = if settings.insecure { "http" } else { "https" };
        let api = if settings.host == DOCKER_HUB { DOCKER_HUB_API } else { &settings.host };
        Self {
            base: format!("{scheme}://{api}/v2/").into(),
            client,
            headers: headers(),
            timeout: settings.timeout,
            plain_http,
            login: settings.credentials.clone().map(Login::new),
            wants_basic: AtomicBool::new(false),
            verdict: Mutex::default(),
        }
    }

    /// What is known about this host's HEAD. Not to be held across an await.
    pub(super) fn verdict(&self) -> MutexGuard<'_, Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the manifest behind a tag is.
    pub(super) fn manifest_url(&self, tag: &TagRef) -> Result<Url, Trouble> {
        self.manifest(tag.repository(), tag.tag())
    }

    /// Where the manifest with this digest is, in the repository of a tag.
    pub(super) fn content_url(&self, tag: &TagRef, digest: &Digest) -> Result<Url, Trouble> {
        self.manifest(tag.repository(), &digest.to_string())
    }

    fn manifest(&self, repository: &str, reference: &str) -> Result<Url, Trouble> {
        let text = format!("{}{repository}/manifests/{reference}", self.base);
        Url::parse(&text).map_err(|error| Trouble::Address { reason: format!("{error} in {text}") })
    }

    /// Asks, and asks once more with the login if the registry wants one. Any status but 401 comes back as it is.
    pub(super) async fn ask(&self, method: Method, url: Url, gate: &impl Gate) -> Result<Reply, Trouble> {
        let pass = self.known_pass().await?;
        let mut reply = self.send(&method, &url, pass.as_ref(), gate).await?;
        let Some(pass) = self.after(&mut reply, pass).await? else { return Ok(reply) };
        let mut reply = self.send(&method, &url, Some(&pass), gate).await?;
        self.after(&mut reply, Some(pass)).await?;
        Ok(reply)
    }

    async fn send(
        &self,
        method: &Method,
        url: &Url,
        pass: Option<&Pass<'_>>,
        gate: &impl Gate,
    ) -> Result<Reply, Trouble> {
        let question = Question {
            method: method.clone(),
            url: url.clone(),
            headers: &self.headers,
            login: pass.map(Pass::header),
            timeout: self.timeout,
            plain_http: &self.plain_http,
        };
        send(&self.client, question, gate).await
    }

    async fn known_pass(&self) -> Result<Option<Pass<'_>>, Trouble> {
        match &self.login {
            Some(login) if self.wants_basic.load(Ordering::Relaxed) => login.pass().await.map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// Learns from an answer what the registry thinks of the login. `Some` is the login to ask again with.
    async fn after<'a>(
        &'a self,
        reply: &mut Reply,
        sent: Option<Pass<'a>>,
    ) -> Result<Option<Pass<'a>>, Trouble> {
        // A host that we were redirected to was not sent the login, so its 401 says nothing about it.
        if reply.status() != StatusCode::UNAUTHORIZED || reply.elsewhere.is_some() {
            if let Some(pass) = sent.filter(|_| proves_login(reply.status())) {
                pass.accepted();
            }
            return Ok(None);
        }
        let offer = Offer::of(reply.headers());
        match sent {
            Some(pass) => Err(self.turned_down(pass, offer)),
            None => self.challenged(reply, offer).await.map(Some),
        }
    }

    /// The registry was sent the login and wants another one, or another way of logging in.
    fn turned_down(&self, pass: Pass<'_>, offer: Offer) -> Trouble {
        match offer {
            Offer { basic: false, other: Some(scheme) } => {
                self.wants_basic.store(false, Ordering::Relaxed);
                Trouble::LoginUnsupported { scheme }
            }
            Offer { .. } => pass.rejected(),
        }
    }

    /// The registry wants a login and was sent none: the one to send, if it takes a kind that we have.
    async fn challenged(&self, reply: &mut Reply, offer: Offer) -> Result<Pass<'_>, Trouble> {
        let advice = match (offer, &self.login) {
            (Offer { basic: true, .. }, Some(login)) => {
                self.wants_basic.store(true, Ordering::Relaxed);
                return login.pass().await;
            }
            (Offer { basic: true, .. }, None) => Advice::Login,
            (Offer { basic: false, other: Some(scheme) }, _) => {
                return Err(Trouble::LoginUnsupported { scheme });
            }
            (Offer { basic: false, other: None }, _) => Advice::None,
        };
        Err(Trouble::Denied { answer: reply.answer().await, advice })
    }
}

/// Whether an answer with this status means that the login was looked at and taken.
fn proves_login(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
}

/// Repeated lines, as regclient and containers/image send them. `identity`, because Red Hat's registries compress if
/// asked, and the digest is that of the plain bytes.
fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for media_type in manifest::ACCEPT {
        headers.append(ACCEPT, HeaderValue::from_static(media_type));
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("basewatch/", env!("CARGO_PKG_VERSION"))));
    headers
}

#[cfg(test)]
mod tests;
