use std::io::Write;

use super::*;

fn with_ca(content: &str) -> Result<Client, SetupError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    let settings = Settings { ca_file: Some(file.path().to_owned()), ..Settings::new("r.example.com") };
    Clients::default().client(&settings)
}

#[test]
fn hosts_of_one_tls_identity_share_a_client() {
    let mut clients = Clients::default();
    for host in ["docker.io", "quay.io", "registry.example.com:5000"] {
        clients.client(&Settings::new(host)).unwrap();
    }
    assert_eq!(clients.0.len(), 1);
}

#[test]
fn a_ca_file_without_a_certificate_is_refused_with_its_name() {
    for content in ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = with_ca(content).unwrap_err();
        assert!(matches!(error, SetupError::NoCertificate { .. }), "{content}: {error}");
        assert!(error.to_string().contains("r.example.com"), "{error}");
    }
}

#[test]
fn a_missing_ca_file_is_an_error() {
    let settings = Settings { ca_file: Some("/nonexistent/ca.pem".into()), ..Settings::new("r.example.com") };
    let error = Clients::default().client(&settings).unwrap_err();
    assert!(matches!(&error, SetupError::CaFile { .. }), "{error}");
    assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
}

#[test]
fn a_host_on_this_machine_is_asked_without_a_proxy_in_each_spelling() {
    let route = |host: &str| Identity::of(host, None).route;
    for host in
        ["localhost", "localhost:5000", "LOCALHOST:1", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "[::1]"]
    {
        assert_eq!(route(host), Route::Direct, "{host}");
    }
    for host in
        ["docker.io", "localhost.example.com", "10.0.0.1:5000", "128.0.0.1", "[fe80::1]:5000", "quay.io:443"]
    {
        assert_eq!(route(host), Route::Environment, "{host}");
    }
}
