//! What systemd is to a daemon: a datagram socket that is told things.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tempfile::TempDir;

use super::daemon::DEADLINE;

/// A socket for `NOTIFY_SOCKET`.
pub(crate) struct ServiceManager {
    socket: UnixDatagram,
    name: String,
    _dir: Option<TempDir>,
}

impl ServiceManager {
    /// One at a path.
    pub(crate) fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self::new(socket, path.to_str().unwrap().to_owned(), Some(dir))
    }

    /// One in no file system.
    pub(crate) fn start_abstract() -> Self {
        let unique = TempDir::new().unwrap();
        let name = format!("basewatch-test{}", unique.path().display());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Self::new(socket, format!("@{name}"), Some(unique))
    }

    fn new(socket: UnixDatagram, name: String, dir: Option<TempDir>) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { socket, name, _dir: dir }
    }

    /// The value of `NOTIFY_SOCKET`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Waits for the next message. Its lines.
    pub(crate) fn next(&self) -> Vec<String> {
        let mut buffer = [0; 8192];
        let length = self.socket.recv(&mut buffer).expect("a message in time");
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for a status that `find` takes, and answers with all statuses until then.
    pub(crate) fn wait_status(&self, find: impl Fn(&str) -> bool) -> Vec<String> {
        let mut statuses = Vec::new();
        loop {
            let lines = self.next();
            statuses.extend(lines.iter().filter_map(|line| line.strip_prefix("STATUS=")).map(str::to_owned));
            if statuses.last().is_some_and(|status| find(status)) {
                return statuses;
            }
        }
    }

    /// Everything that was told and not yet taken.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).unwrap();
        let mut rest = Vec::new();
        let mut buffer = [0; 8192];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let text = std::str::from_utf8(&buffer[..length]).unwrap();
                    rest.extend(text.lines().map(str::to_owned));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.socket.set_nonblocking(false).unwrap();
        rest
    }
}
