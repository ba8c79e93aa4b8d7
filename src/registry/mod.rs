//! One question: what does this tag point to?
//!
//! ```text
//! Registries::resolve ─> probe (v2 or v1?) ─┬> v2 (HEAD or GET) ─> contents (by digest, what is in an index)
//!                                            └> v1   │               │
//!                                                 └──┴─> host <──────┘ ─> transport (redirects, bounds)
//!                           (what was learnt; keychain: user and password; auth: tokens)
//! ```
//! What is seldom gone, because a host wants a token, speaks v1 or has a new index, is boxed where it is awaited: the future
//! of a look is moved as a whole at each poll, and an unchanged tag does not pay for what it does not need.
//!
//! The way in knows nothing of intervals and budgets: who asks brings a [`Gate`], and every request waits at it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::image::{Digest, Found, TagRef};

mod address;
mod answer;
mod api;
mod auth;
mod clients;
mod contents;
mod error;
mod failure;
mod host;
mod index;
mod keychain;
mod manifest;
mod probe;
mod transport;
mod update;
mod v1;
mod v2;
mod verdict;

pub use address::address;
pub use answer::Answer;
pub use api::Api;
pub use auth::{RealmTrouble, TokenTrouble};
pub use clients::{SetupError, check_ca_file};
pub use error::{Advice, Error, Malformed, PasswordError, Redirect, Stage, Transport, Trouble};
pub use update::Update;

use clients::Clients;
use host::Host;
use transport::PlainHttp;
use update::Origin;

/// How long one exchange may take where nothing else is configured.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// What is configured for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `registry.example.com:5000`, as it stands in references.
    pub host: String,
    /// Plain http is allowed, and used.
    pub insecure: bool,
    /// A PEM file of certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The login, if there is one.
    pub credentials: Option<Credentials>,
    /// Hosts besides the registry's own that may be sent the login in exchange for a token, as `host` or `host:port`.
    /// They may have private addresses, too.
    pub trusted_realms: Vec<String>,
    /// How long one request may take, its redirects and its body included.
    pub timeout: Duration,
    /// Which protocol it speaks, as far as the user says so.
    pub api: Api,
    /// Whether it was found to be a v2 registry before, which holds for good (D10). The configuration does not know;
    /// whoever remembers sets it.
    pub known_v2: bool,
}

/// A login whose password stays in its file until it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The file that holds the password; a trailing newline is trimmed.
    pub password_file: PathBuf,
}

/// A tag to resolve, and what makes that cheap.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The tag that is asked for.
    pub tag: &'a TagRef,
    /// The tags of the same host that may share one token, this one among them. Of two targets the groups are the same
    /// or have nothing in common. Empty for a tag that is asked for alone.
    pub group: &'a [TagRef],
    /// When an index is looked into.
    pub depth: Depth,
    /// What the tag pointed to at the last look.
    pub known: Option<&'a Known>,
}

/// When the index that a tag points to is looked into, which costs a GET (D13). The greater one serves the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Depth {
    /// Never: any move of its digest counts.
    #[default]
    Digest,
    /// When it has moved.
    Moves,
    /// Whenever what is in it is not known.
    Contents,
}

/// What a tag pointed to at the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// Whether this is an index nobody looked into.
    pub unread: bool,
}

/// Who says when the next request to a host may leave. Every single request asks (invariant 5).
pub trait Gate {
    /// Returns when one more request may leave.
    fn permit(&self) -> impl Future<Output = ()>;
}

/// Every request may leave at once: for a person who asks by hand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Open;

impl Gate for Open {
    async fn permit(&self) {}
}

/// The registries, each with its connections, its login and what was learnt about it.
#[derive(Debug)]
pub struct Registries {
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    by_name: BTreeMap<Box<str>, Arc<Host>>,
    /// What each was made from.
    origins: BTreeMap<Box<str>, Origin>,
    clients: Clients,
    plain_http: PlainHttp,
}

// === impl Settings ===

impl Settings {
    /// What holds for a host that nothing is configured for.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            insecure: false,
            ca_file: None,
            credentials: None,
            trusted_realms: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            api: Api::Auto,
            known_v2: false,
        }
    }
}

// === impl Registries ===

impl Registries {
    /// Clients for all configured hosts; hosts without settings get the defaults.
    ///
    /// # Errors
    /// If a `ca_file` cannot be read or holds no certificate.
    pub fn new(settings: &[Settings]) -> Result<Self, SetupError> {
        let mut hosts = Hosts { plain_http: PlainHttp::of(settings), ..Hosts::default() };
        for settings in settings {
            hosts.add(settings)?;
        }
        Ok(Self { hosts: Mutex::new(hosts) })
    }

    /// What the tag points to now.
    ///
    /// # Errors
    /// What went wrong, for this tag alone.
    pub async fn resolve(&self, target: Target<'_>, gate: &impl Gate) -> Result<Found, Error> {
        let tag = target.tag;
        let explain = |trouble| Error { tag: tag.clone(), trouble };
        let host = self.host(tag.host()).map_err(|error| explain(error.into()))?;
        probe::resolve(&host, target, gate).await.map_err(explain)
    }

    /// Whether a host is known to be a v2 registry by now, which is to be remembered (D10).
    #[must_use]
    pub fn is_v2(&self, host: &str) -> bool {
        let host = self.lock().by_name.get(host).map(Arc::clone);
        host.is_some_and(|host| host.protocol().is_v2())
    }

    fn host(&self, name: &str) -> Result<Arc<Host>, SetupError> {
        let mut hosts = self.lock();
        match hosts.by_name.get(name) {
            Some(host) => Ok(Arc::clone(host)),
            None => hosts.add(&Settings::new(name)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hosts {
    fn add(&mut self, settings: &Settings) -> Result<Arc<Host>, SetupError> {
        self.add_from(Origin::of(settings))
    }

    fn add_from(&mut self, origin: Origin) -> Result<Arc<Host>, SetupError> {
        let settings = origin.settings();
        let ways = self.clients.ways(settings)?;
        let host = Arc::new(Host::new(settings, ways, self.plain_http.clone()));
        self.keep(Arc::clone(&host), origin);
        Ok(host)
    }
}

#[cfg(test)]
mod tests;
