//! Builds that really build: from source code to an image in a registry, by git and buildah.

mod checkout;
mod custom;
mod docker;
mod failing;
mod reference;
mod show;
mod source;
mod trusted;

use crate::support::workshop::Workshop;

/// A build config `app` of one type, from the stream tag `base:1`.
fn app(kind: &str, strategy: &str, rest: &str) -> String {
    format!(
        r#"
[[image_stream]]
name = "base"

[[build_config]]
name = "app"
{rest}

[build_config.strategy]
type = "{kind}"
from = {{ kind = "ImageStreamTag", name = "base:1" }}
{strategy}

[[build_config.trigger]]
type = "ImageChange"
image_change = {{}}
"#
    )
}

/// The layers of an image, by what is in them.
fn layers(workshop: &Workshop, image: &str) -> Vec<String> {
    let config = workshop.config(image);
    let layers = config["rootfs"]["diff_ids"].as_array().unwrap();
    layers.iter().map(|layer| layer.as_str().unwrap().to_owned()).collect()
}
