//! What went wrong with a registry, split by what can be done about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;
use super::auth::TokenTrouble;
use super::clients::SetupError;
use crate::image::{Digest, TagRef};

/// Why a tag could not be resolved. It concerns this tag alone, and nothing is forgotten for it (D17).
#[derive(Debug, thiserror::Error)]
#[error("resolve {tag}: {trouble}")]
pub struct Error {
    /// The tag that was asked for.
    pub tag: TagRef,
    /// What came in between. Its words are part of this error's, so it is no source of it.
    pub trouble: Trouble,
}

/// What can come between a question and its answer. It can be copied, as one answer may be what many waited for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Trouble {
    /// 404: there is no such tag, or the registry does not show it to us.
    #[error("{0}")]
    Missing(Answer),
    /// 401 or 403 to what was asked without a login, or with one that does not reach this far.
    #[error("{answer}{advice}")]
    Denied {
        /// What came back.
        answer: Answer,
        /// What the user can do, if that is known.
        advice: Advice,
    },
    /// The registry does not take the login. It is not tried again until its file changes.
    #[error(
        "registry rejected the login of user `{username}`: correct the password in {}, it is not sent again \
         until that file changes",
        password_file.display()
    )]
    CredentialsRejected {
        /// Whose login.
        username: String,
        /// Where its password stands.
        password_file: PathBuf,
    },
    /// The password could not be read, so nothing was sent.
    #[error("read the password from {}: {reason}", path.display())]
    Password {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: PasswordError,
    },
    /// The registry wants a way of logging in that this version does not speak.
    #[error("registry asks for a {scheme} login, which this version does not speak")]
    LoginUnsupported {
        /// The scheme of the registry's challenge, such as `Negotiate`.
        scheme: String,
    },
    /// The registry wants a token, and none could be had.
    #[error("get a token from {server}: {reason}")]
    Token {
        /// The host of the token server, as the registry names it.
        server: Box<str>,
        /// What came in between.
        reason: TokenTrouble,
    },
    /// 429: we ask too often.
    #[error("{answer}")]
    TooManyRequests {
        /// What came back.
        answer: Answer,
        /// How long the registry wants us to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// Any other status that is not an answer: asking again will not help.
    #[error("{0}")]
    Refused(Answer),
    /// 5xx: the registry has trouble of its own.
    #[error("{0}")]
    Server(Answer),
    /// No request can be made of the tag.
    #[error("no request can be sent: {reason}")]
    Address {
        /// Why not.
        reason: String,
    },
    /// There is no client to ask with.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// There was no answer.
    #[error("{0}")]
    Transport(Transport),
    /// The registry sent us somewhere that we do not go.
    #[error("registry redirects {0}")]
    Redirect(Redirect),
    /// The answer is not one that a registry may give.
    #[error("registry's answer {0}")]
    Malformed(Malformed),
    /// What was a v2 registry answers at `/v2/` as none does: an error page, a proxy, or the wrong server (D10).
    #[error(
        "{0} at /v2/ as no v2 registry does, and was one before: what was found last is kept until it is one again; if \
         it became a v1 registry, set api = \"v1\" for it"
    )]
    NoLongerV2(Answer),
    /// There seems to be no registry.
    #[error(
        "{0} at /v2/ as no v2 registry does, and /v1/_ping is no v1 registry's either: see that host and port are right"
    )]
    NoRegistry(Answer),
    /// The tag points to an index that cannot be read, so that nobody knows whether an image in it moved.
    #[error("read the index {digest}: {trouble}")]
    Index {
        /// Which one.
        digest: Digest,
        /// What came in between.
        trouble: Box<Trouble>,
    },
}

/// What the user can do about a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// Nothing is known that would help.
    None,
    /// The registry asked for a login, and none is configured.
    Login,
    /// A good token did not help, and no login was sent for it.
    Anonymous,
    /// A good token of this login did not help.
    Rights,
    /// The login stayed here, because the registry asks for it on another host.
    Withheld {
        /// The host that issues the tokens.
        realm: Box<str>,
    },
}

/// Why a password could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PasswordError {
    /// It cannot be opened or read, or it is a directory, a pipe or a device.
    #[error(transparent)]
    File(Arc<io::Error>),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It is not a password.
    #[error("the file is longer than {0} bytes")]
    TooLong(u64),
    /// It cannot be sent.
    #[error("the file is not UTF-8 text")]
    NotText,
}

/// An exchange that ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    /// How far it came.
    pub stage: Stage,
    /// What the innermost error says.
    pub reason: String,
    /// What the user can do, or nothing.
    pub hint: &'static str,
}

/// How far an exchange came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The host's name could not be looked up.
    Dns,
    /// No connection came about.
    Connect,
    /// There was a connection, and no trust.
    Tls,
    /// The time was over.
    Timeout,
    /// The connection broke, or what came over it was not HTTP.
    Exchange,
}

/// Where we do not follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Redirect {
    /// A chain without end.
    #[error("more than {0} times")]
    TooMany(usize),
    /// To plain http where the user did not allow it.
    #[error("to plain http on {0}, which is followed only where insecure = true is set for that host")]
    Insecure(String),
    /// From https to http: what follows could be read and changed on the way.
    #[error("from https to http, which is not followed")]
    ToHttp,
    /// To an address with a login in it.
    #[error("to an address with a login in it, which is not followed")]
    Userinfo,
    /// To nowhere: no `Location`, or none that is an http address.
    #[error("to nowhere: it names no usable Location")]
    Nowhere,
}

/// What makes an answer unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// More bytes than a manifest may have.
    #[error("is longer than the {0} bytes that a manifest may have")]
    TooLarge(usize),
    /// Something else, such as a login page.
    #[error("is not an image manifest: {0}")]
    NotAManifest(String),
    /// Something else where a v1 registry has the id of an image.
    #[error("is not the id of an image: {0}")]
    NotAnImageId(String),
    /// A manifest whose digest is another one at every look.
    #[error("is a schema 1 manifest, which has no stable digest: push the image again with a current tool")]
    Schema1,
    /// Something else than the list of manifests that its media type promises.
    #[error("is not an image index: {0}")]
    NotAnIndex(String),
    /// Bytes that were not asked for.
    #[error("has the digest {got} and not {asked}, which was asked for")]
    WrongDigest {
        /// What was asked for.
        asked: Digest,
        /// What came.
        got: Digest,
    },
    /// Two media types for one body.
    #[error("contradicts itself: Content-Type says `{header}`, the manifest says `{body}`")]
    Contradiction {
        /// The type in the header.
        header: String,
        /// The `mediaType` in the body.
        body: String,
    },
}

// === impl Error ===

impl Error {
    /// A short, stable word for logs and conditions.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.trouble.kind()
    }

    /// How long the registry wants us to wait, if it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.trouble.retry_after()
    }
}

// === impl Trouble ===

impl Trouble {
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after, .. }
            | Self::Token { reason: TokenTrouble::Refused { retry_after, .. }, .. } => *retry_after,
            Self::Server(answer) => answer.retry_after,
            Self::Index { trouble, .. } => trouble.retry_after(),
            Self::Missing(_)
            | Self::Denied { .. }
            | Self::CredentialsRejected { .. }
            | Self::Password { .. }
            | Self::LoginUnsupported { .. }
            | Self::Token { .. }
            | Self::Refused(_)
            | Self::Address { .. }
            | Self::Setup(_)
            | Self::Transport(_)
            | Self::Redirect(_)
            | Self::Malformed(_)
            | Self::NoLongerV2(_)
            | Self::NoRegistry(_) => None,
        }
    }

    /// A short, stable word for logs and conditions.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Denied { .. } => "denied",
            Self::CredentialsRejected { .. } => "credentials_rejected",
            Self::Password { .. } => "password_unreadable",
            Self::LoginUnsupported { .. } => "login_unsupported",
            Self::Token { reason, .. } => reason.kind(),
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Refused(_) => "refused",
            Self::Server(_) => "server_error",
            Self::Address { .. } => "address",
            Self::Setup(_) => "setup",
            Self::Transport(transport) => transport.stage.kind(),
            Self::Redirect(_) => "redirect_refused",
            Self::Malformed(_) => "malformed",
            Self::NoLongerV2(_) => "no_longer_v2",
            Self::NoRegistry(_) => "no_registry",
            // The tag is there, whatever became of the index.
            Self::Index { trouble, .. } => match trouble.kind() {
                "missing" => "index_missing",
                kind => kind,
            },
        }
    }

    /// Whether it says that the next request should wait: by a wish of the registry's, or because nothing answers. A 5xx
    /// without a wish is none, since some v1 hosts answer so below `/v2/` for ever.
    pub(super) fn asks_for_quiet(&self) -> bool {
        let is_unreachable = matches!(self, Self::Transport(_));
        let is_too_much = matches!(self, Self::TooManyRequests { .. });
        is_unreachable || is_too_much || self.retry_after().is_some()
    }

    /// Whether this is a definite answer, and one that any server could give, so that it proves no registry.
    pub(super) fn could_be_a_strangers(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Refused(_) => true,
            Self::Malformed(malformed) => match malformed {
                Malformed::TooLarge(_) | Malformed::NotAManifest(_) | Malformed::NotAnImageId(_) => true,
                Malformed::Schema1
                | Malformed::Contradiction { .. }
                | Malformed::NotAnIndex(_)
                | Malformed::WrongDigest { .. } => false,
            },
            Self::Denied { .. }
            | Self::CredentialsRejected { .. }
            | Self::Password { .. }
            | Self::LoginUnsupported { .. }
            | Self::Token { .. }
            | Self::TooManyRequests { .. }
            | Self::Server(_)
            | Self::Address { .. }
            | Self::Setup(_)
            | Self::Transport(_)
            | Self::Redirect(_)
            | Self::NoLongerV2(_)
            | Self::NoRegistry(_)
            | Self::Index { .. } => false,
        }
    }
}

// === impl Advice ===

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::Login => ": it wants a login, set username and password_file for this registry",
            Self::Anonymous => {
                ": there is no such repository, or it is shown to a login only, set username and password_file for \
                 this registry"
            }
            Self::Rights => ": there is no such repository, or the configured user may not see it",
            Self::Withheld { realm } => {
                return write!(
                    f,
                    ": the configured login was not sent, because {realm} is not the registry's own host, add it to \
                     trusted_realms of this registry if it may have the password"
                );
            }
        })
    }
}

// === impl PasswordError ===

impl From<io::Error> for PasswordError {
    fn from(error: io::Error) -> Self {
        Self::File(Arc::new(error))
    }
}

// === impl Transport ===

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told_of("the registry"))
    }
}

impl Transport {
    /// What was being done, and with whom.
    pub(super) fn told_of(&self, whom: &str) -> String {
        let Self { stage, reason, hint } = self;
        match stage {
            Stage::Dns => format!("look up {whom}'s address: {reason}{hint}"),
            Stage::Connect => format!("connect to {whom}: {reason}{hint}"),
            Stage::Tls => format!("agree on TLS with {whom}: {reason}{hint}"),
            Stage::Timeout => format!("wait for {whom}'s answer: {reason}{hint}"),
            Stage::Exchange => format!("talk to {whom}: {reason}{hint}"),
        }
    }
}

impl Stage {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Exchange => "exchange",
        }
    }
}
