//! Finds out which protocol a host speaks, at the cost of no request where that is known.
//!
//! v2 is always tried first. Only where its answer could be a stranger's is `/v2/` asked; only where that gives a definite
//! no is v1 tried; and only what answers as v1 in two ways, and names an image, is taken for it (D10).

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;

use super::api::{Ask, Doubt, Pong};
use super::error::Trouble;
use super::host::Host;
use super::transport::Reply;
use super::v1::{self, Failure};
use super::{Gate, Target, v2};
use crate::image::{Found, Polled};

/// The header that v2 registries set on every answer (F40).
const V2_VERSION: &str = "docker-distribution-api-version";

/// What the tag points to now, by whichever protocol its host speaks.
pub(super) async fn resolve(host: &Host, target: Target<'_>, gate: &impl Gate) -> Result<Found, Trouble> {
    let ask = host.protocol().ask(Instant::now());
    match ask {
        Ask::V2 => by_v2(host, target, gate).await,
        Ask::V1 => Box::pin(by_v1(host, target, gate)).await,
        Ask::V1UnlessV2 => match Box::pin(ping(host, target, gate)).await {
            Ok(Pong::V2) => by_v2(host, target, gate).await,
            Ok(Pong::Perhaps) => match Box::pin(perhaps_by_v2(host, target, gate)).await {
                Some(outcome) => outcome,
                None => Box::pin(by_v1(host, target, gate)).await,
            },
            // Another request at once is what such a host wants least.
            Err(trouble) if trouble.asks_for_quiet() => Err(trouble),
            // Whatever else it is, the tag's own look tells.
            Ok(Pong::NotV2(_) | Pong::Page(_) | Pong::Login) | Err(_) => {
                Box::pin(by_v1(host, target, gate)).await
            }
        },
    }
}

/// Whether only a v2 registry sends these headers.
pub(super) fn is_marked_v2(headers: &HeaderMap) -> bool {
    headers.contains_key(V2_VERSION)
}

async fn by_v2(host: &Host, target: Target<'_>, gate: &impl Gate) -> Result<Found, Trouble> {
    let start = Instant::now();
    let trouble = match v2::resolve(host, target, gate).await {
        Ok(found) => {
            host.protocol().prove_v2(Instant::now());
            return Ok(found);
        }
        Err(trouble) if trouble.could_be_a_strangers() => trouble,
        Err(trouble) => return Err(trouble),
    };
    let doubt = host.protocol().doubt(start, Instant::now());
    let pong = match doubt {
        Doubt::No => return Err(trouble),
        Doubt::Asked(pong) => pong,
        Doubt::Ask => Box::pin(ping(host, target, gate)).await?,
    };
    let was_v2 = host.protocol().is_v2();
    match pong {
        Pong::V2 | Pong::Perhaps | Pong::Login => Err(trouble),
        Pong::NotV2(answer) | Pong::Page(answer) if was_v2 => Err(Trouble::NoLongerV2(answer)),
        Pong::Page(_) => Err(trouble),
        Pong::NotV2(answer) => match Box::pin(v1::ping(host, target, gate)).await? {
            true => Box::pin(first_by_v1(host, target, gate, Trouble::NoLongerV2(answer))).await,
            false => Err(Trouble::NoRegistry(answer)),
        },
    }
}

/// The look that makes a host a v1 registry; `otherwise` if it was found to be v2 meanwhile.
async fn first_by_v1(
    host: &Host,
    target: Target<'_>,
    gate: &impl Gate,
    otherwise: Trouble,
) -> Result<Found, Trouble> {
    let image_id = v1::resolve(host, target, gate).await.map_err(Failure::into_trouble)?;
    let counts = host.protocol().read_by_v1(Instant::now());
    if counts { Ok(Polled::V1(image_id).into()) } else { Err(otherwise) }
}

/// A host that does not answer as v1 any more may have become v2 (F44).
async fn by_v1(host: &Host, target: Target<'_>, gate: &impl Gate) -> Result<Found, Trouble> {
    let start = Instant::now();
    let failure = match v1::resolve(host, target, gate).await {
        Ok(image_id) => return Ok(Polled::V1(image_id).into()),
        Err(failure) => failure,
    };
    let doubt = host.protocol().doubt(start, Instant::now());
    let perhaps = match (&failure, doubt) {
        (_, Doubt::No) | (Failure::Trouble(_), Doubt::Ask | Doubt::Asked(_)) => false,
        // It is asked at once: what it said before, it may have said as the v1 registry that it was.
        (Failure::Stranger(_), Doubt::Ask | Doubt::Asked(_)) => {
            ping(host, target, gate).await? == Pong::Perhaps
        }
    };
    if host.protocol().is_v2() {
        return by_v2(host, target, gate).await;
    }
    let outcome = if perhaps { perhaps_by_v2(host, target, gate).await } else { None };
    outcome.unwrap_or_else(|| Err(failure.into_trouble()))
}

/// v2 on a v1 host whose `/v2/` speaks for it without proving it. `None` if v2 was in vain, nothing else spoke for it, and
/// the host may be asked again at once.
async fn perhaps_by_v2(host: &Host, target: Target<'_>, gate: &impl Gate) -> Option<Result<Found, Trouble>> {
    match by_v2(host, target, gate).await {
        Err(trouble) if !host.protocol().is_v2() && !trouble.asks_for_quiet() => None,
        outcome => Some(outcome),
    }
}

/// What `/v2/` answers.
async fn ping(host: &Host, target: Target<'_>, gate: &impl Gate) -> Result<Pong, Trouble> {
    let pong = match host.ask(Method::GET, &host.v2_url()?, target, gate).await {
        Ok(reply) => judge(reply).await?,
        Err(
            Trouble::Denied { .. }
            | Trouble::CredentialsRejected { .. }
            | Trouble::LoginUnsupported { .. }
            | Trouble::Token { .. },
        ) => Pong::Login,
        Err(trouble) => return Err(trouble),
    };
    host.protocol().ponged(&pong, Instant::now());
    Ok(pong)
}

/// F40, but for three answers that stand in front of too many things to prove anything: a page for people, which an error
/// page can be with status 200 too, a login, and a success without the registry's header, which a load balancer gives too.
async fn judge(mut reply: Reply) -> Result<Pong, Trouble> {
    let (status, elsewhere) = (reply.status(), reply.elsewhere.is_some());
    if !elsewhere && is_marked_v2(reply.headers()) {
        return Ok(Pong::V2);
    }
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(v2::refusal(reply).await);
    }
    Ok(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Pong::Login,
        _ if elsewhere => Pong::Page(reply.answer().await),
        _ if !status.is_success() => Pong::NotV2(reply.answer().await),
        _ if is_page(reply.headers()) => Pong::Page(reply.answer().await),
        _ => Pong::Perhaps,
    })
}

fn is_page(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    ["text/html", "application/xhtml+xml"].iter().any(|page| page.eq_ignore_ascii_case(media_type))
}
