//! What can be wrong with a registry.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use basewatch::image::Digest;
use futures_util::stream;
use tokio::sync::watch;

use super::{Recorded, Reply, value};

/// A fault, of which requests, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    what: What,
    method: Option<Method>,
    digest: Option<Digest>,
    turns: Option<usize>,
}

#[derive(Debug, Clone)]
enum What {
    Status { status: StatusCode, headers: Vec<(HeaderName, HeaderValue)>, body: Vec<u8> },
    Drop,
    Hang,
    Late { by: Duration },
    SlowBody { each_byte: Duration },
    EndlessBody,
    CutBody,
    Header { name: HeaderName, value: Option<HeaderValue> },
    Redirect { base: String },
    Login { authorization: HeaderValue },
    Gate { authorization: HeaderValue },
}

/// The header that carries a manifest's digest.
const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

impl Fault {
    /// This status instead of an answer; add to it with [`Fault::header`] and [`Fault::body`].
    pub(crate) fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap();
        What::Status { status, headers: Vec::new(), body: Vec::new() }.into()
    }

    /// The connection ends without an answer.
    pub(crate) fn drop() -> Self {
        What::Drop.into()
    }

    /// No answer until [`super::FakeRegistry::release`].
    pub(crate) fn hang() -> Self {
        What::Hang.into()
    }

    /// The answer takes its time.
    pub(crate) fn late(by: Duration) -> Self {
        What::Late { by }.into()
    }

    /// The body comes byte by byte, with a pause after each.
    pub(crate) fn slow_body(each_byte: Duration) -> Self {
        What::SlowBody { each_byte }.into()
    }

    /// A body that never ends.
    pub(crate) fn endless_body() -> Self {
        What::EndlessBody.into()
    }

    /// The connection ends in the middle of the body.
    pub(crate) fn cut_body() -> Self {
        What::CutBody.into()
    }

    /// No `Docker-Content-Digest`.
    pub(crate) fn no_digest() -> Self {
        What::Header { name: DIGEST, value: None }.into()
    }

    /// This as `Docker-Content-Digest`.
    pub(crate) fn digest_header(text: &str) -> Self {
        What::Header { name: DIGEST, value: Some(value(text)) }.into()
    }

    /// This as `Content-Type`; empty for none.
    pub(crate) fn content_type(text: &str) -> Self {
        let value = (!text.is_empty()).then(|| value(text));
        What::Header { name: header::CONTENT_TYPE, value }.into()
    }

    /// Sent to the same path elsewhere: `base` is `http://host:port`.
    pub(crate) fn redirect(base: &str) -> Self {
        What::Redirect { base: base.to_owned() }.into()
    }

    /// Only this user gets an answer, others a Basic challenge.
    pub(crate) fn basic_login(user: &str, password: &str) -> Self {
        let authorization = http_auth::basic::encode_credentials(user, password);
        What::Login { authorization: value(&authorization) }.into()
    }

    /// The same challenge by a server in front of the registry, which knows nothing of what is behind it.
    pub(crate) fn gate(user: &str, password: &str) -> Self {
        let authorization = http_auth::basic::encode_credentials(user, password);
        What::Gate { authorization: value(&authorization) }.into()
    }

    /// A header more, for a status.
    pub(crate) fn header(mut self, name: &'static str, text: &str) -> Self {
        let What::Status { headers, .. } = &mut self.what else { panic!("only a status takes a header") };
        headers.push((HeaderName::from_static(name), value(text)));
        self
    }

    /// A body, for a status.
    pub(crate) fn body(mut self, text: &str) -> Self {
        let What::Status { body, .. } = &mut self.what else { panic!("only a status takes a body") };
        text.as_bytes().clone_into(body);
        self
    }

    /// Concerns one method only.
    pub(crate) fn on(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Concerns one manifest only.
    pub(crate) fn of(mut self, digest: &Digest) -> Self {
        self.digest = Some(digest.clone());
        self
    }

    /// Ends by itself after so many requests.
    pub(crate) fn times(mut self, turns: usize) -> Self {
        self.turns = Some(turns);
        self
    }

    /// A copy for this request, if it is concerned.
    pub(super) fn take_turn(&mut self, request: &Recorded) -> Option<Self> {
        let is_of = |digest: &Digest| request.path.ends_with(&digest.to_string());
        if self.method.as_ref().is_some_and(|wanted| *wanted != request.method)
            || !self.digest.as_ref().is_none_or(is_of)
            || self.turns == Some(0)
        {
            return None;
        }
        self.turns = self.turns.map(|left| left - 1);
        Some(self.clone())
    }

    /// What becomes of the reply: `Err` is final.
    pub(super) async fn apply(
        self,
        mut reply: Reply,
        request: &Recorded,
        released: &mut watch::Receiver<usize>,
    ) -> Result<Reply, Response> {
        match self.what {
            What::Status { status, headers, body } => {
                let mut response = (status, body).into_response();
                response.headers_mut().remove(header::CONTENT_TYPE);
                headers.into_iter().for_each(|(name, value)| {
                    response.headers_mut().append(name, value);
                });
                Err(response)
            }
            // Unwinds the connection's task without a message, and so closes the connection.
            What::Drop => std::panic::resume_unwind(Box::new(())),
            What::Hang => {
                let _ = released.changed().await;
                Ok(reply)
            }
            What::Late { by } => {
                tokio::time::sleep(by).await;
                Ok(reply)
            }
            What::SlowBody { each_byte } => {
                let body = std::mem::take(&mut reply.body);
                Err(reply.with_body(slowly(body, each_byte)))
            }
            What::EndlessBody => Err(reply.with_body(endless())),
            What::CutBody => {
                let body = std::mem::take(&mut reply.body);
                Err(reply.with_body(cut(&body)))
            }
            What::Header { name, value } => {
                reply.headers.remove(&name);
                reply.headers.extend(value.map(|value| (name, value)));
                Ok(reply)
            }
            What::Redirect { base } => {
                let location = format!("{base}{}", request.path);
                Err((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response())
            }
            What::Login { authorization } => {
                if request.headers.get(header::AUTHORIZATION) == Some(&authorization) {
                    return Ok(reply);
                }
                let mut refusal = Reply::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "log in first");
                refusal.headers.insert(header::WWW_AUTHENTICATE, value(r#"Basic realm="fake registry""#));
                Err(refusal.into_response())
            }
            What::Gate { authorization } => {
                if request.headers.get(header::AUTHORIZATION) == Some(&authorization) {
                    return Ok(reply);
                }
                let challenge = [(header::WWW_AUTHENTICATE, r#"Basic realm="a gate""#)];
                Err((StatusCode::UNAUTHORIZED, challenge, "<html>log in</html>").into_response())
            }
        }
    }
}

impl From<What> for Fault {
    fn from(what: What) -> Self {
        Self { what, method: None, digest: None, turns: None }
    }
}

fn slowly(body: Vec<u8>, each_byte: Duration) -> Body {
    Body::from_stream(stream::unfold(body.into_iter(), move |mut rest| async move {
        let byte = rest.next()?;
        tokio::time::sleep(each_byte).await;
        Some((Ok::<_, io::Error>(Bytes::from(vec![byte])), rest))
    }))
}

fn endless() -> Body {
    Body::from_stream(stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[b' '; 16 * 1024]))))
}

fn cut(body: &[u8]) -> Body {
    let half = Bytes::copy_from_slice(&body[..body.len() / 2]);
    Body::from_stream(stream::iter([Ok(half), Err(io::Error::other("cut"))]))
}
