//! Which addresses a registry may send us to. It names its token server itself, so a hostile one could have us ask
//! what only this machine or its network reaches (registries.md, 2.3).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The variables that name proxies, in both spellings.
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Whether an address is of this machine, of a network that not all the world is in, or a cloud's metadata service.
pub(super) fn is_inward(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_inward_v4(address),
        IpAddr::V6(address) => is_inward_v6(address),
    }
}

fn is_inward_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    // RFC 6598: shared by the customers of a provider, and where Alibaba's metadata service is.
    let shared = first == 100 && (64..128).contains(&second);
    // RFC 6890: 0/8 is "this network", 192.0.0/24 is for protocols, and Oracle's metadata service.
    let special = first == 0 || (first, second, third) == (192, 0, 0);
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || shared
        || special
}

fn is_inward_v6(address: Ipv6Addr) -> bool {
    if let Some(embedded) = embedded(address) {
        return is_inward_v4(embedded);
    }
    // RFC 3879: site-local addresses are no longer given out, and still not public.
    let site_local = address.segments()[0] & 0xffc0 == 0xfec0;
    address.is_loopback()
        || address.is_unspecified()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.is_multicast()
        || site_local
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible (`::a.b.c.d`) or behind NAT64 (RFC 6052).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    if address.is_loopback() || address.is_unspecified() {
        return None;
    }
    let [a, b, c, d, e, f, high, low] = address.segments();
    let nat64 = [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0];
    let bits = u32::from(high) << 16 | u32::from(low);
    if nat64 { Some(Ipv4Addr::from_bits(bits)) } else { address.to_ipv4() }
}

/// Looks names up, and finds no inward address. The names of the user's proxies are the user's, and looked up as ever.
#[derive(Debug, Clone)]
pub(in crate::registry) struct Outward {
    proxies: Arc<[Box<str>]>,
}

impl Outward {
    /// The proxies are those of the environment, which is where reqwest has them from.
    pub(in crate::registry) fn from_environment() -> Self {
        let spellings = PROXIES.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_lowercase()]);
        let values = spellings.filter_map(|name| std::env::var(name).ok());
        Self { proxies: values.filter_map(|value| proxy_host(&value)).collect() }
    }
}

impl Resolve for Outward {
    fn resolve(&self, name: Name) -> Resolving {
        let of_the_user = self.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            if of_the_user {
                return Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs);
            }
            Ok(Box::new(outward(found)?.into_iter()) as Addrs)
        })
    }
}

/// What is left of the addresses of a name.
fn outward(found: impl Iterator<Item = SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    let (inward, outward): (Vec<_>, Vec<_>) = found.partition(|address| is_inward(address.ip()));
    match (outward.as_slice(), inward.first()) {
        ([], Some(address)) => Err(io::Error::other(format!(
            "it is the private address {}, which a registry elsewhere may not send us to: add its host to \
             trusted_realms of this registry if that is right",
            address.ip()
        ))),
        ([], None) => Err(io::Error::other("it has no address")),
        (_, _) => Ok(outward),
    }
}

/// `http://user:password@proxy.example.com:3128` and `proxy.example.com:3128` are both understood.
fn proxy_host(text: &str) -> Option<Box<str>> {
    let url = Url::parse(text).ok().filter(Url::has_host);
    let url = url.or_else(|| Url::parse(&format!("http://{text}")).ok())?;
    url.host_str().map(Into::into)
}

#[cfg(test)]
mod tests;
