//! A token server as a script has it, and a registry that takes its tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::http::{StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use serde_json::json;

use super::{Recorded, Reply, value};

/// What the registry is called by its token server.
const SERVICE: &str = "fake registry";

/// The tokens of one server. A clone is the same server.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Mutex<Script>>);

/// What a token is good for, of all that it is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Grants {
    All,
    /// So many, the first ones.
    AtMost(usize),
    /// These repositories, whatever is asked for.
    Only(&'static [&'static str]),
    /// These, and a request for any other is refused as a whole.
    AllOrNothing(&'static [&'static str]),
}

struct Script {
    grants: Grants,
    /// Whether they can be read.
    jwt: bool,
    /// What each scope adds to a token.
    padding: usize,
    life: u64,
    /// Who may have one, if not everybody.
    login: Option<String>,
    /// Where the repositories are by the registry's own account.
    prefix: &'static str,
    /// Whether the registry keeps silent about it all but at its root.
    quiet: bool,
    /// Whether the registry says that there is no such repository to who has a token for others.
    hides: bool,
    issued: BTreeMap<String, BTreeSet<String>>,
    count: usize,
}

impl Tokens {
    /// Opaque ones for everybody and everything, for five minutes.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Script {
            grants: Grants::All,
            jwt: false,
            padding: 0,
            life: 300,
            login: None,
            prefix: "",
            quiet: false,
            hides: false,
            issued: BTreeMap::new(),
            count: 0,
        })))
    }

    pub(crate) fn granting(grants: Grants) -> Self {
        Self::new().with(|script| script.grants = grants)
    }

    /// They are JWTs, and tell what they are good for.
    pub(crate) fn readable(self) -> Self {
        self.with(|script| script.jwt = true)
    }

    /// Each scope makes them so much longer.
    pub(crate) fn padded(self, bytes: usize) -> Self {
        self.with(|script| script.padding = bytes)
    }

    /// They are for this user only.
    pub(crate) fn for_login(self, user: &str, password: &str) -> Self {
        let authorization = http_auth::basic::encode_credentials(user, password);
        self.with(|script| script.login = Some(authorization))
    }

    /// The registry knows its repositories by another name.
    pub(crate) fn below(self, prefix: &'static str) -> Self {
        self.with(|script| script.prefix = prefix)
    }

    /// The registry tells of them at its root only.
    pub(crate) fn quiet(self) -> Self {
        self.with(|script| script.quiet = true)
    }

    /// To who has a token, the registry says of what it does not open that it is not there.
    pub(crate) fn hiding(self) -> Self {
        self.with(|script| script.hides = true)
    }

    /// None that was issued is good any more.
    pub(crate) fn revoke(&self) {
        self.lock().issued.clear();
    }

    fn with(self, change: impl FnOnce(&mut Script)) -> Self {
        change(&mut self.lock());
        self
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    /// What the token server says.
    pub(super) fn answer(&self, request: &Recorded) -> Reply {
        let mut script = self.lock();
        let sent = request.headers.get(header::AUTHORIZATION).map(|sent| sent.to_str().unwrap().to_owned());
        if script.login.is_some() && script.login != sent {
            return Reply::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "who are you");
        }
        let asked = asked_for(&request.query);
        let granted: BTreeSet<String> = match script.grants {
            Grants::All => asked.iter().cloned().collect(),
            Grants::AtMost(most) => asked.iter().take(most).cloned().collect(),
            Grants::Only(names) => asked.iter().filter(|name| names.contains(&&***name)).cloned().collect(),
            Grants::AllOrNothing(names) if asked.iter().all(|name| names.contains(&&**name)) => {
                asked.iter().cloned().collect()
            }
            Grants::AllOrNothing(_) => {
                return Reply::error(StatusCode::FORBIDDEN, "DENIED", "access forbidden");
            }
        };
        script.count += 1;
        let padding = "x".repeat(script.padding * asked.len());
        let token = format!("t0ken-{}-{padding}", script.count);
        let token = if script.jwt { jwt(&token, &granted) } else { token };
        script.issued.insert(token.clone(), granted);
        let body = json!({ "token": token, "expires_in": script.life }).to_string();
        Reply::new(StatusCode::OK, "application/json", body.as_bytes())
    }

    /// What the registry says to who has no token of these for `repository`.
    pub(super) fn refuse(&self, request: &Recorded, repository: Option<&str>, realm: &str) -> Option<Reply> {
        let script = self.lock();
        let sent = request.headers.get(header::AUTHORIZATION).and_then(|sent| sent.to_str().ok());
        let granted = sent.and_then(|sent| script.issued.get(sent.strip_prefix("Bearer ")?));
        let wanted = repository.map(|repository| format!("{}{repository}", script.prefix));
        if granted.is_some_and(|granted| wanted.as_ref().is_none_or(|wanted| granted.contains(wanted))) {
            return None;
        }
        if script.hides && granted.is_some() {
            return Some(Reply::error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known"));
        }
        let mut refusal = Reply::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
        if repository.is_none() || !script.quiet {
            let scope =
                wanted.map(|wanted| format!(",scope=\"repository:{wanted}:pull\"")).unwrap_or_default();
            let challenge = format!("Bearer realm=\"{realm}\",service=\"{SERVICE}\"{scope}");
            refusal.headers.insert(header::WWW_AUTHENTICATE, value(&challenge));
        }
        Some(refusal)
    }
}

/// The repositories in the scopes of a request, in order.
fn asked_for(query: &str) -> Vec<String> {
    let url = Url::parse(&format!("http://token/?{query}")).unwrap();
    let scopes = url.query_pairs().filter(|(name, _)| name == "scope");
    let name = |scope: &str| Some(scope.strip_prefix("repository:")?.strip_suffix(":pull")?.to_owned());
    scopes.filter_map(|(_, scope)| name(&scope)).collect()
}

fn jwt(id: &str, granted: &BTreeSet<String>) -> String {
    let access = |name: &String| json!({ "type": "repository", "name": name, "actions": ["pull"] });
    let claims = json!({ "jti": id, "access": granted.iter().map(access).collect::<Vec<_>>() });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmVk", part(&json!({ "alg": "none" })), part(&claims))
}
