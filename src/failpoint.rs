//! Places where the suite makes things fail or die. Nothing at all without the feature `failpoints`.

/// Marks the point `name`, just before something is done to the world.
///
/// With `name=return` it fails with an I/O error; with `name=return(abort)` the process dies there, as by kill -9.
///
/// # Errors
/// Only with the feature `failpoints`, and only where a test asked for it.
#[cfg(feature = "failpoints")]
pub(crate) fn reach(name: &str) -> std::io::Result<()> {
    fail::fail_point!(name, |action: Option<String>| match action.as_deref() {
        Some("abort") => std::process::abort(),
        _ => Err(std::io::Error::other(format!("failure point {name}"))),
    });
    Ok(())
}

/// Marks the point `name`, just before something is done to the world.
///
/// # Errors
/// Never: without the feature `failpoints` nothing fails here.
#[cfg(not(feature = "failpoints"))]
#[inline]
#[allow(clippy::unnecessary_wraps, reason = "the other build of this function fails")]
pub(crate) fn reach(_name: &str) -> std::io::Result<()> {
    Ok(())
}

/// Marks the point `name` where nothing can fail, but the process can die.
pub(crate) fn pass(name: &str) {
    // A failure that a test asks for here is as good as none.
    let _ = reach(name);
}
