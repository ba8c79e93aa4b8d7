//! Which variables a caller of a Generic hook may give a build.

use super::settings::AllowEnv;

/// How many variables are taken, and how long the name and the value of one may be, in bytes.
const MOST: usize = 100;
const LONGEST_NAME: usize = 256;
const LONGEST_VALUE: usize = 32 * 1024;

/// How long they may be in all, each with the two bytes that stand around it: `exec` takes them together with whatever
/// else a build is given.
const LONGEST: usize = 128 * 1024;

/// Names, in capitals, that can change what a command is or what it trusts, though the command stays as it was written.
/// Such a list is never whole: only a list of the names that are allowed is a boundary.
#[rustfmt::skip]
const DANGEROUS: &[&str] = &[
    "ALL_PROXY", "AR", "AS", "BASHOPTS", "BASH_ENV", "CC", "CDPATH", "CLASSPATH", "COMPILER_PATH", "CPATH",
    "CPLUS_INCLUDE_PATH", "CPP", "CURL_CA_BUNDLE", "CXX", "C_INCLUDE_PATH", "EDITOR", "ENV", "FC", "GCC_EXEC_PREFIX",
    "GCONV_PATH", "GLIBC_TUNABLES", "GNUPGHOME", "GOAUTH", "GOBIN", "GOCACHE", "GOENV", "GOEXPERIMENT", "GOINSECURE",
    "GOMODCACHE", "GONOPROXY", "GONOSUMCHECK", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY", "GOROOT", "GOSUMDB",
    "GOTMPDIR", "GOTOOLCHAIN", "GOTOOLDIR", "GOVCS", "GOWORK", "HGRCPATH", "HOME", "HTTPS_PROXY", "HTTP_PROXY", "IFS",
    "LANGUAGE", "LD", "LESSCLOSE", "LESSOPEN", "LEX", "LIBRARY_PATH", "LOCPATH", "NLSPATH", "NM",
    "NODE_EXTRA_CA_CERTS", "NODE_PATH", "NO_PROXY", "OBJC_INCLUDE_PATH", "PAGER", "PATH", "PKG_CONFIG_PATH",
    "PROMPT_COMMAND", "PS4", "RANLIB", "REGISTRY_AUTH_FILE", "REQUESTS_CA_BUNDLE", "RM", "SHELL", "SHELLOPTS",
    "SSL_CERT_DIR", "SSL_CERT_FILE", "SVN_SSH", "TMPDIR", "VISUAL", "WGETRC", "YACC", "ZDOTDIR",
];

/// What such names may begin with, in capitals.
#[rustfmt::skip]
const DANGEROUS_BEGINNINGS: &[&str] = &[
    "ANT_", "AWS_", "BASEWATCH_", "BASH_FUNC_", "BUILDAH_", "BUILDKIT_", "BUILDX_", "BUNDLE_", "CARGO_", "CCACHE_",
    "CGO_", "CMAKE_", "COMPOSE_", "CONTAINER", "DOCKER_", "DYLD_", "GEM_", "GIT_", "GRADLE_", "HELM_", "JAVA_",
    "JDK_", "KUBE", "LD_", "LUA_", "MAKE", "MALLOC_", "MAVEN_", "NPM_", "OPENSSL_", "PERL", "PHP", "PIP_", "PODMAN_",
    "PYTHON", "RUBY", "RUST", "SSH_", "STORAGE_", "SUDO_", "TF_", "XDG_", "YARN_",
];

/// What such names may end in, in capitals.
const DANGEROUS_ENDINGS: &[&str] = &["FLAGS", "_CONFIG", "_HOME", "_OPTIONS", "_OPTS", "_RSH"];

/// What became of the variables that a caller sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) env: Vec<(String, String)>,
    /// Names of those that a caller could expect to be taken, and were not.
    pub(super) refused: Vec<String>,
}

impl AllowEnv {
    /// Those of `sent` that the build is given. Of several of one name the last counts.
    pub(super) fn take(&self, sent: Vec<(String, String)>) -> Taken {
        let mut taken = Taken::default();
        // Of those that another of the name replaces, too: it is a bound, not an account.
        let mut length = 0;
        for (name, value) in sent {
            match self.judge(&name) {
                Verdict::Silent => {}
                Verdict::Take
                    if fits(&name, &value)
                        && taken.env.len() < MOST
                        && length + size(&name, &value) <= LONGEST =>
                {
                    length += size(&name, &value);
                    taken.env.retain(|(known, _)| *known != name);
                    taken.env.push((name, value));
                }
                Verdict::Take | Verdict::Refuse => taken.refused.push(name),
            }
        }
        taken
    }

    fn judge(&self, name: &str) -> Verdict {
        match self {
            Self::None => Verdict::Silent,
            Self::Names(names) => match names.iter().any(|allowed| allowed == name) {
                true => Verdict::Take,
                false => Verdict::Silent,
            },
            Self::Any if is_dangerous(name) => Verdict::Refuse,
            Self::Any => Verdict::Take,
        }
    }
}

/// What becomes of a variable.
enum Verdict {
    Take,
    /// It is left out, and the caller is told.
    Refuse,
    /// It is left out, and nothing is said (F32).
    Silent,
}

/// Small letters count too: some programs read `http_proxy` only, others `npm_config_registry`.
fn is_dangerous(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    DANGEROUS.contains(&name.as_str())
        || DANGEROUS_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || DANGEROUS_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// How long it is in the environment of a process: `NAME=value` and a zero.
fn size(name: &str, value: &str) -> usize {
    name.len() + value.len() + 2
}

/// Whether it can be a variable of a process at all.
fn fits(name: &str, value: &str) -> bool {
    let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let is_name = name.chars().all(word) && !name.starts_with(|first: char| first.is_ascii_digit());
    let is_short = name.len() <= LONGEST_NAME && value.len() <= LONGEST_VALUE;
    is_name && is_short && !name.is_empty() && !value.contains('\0')
}
