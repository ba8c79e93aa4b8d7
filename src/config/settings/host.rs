//! What the name of a host tells.

use std::net::IpAddr;

use crate::image::TagRef;
use crate::registry::address;

/// The host as it stands in normal references; `None` if no reference can name it.
pub(super) fn normal(host: &str) -> Option<String> {
    let tag: TagRef = format!("{host}/a/b:c").parse().ok()?;
    // What is no host would be taken for a part of the repository.
    (tag.repository() == "a/b").then(|| tag.host().to_owned())
}

/// The host and path that references may begin with; `None` if none can.
pub(super) fn prefix(text: &str) -> Option<String> {
    let tag: TagRef = format!("{text}/a/b:c").parse().ok()?;
    let prefix = tag.name().strip_suffix("/a/b")?;
    let is_whole = normal(tag.host()).is_some() && prefix.len() == text.len();
    is_whole.then(|| prefix.to_owned())
}

/// Whether it is this machine or a private address, written as such. No name is looked up.
pub(super) fn is_local(host: &str) -> bool {
    match address(host) {
        Some(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Some(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
