//! What a Custom build is told as OpenShift tells its builders (F27).

use serde_json::{Map, Value, json};

use crate::controller::{BuildSpec, ImagePath, ImageUse, PinnedSource, StrategyKind};
use crate::image::TagRef;

/// How long `BUILD` may be. The kernel refuses a variable of 128 KiB, its name included.
const LONGEST: usize = 100 << 10;

/// The variables besides the image's own, which the strategy's environment has (S22). Whoever sets one himself wins.
pub(super) fn variables(spec: &BuildSpec) -> Vec<(&'static str, String)> {
    if spec.strategy != StrategyKind::Custom {
        return Vec::new();
    }
    let source = spec.source.as_deref();
    let git = source.and_then(|source| source.git.as_ref());
    let uri = git.map(|git| git.uri.to_string());
    let reference = git.and_then(|git| git.reference.as_deref()).map(str::to_owned);
    let context_dir = source.and_then(|source| source.context_dir.as_deref()).map(str::to_owned);
    let output = spec.output.as_deref().and_then(|output| output.parse::<TagRef>().ok());
    let registry = output.as_ref().map(|output| output.host().to_owned());
    let image = output.as_ref().map(|output| format!("{}:{}", output.repository(), output.tag()));
    let all = [
        ("BUILD", Some(build(spec))),
        ("SOURCE_REPOSITORY", uri.clone()),
        ("SOURCE_URI", uri),
        ("SOURCE_CONTEXT_DIR", context_dir),
        ("SOURCE_REF", reference),
        ("OUTPUT_REGISTRY", registry),
        ("OUTPUT_IMAGE", image),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The build as an object. Its environment may be larger than what the kernel takes for one variable, and then the program
/// would not start at all; each variable of it is one of the build's own too, so that here its value is left out first, and
/// the whole of it only then.
fn build(spec: &BuildSpec) -> String {
    let whole = |(name, value): &(String, String)| json!({ "name": name, "value": value });
    let name_alone = |(name, _): &(String, String)| json!({ "name": name });
    let environments =
        [spec.env.iter().map(whole).collect::<Vec<_>>(), spec.env.iter().map(name_alone).collect()];
    let mut texts = environments.into_iter().map(|env| object(spec, &env.into()).to_string());
    texts.find(|text| text.len() <= LONGEST).unwrap_or_else(|| object(spec, &Value::Null).to_string())
}

/// The build as OpenShift's `v1` has it, as much of it as a builder reads.
fn object(spec: &BuildSpec, env: &Value) -> Value {
    let config = &spec.build.config;
    let mut labels: Map<String, Value> =
        spec.labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    labels.insert("buildconfig".to_owned(), config.name().into());
    labels.insert("openshift.io/build-config.name".to_owned(), config.name().into());
    json!({
        "apiVersion": "build.openshift.io/v1",
        "kind": "Build",
        "metadata": {
            "name": spec.build.name(),
            "namespace": config.namespace(),
            "uid": spec.id.to_string(),
            "creationTimestamp": spec.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "labels": labels,
            "annotations": {
                "openshift.io/build-config.name": config.name(),
                "openshift.io/build.number": spec.build.number.to_string(),
            },
        },
        "spec": without_nulls(json!({
            "strategy": { "type": "Custom", "customStrategy": strategy(spec, env) },
            "source": source(spec),
            "revision": spec.revision.as_ref().map(|revision| json!({ "type": "Git", "git": revision })),
            "output": spec.output.as_deref().map(|to| json!({ "to": image(to) })),
            "completionDeadlineSeconds": spec.timeout.as_secs(),
        })),
        "status": {
            "phase": "Running",
            "config": { "kind": "BuildConfig", "namespace": config.namespace(), "name": config.name() },
        },
    })
}

fn strategy(spec: &BuildSpec, env: &Value) -> Value {
    let force_pull = spec.options.as_ref().is_some_and(|options| options.force_pull);
    without_nulls(json!({
        "from": spec.base_image.as_ref().map(|base| image(&base.reference)),
        "env": env,
        "forcePull": force_pull.then_some(true),
    }))
}

fn source(spec: &BuildSpec) -> Value {
    let git = spec.source.as_ref().and_then(|source| source.git.as_ref());
    let images: Vec<Value> = spec.image_sources.iter().map(image_source).collect();
    without_nulls(json!({
        "type": git.map(|_| "Git").or((!images.is_empty()).then_some("Image")),
        "git": git,
        "contextDir": spec.source.as_ref().and_then(|source| source.context_dir.as_deref()),
        "images": (!images.is_empty()).then_some(images),
    }))
}

fn image_source(source: &PinnedSource) -> Value {
    let ImageUse { aliases, paths } = &source.of_use;
    let path =
        |path: &ImagePath| json!({ "sourcePath": path.source_path, "destinationDir": path.destination_dir });
    json!({
        "from": image(&source.image.reference),
        "as": aliases,
        "paths": paths.iter().map(path).collect::<Vec<_>>(),
    })
}

fn image(reference: &str) -> Value {
    json!({ "kind": "DockerImage", "name": reference })
}

/// What is not known is left out, as Kubernetes does.
fn without_nulls(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| !value.is_null());
    }
    object
}
