//! Dockerfiles as they come, before and after, and what no Dockerfile may do.

mod environment;
mod errors;
mod fixtures;
mod hostile;
mod properties;

use super::{Changes, ImageSource};

const BASE: &str =
    "registry.example.com/base@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const SOURCES: &[ImageSource<'static>] = &[
    ImageSource { alias: "tools", reference: "registry.example.com/tools@sha256:aaaa" },
    ImageSource { alias: "quay.example.com/assets:1", reference: "quay.example.com/assets@sha256:bbbb" },
];

const CHANGES: Changes<'static> =
    Changes { base: Some(BASE), target: None, images: SOURCES, env: &[], built_env: &[] };
