//! Where a token may be asked for, and whether the login may go there. Pure.
//!
//! A realm is whatever the registry says, so it is vetted as registries.md, 2.3, has it: against a login that is sent to
//! a stranger, and against requests into a network that the registry is not in.

use std::net::SocketAddr;

use reqwest::Url;

use super::super::address::address;
use super::super::transport::PlainHttp;
use super::reach::is_inward;
use super::trouble::RealmTrouble;

/// Docker Hub's tokens come from another host than its images, and have since there were any.
const BUILT_IN: [(&str, &str); 1] = [("registry-1.docker.io", "auth.docker.io")];

/// Whom a registry may send us to.
#[derive(Debug)]
pub(super) struct Rules {
    /// The registry's own address.
    pub(super) home: Option<Url>,
    /// Other hosts that may have the login, as `host` or `host:port`; the user said so.
    pub(super) trusted: Vec<String>,
    /// Where plain http is allowed.
    pub(super) plain_http: PlainHttp,
}

/// A place that issues tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Realm {
    pub(super) url: Url,
    /// Whether the login may go there.
    pub(super) takes_login: bool,
    /// Whether it may have a private address.
    pub(super) may_be_inward: bool,
}

impl Rules {
    /// Looks at what the answer to `asked` names as its realm. `peer` is who gave that answer, if that is known.
    pub(super) fn vet(
        &self,
        realm: &str,
        asked: &Url,
        peer: Option<SocketAddr>,
    ) -> Result<Realm, RealmTrouble> {
        let url = Some(realm).filter(|realm| !realm.is_empty()).and_then(|realm| asked.join(realm).ok());
        let mut url = url.filter(Url::has_host).ok_or(RealmTrouble::Unusable)?;
        url.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RealmTrouble::Userinfo);
        }
        let same_host = url.host_str() == asked.host_str();
        match url.scheme() {
            "https" => {}
            "http" if asked.scheme() == "http" && (same_host || self.plain_http.allows(&url)) => {}
            "http" => return Err(RealmTrouble::Insecure),
            _ => return Err(RealmTrouble::Unusable),
        }
        let takes_login = self.takes_login(&url);
        // Another port of the registry's name can be another machine's, or a service that is not for everyone.
        let may_be_inward = place(&url) == place(asked) || takes_login || answers_inward(asked, peer);
        match url.host_str().and_then(address) {
            Some(address) if !may_be_inward && is_inward(address) => Err(RealmTrouble::Inward(address)),
            Some(_) | None => Ok(Realm { url, takes_login, may_be_inward }),
        }
    }

    fn takes_login(&self, url: &Url) -> bool {
        let own = self.home.as_ref().is_some_and(|home| place(home) == place(url));
        let built_in = BUILT_IN.iter().any(|(registry, realm)| {
            self.home.as_ref().and_then(Url::host_str) == Some(registry)
                && url.scheme() == "https"
                && place(url) == (Some(realm), Some(443))
        });
        own || built_in || self.trusted.iter().any(|trusted| names(trusted, url))
    }
}

fn place(url: &Url) -> (Option<&str>, Option<u16>) {
    (url.host_str(), url.port_or_known_default())
}

/// Whether a trusted realm is the one of `url`; without a port it means the port that its scheme has.
fn names(trusted: &str, url: &Url) -> bool {
    let parsed = Url::parse(&format!("{}://{trusted}/", url.scheme()));
    parsed.is_ok_and(|trusted| place(&trusted) == place(url))
}

/// Whether the registry itself has a private address: by its name, or by who answered. Someone at another port than the
/// registry's is a proxy, whose address says nothing.
fn answers_inward(asked: &Url, peer: Option<SocketAddr>) -> bool {
    let by_name = asked.host_str().and_then(address).is_some_and(is_inward);
    let peer = peer.filter(|peer| Some(peer.port()) == asked.port_or_known_default());
    by_name || peer.is_some_and(|peer| is_inward(peer.ip()))
}

#[cfg(test)]
mod tests;
