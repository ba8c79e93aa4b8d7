//! What the tests stand on: registries that are real or scripted, and the images in them.

mod certificates;
pub(crate) mod fake_registry;
mod oci_layout;
mod process;
mod real_registry;

pub(crate) use real_registry::RealRegistry;
