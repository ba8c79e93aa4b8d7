//! The words everything else is written in: a tag somewhere, the digest it points to, and what counts as "the same image".
//!
//! Pure: no I/O, no clock. Only `reference` names the OCI crate, whose grammar and Docker Hub defaults it uses.

mod digest;
mod identity;
mod image_id;
mod plain;
mod platform;
mod platforms;
mod reference;

pub use digest::{Digest, DigestError};
pub use identity::{Children, Descriptor, Earlier, Found, Identity, Image, MOST_CHILDREN, Polled, kept_of};
pub use image_id::{ImageId, ImageIdError};
pub use platform::{Platform, PlatformError};
pub use platforms::{Legacy, Platforms};
pub use reference::{ReferenceError, TagRef};

#[cfg(test)]
mod tests;
