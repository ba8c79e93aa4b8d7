//! Where an image goes when it is built, and where that of the build before is found.

use std::fs;

use super::super::container::{Container, DIGEST, digest_of};
use super::super::error::StrategyError;
use super::{ask, run, say, try_ask, try_run};
use crate::controller::BuiltImage;

/// The image of the build before, if there is one and it is wanted.
pub(super) fn previous<'a>(
    container: &Container<'_>,
    output: Option<&'a str>,
) -> Result<Option<&'a str>, StrategyError> {
    if !container.options().is_some_and(|options| options.incremental) {
        return Ok(None);
    }
    if let Some(output) = output {
        let get = container.get_previous(output);
        // What describes it here says more than anybody wants to read.
        let failed = if container.pushes() { try_run(&get)?.is_some() } else { try_ask(&get)?.is_err() };
        if !failed {
            return Ok(Some(output));
        }
    }
    say("# there is no image of an earlier build: nothing of it is used again");
    Ok(None)
}

/// Pushes the image, if it is to be, and answers with what its registry calls it. Where it goes somewhere, nothing of it
/// stays under the build's own name: the store of images would grow with each build.
pub(super) fn delivered(
    container: &Container<'_>,
    own: &str,
    output: Option<&str>,
) -> Result<Option<BuiltImage>, StrategyError> {
    let Some(output) = output else { return Ok(None) };
    let delivered = match container.pushes() {
        true => pushed(container, own, output).map(Some),
        false => run(&container.tag(own, output)).map(|()| None),
    };
    // What is left costs space, and no build.
    match try_run(&container.remove(own)) {
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => say(&format!("# {own} stays on this machine: {error}")),
    }
    delivered
}

fn pushed(container: &Container<'_>, own: &str, output: &str) -> Result<BuiltImage, StrategyError> {
    for step in container.push(own, output) {
        run(&step)?;
    }
    let found = match container.pushed(own) {
        None => fs::read_to_string(DIGEST).map_err(StrategyError::file("read", DIGEST))?,
        Some(step) => {
            let told = ask(&step)?;
            digest_of(output, &told).unwrap_or_else(|| String::from_utf8_lossy(&told).trim().to_owned())
        }
    };
    match found.trim().parse() {
        Ok(digest) => Ok(BuiltImage { reference: output.into(), digest }),
        Err(_) => {
            let tool = container.tool.as_str();
            Err(StrategyError::NoDigest { tool, output: output.to_owned(), found })
        }
    }
}
