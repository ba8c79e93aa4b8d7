//! What the daemon tells the service manager that started it, by the protocol of sd_notify(3), and what it keeps from
//! its builds of all that it was started with.
//!
//! It decides nothing and remembers nothing: `daemon` says what is to be told, and when.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::text::push_harmless;

/// The variable that names the service manager's socket. Builds are never given it.
pub const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// The longest status: systemd takes 4096 bytes in all, and a person reads one line.
const LONGEST_STATUS: usize = 500;

/// Standard input, output and error are given on purpose.
const FIRST_STRAY: i32 = 3;

/// The service manager, if one started us and wants to be told.
#[derive(Debug, Clone, Default)]
pub struct Manager {
    socket: Option<SocketAddr>,
}

/// What a service manager can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State<'a> {
    /// The start is over, and the daemon does its work.
    Ready,
    /// The daemon is about to end.
    Stopping,
    /// What it is doing, in one line.
    Status(&'a str),
}

impl Manager {
    /// The manager that listens at `name`, the value of [`SOCKET_VARIABLE`]: a path, or `@` and the name of an abstract
    /// socket.
    ///
    /// # Errors
    /// If `name` is neither. Nobody can be told anything then.
    pub fn at(name: Option<&OsStr>) -> io::Result<Self> {
        let Some(name) = name.map(OsStr::as_bytes).filter(|name| !name.is_empty()) else {
            return Ok(Self::default());
        };
        let socket = match name {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(OsStr::from_bytes(name))?,
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "neither a path nor an @ with a name",
                ));
            }
        };
        Ok(Self { socket: Some(socket) })
    }

    /// Whether there is anybody to be told.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// Tells `states` in one message. Without a manager this is nothing at all.
    ///
    /// # Errors
    /// If the message was not taken, or not within `patience`: a manager that is busy keeps its senders waiting.
    pub async fn tell(&self, states: &[State<'_>], patience: Duration) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        let message = message(states);
        // Connected anew each time, so that a manager that was restarted is found again.
        let sender = UnixDatagram::unbound()?;
        sender.connect_addr(socket)?;
        sender.set_nonblocking(true)?;
        match sender.send(message.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return sent.map(drop),
        }
        let sender = tokio::net::UnixDatagram::from_std(sender)?;
        match tokio::time::timeout(patience, sender.send(message.as_bytes())).await {
            Ok(sent) => sent.map(drop),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// One line a state (sd_notify(3)). A line within a status would be a state of its own.
fn message(states: &[State<'_>]) -> String {
    let mut message = String::new();
    for state in states {
        match state {
            State::Ready => message.push_str("READY=1"),
            State::Stopping => message.push_str("STOPPING=1"),
            State::Status(text) => {
                message.push_str("STATUS=");
                text.chars().take(LONGEST_STATUS).for_each(|letter| push_harmless(&mut message, letter));
            }
        }
        message.push('\n');
    }
    message
}

/// Closes what whoever started us left open, standard input, output and error apart. We use none of it, and each
/// build would have it too. What is closed at an exec anyway stays: it is our own.
///
/// To be called before anything else is opened.
///
/// # Errors
/// If `/proc` cannot tell what is open.
pub fn close_strays() -> io::Result<()> {
    let open = fs::read_dir("/proc/self/fdinfo")?;
    let open: Vec<i32> = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    let strays = open.into_iter().filter(|number| *number >= FIRST_STRAY && outlives_exec(*number));
    strays.for_each(|number| {
        // It was open a moment ago and nobody else is at work yet; should it be gone, all is well.
        let _ = nix::unistd::close(number);
    });
    Ok(())
}

/// Whether `flags:`, in octal, lacks `O_CLOEXEC` (proc(5)). Of what cannot be read nothing is known, and it stays.
fn outlives_exec(number: i32) -> bool {
    let flags = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok();
    let flags = flags.as_deref().and_then(|info| info.lines().find_map(|line| line.strip_prefix("flags:")));
    let flags = flags.and_then(|octal| i32::from_str_radix(octal.trim(), 8).ok());
    flags.is_some_and(|flags| {
        !nix::fcntl::OFlag::from_bits_retain(flags).contains(nix::fcntl::OFlag::O_CLOEXEC)
    })
}

#[cfg(test)]
mod tests;
