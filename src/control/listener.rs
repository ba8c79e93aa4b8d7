//! The socket itself: its owner's alone, and never taken from a daemon that answers.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

/// How long a daemon behind an existing socket may take to accept.
const ACCEPT: Duration = Duration::from_secs(2);

/// A bound control socket. Its file goes when this is dropped, unless another daemon's has taken its place.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: UnixListener,
    pub(super) file: SocketFile,
}

/// The file of a socket, known by its inode.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

/// Why the control socket could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It is in use.
    #[error("another daemon answers at {}: stop it, or choose another [daemon] socket", .0.display())]
    InUse(PathBuf),
    /// Its place is taken.
    #[error("{} is there and is not a socket: remove it, or choose another [daemon] socket", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("listen on {}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl Listener {
    /// Listens at `path`. A socket that nobody answers at is replaced: it is left over from a daemon that died.
    ///
    /// # Errors
    /// If a daemon answers there, if something else is there, or if the system refuses.
    pub async fn bind(path: &Path) -> Result<Self, BindError> {
        make_sure_free(path).await?;
        let io = |source| BindError::Io { path: path.to_owned(), source };
        bind_private(path).map_err(io)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.inode) {
            // What stays behind is replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

async fn make_sure_free(path: &Path) -> Result<(), BindError> {
    let io = |source| BindError::Io { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(BindError::NotASocket(path.to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    }
    match tokio::time::timeout(ACCEPT, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Ok(Err(error)) => Err(io(error)),
        Ok(Ok(_)) | Err(_) => Err(BindError::InUse(path.to_owned())),
    }
}

/// Binds behind a closed door and moves to its place once it is private: at no moment can somebody else connect,
/// whatever the umask leaves open.
fn bind_private(path: &Path) -> io::Result<Listener> {
    let door = ClosedDoor::beside(path)?;
    let hidden = door.socket();
    let socket = UnixListener::bind(&hidden)?;
    std::fs::set_permissions(&hidden, Permissions::from_mode(0o600))?;
    std::fs::rename(&hidden, path)?;
    let found = std::fs::symlink_metadata(path)?;
    let inode = (found.dev(), found.ino());
    Ok(Listener { socket, file: SocketFile { path: path.to_owned(), inode } })
}

/// A directory that nobody else may enter, for as long as this lives.
pub(super) struct ClosedDoor(PathBuf);

impl ClosedDoor {
    /// Makes one beside `path`. The names are short, because the path of a socket may have no more than 107 bytes.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let door = Self(path.with_file_name(format!(".{:x}", std::process::id())));
        // A daemon of the same number may have died here.
        door.remove();
        DirBuilder::new().mode(0o700).create(&door.0)?;
        Ok(door)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("s")
    }

    fn remove(&self) {
        // What is not there need not be removed; what cannot be is met by who makes it anew.
        let _ = std::fs::remove_file(self.socket());
        let _ = std::fs::remove_dir(&self.0);
    }
}

impl Drop for ClosedDoor {
    fn drop(&mut self) {
        self.remove();
    }
}
