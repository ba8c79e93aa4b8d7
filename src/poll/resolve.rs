//! Whom to ask.

use super::condition::{Scope, Trouble};
use crate::image::Found;
use crate::registry::{self, Gate, Registries, Stage, Target, TokenTrouble, Transport};

/// Whoever knows what a tag points to: the registries, or a script in the tests.
pub trait Resolve {
    /// What the tag points to now. Every request asks `gate` first.
    ///
    /// # Errors
    /// What went wrong, for this tag alone.
    fn resolve(&self, target: Target<'_>, gate: &impl Gate) -> impl Future<Output = Result<Found, Trouble>>;

    /// Whether a host is known to be a v2 registry by now: a look in vain can prove that too (D10).
    fn is_v2(&self, host: &str) -> bool;
}

impl Resolve for Registries {
    async fn resolve(&self, target: Target<'_>, gate: &impl Gate) -> Result<Found, Trouble> {
        // The inherent function of the same name comes first in the search for methods.
        self.resolve(target, gate).await.map_err(|error| Trouble::from(&error))
    }

    fn is_v2(&self, host: &str) -> bool {
        self.is_v2(host)
    }
}

impl From<&registry::Error> for Trouble {
    fn from(error: &registry::Error) -> Self {
        let (scope, retry_after) = (scope(&error.trouble), error.retry_after());
        Self { kind: error.kind(), message: error.to_string(), scope, retry_after }
    }
}

/// Registries mix 401, 403 and 404 to hide what is private, so these say nothing about the host (D17).
fn scope(trouble: &registry::Trouble) -> Scope {
    use registry::Trouble as Of;
    match trouble {
        Of::Missing(_)
        | Of::Denied { .. }
        | Of::LoginUnsupported { .. }
        | Of::Refused(_)
        | Of::Address { .. }
        | Of::Setup(_)
        | Of::Redirect(_)
        | Of::Malformed(_)
        | Of::NoLongerV2(_)
        | Of::NoRegistry(_) => Scope::Tag,
        Of::Token { reason, .. } => token_scope(reason),
        Of::CredentialsRejected { .. } | Of::Password { .. } => Scope::Login,
        Of::TooManyRequests { .. } => Scope::Host,
        // One that says when to come back speaks for the whole host.
        Of::Server(answer) if answer.retry_after.is_some() => Scope::Host,
        Of::Server(_) => Scope::Server,
        Of::Transport(transport) => transport_scope(transport),
        Of::Index { trouble, .. } => scope(trouble),
    }
}

/// Without its token server a registry is as good as not there.
fn token_scope(trouble: &TokenTrouble) -> Scope {
    match trouble {
        TokenTrouble::Realm(_) | TokenTrouble::Denied { .. } | TokenTrouble::Malformed(_) => Scope::Tag,
        TokenTrouble::Transport(transport) => transport_scope(transport),
        TokenTrouble::Refused { retry_after: Some(_), .. } => Scope::Host,
        TokenTrouble::Refused { status, .. } if status.as_u16() == 429 => Scope::Host,
        TokenTrouble::Refused { status, .. } if status.is_server_error() => Scope::Server,
        TokenTrouble::Refused { .. } => Scope::Tag,
    }
}

fn transport_scope(transport: &Transport) -> Scope {
    match transport.stage {
        Stage::Dns | Stage::Connect | Stage::Tls => Scope::Host,
        Stage::Timeout | Stage::Exchange => Scope::Exchange,
    }
}
