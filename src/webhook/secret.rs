//! The secrets of hooks: read from files, compared in constant time, and never shown.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::file;

/// Longer than any secret that a service generates, or a person types.
const LONGEST: u64 = 4 * 1024;

/// The secret of a hook. It prints as `[REDACTED]`.
pub(super) struct Secret {
    bytes: SecretSlice<u8>,
    /// Of equal length for all, so that comparing tells nothing of the length.
    digest: [u8; 32],
}

/// Why a file cannot be the secret of a hook.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It is not there, or may not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It holds nothing, or only a newline.
    #[error("it is empty")]
    Empty,
    /// No secret is as long as that.
    #[error("it has more than {LONGEST} bytes")]
    TooLong,
}

/// Whether a file can be the secret of a hook.
///
/// # Errors
/// If it cannot be read, is empty or is too long.
pub fn check_secret_file(path: &Path) -> Result<(), SecretError> {
    Secret::read(path).map(drop)
}

impl Secret {
    /// Reads a secret; one trailing newline is an editor's and no part of it.
    pub(super) fn read(path: &Path) -> Result<Self, SecretError> {
        let mut bytes = Vec::new();
        file::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LONGEST {
            return Err(SecretError::TooLong);
        }
        let trimmed = bytes.strip_suffix(b"\r\n").or(bytes.strip_suffix(b"\n")).unwrap_or(&bytes).len();
        bytes.truncate(trimmed);
        match bytes.is_empty() {
            true => Err(SecretError::Empty),
            false => Ok(Self::new(bytes)),
        }
    }

    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let digest = Sha256::digest(&bytes).into();
        Self { bytes: bytes.into(), digest }
    }

    /// Whether it is this one.
    pub(super) fn is(&self, offered: &Offered<'_>) -> Choice {
        match offered {
            Offered::Itself(digest) => self.digest.ct_eq(digest),
            Offered::Signature { signature, body } => self.sign(body).ct_eq(signature),
        }
    }

    fn sign(&self, body: &[u8]) -> [u8; 32] {
        // A key of any length will do; there is no such error, whatever its type says.
        let keyed = Hmac::<Sha256>::new_from_slice(self.bytes.expose_secret());
        let signed = keyed.map(|keyed| keyed.chain_update(body).finalize().into_bytes().into());
        signed.unwrap_or(self.digest)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// What a caller offers as proof that it knows a secret. It is never printed.
pub(super) enum Offered<'a> {
    /// The digest of what it takes for the secret.
    Itself([u8; 32]),
    /// The body, signed with the secret (HMAC-SHA256).
    Signature {
        /// The signature.
        signature: [u8; 32],
        /// What was signed.
        body: &'a [u8],
    },
}

impl Offered<'_> {
    /// The secret itself.
    pub(super) fn secret(bytes: &[u8]) -> Self {
        Self::Itself(Sha256::digest(bytes).into())
    }
}
