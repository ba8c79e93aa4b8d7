//! A certificate authority for one test, and a certificate of it for 127.0.0.1, both made by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::output_of;

/// A server's certificate must say that it is no authority and which address it speaks for, or rustls refuses it.
const SETTINGS: &str = "
[req]
distinguished_name = name
prompt = no
[name]
CN = basewatch test
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:false
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1
";

/// Where the files of a test's authority and server lie.
pub(crate) struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// Makes new keys and certificates in `directory`.
    pub(crate) fn make(directory: &Path) -> Self {
        let made = Self { directory: directory.to_owned() };
        fs::create_dir(made.trust_directory()).expect("make a directory for the authority's certificate");
        fs::write(directory.join("openssl.cnf"), SETTINGS).expect("write openssl.cnf");
        made.authority();
        made.server();
        made
    }

    /// The authority's certificate, as PEM.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.trust_directory().join("ca.crt")
    }

    /// The directory of `ca_file` and nothing else: skopeo takes whole directories.
    pub(crate) fn trust_directory(&self) -> PathBuf {
        self.directory.join("trust")
    }

    pub(crate) fn server_certificate(&self) -> PathBuf {
        self.directory.join("server.pem")
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.directory.join("server.key")
    }

    fn ca_key(&self) -> PathBuf {
        self.directory.join("ca.key")
    }

    fn authority(&self) {
        let mut request = self.openssl("req");
        request.args(["-x509", "-extensions", "authority", "-days", "2"]);
        request.arg("-keyout").arg(self.ca_key()).arg("-out").arg(self.ca_file());
        output_of(new_key(&mut request));
    }

    fn server(&self) {
        let asked = self.directory.join("server.csr");
        let mut request = self.openssl("req");
        request.arg("-keyout").arg(self.server_key()).arg("-out").arg(&asked);
        output_of(new_key(&mut request));

        let mut sign = Command::new("openssl");
        sign.args(["x509", "-req", "-days", "2", "-set_serial", "1", "-extensions", "server", "-extfile"]);
        sign.arg(self.directory.join("openssl.cnf")).arg("-in").arg(&asked);
        sign.arg("-CA").arg(self.ca_file()).arg("-CAkey").arg(self.ca_key());
        output_of(sign.arg("-out").arg(self.server_certificate()));
    }

    fn openssl(&self, verb: &str) -> Command {
        let mut command = Command::new("openssl");
        command.arg(verb).arg("-config").arg(self.directory.join("openssl.cnf"));
        command
    }
}

/// Elliptic curves, because an RSA key takes seconds on a small machine.
fn new_key(command: &mut Command) -> &mut Command {
    command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
}
