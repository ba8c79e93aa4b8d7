use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use super::*;

fn with_ca(content: &str) -> Result<Ways, SetupError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    let settings = Settings { ca_file: Some(file.path().to_owned()), ..Settings::new("r.example.com") };
    Clients::default().ways(&settings)
}

#[test]
fn hosts_of_one_tls_identity_share_a_client() {
    let mut clients = Clients::default();
    for host in ["docker.io", "quay.io", "registry.example.com:5000"] {
        clients.ways(&Settings::new(host)).unwrap();
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
    let error = Clients::default().ways(&settings).unwrap_err();
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

#[tokio::test]
async fn what_a_stranger_named_is_not_asked_on_this_machine_and_what_is_vouched_for_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}/token", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(client.read(&mut request).unwrap() > 0);
        client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let ways = Clients::default().ways(&Settings::new("127.0.0.1:1")).unwrap();
    let error = ways.token_client(false).unwrap().get(&url).send().await.unwrap_err();
    let told = crate::registry::failure::transport(&error);
    assert_eq!(told.stage, crate::registry::Stage::Dns, "{told:?}");
    assert!(told.reason.contains("private address"), "{told:?}");
    // Had the first one come through, this would wait in vain for its answer.
    let response = ways.token_client(true).unwrap().get(&url).send().await.unwrap();
    let peer = crate::registry::transport::Reply::from(response).peer();
    assert!(peer.is_some_and(|peer| peer.ip().is_loopback()), "who answered is known: {peer:?}");
    server.join().unwrap();
}

#[test]
fn the_client_for_strangers_is_made_once_for_a_tls_identity() {
    let mut clients = Clients::default();
    let (one, other) = (clients.ways(&Settings::new("docker.io")), clients.ways(&Settings::new("quay.io")));
    let (one, other) = (one.unwrap(), other.unwrap());
    one.token_client(false).unwrap();
    assert!(other.guarded.client.get().is_some());
}

/// Speaks just enough HTTP/2 to refuse every request as one that was not looked at, which invites a client to send it
/// again. Returns how many there were when the client has gone.
fn refuse_streams(mut client: TcpStream) -> io::Result<usize> {
    const HEADERS: u8 = 1;
    let mut preface = [0; 24];
    client.read_exact(&mut preface)?;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    client.write_all(&settings)?;
    let mut requests = 0;
    let mut head = [0; 9];
    while client.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        io::copy(&mut (&mut client).take(length.into()), &mut io::sink())?;
        if head[3] == HEADERS {
            requests += 1;
            let reset = [0, 0, 4, 3, 0, head[5], head[6], head[7], head[8]];
            let refused_stream = [0, 0, 0, 7];
            client.write_all(&[&reset[..], &refused_stream].concat())?;
        }
    }
    Ok(requests)
}

#[tokio::test]
async fn a_request_that_a_server_hands_back_is_not_sent_again_behind_the_gate() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v2/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || refuse_streams(listener.accept().unwrap().0));
    let client = base(Route::Direct).http2_prior_knowledge().build().unwrap();
    client.get(url).send().await.unwrap_err();
    drop(client);
    let requests = tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
    assert_eq!(requests.unwrap(), 1);
}
