use super::*;

const DIGEST: &str = "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const PRETTYJWS: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

fn headers(content_type: &str, digest: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [("content-type", content_type), (DIGEST_HEADER, digest)] {
        if !value.is_empty() {
            headers.insert(name, value.parse().unwrap());
        }
    }
    headers
}

fn manifest(media_type: &str) -> String {
    match media_type {
        "" => r#"{"schemaVersion":2,"config":{},"layers":[]}"#.to_owned(),
        named => format!(r#"{{"schemaVersion":2,"mediaType":"{named}","config":{{}},"layers":[]}}"#),
    }
}

#[test]
fn the_accept_set_is_the_one_that_its_version_stands_for() {
    let expected = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ];
    assert_eq!((ACCEPT_VERSION, ACCEPT), (1, expected), "another set needs another version");
}

#[test]
fn a_head_brings_the_digest_and_the_media_type_without_parameters() {
    for content_type in [OCI, &format!("{OCI}; charset=utf-8"), &format!(" {}", OCI.to_uppercase())] {
        let polled = from_head(&headers(content_type, DIGEST)).unwrap().unwrap();
        assert_eq!((polled.digest.to_string().as_str(), &*polled.media_type), (DIGEST, OCI));
        assert_eq!(polled.accept_version, 1);
    }
}

#[test]
fn a_sha512_digest_is_legal() {
    let digest = format!("sha512:{}", "0f".repeat(64));
    let polled = from_head(&headers(OCI, &digest)).unwrap().unwrap();
    assert_eq!(polled.digest.to_string(), digest);
}

#[test]
fn a_head_without_a_valid_digest_or_a_media_type_says_nothing() {
    let upper = DIGEST.to_uppercase();
    let long = format!("sha256:{}", "0".repeat(100_000));
    for digest in
        ["", "hello world", "sha256:", "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", &upper, &long]
    {
        assert_eq!(from_head(&headers(OCI, digest)).unwrap(), None, "{digest}");
    }
    for content_type in
        ["", ";", "application/octet-stream", "Application/JSON; charset=utf-8", "binary/octet-stream"]
    {
        assert_eq!(from_head(&headers(content_type, DIGEST)).unwrap(), None, "{content_type}");
    }
}

#[test]
fn an_etag_is_never_taken_for_a_digest() {
    let mut headers = headers(OCI, "");
    headers.insert("etag", format!("\"{DIGEST}\"").parse().unwrap());
    assert_eq!(from_head(&headers).unwrap(), None);
}

#[test]
fn a_bodys_digest_is_its_own_whatever_the_header_says() {
    let body = manifest(OCI);
    let polled = from_body(&headers(OCI, DIGEST), body.as_bytes(), None).unwrap();
    assert_eq!(polled.digest, Digest::sha256_of(body.as_bytes()));
    assert_eq!(&*polled.media_type, OCI);
}

#[test]
fn where_the_header_names_a_sha512_the_bodys_digest_is_one_too() {
    let body = manifest(OCI);
    let header = format!("sha512:{}", "0f".repeat(64));
    let polled = from_body(&headers(OCI, &header), body.as_bytes(), None).unwrap();
    assert_eq!(polled.digest, Digest::sha512_of(body.as_bytes()));
    let broken = header.trim_end_matches('f');
    let polled = from_body(&headers(OCI, broken), body.as_bytes(), None).unwrap();
    assert_eq!(polled.digest, Digest::sha256_of(body.as_bytes()), "that is no digest at all");
}

#[test]
fn a_bodys_media_type_counts_where_the_header_names_none() {
    for content_type in ["", "application/octet-stream", "text/plain; charset=utf-8"] {
        let polled = from_body(&headers(content_type, ""), manifest(INDEX).as_bytes(), None).unwrap();
        assert_eq!(&*polled.media_type, INDEX, "{content_type}");
    }
    assert_eq!(&*from_body(&headers(INDEX, ""), manifest("").as_bytes(), None).unwrap().media_type, INDEX);
    assert_eq!(&*from_body(&headers("", ""), manifest("").as_bytes(), None).unwrap().media_type, "");
}

#[test]
fn two_media_types_for_one_body_are_refused() {
    let error = from_body(&headers(OCI, ""), manifest(INDEX).as_bytes(), None).unwrap_err();
    assert_eq!(error, Malformed::Contradiction { header: OCI.to_owned(), body: INDEX.to_owned() });
}

#[test]
fn a_schema_1_manifest_is_refused_however_it_shows() {
    let old = r#"{"schemaVersion":1,"name":"a","tag":"1","signatures":[]}"#;
    assert_eq!(from_head(&headers(PRETTYJWS, DIGEST)), Err(Malformed::Schema1));
    assert_eq!(from_body(&headers(PRETTYJWS, DIGEST), old.as_bytes(), None), Err(Malformed::Schema1));
    assert_eq!(from_body(&headers("text/plain", ""), old.as_bytes(), None), Err(Malformed::Schema1));
    assert_eq!(from_body(&headers("", ""), manifest(PRETTYJWS).as_bytes(), None), Err(Malformed::Schema1));
}

#[test]
fn what_is_not_a_manifest_is_refused() {
    for body in
        ["", "<html>please log in</html>", "{}", "[]", r#"{"errors":[]}"#, r#"{"schemaVersion":2,"medi"#]
    {
        let error = from_body(&headers(OCI, ""), body.as_bytes(), None).unwrap_err();
        assert!(matches!(error, Malformed::NotAManifest(_)), "{body}: {error}");
    }
}

#[test]
fn what_is_asked_for_by_its_digest_is_digested_by_the_algorithm_of_that() {
    let body = manifest(OCI);
    let asked = Digest::sha512_of(body.as_bytes());
    for header in ["", DIGEST] {
        let polled = from_body(&headers(OCI, header), body.as_bytes(), Some(&asked)).unwrap();
        assert_eq!(polled.digest, asked, "{header}");
    }
}
