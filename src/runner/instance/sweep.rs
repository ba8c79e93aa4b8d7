//! What nobody asked for in a long time: ends that no daemon stored, and attempts that were told to be gone. And what
//! was to be deleted when its instance was ended.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::spool::{self, SPOOL, Spool, dir, last_asked};

/// How long a build is kept that nobody asks for.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// Forgets what is old enough, but for the build `asked`, which somebody did ask for. Best effort: what is left is found by the next instance. Blocks.
pub(super) fn sweep(state_dir: &Path, asked: Uuid) {
    // Whoever failed to has told.
    let _ = spool::delete(&spool::set_aside_before(state_dir));
    let builds = match fs::read_dir(state_dir.join(SPOOL)) {
        Ok(builds) => builds,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return left(&state_dir.join(SPOOL), &error),
    };
    // What has no id for a name is not ours.
    let ids = builds.flatten().filter_map(|build| Uuid::parse_str(build.file_name().to_str()?).ok());
    for id in ids.filter(|id| *id != asked && is_old(&dir(state_dir, *id))) {
        if let Err(error) = forget(state_dir, id) {
            left(&dir(state_dir, id), &error);
        }
    }
}

/// One that runs is younger than its last question, for all that.
fn forget(state_dir: &Path, id: Uuid) -> io::Result<()> {
    match Spool::try_hold(state_dir, id)? {
        Some(spool) if is_old(&dir(state_dir, id)) => spool::delete(&spool.forget(false)?),
        Some(_) | None => Ok(()),
    }
}

fn is_old(dir: &Path) -> bool {
    let age = last_asked(dir).and_then(|asked| SystemTime::now().duration_since(asked).ok());
    age.is_some_and(|age| age > KEPT)
}

fn left(path: &Path, error: &io::Error) {
    let path = path.display();
    tracing::warn!(event = "build_files_left", %path, %error, "cannot remove what nobody asks for");
}
