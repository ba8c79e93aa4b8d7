//! Why there is no token.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::StatusCode;

use super::super::error::{Advice, Transport};

/// Why no token could be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenTrouble {
    /// The registry sends us where we do not go.
    #[error("{0}")]
    Realm(RealmTrouble),
    /// There was no answer.
    #[error("{}", .0.told_of("the token server"))]
    Transport(Transport),
    /// 401 or 403 to a request without a login, or with one that does not reach this far.
    #[error("the token server answered {status}{}{advice}", remark_of(remark.as_deref()))]
    Denied {
        /// The HTTP status.
        status: StatusCode,
        /// The code and message in the body, if there were any.
        remark: Option<Box<str>>,
        /// What the user can do.
        advice: Advice,
    },
    /// Another status that is no token.
    #[error("the token server answered {status}{}", remark_of(remark.as_deref()))]
    Refused {
        /// The HTTP status. A redirect is one too: tokens are asked for where the registry says, and nowhere else.
        status: StatusCode,
        /// The code and message in the body, if there were any.
        remark: Option<Box<str>>,
        /// How long the server wants us to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// An answer without a token that can be used.
    #[error("the token server's answer {0}")]
    Malformed(String),
}

/// Where a token is not asked for (registries.md, 2.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RealmTrouble {
    /// There is no such place.
    #[error("the registry names no usable address for it")]
    Unusable,
    /// A login in the address.
    #[error("the registry names an address with a login in it, which is not used")]
    Userinfo,
    /// Plain http where the registry speaks https, or on a host where the user did not allow it.
    #[error(
        "the registry names plain http, which is used only where insecure = true is set for that host too"
    )]
    Insecure,
    /// Into a network that the registry is not in.
    #[error(
        "the registry is elsewhere and names the private address {0}, which is not asked: add it to trusted_realms \
         of this registry if that is right"
    )]
    Inward(IpAddr),
}

// === impl TokenTrouble ===

impl TokenTrouble {
    /// Whether the token server understood, and does not want to.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Denied { .. } => true,
            Self::Refused { status, .. } => {
                status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS
            }
            Self::Realm(_) | Self::Transport(_) | Self::Malformed(_) => false,
        }
    }

    /// Whether another token server may do better: this one did not even say no.
    pub(super) fn may_be_the_place(&self) -> bool {
        match self {
            Self::Denied { .. } => false,
            Self::Refused { status, .. } => *status != StatusCode::TOO_MANY_REQUESTS,
            Self::Realm(_) | Self::Transport(_) | Self::Malformed(_) => true,
        }
    }

    /// A short, stable word for logs and conditions.
    pub(in crate::registry) fn kind(&self) -> &'static str {
        match self {
            Self::Realm(_) => "realm_refused",
            Self::Transport(transport) => transport.stage.kind(),
            Self::Denied { .. } => "denied",
            Self::Refused { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
            Self::Refused { status, .. } if status.is_server_error() => "server_error",
            Self::Refused { .. } => "token_refused",
            Self::Malformed(_) => "token_malformed",
        }
    }
}

fn remark_of(remark: Option<&str>) -> String {
    remark.map(|remark| format!(" ({remark})")).unwrap_or_default()
}
