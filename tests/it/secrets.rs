//! What is secret stays where it belongs: in no line of the log, however much is logged, and in no file of the state.

use std::fs;
use std::path::Path;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::daemon::Home;
use crate::support::fake_registry::{ANY, FakeRegistry, Fault, Tokens};

const PASSWORD: &str = "open sesame";
/// How every token of the fake registry begins.
const TOKEN: &str = "t0ken-";

pub(crate) fn texts_below(dir: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: &Path| {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        vec![(path.display().to_string(), text)]
    };
    entries.flat_map(|path| if path.is_dir() { texts_below(&path) } else { read(&path) }).collect()
}

#[test]
fn a_token_or_a_password_is_in_no_line_of_a_trace_and_in_no_file() {
    let registry = FakeRegistry::start();
    let tokens = Tokens::new().for_login("ci", PASSWORD);
    registry.want_tokens(&tokens);
    registry.push("app", "1", 1);
    let password = tempfile::NamedTempFile::new().unwrap();
    fs::write(password.path(), PASSWORD).unwrap();
    let home = Home::new("");
    let host = registry.host();
    home.configure(&format!(
        "[[registry]]\nhost = \"{host}\"\ninsecure = true\nusername = \"ci\"\npassword_file = \"{}\"\n\
         [[watch]]\nimage = \"{host}/app:1\"\ninterval = \"100ms\"\nrun = [\"/usr/bin/env\"]\n\
         [log]\nformat = \"json\"\nlevel = \"trace\"\nbuild_output = \"log\"\n",
        password.path().display()
    ));
    let daemon = home.start();
    daemon.wait_for("build_finished");
    // A token that is refused, a server that fails, an answer that is none: errors are lines too.
    tokens.revoke();
    registry.wait_requests(2, Method::GET, "/token");
    tokens.revoke();
    registry.fault("/token", Fault::status(200).body(&format!("{{\"token\":[\"{TOKEN}\"]}}")));
    daemon.wait_for("tag_unresolved");
    registry.heal();
    daemon.wait_for("tag_recovered");
    registry.fault(ANY, Fault::status(503));
    daemon.wait_count("tag_unresolved", 2);
    let status = home.ask(&["status"]).to_string();
    let (_, events) = daemon.stop();
    assert!(events.iter().any(|event| event["event"] == "polled"), "it was a trace");

    let sent: Vec<_> = registry.requests().into_iter().filter(|request| request.has_authorization).collect();
    let login = STANDARD.encode(format!("ci:{PASSWORD}"));
    let carries = |secret: &str| {
        sent.iter().any(|request| request.headers["authorization"].to_str().unwrap().contains(secret))
    };
    assert!(carries(TOKEN) && carries(&login), "there were secrets to tell");

    let lines = events.iter().map(|event| ("a line of the log".to_owned(), event.to_string()));
    let texts = lines.chain(texts_below(&home.state())).chain([("the status".to_owned(), status)]);
    for (place, text) in texts {
        for secret in [TOKEN, PASSWORD, &login] {
            assert!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
}
