//! Watch lists for tests, as text: what a user writes is what is tested.

use std::fmt::Write as _;

/// One `[[watch]]`.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    name: String,
    host: String,
    images: Vec<String>,
    keys: Vec<(String, String)>,
}

impl Watch {
    /// A watch that builds nothing of note.
    pub(crate) fn new(name: &str, host: &str, image: &str) -> Self {
        let images = vec![format!("{host}/{image}")];
        Self { name: name.into(), host: host.into(), images, keys: Vec::new() }
    }

    /// One more image of the same registry.
    pub(crate) fn and(mut self, image: &str) -> Self {
        self.images.push(format!("{}/{image}", self.host));
        self
    }

    pub(crate) fn run(self, command: &[String]) -> Self {
        self.key("run", &format!("{command:?}"))
    }

    pub(crate) fn every(self, interval: &str) -> Self {
        self.key("interval", &format!("\"{interval}\""))
    }

    /// Any key, its value as TOML.
    pub(crate) fn key(mut self, name: &str, value: &str) -> Self {
        self.keys.push((name.into(), value.into()));
        self
    }
}

/// A watch list on one registry that speaks plain http.
pub(crate) fn watch_list(host: &str, watches: &[Watch]) -> String {
    let mut text = format!("[[registry]]\nhost = \"{host}\"\ninsecure = true\n");
    for watch in watches {
        writeln!(text, "\n[[watch]]\nname = \"{}\"\nimages = {:?}", watch.name, watch.images).unwrap();
        if !watch.keys.iter().any(|(name, _)| name == "run") {
            writeln!(text, "run = [\"/bin/true\"]").unwrap();
        }
        for (name, value) in &watch.keys {
            writeln!(text, "{name} = {value}").unwrap();
        }
    }
    text
}

/// The ground that OpenShift's document stands on: two image streams in `mynamespace`, on one registry that speaks plain
/// http. What is built from them comes behind it.
pub(crate) fn mynamespace(host: &str) -> String {
    format!(
        r#"
[defaults]
namespace = "mynamespace"
system_registry = "{host}"
interval = "100ms"

[[registry]]
host = "{host}"
insecure = true

[[image_stream]]
name = "ruby-20-centos7"

[[image_stream]]
name = "custom-image"
"#
    )
}
