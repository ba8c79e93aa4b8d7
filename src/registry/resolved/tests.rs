use super::*;

const DIGEST: &str = "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

fn resolved(media_type: &str) -> Resolved {
    let polled = Polled { digest: DIGEST.parse().unwrap(), media_type: media_type.into(), accept_version: 1 };
    Resolved::new("debian:12".parse().unwrap(), polled)
}

#[test]
fn as_json_it_has_the_names_that_scripts_rely_on() {
    let json = serde_json::to_value(resolved("application/vnd.oci.image.index.v1+json")).unwrap();
    let expected = serde_json::json!({
        "image": "docker.io/library/debian:12",
        "digest": DIGEST,
        "media_type": "application/vnd.oci.image.index.v1+json",
        "reference": format!("docker.io/library/debian@{DIGEST}"),
    });
    assert_eq!(json, expected);
}

#[test]
fn as_text_it_ends_with_the_pinned_reference() {
    let text = resolved("").to_string();
    assert!(text.ends_with(&format!("docker.io/library/debian@{DIGEST}")), "{text}");
    assert!(text.contains("media type  (not said)"), "{text}");
}
