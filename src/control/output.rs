//! A build's log file, read in pieces: however long it is, only one piece of it is in memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use futures_util::stream::{self, Stream};
use nix::fcntl::OFlag;

/// How much is read at once, in bytes.
const PIECE: usize = 64 * 1024;

/// Opens a log. A build may have put something else in its place: only a plain file is read.
pub(super) async fn open(path: PathBuf) -> io::Result<File> {
    blocking(move || {
        let careful = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(careful.bits()).open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("not a plain file")),
        }
    })
    .await
}

/// The pieces of `file`, up to its end as it is when that is reached.
pub(super) fn chunks(file: File) -> impl Stream<Item = io::Result<Vec<u8>>> + Send {
    stream::try_unfold(file, |mut file| {
        blocking(move || {
            let mut piece = vec![0; PIECE];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            Ok((length > 0).then_some((piece, file)))
        })
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
