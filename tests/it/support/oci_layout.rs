//! Images made from nothing but a number: OCI layouts (image spec, image-layout.md) for skopeo to push.
//!
//! Two seeds give two digests, one seed always the same. The only layer is an empty tar archive, because what is in
//! an image is of no interest to what watches its digest.

use std::fs;
use std::path::Path;

use basewatch::image::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A directory that holds one image or one index of images; gone when dropped.
pub(crate) struct OciLayout {
    directory: TempDir,
    digest: Digest,
}

impl OciLayout {
    /// An image for linux/amd64.
    pub(crate) fn image(seed: u64) -> Self {
        Self::around(|blobs| add_image(blobs, "amd64", seed))
    }

    /// An index of one image per `(architecture, seed)`, all for linux.
    pub(crate) fn index(images: &[(&str, u64)]) -> Self {
        Self::around(|blobs| {
            let manifests: Vec<Value> = images
                .iter()
                .map(|&(architecture, seed)| {
                    let mut descriptor = add_image(blobs, architecture, seed);
                    descriptor["platform"] = json!({ "os": "linux", "architecture": architecture });
                    descriptor
                })
                .collect();
            add_json(blobs, INDEX, &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }))
        })
    }

    /// The digest that a registry gives this image or index.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Lays the fixed files around what `fill` puts among the blobs and describes.
    fn around(fill: impl FnOnce(&Path) -> Value) -> Self {
        let directory = TempDir::new().expect("make a directory for an OCI layout");
        let blobs = directory.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).expect("make the directory of blobs");
        let root = fill(&blobs);
        let digest =
            root["digest"].as_str().and_then(|text| text.parse().ok()).expect("a descriptor has a digest");
        let index = json!({ "schemaVersion": 2, "manifests": [root] });
        fs::write(directory.path().join("index.json"), index.to_string()).expect("write index.json");
        fs::write(directory.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
            .expect("write oci-layout");
        Self { directory, digest }
    }
}

/// Adds an image's three blobs and describes its manifest.
fn add_image(blobs: &Path, architecture: &str, seed: u64) -> Value {
    let layer = add_blob(blobs, LAYER, &[0; 1024]);
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Labels": { "seed": seed.to_string() } },
        "rootfs": { "type": "layers", "diff_ids": [layer["digest"]] },
    });
    let config = add_json(blobs, CONFIG, &config);
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
    add_json(blobs, MANIFEST, &manifest)
}

fn add_json(blobs: &Path, media_type: &str, value: &Value) -> Value {
    add_blob(blobs, media_type, value.to_string().as_bytes())
}

/// Stores a blob under its digest and describes it.
fn add_blob(blobs: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let digest = Digest::sha256_of(bytes).to_string();
    let name = digest.trim_start_matches("sha256:");
    fs::write(blobs.join(name), bytes).expect("write a blob");
    json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
}
