//! How a request travels: TLS, proxies, redirects, and bounds on time and size.
//!
//! Redirects are followed here and not in reqwest, so that each hop waits for its permit, no login crosses to another
//! host, and nothing falls from https to http.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Method, Request, Response, StatusCode, Url};
use tokio::time::Instant;

use super::answer::{Answer, presentable, remark, wish};
use super::error::{Malformed, Redirect, Trouble};
use super::failure::explain;
use super::{Gate, Settings};

/// As go-containerregistry and regclient do.
const MOST_REDIRECTS: usize = 10;
/// What explains an error is short.
const LARGEST_ERROR: usize = 64 * 1024;

/// The hosts that may be asked by plain http, because the user said so. All clones know the same.
#[derive(Debug, Clone, Default)]
pub(super) struct PlainHttp(Arc<Mutex<Vec<Url>>>);

/// One question to a registry.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// HEAD or GET.
    pub method: Method,
    /// Of the registry itself.
    pub url: &'a Url,
    /// All headers but the login.
    pub headers: &'a HeaderMap,
    /// For the registry's own host only.
    pub login: Option<HeaderValue>,
    /// How long the exchange may take, its redirects and its body included; waiting for permits is not.
    pub timeout: Duration,
    /// Where redirects may lead without TLS.
    pub plain_http: &'a PlainHttp,
}

/// What came back, its body still to be read.
#[derive(Debug)]
pub(super) struct Reply {
    response: Response,
    /// The host that answered, if it was not the one that was asked.
    pub elsewhere: Option<Box<str>>,
}

/// Asks, and follows redirects.
pub(super) async fn send(
    client: &Client,
    question: Question<'_>,
    gate: &impl Gate,
) -> Result<Reply, Trouble> {
    let Question { method, url, headers, mut login, timeout: mut left, plain_http } = question;
    let (mut hop, mut elsewhere) = (None, None);
    for _ in 0..=MOST_REDIRECTS {
        let url = hop.as_ref().unwrap_or(url);
        let request = request(&method, url, headers, login.as_ref(), left);
        gate.permit().await;
        let sent = Instant::now();
        let response = client.execute(request).await.map_err(|error| explain(&error))?;
        left = left.saturating_sub(sent.elapsed());
        let Some(next) = next_hop(url, response.status(), response.headers(), plain_http)? else {
            return Ok(Reply { response, elsewhere });
        };
        if next.origin() != url.origin() {
            login = None;
            elsewhere = next.host_str().map(Into::into);
        }
        hop = Some(next);
    }
    Err(Trouble::Redirect(Redirect::TooMany(MOST_REDIRECTS)))
}

fn request(
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
    login: Option<&HeaderValue>,
    left: Duration,
) -> Request {
    let mut request = Request::new(method.clone(), url.clone());
    *request.headers_mut() = headers.clone();
    if let Some(login) = login {
        request.headers_mut().insert(AUTHORIZATION, login.clone());
    }
    *request.timeout_mut() = Some(left);
    request
}

/// Where an answer redirects to; `None` if it does not.
fn next_hop(
    from: &Url,
    status: StatusCode,
    headers: &HeaderMap,
    plain_http: &PlainHttp,
) -> Result<Option<Url>, Trouble> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refuse = |redirect| Err(Trouble::Redirect(redirect));
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let Some(next) = location.and_then(|location| from.join(location).ok()) else {
        return refuse(Redirect::Nowhere);
    };
    if !next.username().is_empty() || next.password().is_some() {
        return refuse(Redirect::Userinfo);
    }
    match next.scheme() {
        "https" => {}
        "http" if from.scheme() != "http" => return refuse(Redirect::ToHttp),
        "http" if next.origin() == from.origin() || plain_http.allows(&next) => {}
        "http" => return refuse(Redirect::Insecure(presentable(next.authority()))),
        _ => return refuse(Redirect::Nowhere),
    }
    Ok(Some(next))
}

impl PlainHttp {
    /// What the settings of all hosts allow.
    pub(super) fn of(settings: &[Settings]) -> Self {
        let plain_http = Self::default();
        plain_http.replace(settings.iter());
        plain_http
    }

    /// From now on it is what these settings allow.
    pub(super) fn replace<'s>(&self, settings: impl Iterator<Item = &'s Settings>) {
        let insecure = settings.filter(|settings| settings.insecure);
        let hosts = insecure.filter_map(|settings| Url::parse(&format!("http://{}/", settings.host)).ok());
        let hosts = hosts.collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = hosts;
    }

    /// Whether this plain http address is of such a host.
    pub(super) fn allows(&self, url: &Url) -> bool {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.iter().any(|host| host.origin() == url.origin())
    }
}

impl From<Response> for Reply {
    /// The answer of who was asked.
    fn from(response: Response) -> Self {
        Self { response, elsewhere: None }
    }
}

impl Reply {
    /// Who answered: the registry, or a proxy on the way to it.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.response.remote_addr()
    }

    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// What was said instead of an answer. A body that cannot be read does not change what its status says.
    pub(super) async fn answer(&mut self) -> Answer {
        let body = self.body(LARGEST_ERROR).await.unwrap_or_default();
        let retry_after = wish(self.status(), self.headers(), &body, Timestamp::now());
        Answer {
            status: self.status(),
            elsewhere: self.elsewhere.clone(),
            remark: remark(&body),
            retry_after,
        }
    }

    /// The whole body. What is longer than `limit` is not read to its end.
    pub(super) async fn body(&mut self, limit: usize) -> Result<Vec<u8>, Trouble> {
        let mut body = Vec::new();
        while let Some(chunk) = self.response.chunk().await.map_err(|error| explain(&error))? {
            if body.len() + chunk.len() > limit {
                return Err(Trouble::Malformed(Malformed::TooLarge(limit)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests;
