//! Which variables a caller of a Generic hook may give a build.

use super::settings::AllowEnv;

/// How many variables are taken, and how long the name and the value of one may be, in bytes.
const MOST: usize = 100;
const LONGEST_NAME: usize = 256;
const LONGEST_VALUE: usize = 32 * 1024;

/// Names, in capitals, that can change what a command is or what it trusts, though the command stays as it was written.
#[rustfmt::skip]
const DANGEROUS: &[&str] = &[
    "ALL_PROXY", "BASHOPTS", "BASH_ENV", "CC", "CDPATH", "CLASSPATH", "CURL_CA_BUNDLE", "CXX", "EDITOR", "ENV",
    "GCONV_PATH", "GLIBC_TUNABLES", "GNUMAKEFLAGS", "GOFLAGS", "GOPROXY", "GRADLE_OPTS", "HOME", "HTTPS_PROXY",
    "HTTP_PROXY", "IFS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "KUBECONFIG", "LANGUAGE", "LOCPATH", "MAKEFILES",
    "MAKEFLAGS", "MAVEN_OPTS", "MFLAGS", "NLSPATH", "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS", "NODE_PATH", "NO_PROXY",
    "OPENSSL_CONF", "PAGER", "PATH", "PROMPT_COMMAND", "PS4", "REGISTRY_AUTH_FILE", "REQUESTS_CA_BUNDLE",
    "SHELL", "SHELLOPTS", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "VISUAL", "_JAVA_OPTIONS",
];

/// What such names may begin with, in capitals.
#[rustfmt::skip]
const DANGEROUS_BEGINNINGS: &[&str] = &[
    "BASEWATCH_", "BASH_FUNC_", "BUILDAH_", "BUNDLE_", "CARGO_", "CONTAINERS_", "CONTAINER_", "DOCKER_", "DYLD_",
    "GEM_", "GIT_", "LD_", "LUA_", "MALLOC_", "NPM_CONFIG_", "PERL", "PHP", "PIP_", "PODMAN_", "PYTHON", "RUBY",
    "RUST", "SSH_", "STORAGE_", "SUDO_", "XDG_",
];

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
        for (name, value) in sent {
            match self.judge(&name) {
                Verdict::Silent => {}
                Verdict::Take if fits(&name, &value) && taken.env.len() < MOST => {
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
}

/// Whether it can be a variable of a process at all.
fn fits(name: &str, value: &str) -> bool {
    let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let is_name = name.chars().all(word) && !name.starts_with(|first: char| first.is_ascii_digit());
    let is_short = name.len() <= LONGEST_NAME && value.len() <= LONGEST_VALUE;
    is_name && is_short && !name.is_empty() && !value.contains('\0')
}
