//! Whom to ask.

use super::condition::Trouble;
use crate::image::Found;
use crate::registry::{self, Gate, Registries, Target};

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
        Self { kind: error.kind(), message: error.to_string() }
    }
}
