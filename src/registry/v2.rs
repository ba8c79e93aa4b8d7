//! The OCI distribution protocol: a tag's digest by HEAD, or by GET where HEAD is of no use.
//!
//! An unchanged tag costs one HEAD on a host that answers HEAD, and one GET on one that does not (invariant 4).

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, StatusCode, Url};
use tokio::time::Instant;

use super::contents::{Answered, look_into};
use super::error::{Advice, Malformed, Trouble};
use super::host::Host;
use super::transport::Reply;
use super::verdict::{First, Symptom};
use super::{Gate, Target, manifest};
use crate::image::{Descriptor, Found};

/// The specification asks for four megabytes at least; containers/image and distribution allow four binary ones.
pub(super) const LARGEST_MANIFEST: usize = 4 * 1024 * 1024;

/// What a HEAD brought.
enum Headed {
    Answered(Descriptor),
    Useless(Symptom, Reply),
}

/// What the tag points to now, and what is in it where that is wanted. A digest in place of a tag is what must come back
/// (F6): a proxy that answers with something else is not believed.
pub(super) async fn resolve(host: &Host, target: Target<'_>, gate: &impl Gate) -> Result<Found, Trouble> {
    let answered = poll(host, target, gate).await?;
    if let Some(asked) = target.tag.pinned_digest().filter(|asked| *asked != answered.manifest.digest) {
        let got = answered.manifest.digest;
        return Err(Trouble::Malformed(Malformed::WrongDigest { asked, got }));
    }
    look_into(host, target, answered, gate).await
}

async fn poll(host: &Host, target: Target<'_>, gate: &impl Gate) -> Result<Answered, Trouble> {
    let url = host.manifest_url(target.tag)?;
    let first = host.verdict().first(Instant::now());
    let symptom = match first {
        First::Get => return Box::pin(get(host, &url, target, gate)).await,
        First::Head => match head(host, &url, target, gate).await? {
            Headed::Answered(manifest) => {
                host.verdict().head_answered();
                return Ok(Answered { manifest, body: None });
            }
            Headed::Useless(symptom, reply) if !host.verdict().wants_get(symptom) => {
                return Err(Box::pin(refusal(reply)).await);
            }
            Headed::Useless(symptom, _) => symptom,
        },
    };
    let answered = Box::pin(get(host, &url, target, gate)).await?;
    host.verdict().get_answered(symptom, Instant::now());
    Ok(answered)
}

async fn head(host: &Host, url: &Url, target: Target<'_>, gate: &impl Gate) -> Result<Headed, Trouble> {
    let reply = host.ask(Method::HEAD, url, target, gate).await?;
    let symptom = match reply.status().as_u16() {
        200 => match manifest::from_head(reply.headers()).map_err(Trouble::Malformed)? {
            Some(manifest) => return Ok(Headed::Answered(manifest)),
            None => Symptom::Silent,
        },
        404 => Symptom::NotFound,
        400 | 405 | 406 => Symptom::NotAllowed,
        // Who wants to be left alone is not asked by GET in the same breath.
        500..=599 if !reply.headers().contains_key(RETRY_AFTER) => Symptom::ServerError,
        _ => return Err(Box::pin(refusal(reply)).await),
    };
    Ok(Headed::Useless(symptom, reply))
}

async fn get(host: &Host, url: &Url, target: Target<'_>, gate: &impl Gate) -> Result<Answered, Trouble> {
    let mut reply = host.ask(Method::GET, url, target, gate).await?;
    if reply.status() != StatusCode::OK {
        return Err(Box::pin(refusal(reply)).await);
    }
    let body = reply.body(LARGEST_MANIFEST).await?;
    let pinned = target.tag.pinned_digest();
    let manifest =
        manifest::from_body(reply.headers(), &body, pinned.as_ref()).map_err(Trouble::Malformed)?;
    Ok(Answered { manifest, body: Some(body) })
}

/// What a status means that is not the answer.
pub(super) async fn refusal(mut reply: Reply) -> Trouble {
    let answer = reply.answer().await;
    match answer.status.as_u16() {
        401 | 403 => Trouble::Denied { answer, advice: Advice::None },
        404 => Trouble::Missing(answer),
        429 => Trouble::TooManyRequests { retry_after: answer.retry_after, answer },
        500..=599 => Trouble::Server(answer),
        _ => Trouble::Refused(answer),
    }
}
