//! What the name of a host tells without being looked up.

use std::net::{IpAddr, Ipv4Addr};

/// The address that is written in `10.0.0.1:5000`, `[::1]:5000` or `localhost`; `None` for every other name.
#[must_use]
pub fn address(host: &str) -> Option<IpAddr> {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    match name.eq_ignore_ascii_case("localhost") {
        true => Some(Ipv4Addr::LOCALHOST.into()),
        false => name.parse().ok(),
    }
}
