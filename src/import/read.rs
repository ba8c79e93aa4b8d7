//! Text into trees, within bounds: what is imported may come from anybody.

use std::io;

use serde_json::Value;
use serde_saphyr::Options;

/// The largest text that is read, in bytes: a namespace with a thousand streams and their histories is a tenth of it.
pub const LARGEST: usize = 64 * 1024 * 1024;

/// How deep an object may be nested; OpenShift's own are a dozen deep.
const DEEPEST: usize = 64;

/// Why a document is no tree.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("read it as YAML: {0}")]
    Yaml(String),
    #[error("it is larger than {LARGEST} bytes: split it")]
    TooLarge,
}

/// Each document of a text that has something in it. After one that cannot be read the next may not be found.
pub(super) fn documents(text: &str) -> Vec<Result<Value, Error>> {
    if text.len() > LARGEST {
        return vec![Err(Error::TooLarge)];
    }
    // JSON that is indented by tabs is no YAML.
    if let Some(values) = json(text) {
        return values.into_iter().map(Ok).collect();
    }
    let mut bytes = io::Cursor::new(text.as_bytes());
    let documents = serde_saphyr::read_with_options::<_, Value>(&mut bytes, options());
    documents.map(|document| document.map_err(|error| Error::Yaml(error.to_string()))).collect()
}

/// The text as JSON, one value after the other, if it is that.
fn json(text: &str) -> Option<Vec<Value>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::Deserializer::from_str(text).into_iter().collect::<Result<Vec<Value>, _>>().ok()
}

/// Bounds for what a text may cost. No snippet: a message must not show what stands beside a mistake, be it a secret.
fn options() -> Options {
    serde_saphyr::options! {
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 200_000,
        },
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(LARGEST),
            max_depth: DEEPEST,
            max_documents: 10_000,
            max_events: 10_000_000,
            max_nodes: 5_000_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
    }
}
