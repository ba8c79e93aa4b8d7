//! What the name of a host tells.

use std::net::{IpAddr, Ipv6Addr};

use crate::image::TagRef;

/// The host as it stands in normal references; `None` if no reference can name it.
pub(super) fn normal(host: &str) -> Option<String> {
    let tag: TagRef = format!("{host}/a/b:c").parse().ok()?;
    // What is no host would be taken for a part of the repository.
    (tag.repository() == "a/b").then(|| tag.host().to_owned())
}

/// Whether it is this machine or a private address, written as such. No name is looked up.
pub(super) fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    match name.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address == Ipv6Addr::LOCALHOST || address.is_unique_local(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests;
