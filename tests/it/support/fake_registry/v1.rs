//! The protocol before v2, as docker-registry 0.9.1 answers it (components.md, "Real v1 registry"), and as plain files do.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use basewatch::image::ImageId;

use super::{Reply, value};

/// Which protocols a registry speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Speaks {
    #[default]
    V2,
    V1,
    Both,
}

/// How a v1 registry has its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tags {
    /// One by one, and all of them, as docker-registry has them.
    #[default]
    EachAndAll,
    /// All of a repository in one file, with no header of the protocol.
    File,
    /// The same as a list.
    List,
}

/// What a v1 registry holds.
#[derive(Debug, Default)]
pub(super) struct V1 {
    pub(super) tags: Tags,
    /// By repository, then by tag.
    pub(super) repositories: BTreeMap<String, BTreeMap<String, String>>,
}

/// The one image id that `seed` stands for.
pub(super) fn image_id(seed: u64) -> (String, ImageId) {
    let hex = format!("{seed:064x}");
    let id = ImageId::from_hex(&hex).unwrap();
    (hex, id)
}

/// What a registry without v1 says below `/v1/`.
pub(super) fn not_spoken() -> Reply {
    Reply::new(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", b"404 page not found\n")
}

/// What a registry without v2 says below `/v2/`: Flask's page.
pub(super) fn not_v2() -> Reply {
    Reply::new(StatusCode::NOT_FOUND, "text/html", b"<title>404 Not Found</title><h1>Not Found</h1>")
}

impl V1 {
    pub(super) fn answer(&self, path: &str) -> Reply {
        let mut reply = self.look_up(path);
        if self.tags == Tags::EachAndAll {
            reply.headers.insert("x-docker-registry-version", value("0.9.1"));
            reply.headers.insert("x-docker-registry-standalone", value("True"));
        }
        reply
    }

    fn look_up(&self, path: &str) -> Reply {
        if path == "/v1/_ping" {
            return json("{}");
        }
        let rest = path.strip_prefix("/v1/repositories/").unwrap_or_default();
        let Some((repository, tag)) = rest.split_once("/tags") else { return self.missing("Not found") };
        let Some(tags) = self.repositories.get(repository) else {
            return self.missing("Repository not found");
        };
        match (tag.strip_prefix('/'), self.tags) {
            (None, Tags::EachAndAll | Tags::File) => json(&serde_json::to_string(tags).unwrap()),
            (None, Tags::List) => {
                let layers =
                    tags.iter().map(|(name, layer)| serde_json::json!({"name": name, "layer": layer}));
                json(&serde_json::Value::from_iter(layers).to_string())
            }
            (Some(tag), Tags::EachAndAll) if tags.contains_key(tag) => json(&format!("\"{}\"", tags[tag])),
            (Some(_), _) => self.missing("Tag not found"),
        }
    }

    fn missing(&self, error: &str) -> Reply {
        match self.tags {
            Tags::EachAndAll => {
                let body = format!(r#"{{"error": "{error}"}}"#);
                Reply::new(StatusCode::NOT_FOUND, "application/json", body.as_bytes())
            }
            Tags::File | Tags::List => not_v2(),
        }
    }
}

fn json(body: &str) -> Reply {
    Reply::new(StatusCode::OK, "application/json", body.as_bytes())
}
