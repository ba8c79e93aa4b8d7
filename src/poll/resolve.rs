//! Whom to ask.

use super::condition::{Scope, Trouble};
use crate::image::Found;
use crate::registry::{self, Gate, Registries, Stage, Target};

/// Whoever knows what a tag points to: the registries, or a script in the tests.
pub trait Resolve {
    /// What the tag points to now. Every request asks `gate` first.
    ///
    /// # Errors
    /// What went wrong, for this tag alone.
    fn resolve(&self, target: Target<'_>, gate: &impl Gate) -> impl Future<Output = Result<Found, Trouble>>;
}

impl Resolve for Registries {
    async fn resolve(&self, target: Target<'_>, gate: &impl Gate) -> Result<Found, Trouble> {
        // The inherent function of the same name comes first in the search for methods.
        self.resolve(target, gate).await.map_err(|error| Trouble::from(&error))
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
        | Of::Malformed(_) => Scope::Tag,
        Of::CredentialsRejected { .. } | Of::Password { .. } => Scope::Login,
        Of::TooManyRequests { .. } => Scope::Host,
        // One that says when to come back speaks for the whole host.
        Of::Server(answer) if answer.retry_after.is_some() => Scope::Host,
        Of::Server(_) => Scope::Server,
        Of::Transport(transport) => match transport.stage {
            Stage::Dns | Stage::Connect | Stage::Tls => Scope::Host,
            Stage::Timeout | Stage::Exchange => Scope::Exchange,
        },
    }
}
