//! One question: what does this tag point to?

use std::path::PathBuf;
use std::time::Duration;

use crate::image::{Polled, TagRef};

mod error;

pub use error::Error;

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
    /// How long one request may take, its body included.
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
pub struct Registries {}

impl Registries {
    /// Clients for all configured hosts; hosts without settings get the defaults.
    ///
    /// # Errors
    /// If a `ca_file` cannot be read or holds no certificate.
    pub fn new(_settings: &[Settings]) -> Result<Self, Error> {
        Ok(Self {})
    }

    /// What the tag points to now.
    ///
    /// # Errors
    /// What went wrong, for this tag alone.
    pub async fn resolve(&self, _target: Target<'_>, gate: &impl Gate) -> Result<Polled, Error> {
        gate.permit().await;
        Err(Error::Stub)
    }
}
