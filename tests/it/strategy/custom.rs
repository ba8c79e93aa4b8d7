//! The Custom strategy: a builder of one's own, told as OpenShift tells its builders.

use serde_json::Value;

use super::app;
use crate::support::workshop::Workshop;

/// A builder that fetches, builds and pushes by nothing but what it is told.
const BUILDER: &str = r#"set -e
git clone --quiet --branch "$SOURCE_REF" "$SOURCE_REPOSITORY" own
test "$SOURCE_URI" = "$SOURCE_REPOSITORY"
cd "own/$SOURCE_CONTEXT_DIR"
printf 'FROM %s\nCOPY message /message\nRUN echo "$(cat /base) $(cat /message)" > /made\n' \
    "$OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE" > Containerfile
image="$OUTPUT_REGISTRY/$OUTPUT_IMAGE"
buildah build --quiet --tls-verify=false --tag "$image" .
buildah push --quiet --tls-verify=false --digestfile digest "$image"
printf '{"images":[{"reference":"%s","digest":"%s"}],"commit":"%s"}' \
    "$image" "$(cat digest)" "$(git rev-parse HEAD)" > "$BASEWATCH_RESULT_FILE"
printf 'BUILD is %s\n' "$BUILD"
"#;

#[test]
fn a_builder_of_ones_own_is_told_all_that_it_needs() {
    let workshop = Workshop::new();
    let host = workshop.registry.host().to_owned();
    let base = workshop.make("default/base:1", "RUN echo base > /base\n", &[]);
    let repository = workshop.repository("app");
    let commit = repository.commit(&[("web/message", "hello")]);
    let uri = repository.uri();
    let rest = format!(
        "source = {{ git = {{ uri = \"{uri}\", ref = \"main\" }}, context_dir = \"web\" }}\n\
         output = {{ to = \"HOST/team/app:1\" }}\nlabels = {{ team = \"pay\" }}"
    );
    let strategy = format!(
        "command = [\"/bin/sh\", \"-c\", '''{BUILDER}''']\nenv = [{{ name = \"EXTRA\", value = \"more\" }}]"
    );
    workshop.configure(&app("Custom", &strategy, &rest));
    let daemon = workshop.start();
    let shown = workshop.complete(&daemon, "app-1");
    assert_eq!(shown["commit"], *commit);
    assert_eq!(shown["images"][0]["reference"], format!("{host}/team/app:1"));
    let image = format!("team/app@{}", shown["images"][0]["digest"].as_str().unwrap());
    assert_eq!(workshop.file(&image, "/made"), "base hello\n");

    let log = workshop.log("app-1");
    let line = log.lines().find_map(|line| line.strip_prefix("BUILD is ")).unwrap();
    let build: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&build["kind"], &build["metadata"]["name"]), (&"Build".into(), &"app-1".into()));
    assert_eq!(build["metadata"]["labels"]["team"], "pay");
    let spec = &build["spec"];
    assert_eq!(spec["source"]["git"]["uri"], uri);
    assert_eq!(spec["source"]["contextDir"], "web");
    assert_eq!(spec["output"]["to"]["name"], format!("{host}/team/app:1"));
    let custom = &spec["strategy"]["customStrategy"];
    assert_eq!(custom["from"]["name"], format!("{host}/default/base@{base}"));
    let env = custom["env"].as_array().unwrap();
    assert!(env.contains(&serde_json::json!({ "name": "EXTRA", "value": "more" })), "{env:?}");
    daemon.stop();
}
