//! One question: what does this tag point to?
//!
//! ```text
//! Registries::resolve ─> v2 (HEAD or GET) ─> host (its login, what was learnt) ─> transport (redirects, bounds)
//! ```
//! The way in knows nothing of intervals and budgets: who asks brings a [`Gate`], and every request waits at it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::image::{Polled, TagRef};

mod address;
mod answer;
mod challenge;
mod clients;
mod error;
mod failure;
mod file;
mod host;
mod keychain;
mod manifest;
mod transport;
mod v2;
mod verdict;

pub use address::address;
pub use answer::Answer;
pub use clients::{SetupError, check_ca_file};
pub use error::{Advice, Error, Malformed, PasswordError, Redirect, Stage, Transport, Trouble};

use clients::Clients;
use host::Host;
use transport::PlainHttp;

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
    /// How long one request may take, its redirects and its body included.
    pub timeout: Duration,
}

/// A login whose password stays in its file until it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The file that holds the password; a trailing newline is trimmed.
    pub password_file: PathBuf,
}

/// A tag to resolve, and the tags of the same host that are due soon after it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The tag that is asked for.
    pub tag: &'a TagRef,
    /// Tags that will be asked for next: one token can serve them all.
    pub neighbours: &'a [TagRef],
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
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    hosts: BTreeMap<Box<str>, Arc<Host>>,
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
            timeout: DEFAULT_TIMEOUT,
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
        let mut known = Known { plain_http: PlainHttp::of(settings), ..Known::default() };
        for settings in settings {
            known.add(settings)?;
        }
        Ok(Self { known: Mutex::new(known) })
    }

    /// What the tag points to now.
    ///
    /// # Errors
    /// What went wrong, for this tag alone.
    pub async fn resolve(&self, target: Target<'_>, gate: &impl Gate) -> Result<Polled, Error> {
        let tag = target.tag;
        let explain = |trouble| Error { tag: tag.clone(), trouble };
        let host = self.host(tag.host()).map_err(|error| explain(error.into()))?;
        v2::resolve(&host, tag, gate).await.map_err(explain)
    }

    fn host(&self, name: &str) -> Result<Arc<Host>, SetupError> {
        let mut known = self.lock();
        match known.hosts.get(name) {
            Some(host) => Ok(Arc::clone(host)),
            None => known.add(&Settings::new(name)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, settings: &Settings) -> Result<Arc<Host>, SetupError> {
        let client = self.clients.client(settings)?;
        let host = Arc::new(Host::new(settings, client, self.plain_http.clone()));
        self.hosts.insert(settings.host.as_str().into(), Arc::clone(&host));
        Ok(host)
    }
}
