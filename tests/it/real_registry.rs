//! The real registry keeps its promises to the tests that use it: what is pushed is what others see, and its doors
//! are as closed as they claim. A test against a registry that lets everyone in would prove nothing.

use std::fs;
use std::net::TcpStream;

use reqwest::header::{ACCEPT, AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{Certificate, Client, ClientBuilder, StatusCode};

use crate::support::RealRegistry;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Straight to the registry, whatever proxy the environment names.
fn client() -> ClientBuilder {
    Client::builder().no_proxy()
}

#[test]
fn a_push_moves_the_digest_that_skopeo_sees() {
    let registry = RealRegistry::plain();
    let first = registry.push("team/app", "latest", 1);
    assert_eq!(registry.digest("team/app", "latest"), first);

    let second = registry.push("team/app", "latest", 2);
    assert_ne!(second, first);
    assert_eq!(registry.digest("team/app", "latest"), second);
}

#[test]
fn the_same_seed_is_the_same_image_in_every_registry() {
    let (one, other) = (RealRegistry::plain(), RealRegistry::plain());
    assert_ne!(one.host(), other.host());
    assert_eq!(one.push("app", "latest", 7), other.push("base", "stable", 7));
}

#[test]
fn a_retag_moves_a_tag_and_leaves_the_one_it_came_from() {
    let registry = RealRegistry::plain();
    let old = registry.push("app", "v1", 1);
    registry.push("app", "latest", 2);
    registry.retag("app", "v1", "latest");
    assert_eq!(registry.digest("app", "latest"), old);
    assert_eq!(registry.digest("app", "v1"), old);
}

#[test]
fn an_index_moves_when_one_of_its_images_does() {
    let registry = RealRegistry::plain();
    let before = registry.push_index("app", "multi", &[("amd64", 1), ("arm64", 1)]);
    assert_eq!(registry.digest("app", "multi"), before);

    let after = registry.push_index("app", "multi", &[("amd64", 1), ("arm64", 2)]);
    assert_ne!(after, before);
    assert_eq!(registry.digest("app", "multi"), after);
    assert_ne!(after, registry.push("app", "single", 1), "an index is not the image in it");
}

#[tokio::test]
async fn a_head_request_brings_the_digest_that_skopeo_sees() {
    let registry = RealRegistry::plain();
    registry.push("app", "latest", 1);
    let url = format!("http://{}/v2/app/manifests/latest", registry.host());
    let answer = client().build().unwrap().head(url).header(ACCEPT, MANIFEST).send().await.unwrap();
    let digest = answer.headers()["docker-content-digest"].to_str().unwrap();
    assert_eq!(digest, registry.digest("app", "latest").to_string());
}

#[tokio::test]
async fn htpasswd_lets_in_only_its_user() {
    let registry = RealRegistry::htpasswd("ci", "right");
    let pushed = registry.push("app", "latest", 1);
    assert_eq!(registry.digest("app", "latest"), pushed);

    let client = client().build().unwrap();
    let url = format!("http://{}/v2/", registry.host());
    let stranger = client.get(&url).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    let challenge = stranger.headers()[WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.starts_with("Basic "), "{challenge}");

    // "ci:wrong" and "ci:right".
    for (login, expected) in [("Y2k6d3Jvbmc=", StatusCode::UNAUTHORIZED), ("Y2k6cmlnaHQ=", StatusCode::OK)] {
        let answer = client.get(&url).header(AUTHORIZATION, format!("Basic {login}")).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{login}");
    }
}

#[tokio::test]
async fn tokens_let_in_only_who_is_given_one() {
    let registry = RealRegistry::tokens_for("ci", "right");
    let pushed = registry.push("app", "latest", 1);
    assert_eq!(registry.digest("app", "latest"), pushed);

    let client = client().build().unwrap();
    let url = format!("http://{}/v2/app/manifests/latest", registry.host());
    let stranger = client.get(&url).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    let challenge = stranger.headers()[WWW_AUTHENTICATE].to_str().unwrap();
    let realm = format!("Bearer realm=\"http://{}/token\"", registry.token_host());
    assert!(challenge.starts_with(&realm), "{challenge}");

    let scope = "service=basewatch+test&scope=repository:app:pull";
    let tokens = format!("http://{}/token?{scope}", registry.token_host());
    // "ci:wrong", nobody, and "ci:right".
    let logins = [Some("Y2k6d3Jvbmc="), None, Some("Y2k6cmlnaHQ=")];
    let expected = [StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED, StatusCode::OK];
    for (login, expected) in logins.into_iter().zip(expected) {
        let mut request = client.get(&tokens);
        if let Some(login) = login {
            request = request.header(AUTHORIZATION, format!("Basic {login}"));
        }
        let answer: serde_json::Value = match request.send().await.unwrap() {
            answer if answer.status() == StatusCode::OK => answer.json().await.unwrap(),
            _ => serde_json::Value::Null,
        };
        let token = format!("Bearer {}", answer["token"].as_str().unwrap_or("none"));
        let answer = client.get(&url).header(ACCEPT, MANIFEST).header(AUTHORIZATION, token);
        assert_eq!(answer.send().await.unwrap().status(), expected, "{login:?}");
    }
}

#[tokio::test]
async fn tls_is_trusted_only_with_the_test_authority() {
    let registry = RealRegistry::tls();
    let pushed = registry.push("app", "latest", 1);
    assert_eq!(registry.digest("app", "latest"), pushed);

    let url = format!("https://{}/v2/", registry.host());
    let refused = client().build().unwrap().get(&url).send().await.unwrap_err();
    assert!(format!("{refused:?}").contains("UnknownIssuer"), "{refused:?}");

    let authority = Certificate::from_pem(&fs::read(registry.ca_file()).unwrap()).unwrap();
    let trusting = client().tls_certs_merge([authority]).build().unwrap();
    assert_eq!(trusting.get(&url).send().await.unwrap().status(), StatusCode::OK);
}

#[test]
fn a_dropped_registry_no_longer_listens() {
    let registry = RealRegistry::plain();
    let host = registry.host().to_owned();
    assert!(TcpStream::connect(&host).is_ok());
    drop(registry);
    assert!(TcpStream::connect(&host).is_err());
}
