//! Where a verb waits for something.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};

/// Runs `future` to its end. Threads that it left at work, looking up a name or writing to a disk that hangs, cannot be
/// called off: they are waited for as long as `patience`. Everything runs on this thread, `spawn_local`'s tasks too.
pub(super) fn block_on<T>(patience: Duration, future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let output = runtime.block_on(future);
    runtime.shutdown_timeout(patience);
    Ok(output)
}
