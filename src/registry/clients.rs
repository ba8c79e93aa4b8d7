//! One HTTP client per TLS identity, kept for ever, as each holds a connection pool and a parsed CA store; and one more
//! for token servers that a registry named and nobody vouches for, made when it is first needed.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, redirect, retry};

use super::Settings;
use super::address::address;
use super::auth::Outward;
use crate::file;
use crate::image::Digest;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Public servers and NATs close idle connections at 60 to 90 seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Idle ones are as many as were busy at once, which the budget of the host bounds; this is only a ceiling.
const MOST_IDLE_PER_HOST: usize = 32;
/// A bundle of every public CA has a quarter of a megabyte.
const LARGEST_CA_FILE: u64 = 8 * 1024 * 1024;

/// Why the registries could not be set up.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SetupError {
    /// A `ca_file` that cannot be read.
    #[error("read the ca_file {} of registry {host}", path.display())]
    CaFile {
        /// The registry.
        host: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Arc<io::Error>,
    },
    /// A `ca_file` that is not what it should be.
    #[error("the ca_file {} of registry {host} holds no usable PEM certificate", path.display())]
    NoCertificate {
        /// The registry.
        host: String,
        /// The file.
        path: PathBuf,
    },
    /// The TLS library refused to start.
    #[error("set up the HTTP client for registry {host}: {reason}")]
    Client {
        /// The registry.
        host: String,
        /// Why.
        reason: String,
    },
}

/// What makes two hosts need different clients.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    ca_file: Option<PathBuf>,
    route: Route,
}

/// Whether the proxy that the environment names is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Route {
    /// The environment decides.
    Environment,
    /// A proxy elsewhere cannot reach this machine's loopback.
    Direct,
}

/// The clients that were needed so far.
#[derive(Debug, Default)]
pub(super) struct Clients(BTreeMap<Identity, Ways>);

/// The clients of one TLS identity.
#[derive(Debug, Clone)]
pub(super) struct Ways {
    /// For registries.
    pub registry: Client,
    guarded: Arc<Guarded>,
}

/// The client that reaches no private address.
#[derive(Debug)]
struct Guarded {
    route: Route,
    certificates: Option<Vec<Certificate>>,
    /// The host that was the first to have this identity, for messages.
    host: Box<str>,
    client: OnceLock<Client>,
}

impl Clients {
    /// These, but of those with a CA file only the ones that `is_wanted`.
    pub(super) fn only(&self, is_wanted: impl Fn(&Path) -> bool) -> Self {
        let wanted = self.0.iter().filter(|(identity, _)| identity.ca_file.as_deref().is_none_or(&is_wanted));
        Self(wanted.map(|(identity, ways)| (identity.clone(), ways.clone())).collect())
    }

    /// The clients for a host, made if no host before had the same TLS identity.
    pub(super) fn ways(&mut self, settings: &Settings) -> Result<Ways, SetupError> {
        let identity = Identity::of(&settings.host, settings.ca_file.clone());
        if let Some(ways) = self.0.get(&identity) {
            return Ok(ways.clone());
        }
        let ways = build(&identity, &settings.host)?;
        self.0.insert(identity, ways.clone());
        Ok(ways)
    }
}

impl Ways {
    /// For token servers. Who is the registry itself, or vouched for by the user, is asked like the registry; with the
    /// others no connection is shared, and a private address is not found.
    pub(super) fn token_client(&self, may_be_inward: bool) -> Result<Client, SetupError> {
        let Guarded { route, certificates, host, client } = &*self.guarded;
        if may_be_inward {
            return Ok(self.registry.clone());
        }
        if let Some(client) = client.get() {
            return Ok(client.clone());
        }
        let base = || base(*route).dns_resolver(Outward::from_environment());
        let made = assemble(base, certificates.as_deref());
        let made = made.map_err(|error| unstartable(host, &error))?;
        Ok(client.get_or_init(|| made).clone())
    }
}

impl Identity {
    fn of(host: &str, ca_file: Option<PathBuf>) -> Self {
        let loopback = address(host).is_some_and(|address| address.is_loopback());
        Self { ca_file, route: if loopback { Route::Direct } else { Route::Environment } }
    }
}

/// Whether a client for this host can be made with this `ca_file`: what [`super::Registries::new`] would say.
///
/// # Errors
/// If it cannot be read or holds no certificate.
pub fn check_ca_file(host: &str, ca_file: &Path) -> Result<(), SetupError> {
    build(&Identity::of(host, Some(ca_file.to_owned())), host).map(drop)
}

fn build(identity: &Identity, host: &str) -> Result<Ways, SetupError> {
    let Identity { ca_file, route } = identity;
    let certificates = ca_file.as_deref().map(|path| read_certificates(path, host)).transpose()?;
    let made = assemble(|| base(*route), certificates.as_deref());
    let registry = made.map_err(|error| match ca_file {
        Some(path) => SetupError::NoCertificate { host: host.to_owned(), path: path.clone() },
        None => unstartable(host, &error),
    })?;
    let guarded = Guarded { route: *route, certificates, host: host.into(), client: OnceLock::new() };
    Ok(Ways { registry, guarded: Arc::new(guarded) })
}

/// On a machine without a CA store the builder gives up, although plain http needs none: then no CA is trusted, and
/// https fails where it is used, with an error that asks for a `ca_file`.
fn assemble(
    base: impl Fn() -> ClientBuilder,
    certificates: Option<&[Certificate]>,
) -> Result<Client, reqwest::Error> {
    match certificates {
        Some(certificates) => base().tls_certs_merge(certificates.iter().cloned()).build(),
        None => base().build().or_else(|_| base().tls_certs_only([]).build()),
    }
}

fn unstartable(host: &str, error: &reqwest::Error) -> SetupError {
    SetupError::Client { host: host.to_owned(), reason: format!("{error:?}") }
}

/// Nothing is followed or repeated in here, where no permit is asked for (invariant 5).
fn base(route: Route) -> ClientBuilder {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MOST_IDLE_PER_HOST)
        .tcp_keepalive(KEEPALIVE);
    match route {
        Route::Environment => builder,
        Route::Direct => builder.no_proxy(),
    }
}

/// What tells one content of a CA file from the next; none if it cannot be read.
pub(super) fn ca_digest(path: &Path) -> Option<Digest> {
    read_pem(path).ok().map(|pem| Digest::sha256_of(&pem))
}

fn read_pem(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    file::open(path)?.take(LARGEST_CA_FILE).read_to_end(&mut pem)?;
    Ok(pem)
}

fn read_certificates(path: &Path, host: &str) -> Result<Vec<Certificate>, SetupError> {
    let unreadable = |error| {
        let source = Arc::new(error);
        SetupError::CaFile { host: host.to_owned(), path: path.to_owned(), source }
    };
    let pem = read_pem(path).map_err(unreadable)?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(SetupError::NoCertificate { host: host.to_owned(), path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
