//! The protocol before v2: a tag's image id, which is no digest (F41 to F43; registries.md, "Legacy v1").
//!
//! An unchanged tag costs one request (invariant 4). Only registries that stand alone are spoken to: there is no token of
//! an index.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Answer, presentable};
use super::error::{Malformed, Trouble};
use super::host::Host;
use super::transport::Reply;
use super::v2::refusal;
use super::{Gate, Target};
use crate::image::{ImageId, TagRef};

/// The headers that v1 registries set on their answers (F42).
const MARKS: [&str; 2] = ["x-docker-registry-version", "x-docker-registry-standalone"];
/// An id in quotes has 66 bytes, and what `_ping` says is not much longer.
const LARGEST_WORD: usize = 16 * 1024;
/// All tags of a repository: as large as a manifest may be, which is room for fifty thousand.
const LARGEST_MAP: usize = 4 * 1024 * 1024;

/// Why a tag was not read.
#[derive(Debug)]
pub(super) enum Failure {
    /// The trouble of a v1 registry, or of the way to it.
    Trouble(Trouble),
    /// A definite answer, and none that only a v1 registry gives.
    Stranger(Trouble),
}

/// All tags of a repository, in one of two forms.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Tags {
    /// docker-registry, Crane: tag to id.
    Map(BTreeMap<String, Value>),
    /// `[{name, layer}]`.
    List(Vec<Layer>),
}

#[derive(Debug, Deserialize)]
struct Layer {
    name: String,
    layer: Value,
}

/// Whether `/v1/_ping` answers as a v1 registry does: with one of its headers or, where it is a tree of plain files, with
/// JSON that says nothing against it (F42).
pub(super) async fn ping(host: &Host, target: Target<'_>, gate: &impl Gate) -> Result<bool, Trouble> {
    let mut reply = host.ask(Method::GET, &host.v1_url("_ping")?, target, gate).await?;
    if is_passing(reply.status()) {
        return Err(refusal(reply).await);
    }
    if reply.status() != StatusCode::OK || reply.elsewhere.is_some() {
        return Ok(false);
    }
    if is_marked(reply.headers()) {
        return Ok(true);
    }
    let Ok(body) = reply.body(LARGEST_WORD).await else { return Ok(false) };
    Ok(matches!(serde_json::from_slice(&body), Ok(Value::Object(_) | Value::Bool(true))))
}

/// The id of the image that the tag points to.
pub(super) async fn resolve(host: &Host, target: Target<'_>, gate: &impl Gate) -> Result<ImageId, Failure> {
    let tag = target.tag;
    let mut reply = host.ask(Method::GET, &url(host, tag, &format!("/{}", tag.tag()))?, target, gate).await?;
    let marked = is_marked(reply.headers());
    if reply.status() == StatusCode::NOT_FOUND {
        let missing = reply.answer().await;
        return look_up(host, target, gate, missing, marked).await;
    }
    if reply.status() != StatusCode::OK {
        return Err(Failure::of(refusal(reply).await, marked));
    }
    read(&mut reply).await.map_err(|trouble| Failure::of(trouble, marked))
}

async fn read(reply: &mut Reply) -> Result<ImageId, Trouble> {
    let body = reply.body(LARGEST_WORD).await?;
    let value = serde_json::from_slice(&body).map_err(|error| none(&error.to_string()))?;
    image_id(&value)
}

/// Registries that are plain files have no file for each tag, only one with all of them (F41).
async fn look_up(
    host: &Host,
    target: Target<'_>,
    gate: &impl Gate,
    missing: Answer,
    marked: bool,
) -> Result<ImageId, Failure> {
    let mut reply = host.ask(Method::GET, &url(host, target.tag, "")?, target, gate).await?;
    let marked = marked || is_marked(reply.headers());
    if is_passing(reply.status()) {
        return Err(Failure::Trouble(refusal(reply).await));
    }
    if reply.status() != StatusCode::OK {
        return Err(Failure::of(Trouble::Missing(missing), marked));
    }
    let body = reply.body(LARGEST_MAP).await.map_err(|trouble| Failure::of(trouble, marked))?;
    let Ok(tags) = serde_json::from_slice::<Tags>(&body) else {
        return Err(Failure::of(Trouble::Missing(missing), marked));
    };
    match tags.find(target.tag.tag()) {
        Some(value) => image_id(value).map_err(|trouble| Failure::of(trouble, marked)),
        None => Err(Failure::Trouble(Trouble::Missing(missing))),
    }
}

fn url(host: &Host, tag: &TagRef, rest: &str) -> Result<Url, Trouble> {
    host.v1_url(&format!("repositories/{}/tags{rest}", tag.v1_repository()))
}

fn image_id(value: &Value) -> Result<ImageId, Trouble> {
    let id = value.as_str().and_then(|hex| ImageId::from_hex(hex).ok());
    id.ok_or_else(|| none(&value.to_string()))
}

fn none(what: &str) -> Trouble {
    Trouble::Malformed(Malformed::NotAnImageId(presentable(what)))
}

fn is_marked(headers: &HeaderMap) -> bool {
    MARKS.iter().any(|mark| headers.contains_key(*mark))
}

/// Whether a status says nothing about what is asked for, and may be another one soon.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

impl Failure {
    fn of(trouble: Trouble, marked: bool) -> Self {
        match !marked && trouble.could_be_a_strangers() {
            true => Self::Stranger(trouble),
            false => Self::Trouble(trouble),
        }
    }

    pub(super) fn into_trouble(self) -> Trouble {
        match self {
            Self::Trouble(trouble) | Self::Stranger(trouble) => trouble,
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Tags {
    fn find(&self, tag: &str) -> Option<&Value> {
        match self {
            Self::Map(tags) => tags.get(tag),
            Self::List(layers) => layers.iter().find(|layer| layer.name == tag).map(|layer| &layer.layer),
        }
    }
}
