//! What went wrong with a registry, and what to do about it.

/// Why a tag could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// To be replaced.
    #[error("stub")]
    Stub,
}
