//! The tokens of one host: which one a request is sent with, and what its answer tells about tokens to come.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{StatusCode, Url};
use tokio::time::Instant;

use super::super::answer::presentable;
use super::super::clients::Ways;
use super::super::error::{Advice, Trouble};
use super::super::keychain::Login;
use super::super::transport::PlainHttp;
use super::super::{Gate, Target};
use super::cache::{Cache, Flights};
use super::challenge::Challenge;
use super::fetch::{Fetcher, Issuer};
use super::realm::Rules;
use super::scope::scope;
use super::sharing::Sharing;
use super::token::Token;
use super::trouble::TokenTrouble;

mod obtain;

use obtain::Wish;

/// What a host's tokens need to know of it.
#[derive(Debug)]
pub(in crate::registry) struct Setup {
    /// Its name in references.
    pub(in crate::registry) host: Box<str>,
    /// Where its API is.
    pub(in crate::registry) home: Option<Url>,
    /// As in [`super::super::Settings`].
    pub(in crate::registry) trusted_realms: Vec<String>,
    /// Where plain http is allowed.
    pub(in crate::registry) plain_http: PlainHttp,
    /// How token servers are reached.
    pub(in crate::registry) ways: Ways,
    /// How long one request may take.
    pub(in crate::registry) timeout: Duration,
    /// The login, if there is one.
    pub(in crate::registry) login: Option<Arc<Login>>,
}

/// One host's tokens.
#[derive(Debug)]
pub(in crate::registry) struct Bearer {
    host: Box<str>,
    rules: Rules,
    fetcher: Fetcher,
    /// Who issues tokens, once the registry has told. They are asked for unasked from then on.
    issuer: Mutex<Option<Arc<Issuer>>>,
    sharing: Mutex<Sharing>,
    cache: Mutex<Cache>,
    flights: Flights,
    /// Held by who tries whether a shared token serves a repository that was not the first it was asked for.
    trial: tokio::sync::Mutex<()>,
    told_withheld: AtomicBool,
}

/// Leave to send a token once. Tell how that went.
#[derive(Debug)]
pub(in crate::registry) struct Grant<'a> {
    token: Arc<Token>,
    /// It came for this very request, and for its repository first: a better one cannot be had.
    best: bool,
    /// It took the place of a shared one that was refused while nobody knew whether tokens can be shared.
    instead_of_shared: bool,
    /// Others wait for what becomes of it.
    trial: Option<Trial<'a>>,
}

type Trial<'a> = tokio::sync::MutexGuard<'a, ()>;

// === impl Grant ===

impl Grant<'_> {
    /// The `Authorization` header.
    pub(in crate::registry) fn header(&self) -> Option<HeaderValue> {
        self.token.header()
    }
}

// === impl Bearer ===

impl Bearer {
    pub(in crate::registry) fn new(setup: Setup) -> Self {
        let Setup { host, home, trusted_realms, plain_http, ways, timeout, login } = setup;
        Self {
            host,
            rules: Rules { home, trusted: trusted_realms, plain_http },
            fetcher: Fetcher { ways, timeout, login },
            issuer: Mutex::default(),
            sharing: Mutex::default(),
            cache: Mutex::default(),
            flights: Flights::default(),
            trial: tokio::sync::Mutex::default(),
            told_withheld: AtomicBool::new(false),
        }
    }

    /// Takes in where tokens come from, out of the answer of `peer` to `asked`. Tells whether that is somewhere else than
    /// it was, or for another service.
    ///
    /// # Errors
    /// If we do not go there.
    pub(in crate::registry) fn learn(
        &self,
        challenge: &Challenge,
        asked: &Url,
        peer: Option<SocketAddr>,
    ) -> Result<bool, Trouble> {
        let realm = self.rules.vet(&challenge.realm, asked, peer).map_err(|reason| {
            let url = asked.join(&challenge.realm).ok();
            let server = url.as_ref().and_then(Url::host_str).map_or("its token server".into(), presentable);
            Trouble::Token { server: server.into(), reason: TokenTrouble::Realm(reason) }
        })?;
        let issuer = Issuer { realm, service: challenge.service.clone() };
        if self.fetcher.login.is_some() && !issuer.realm.takes_login {
            self.tell_withheld(&issuer);
        }
        let mut known = lock(&self.issuer);
        let moved = known.as_ref().is_some_and(|known| **known != issuer);
        *known = Some(Arc::new(issuer));
        Ok(moved)
    }

    /// Asks for no token any more until the registry wants one.
    pub(in crate::registry) fn forget(&self) {
        *lock(&self.issuer) = None;
    }

    /// The token to send, if the registry is known to want one: one that is there, or a new one.
    pub(in crate::registry) async fn token(
        &self,
        target: &Target<'_>,
        gate: &impl Gate,
    ) -> Result<Option<Grant<'_>>, Trouble> {
        let repository = target.tag.repository();
        if let Some(token) = self.kept(repository)
            && let Some(grant) = self.admit(token, repository).await
        {
            return Ok(Some(Grant { best: false, ..grant }));
        }
        let Some(issuer) = self.issuer() else { return Ok(None) };
        let wish = Wish { besides: lock(&self.cache).besides(repository), ..Wish::default() };
        let obtained = Box::pin(self.obtain(&issuer, target, wish, gate)).await;
        // The registry may have moved its token server: the next request lets itself be told anew.
        if let Err(Trouble::Token { reason, .. }) = &obtained
            && reason.may_be_the_place()
        {
            self.forget();
        }
        // It was renewed early for just this: until its end the old one does as well, unless we are told that we may not.
        if let Err(Trouble::Token { reason, .. }) = &obtained
            && !matches!(reason, TokenTrouble::Denied { .. })
            && let Some(grant) = self.last(repository).await
        {
            return Ok(Some(grant));
        }
        obtained.map(Some)
    }

    /// The token that a challenge asks for, which [`Self::learn`] was told of.
    pub(in crate::registry) async fn meet(
        &self,
        challenge: &Challenge,
        target: &Target<'_>,
        gate: &impl Gate,
    ) -> Result<Option<Grant<'_>>, Trouble> {
        let besides = besides(Some(challenge), target);
        if besides.is_empty() {
            return self.token(target, gate).await;
        }
        let Some(issuer) = self.issuer() else { return Ok(None) };
        let wish = Wish { besides, ..Wish::default() };
        Box::pin(self.obtain(&issuer, target, wish, gate)).await.map(Some)
    }

    /// Whether a refusal with this status may be the token's fault. ECR Public says 400 to one that has expired; as long
    /// as nobody knows whether tokens can be shared, a 403 can mean rights that a shared one should have, and so can a 404
    /// where what may not be seen is not there.
    pub(in crate::registry) fn may_blame(
        &self,
        grant: &Grant<'_>,
        target: &Target<'_>,
        status: StatusCode,
    ) -> bool {
        let token = &grant.token;
        match status.as_u16() {
            401 => true,
            400 => !grant.best,
            403 | 404 => {
                let for_others = token.is_shared() && !token.is_first(target.tag.repository());
                for_others && lock(&self.sharing).is_untried()
            }
            _ => false,
        }
    }

    /// Another token in the place of one that was refused; `None` if it would be no better. Where the challenge `moved`
    /// the issuer, as [`Self::learn`] tells, the refusal says nothing about sharing: the token was a stranger's.
    pub(in crate::registry) async fn renew<'a>(
        &'a self,
        refused: &mut Grant<'a>,
        challenge: Option<&Challenge>,
        moved: bool,
        target: &Target<'_>,
        gate: &impl Gate,
    ) -> Result<Option<Grant<'a>>, Trouble> {
        let (token, repository) = (&refused.token, target.tag.repository());
        lock(&self.cache).evict(repository, token);
        let pioneer = !moved && token.is_shared() && lock(&self.sharing).is_untried();
        let besides = besides(challenge, target);
        let news = moved || besides.iter().any(|scope| !token.besides.contains(scope));
        let Some(issuer) = self.issuer() else { return Ok(None) };
        if refused.best && !pioneer && !news {
            return Ok(None);
        }
        // Someone else met the same refusal and was faster.
        if let Some(token) = self.kept(repository).filter(|_| !pioneer && !news)
            && let Some(grant) = self.admit(token, repository).await
        {
            return Ok(Some(Grant { best: false, ..grant }));
        }
        let strikes = match !moved && token.is_shared() && !token.is_first(repository) {
            true => token.strikes.saturating_add(1),
            false => 0,
        };
        let wish = Wish { alone: pioneer, besides, strikes };
        let grant = Box::pin(self.obtain(&issuer, target, wish, gate)).await?;
        let trial = refused.trial.take();
        Ok(Some(Grant { instead_of_shared: pioneer, trial: trial.or(grant.trial), ..grant }))
    }

    /// The registry let this request in, or has nothing there: `found` tells which. What that tells about tokens is
    /// remembered; that nothing is there tells nothing about what a token opens.
    pub(in crate::registry) fn accepted(&self, grant: &Grant<'_>, target: &Target<'_>, found: bool) {
        let token = &grant.token;
        let mut sharing = lock(&self.sharing);
        if tells_of_sharing(grant, target, &sharing) {
            if found { sharing.refuted() } else { sharing.told_nothing() }
        } else if found && token.is_shared() && !token.is_first(target.tag.repository()) {
            sharing.proved();
        }
        if grant.best {
            sharing.struck(token.strikes);
        }
    }

    /// The registry refuses this request with any token: what to say of it.
    pub(in crate::registry) fn refused(&self, grant: &Grant<'_>, target: &Target<'_>) -> Advice {
        lock(&self.cache).evict(target.tag.repository(), &grant.token);
        let mut sharing = lock(&self.sharing);
        if tells_of_sharing(grant, target, &sharing) {
            sharing.told_nothing();
        }
        drop(sharing);
        let advice = |issuer: Arc<Issuer>| self.fetcher.advice(&issuer, Advice::Anonymous);
        self.issuer().map_or(Advice::None, advice)
    }

    /// Leave to send a token for a repository; `None` if it is shared and leaves that one out, or sharing turned out not
    /// to work. As long as nobody knows that, one request tries, and the others wait for what becomes of it.
    async fn admit(&self, token: Arc<Token>, repository: &str) -> Option<Grant<'_>> {
        if !token.is_for(repository) {
            return None;
        }
        let best = token.is_first(repository);
        let mut trial = None;
        if token.is_shared() && !best && lock(&self.sharing).is_untried() {
            trial = Some(self.trial.lock().await).filter(|_| lock(&self.sharing).is_untried());
        }
        let useless = token.is_shared() && !best && lock(&self.sharing).is_alone();
        (!useless).then_some(Grant { token, best, instead_of_shared: false, trial })
    }

    /// The token that is there for a repository. A shared one is of no use where sharing turned out not to work.
    fn kept(&self, repository: &str) -> Option<Arc<Token>> {
        let token = lock(&self.cache).usable(repository, Instant::now())?;
        let useless = token.is_shared() && !token.is_first(repository) && lock(&self.sharing).is_alone();
        (!useless).then_some(token)
    }

    /// The token that is there until its end, where no other can be had.
    async fn last(&self, repository: &str) -> Option<Grant<'_>> {
        let token = lock(&self.cache).alive(repository, Instant::now())?;
        let grant = self.admit(token, repository).await?;
        Some(Grant { best: false, ..grant })
    }

    fn issuer(&self) -> Option<Arc<Issuer>> {
        lock(&self.issuer).clone()
    }

    fn tell_withheld(&self, issuer: &Issuer) {
        if !self.told_withheld.swap(true, Ordering::Relaxed) {
            let (registry, realm) = (&*self.host, &*issuer.name());
            tracing::warn!(
                event = "login_withheld",
                registry,
                realm,
                "asked for a token without the login: add the realm to trusted_realms if it may have the password"
            );
        }
    }
}

/// Whether the token is for this repository alone because a shared one did not serve it, as far as anybody knows.
fn tells_of_sharing(grant: &Grant<'_>, target: &Target<'_>, sharing: &Sharing) -> bool {
    let was_left_out = !grant.token.is_shared() && sharing.is_left_out(target.tag.repository());
    grant.instead_of_shared || was_left_out
}

/// What the registry wants a token to allow besides what it was asked for anyway.
fn besides(challenge: Option<&Challenge>, target: &Target<'_>) -> Vec<Box<str>> {
    let own = scope(target.tag.repository());
    let scopes = challenge.map(|challenge| challenge.scopes.as_slice()).unwrap_or_default();
    scopes.iter().filter(|scope| ***scope != *own).cloned().collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
