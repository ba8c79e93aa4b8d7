//! How a registry is asked: with what opens it, and again with what it wants instead.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode, Url};
use tokio::time::Instant;

use super::super::auth::{Grant, Offer};
use super::super::error::{Advice, Trouble};
use super::super::keychain::Pass;
use super::super::transport::{Question, Reply, send};
use super::super::{Gate, Target, probe, v2};
use super::Host;

/// So often a request goes out: with nothing or with what has expired, with a new token, and once more where tokens turn
/// out to serve one repository alone. A registry that is not content then will not be.
const MOST_TURNS: usize = 3;

/// A question as it is asked for.
struct Ask<'a, G> {
    method: Method,
    url: &'a Url,
    target: Target<'a>,
    gate: &'a G,
}

/// What opens a registry.
#[derive(Debug)]
enum Key<'a> {
    None,
    Login(Pass<'a>),
    Token(Grant<'a>),
}

/// What a challenge answers to, and whose it is.
struct Asked {
    url: Url,
    peer: Option<SocketAddr>,
}

impl Host {
    /// Asks, and asks again with a login or a token if the registry wants one, or with another token where that may help:
    /// after a 401, a 400 to an old token, or a 403 or 404 to a shared one while nobody knows whether that works. What the
    /// registry answers in the end comes back as it is, unless it is a 401 of its own. The tokens are those of `target`, whatever of its repository `url` is.
    pub(in crate::registry) async fn ask(
        &self,
        method: Method,
        url: &Url,
        target: Target<'_>,
        gate: &impl Gate,
    ) -> Result<Reply, Trouble> {
        let question = Ask { method, url, target, gate };
        let mut key = self.known_key(&question).await?;
        for _ in 1..MOST_TURNS {
            let mut reply = self.send(&question, &key).await?;
            match self.after(&mut reply, key, &question).await? {
                Some(next) => key = next,
                None => return Ok(reply),
            }
        }
        let mut reply = self.send(&question, &key).await?;
        Box::pin(self.at_last(&mut reply, key, &question)).await?;
        Ok(reply)
    }

    async fn send(&self, ask: &Ask<'_, impl Gate>, key: &Key<'_>) -> Result<Reply, Trouble> {
        let question = Question {
            method: ask.method.clone(),
            url: ask.url,
            headers: &self.headers,
            login: key.header(),
            timeout: self.timeout,
            plain_http: &self.plain_http,
        };
        let reply = send(&self.client, question, ask.gate).await?;
        if reply.elsewhere.is_none() && probe::is_marked_v2(reply.headers()) {
            self.protocol().prove_v2(Instant::now());
        }
        Ok(reply)
    }

    /// What goes along unasked, because the registry asked for it before.
    async fn known_key(&self, ask: &Ask<'_, impl Gate>) -> Result<Key<'_>, Trouble> {
        match self.login.as_deref() {
            Some(login) if self.wants_basic.load(Ordering::Relaxed) => login.pass().await.map(Key::Login),
            Some(_) | None => {
                let grant = self.bearer.token(&ask.target, ask.gate).await?;
                Ok(grant.map_or(Key::None, Key::Token))
            }
        }
    }

    /// Learns from an answer what the registry thinks of what was sent. `Some` is what to ask again with.
    async fn after<'a>(
        &'a self,
        reply: &mut Reply,
        sent: Key<'a>,
        ask: &Ask<'_, impl Gate>,
    ) -> Result<Option<Key<'a>>, Trouble> {
        if self.let_in(reply, &sent, ask) {
            sent.accepted(self, reply, ask);
            return Ok(None);
        }
        let (asked, offer) = Box::pin(self.offer(reply, &sent, ask)).await?;
        match sent {
            Key::Login(pass) => Box::pin(self.turned_down(pass, reply, offer, &asked, ask)).await.map(Some),
            Key::None => Box::pin(self.challenged(reply, offer, &asked, ask)).await.map(Some),
            Key::Token(grant) => Box::pin(self.token_refused(grant, reply, offer, &asked, ask)).await,
        }
    }

    /// The same where nothing more is asked, whatever came back.
    async fn at_last(
        &self,
        reply: &mut Reply,
        sent: Key<'_>,
        ask: &Ask<'_, impl Gate>,
    ) -> Result<(), Trouble> {
        if self.let_in(reply, &sent, ask) {
            sent.accepted(self, reply, ask);
            return Ok(());
        }
        match sent {
            Key::Login(pass) => Err(pass.rejected()),
            Key::Token(grant) if reply.status() == StatusCode::UNAUTHORIZED => {
                let advice = self.bearer.refused(&grant, &ask.target);
                Err(Trouble::Denied { answer: reply.answer().await, advice })
            }
            Key::Token(_) | Key::None => Ok(()),
        }
    }

    /// Whether it is no refusal of what was sent. A host that we were redirected to was sent nothing, so its 401 says
    /// nothing about it.
    fn let_in(&self, reply: &Reply, sent: &Key<'_>, ask: &Ask<'_, impl Gate>) -> bool {
        let blamed = match sent {
            Key::Token(grant) => self.bearer.may_blame(grant, &ask.target, reply.status()),
            Key::Login(_) | Key::None => reply.status() == StatusCode::UNAUTHORIZED,
        };
        !blamed || reply.elsewhere.is_some()
    }

    /// What an answer offers, and to the question for which address. gcr.io has been seen to offer something at the root
    /// of its API only, so that is looked at where nothing is known yet. If the root is in trouble, that is what is told.
    async fn offer(
        &self,
        reply: &Reply,
        sent: &Key<'_>,
        ask: &Ask<'_, impl Gate>,
    ) -> Result<(Asked, Offer), Trouble> {
        let here = (Asked { url: ask.url.clone(), peer: reply.peer() }, Offer::of(reply.headers()));
        // What v1 is asked has no root of v2, and where the user says v1 nothing else is asked.
        let is_v1 = ask.url.path().starts_with("/v1/");
        if is_v1 || !here.1.is_empty() || !matches!(sent, Key::None) {
            return Ok(here);
        }
        let Ok(url) = self.v2_url() else { return Ok(here) };
        let root = Ask { method: Method::GET, url: &url, target: ask.target, gate: ask.gate };
        match self.send(&root, &Key::None).await {
            Ok(pong) if is_trouble(pong.status()) => Err(v2::refusal(pong).await),
            Ok(pong) if pong.elsewhere.is_none() => {
                let offer = Offer::of(pong.headers());
                Ok((Asked { url, peer: pong.peer() }, offer))
            }
            Err(trouble) if trouble.asks_for_quiet() => Err(trouble),
            // Why the root is no help is no help either.
            Ok(_) | Err(_) => Ok(here),
        }
    }

    /// The registry was sent the login and wants another one, or another way of logging in.
    async fn turned_down(
        &self,
        pass: Pass<'_>,
        reply: &mut Reply,
        offer: Offer,
        asked: &Asked,
        ask: &Ask<'_, impl Gate>,
    ) -> Result<Key<'_>, Trouble> {
        if offer.basic || (offer.bearer.is_none() && offer.other.is_none()) {
            return Err(pass.rejected());
        }
        self.wants_basic.store(false, Ordering::Relaxed);
        // It is out no more, and a token may need it.
        drop(pass);
        self.challenged(reply, offer, asked, ask).await
    }

    /// The registry wants something and was sent nothing of use: what to send, if it takes a kind that we have.
    async fn challenged(
        &self,
        reply: &mut Reply,
        offer: Offer,
        asked: &Asked,
        ask: &Ask<'_, impl Gate>,
    ) -> Result<Key<'_>, Trouble> {
        if let (true, Some(login)) = (offer.basic, self.login.as_deref()) {
            self.wants_basic.store(true, Ordering::Relaxed);
            self.bearer.forget();
            return login.pass().await.map(Key::Login);
        }
        if let Some(challenge) = &offer.bearer {
            self.bearer.learn(challenge, &asked.url, asked.peer)?;
            if let Some(grant) = self.bearer.meet(challenge, &ask.target, ask.gate).await? {
                return Ok(Key::Token(grant));
            }
        }
        let advice = match offer {
            Offer { basic: true, .. } => Advice::Login,
            Offer { other: Some(scheme), .. } => return Err(Trouble::LoginUnsupported { scheme }),
            Offer { basic: false, other: None, .. } => Advice::None,
        };
        Err(Trouble::Denied { answer: reply.answer().await, advice })
    }

    /// The registry does not take a token: another one, if that can be better, or another way of logging in.
    async fn token_refused<'a>(
        &'a self,
        mut grant: Grant<'a>,
        reply: &mut Reply,
        offer: Offer,
        asked: &Asked,
        ask: &Ask<'_, impl Gate>,
    ) -> Result<Option<Key<'a>>, Trouble> {
        if offer.bearer.is_none() && offer.basic && self.login.is_some() {
            return self.challenged(reply, offer, asked, ask).await.map(Some);
        }
        let challenge = offer.bearer.as_ref();
        let moved = match challenge {
            Some(challenge) => self.bearer.learn(challenge, &asked.url, asked.peer)?,
            None => false,
        };
        let next = self.bearer.renew(&mut grant, challenge, moved, &ask.target, ask.gate).await?;
        if next.is_none() && reply.status() == StatusCode::UNAUTHORIZED {
            let advice = self.bearer.refused(&grant, &ask.target);
            return Err(Trouble::Denied { answer: reply.answer().await, advice });
        }
        Ok(next.map(Key::Token))
    }
}

impl Key<'_> {
    fn header(&self) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::Login(pass) => Some(pass.header()),
            Self::Token(grant) => grant.header(),
        }
    }

    /// The answer says that it was taken, or at least not that it was not.
    fn accepted(self, host: &Host, reply: &Reply, ask: &Ask<'_, impl Gate>) {
        let status = reply.status();
        match self {
            Self::None => {}
            Self::Login(pass) if proves_login(status) => pass.accepted(),
            Self::Login(_) => {}
            Self::Token(grant) if status.is_success() || status == StatusCode::NOT_FOUND => {
                if reply.elsewhere.is_none() {
                    host.bearer.accepted(&grant, &ask.target, status.is_success());
                }
            }
            Self::Token(_) => {}
        }
    }
}

/// Whether an answer with this status means that the login was looked at and taken.
fn proves_login(status: StatusCode) -> bool {
    !is_trouble(status)
}

/// Whether it is the registry's own trouble, or ours with it, and says nothing of what was asked.
fn is_trouble(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
