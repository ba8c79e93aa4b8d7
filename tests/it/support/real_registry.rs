//! Debian's docker-registry as a test meets it: on a free loopback port, with a directory of its own, gone when dropped.
//!
//! Images are pushed, moved and looked at by skopeo, so that what basewatch is held against comes from software that
//! is not ours. `make test` fetches both.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use basewatch::image::Digest;
use tempfile::TempDir;

use super::certificates::Certificates;
use super::oci_layout::OciLayout;
use super::process::{Process, output_of};
use super::token_server::{Anonymous, TokenServer};

/// Far above what a start takes, for a machine that is busy with something else.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// A running registry.
pub(crate) struct RealRegistry {
    host: String,
    access: Access,
    // Before the directory: fields are dropped in this order, and the process writes there.
    _process: Process,
    directory: TempDir,
}

/// How the registry wants to be spoken to.
enum Access {
    Plain,
    Htpasswd { user: String, password: String },
    Tls(Certificates),
    Tokens(TokenServer),
}

impl RealRegistry {
    /// Plain http, open to all.
    pub(crate) fn plain() -> Self {
        Self::start(Access::Plain, new_directory())
    }

    /// Plain http, and a login by Basic authentication.
    pub(crate) fn htpasswd(user: &str, password: &str) -> Self {
        let directory = new_directory();
        // The cheapest bcrypt: the registry runs it once per request.
        let line = output_of(Command::new("htpasswd").args(["-nbB", "-C", "4", user, password]));
        fs::write(directory.path().join("htpasswd"), line).expect("write the registry's htpasswd");
        Self::start(Access::Htpasswd { user: user.to_owned(), password: password.to_owned() }, directory)
    }

    /// Plain http, and tokens: anybody may pull, this user may push.
    pub(crate) fn tokens_for_all(user: &str, password: &str) -> Self {
        let directory = new_directory();
        let server = TokenServer::start(directory.path(), user, password, Anonymous::MayPull);
        Self::start(Access::Tokens(server), directory)
    }

    /// Plain http, and tokens that only this user is given.
    pub(crate) fn tokens_for(user: &str, password: &str) -> Self {
        let directory = new_directory();
        let server = TokenServer::start(directory.path(), user, password, Anonymous::MayNothing);
        Self::start(Access::Tokens(server), directory)
    }

    /// `127.0.0.1:port` of what issues its tokens.
    pub(crate) fn token_host(&self) -> String {
        match &self.access {
            Access::Tokens(server) => server.host(),
            Access::Plain | Access::Htpasswd { .. } | Access::Tls(_) => panic!("no tokens, no token server"),
        }
    }

    /// TLS by a certificate that only [`Self::ca_file`] vouches for, open to all.
    pub(crate) fn tls() -> Self {
        let directory = new_directory();
        let certificates = Certificates::make(directory.path());
        Self::start(Access::Tls(certificates), directory)
    }

    /// `127.0.0.1:port`, as it stands in references.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The certificate to trust, as a PEM file.
    pub(crate) fn ca_file(&self) -> PathBuf {
        match &self.access {
            Access::Tls(certificates) => certificates.ca_file(),
            Access::Plain | Access::Htpasswd { .. } | Access::Tokens(_) => {
                panic!("only a registry with TLS has a certificate")
            }
        }
    }

    /// Points the tag at the image that `seed` alone determines.
    pub(crate) fn push(&self, repository: &str, tag: &str, seed: u64) -> Digest {
        self.push_layout(repository, tag, &OciLayout::image(seed))
    }

    /// Points the tag at an index of one linux image per `(architecture, seed)`.
    pub(crate) fn push_index(&self, repository: &str, tag: &str, images: &[(&str, u64)]) -> Digest {
        self.push_layout(repository, tag, &OciLayout::index(images))
    }

    /// Points `to` at what `from` points at, whatever it is.
    pub(crate) fn retag(&self, repository: &str, from: &str, to: &str) {
        let from = self.location(repository, from);
        let to = self.location(repository, to);
        output_of(self.skopeo_copy().args(self.flags("src-")).args([from, to]));
    }

    /// What the tag points at, as skopeo sees it.
    pub(crate) fn digest(&self, repository: &str, tag: &str) -> Digest {
        let mut skopeo = self.skopeo();
        // Without --raw it would look into an index for an image of this machine's own platform.
        skopeo.args(["inspect", "--raw"]).args(self.flags("")).arg(self.location(repository, tag));
        Digest::sha256_of(&output_of(&mut skopeo))
    }

    fn push_layout(&self, repository: &str, tag: &str, layout: &OciLayout) -> Digest {
        let source = format!("oci:{}", layout.path().display());
        output_of(self.skopeo_copy().arg(source).arg(self.location(repository, tag)));
        layout.digest().clone()
    }

    fn location(&self, repository: &str, tag: &str) -> String {
        format!("docker://{}/{repository}:{tag}", self.host)
    }

    /// A copy into this registry; the caller adds from where.
    fn skopeo_copy(&self) -> Command {
        let mut skopeo = self.skopeo();
        skopeo.args(["copy", "--quiet", "--all", "--preserve-digests"]).args(self.flags("dest-"));
        skopeo
    }

    fn skopeo(&self) -> Command {
        let mut skopeo = Command::new("skopeo");
        // Debian's skopeo comes without a policy file, and would keep its cache in the user's home.
        skopeo.arg("--insecure-policy").env("XDG_DATA_HOME", self.directory.path());
        skopeo
    }

    /// How skopeo is let in; `side` is `src-` or `dest-` for its copies, else nothing.
    fn flags(&self, side: &str) -> Vec<String> {
        match &self.access {
            Access::Plain => vec![format!("--{side}tls-verify=false")],
            Access::Htpasswd { user, password } => {
                vec![format!("--{side}tls-verify=false"), format!("--{side}creds={user}:{password}")]
            }
            Access::Tokens(server) => {
                let (user, password) = server.login();
                vec![format!("--{side}tls-verify=false"), format!("--{side}creds={user}:{password}")]
            }
            Access::Tls(certificates) => {
                vec![format!("--{side}cert-dir={}", certificates.trust_directory().display())]
            }
        }
    }

    fn start(access: Access, directory: TempDir) -> Self {
        let settings = directory.path().join("registry.json");
        fs::write(&settings, access.settings(directory.path()).to_string())
            .expect("write the registry's settings");
        let mut command = Command::new(docker_registry());
        // The registry lets variables of the environment overrule its settings.
        command.arg("serve").arg(settings).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process::start(&mut command);
        Self { host: announced_host(process.take_stderr()), access, _process: process, directory }
    }
}

impl Access {
    /// JSON is YAML too, which is what the registry reads. Port 0 lets the kernel choose, so that no two tests meet.
    fn settings(&self, directory: &Path) -> serde_json::Value {
        let mut settings = serde_json::json!({
            "version": "0.1",
            "log": { "level": "info", "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": directory.join("storage") } },
            "http": { "addr": "127.0.0.1:0" },
        });
        match self {
            Self::Plain => {}
            Self::Htpasswd { .. } => {
                let path = directory.join("htpasswd");
                settings["auth"] =
                    serde_json::json!({ "htpasswd": { "realm": "basewatch test", "path": path } });
            }
            Self::Tokens(server) => settings["auth"] = serde_json::json!({ "token": server.settings() }),
            Self::Tls(certificates) => {
                settings["http"]["tls"] = serde_json::json!({
                    "certificate": certificates.server_certificate(),
                    "key": certificates.server_key(),
                });
            }
        }
        settings
    }
}

fn new_directory() -> TempDir {
    TempDir::new().expect("make a directory for a registry")
}

/// The program: the one that `$BASEWATCH_TEST_DOCKER_REGISTRY` names, else the one that `make test` has fetched.
fn docker_registry() -> PathBuf {
    let fetched = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.cache/docker-registry");
    let path =
        std::env::var_os("BASEWATCH_TEST_DOCKER_REGISTRY").map_or_else(|| fetched.into(), PathBuf::from);
    assert!(path.is_file(), "there is no docker-registry at {}: `make test` fetches it", path.display());
    path
}

/// Waits for the line of the log that tells where the registry listens.
fn announced_host(log: ChildStderr) -> String {
    let (tell, told) = mpsc::channel();
    // The thread reads on to the end of the log, or the registry would stop at a full pipe.
    thread::spawn(move || {
        let mut read = String::new();
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if let Some(host) = host_in(&line) {
                let _ = tell.send(Ok(host));
            }
            read.push_str(&line);
            read.push('\n');
        }
        let _ = tell.send(Err(read));
    });
    match told.recv_timeout(START_DEADLINE) {
        Ok(Ok(host)) => host,
        Ok(Err(log)) => panic!("docker-registry ended instead of listening:\n{log}"),
        Err(_) => panic!("docker-registry does not listen after {START_DEADLINE:?}"),
    }
}

/// `… msg="listening on 127.0.0.1:40123, tls" …`
fn host_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("msg=\"listening on ")?;
    rest.split(['"', ',']).next().map(str::to_owned)
}
