//! One request for a token: what is sent, and what its answer means for the login.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, USER_AGENT};
use reqwest::{Method, Request, StatusCode, Url};
use tokio::time::Instant;

use super::super::Gate;
use super::super::answer::{Answer, presentable};
use super::super::clients::Ways;
use super::super::error::{Advice, Trouble};
use super::super::failure::transport;
use super::super::host::agent;
use super::super::keychain::{Login, Pass};
use super::super::transport::Reply;
use super::realm::Realm;
use super::scope::scope;
use super::token::{Purpose, Token};
use super::trouble::TokenTrouble;

/// The longest answer that is read. A token with all its rights has a few kilobytes.
const LARGEST: usize = 64 * 1024;
/// What a token may take, whatever the registry itself may.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const CLIENT_ID: &str = "basewatch";

/// A token server, as a registry told of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Issuer {
    pub(super) realm: Realm,
    pub(super) service: Option<Box<str>>,
}

/// How tokens are asked for.
#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) ways: Ways,
    pub(super) timeout: Duration,
    pub(super) login: Option<Arc<Login>>,
}

impl Issuer {
    /// Its host, for messages.
    pub(super) fn name(&self) -> Box<str> {
        presentable(self.realm.url.host_str().unwrap_or_default()).into()
    }

    /// Everything in it is escaped: a scope that a registry made up adds no parameter of its own.
    fn request_url(&self, purpose: &Purpose, account: Option<&str>) -> Url {
        let mut url = self.realm.url.clone();
        let mut query = url.query_pairs_mut();
        query.extend_pairs(self.service.as_deref().map(|service| ("service", service)));
        // The repository that needs the token goes first: some servers read no further.
        query.extend_pairs(purpose.repositories.iter().map(|repository| ("scope", scope(repository))));
        query.extend_pairs(purpose.besides.iter().map(|scope| ("scope", scope)));
        query.extend_pairs(account.map(|account| ("account", account)));
        query.append_pair("client_id", CLIENT_ID);
        drop(query);
        url
    }
}

impl Fetcher {
    /// The login, if this issuer may have it.
    pub(super) fn login_for(&self, issuer: &Issuer) -> Option<&Login> {
        self.login.as_deref().filter(|_| issuer.realm.takes_login)
    }

    /// What to say of a refusal by this issuer, or of a token of its that did not help.
    pub(super) fn advice(&self, issuer: &Issuer, without_login: Advice) -> Advice {
        match (&self.login, issuer.realm.takes_login) {
            (None, _) => without_login,
            (Some(_), true) => Advice::Rights,
            (Some(_), false) => Advice::Withheld { realm: issuer.name() },
        }
    }

    /// Asks once, and follows no redirect.
    pub(super) async fn fetch(
        &self,
        issuer: &Issuer,
        purpose: Purpose,
        gate: &impl Gate,
    ) -> Result<Token, Trouble> {
        let pass = match self.login_for(issuer) {
            Some(login) => Some(login.pass().await?),
            None => None,
        };
        let client = self.ways.token_client(issuer.realm.may_be_inward)?;
        let told = |reason| Trouble::Token { server: issuer.name(), reason };
        let request = self.request(issuer, &purpose, pass.as_ref());
        gate.permit().await;
        let asked = Instant::now();
        let response = client.execute(request).await;
        let mut reply =
            response.map(Reply::from).map_err(|error| told(TokenTrouble::Transport(transport(&error))))?;
        if !reply.status().is_success() {
            return Err(self.refusal(issuer, &mut reply, pass, purpose.repositories.len() > 1).await);
        }
        if let Some(pass) = pass {
            pass.accepted();
        }
        let body = match reply.body(LARGEST).await {
            Ok(body) => body,
            Err(Trouble::Transport(transport)) => return Err(told(TokenTrouble::Transport(transport))),
            Err(_) => {
                let text = format!("is longer than the {LARGEST} bytes that a token may have");
                return Err(told(TokenTrouble::Malformed(text)));
            }
        };
        Token::read(&body, purpose, asked, Timestamp::now())
            .map_err(|what| told(TokenTrouble::Malformed(what.to_owned())))
    }

    fn request(&self, issuer: &Issuer, purpose: &Purpose, pass: Option<&Pass<'_>>) -> Request {
        let account = pass.map(Pass::username);
        let mut request = Request::new(Method::GET, issuer.request_url(purpose, account));
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, agent());
        if let Some(pass) = pass {
            headers.insert(AUTHORIZATION, pass.header());
        }
        *request.timeout_mut() = Some(self.timeout.min(LONGEST_WAIT));
        request
    }

    /// What a status means that is no token. A 403 says that the login may not see the repository, and so may a 401 to a
    /// request for several: neither says anything about the login.
    async fn refusal(
        &self,
        issuer: &Issuer,
        reply: &mut Reply,
        pass: Option<Pass<'_>>,
        shared: bool,
    ) -> Trouble {
        let Answer { status, remark, retry_after, elsewhere: _ } = reply.answer().await;
        let reason = match (status, pass) {
            (StatusCode::UNAUTHORIZED, Some(pass)) if !shared => return pass.rejected(),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                let advice = self.advice(issuer, Advice::Login);
                TokenTrouble::Denied { status, remark, advice }
            }
            (status, _) => TokenTrouble::Refused { status, remark, retry_after },
        };
        Trouble::Token { server: issuer.name(), reason }
    }
}
