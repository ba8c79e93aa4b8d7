//! Why an exchange failed, in words that a person can act on.
//!
//! The libraries below say it in a chain of errors, of which only the innermost is specific, and whose types belong to
//! crates that we do not name. So the chain's texts are read here, and nowhere else; tests against real sockets hold
//! that they still say what is looked for.

use std::error::Error as StdError;

use super::answer::presentable;
use super::error::{Stage, Transport, Trouble};

/// The server shows a CA's certificate as its own, as a plain `openssl req -x509` makes it.
const CA_AS_SERVER: &str = " (the registry shows a CA's certificate as its own, which TLS refuses: give it one that \
                            is issued with basicConstraints=CA:FALSE, and set ca_file to who issued it)";

const UNKNOWN_CA: &str =
    " (no CA known on this machine signed its certificate: set ca_file for this registry)";
const PLAIN_HTTP: &str = " (it seems to speak plain http: set insecure = true for this registry)";

/// What became of a request to a registry that has no answer.
pub(super) fn explain(error: &reqwest::Error) -> Trouble {
    Trouble::Transport(transport(error))
}

/// What became of a request to anyone.
pub(super) fn transport(error: &reqwest::Error) -> Transport {
    let chain = texts(error);
    let stage = stage(error, &chain);
    let reason = match stage {
        Stage::Timeout => "the time for it is over".to_owned(),
        Stage::Dns | Stage::Connect | Stage::Tls | Stage::Exchange => {
            chain.last().map_or_else(String::new, |innermost| presentable(innermost))
        }
    };
    Transport { stage, reason, hint: hint(&chain) }
}

/// The texts from the outermost to the innermost error. The outermost is reqwest's own, and only repeats the URL.
fn texts(error: &reqwest::Error) -> Vec<String> {
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    sources.map(ToString::to_string).collect()
}

fn stage(error: &reqwest::Error, chain: &[String]) -> Stage {
    let says = |word: &str| chain.iter().any(|text| text.contains(word));
    if error.is_timeout() {
        Stage::Timeout
    } else if says("dns error") || says("failed to lookup address") {
        Stage::Dns
    } else if says("certificate") || says("handshake") || says("InvalidContentType") || says("fatal alert") {
        Stage::Tls
    } else if error.is_connect() {
        Stage::Connect
    } else {
        Stage::Exchange
    }
}

fn hint(chain: &[String]) -> &'static str {
    let says = |word: &str| chain.iter().any(|text| text.contains(word));
    if says("UnknownIssuer") {
        UNKNOWN_CA
    } else if says("CaUsedAsEndEntity") {
        CA_AS_SERVER
    } else if says("InvalidContentType") {
        PLAIN_HTTP
    } else {
        ""
    }
}
