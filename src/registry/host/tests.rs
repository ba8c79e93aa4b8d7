use super::super::clients::Clients;
use super::*;

fn url(settings: &Settings, tag: &str) -> String {
    let ways = Clients::default().ways(settings).unwrap();
    let host = Host::new(settings, ways, PlainHttp::default());
    host.manifest_url(&tag.parse().unwrap()).unwrap().into()
}

#[test]
fn docker_hub_is_asked_where_it_answers() {
    let expected = "https://registry-1.docker.io/v2/library/alpine/manifests/3";
    assert_eq!(url(&Settings::new("docker.io"), "alpine:3"), expected);
}

#[test]
fn other_hosts_are_asked_where_they_are_named_by_http_only_if_allowed() {
    let tag = "registry.example.com:5000/team/app:1.2";
    let mut settings = Settings::new("registry.example.com:5000");
    assert_eq!(url(&settings, tag), "https://registry.example.com:5000/v2/team/app/manifests/1.2");
    settings.insecure = true;
    assert_eq!(url(&settings, tag), "http://registry.example.com:5000/v2/team/app/manifests/1.2");
}
