//! Where credentials come from: a password file, read when it is needed and again when it has changed.
//!
//! A login that the registry rejects is parked until its file changes: registries answer repeated wrong passwords by
//! locking the account (registries.md, 2.1). For the same reason an untried password goes out in one request at a time.

use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http_auth::basic::encode_credentials;
use reqwest::header::{HeaderValue, InvalidHeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::Credentials;
use super::error::{PasswordError, Trouble};
use crate::file;

/// Longer than any password or registry token.
const LONGEST_PASSWORD: u64 = 64 * 1024;

/// One host's login, and what became of it.
#[derive(Debug)]
pub(super) struct Login {
    credentials: Credentials,
    known: Mutex<Option<Known>>,
    trial: tokio::sync::Mutex<()>,
}

/// Leave to send the login once. Tell it how that went.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    login: &'a Login,
    known: Known,
    _trial: Option<tokio::sync::MutexGuard<'a, ()>>,
}

/// The content of the password file when it had this stamp.
#[derive(Debug, Clone)]
struct Known {
    stamp: Stamp,
    header: HeaderValue,
    standing: Standing,
}

/// What the registry thinks of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Untried,
    Accepted,
    Rejected,
}

/// What tells one content of a file from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    length: u64,
    inode: u64,
}

// === impl Login ===

impl Login {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { credentials, known: Mutex::default(), trial: tokio::sync::Mutex::default() }
    }

    /// The login as its file has it now. While an untried one is out, others wait here for what becomes of it.
    pub(super) async fn pass(&self) -> Result<Pass<'_>, Trouble> {
        let mut known = self.current()?;
        let mut trial = None;
        if known.standing == Standing::Untried {
            trial = Some(self.trial.lock().await);
            known = self.current()?;
        }
        match known.standing {
            Standing::Untried => Ok(Pass { login: self, known, _trial: trial }),
            Standing::Accepted => Ok(Pass { login: self, known, _trial: None }),
            Standing::Rejected => Err(self.rejected()),
        }
    }

    /// Whether the login as its file has it now was taken before.
    pub(super) fn is_accepted(&self) -> bool {
        self.current().is_ok_and(|known| known.standing == Standing::Accepted)
    }

    /// Looks at the file's stamp each time, which is a microsecond, and reads the file only if that is new.
    fn current(&self) -> Result<Known, Trouble> {
        let unreadable = |reason| {
            let path = self.credentials.password_file.clone();
            Trouble::Password { path, reason }
        };
        let mut slot = self.lock();
        let metadata = fs::metadata(&self.credentials.password_file);
        let stamp = Stamp::of(&metadata.map_err(|error| unreadable(error.into()))?);
        if let Some(known) = slot.as_ref().filter(|known| known.stamp == stamp) {
            return Ok(known.clone());
        }
        let known = self.read().map_err(unreadable)?;
        *slot = Some(known.clone());
        Ok(known)
    }

    fn read(&self) -> Result<Known, PasswordError> {
        let Credentials { username, password_file } = &self.credentials;
        let file = file::open(password_file)?;
        let stamp = Stamp::of(&file.metadata()?);
        let password = read_password(file)?;
        // It is Base64, which every header can hold; there is no such error, whatever its type says.
        let header = basic_header(username, &password).map_err(|_| PasswordError::NotText)?;
        Ok(Known { stamp, header, standing: Standing::Untried })
    }

    fn judge(&self, stamp: Stamp, standing: Standing) {
        if let Some(known) = self.lock().as_mut().filter(|known| known.stamp == stamp) {
            known.standing = standing;
        }
    }

    fn rejected(&self) -> Trouble {
        let Credentials { username, password_file } = self.credentials.clone();
        Trouble::CredentialsRejected { username, password_file }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Pass ===

impl Pass<'_> {
    /// The `Authorization` header.
    pub(super) fn header(&self) -> HeaderValue {
        self.known.header.clone()
    }

    /// Whose login it is.
    pub(super) fn username(&self) -> &str {
        &self.login.credentials.username
    }

    /// The registry let us in.
    pub(super) fn accepted(self) {
        if self.known.standing != Standing::Accepted {
            self.login.judge(self.known.stamp, Standing::Accepted);
        }
    }

    /// The registry did not: parks the login until its file changes.
    pub(super) fn rejected(self) -> Trouble {
        self.login.judge(self.known.stamp, Standing::Rejected);
        self.login.rejected()
    }
}

// === impl Stamp ===

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            length: metadata.len(),
            inode: metadata.ino(),
        }
    }
}

/// One trailing newline is an editor's and no part of the password.
fn read_password(file: impl Read) -> Result<SecretString, PasswordError> {
    let mut bytes = Vec::new();
    file.take(LONGEST_PASSWORD + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_PASSWORD {
        return Err(PasswordError::TooLong(LONGEST_PASSWORD));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| PasswordError::NotText)?;
    let trimmed = text.strip_suffix("\r\n").or(text.strip_suffix('\n')).unwrap_or(&text).len();
    text.truncate(trimmed);
    match text.is_empty() {
        true => Err(PasswordError::Empty),
        false => Ok(SecretString::from(text)),
    }
}

fn basic_header(username: &str, password: &SecretString) -> Result<HeaderValue, InvalidHeaderValue> {
    let text = SecretString::from(encode_credentials(username, password.expose_secret()));
    let mut header = HeaderValue::from_str(text.expose_secret())?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests;
