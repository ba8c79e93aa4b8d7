//! What a build is trusted with: credentials for its push, and secrets. Both work, are shown to nobody, and are gone
//! when the build is over.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::app;
use crate::secrets::texts_below;
use crate::support::RealRegistry;
use crate::support::workshop::Workshop;

const PASSWORD: &str = "open-sesame-4711";
const TOKEN: &str = "npm_s3cr3t-t0ken";

/// A build of this Dockerfile in a directory, its output printed to the daemon's log too.
fn configure(workshop: &Workshop, dockerfile: &str, keys: &str, tables: &str) -> PathBuf {
    let directory = workshop.directory("site");
    fs::write(directory.join("Dockerfile"), dockerfile).unwrap();
    let rest = format!("source = {{ directory = {directory:?} }}\n{keys}");
    let log = "\n[log]\nformat = \"json\"\nbuild_output = \"log\"\n";
    workshop.configure(&(app("Docker", "", &rest) + tables + log));
    directory
}

/// All that stays of a build: the daemon's log, and the files of the state.
fn everything(workshop: &Workshop, events: &[serde_json::Value]) -> Vec<(String, String)> {
    let lines = events.iter().map(|event| ("a line of the log".to_owned(), event.to_string()));
    lines.chain(texts_below(&workshop.home.state())).collect()
}

fn said(workshop: &Workshop, words: &[&str]) -> (String, String) {
    let output = workshop.home.run(words);
    assert!(output.status.success(), "{words:?}");
    (words.join(" "), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_push_with_credentials_arrives_and_shows_them_to_nobody() {
    let workshop = Workshop::new();
    workshop.make("default/base:1", "", &[]);
    let closed = RealRegistry::htpasswd("ci", PASSWORD);
    let login = STANDARD.encode(format!("ci:{PASSWORD}"));
    let host = closed.host();
    let auths = serde_json::json!({ "auths": { host: { "auth": login } } });
    let auth_file = workshop.directory("private").join("auth.json");
    fs::write(&auth_file, auths.to_string()).unwrap();
    let dockerfile = "FROM base\nCOPY leak /leak\nRUN sed 's/^/it says /' /leak\n";
    let keys = format!("auth_file = {auth_file:?}\noutput = {{ to = \"{host}/team/app:1\" }}");
    let registry = format!("\n[[registry]]\nhost = \"{host}\"\ninsecure = true\n");
    let directory = configure(&workshop, dockerfile, &keys, &registry);
    fs::write(directory.join("leak"), format!("{PASSWORD}\n{login}\n")).unwrap();
    let daemon = workshop.start();
    let shown = workshop.complete(&daemon, "app-1");
    assert_eq!(shown["images"][0]["reference"], format!("{host}/team/app:1"));
    assert_eq!(shown["images"][0]["digest"], closed.digest("team/app", "1").to_string());

    let logs = said(&workshop, &["build", "logs", "app-1"]);
    assert_eq!(logs.1.matches("it says <redacted>").count(), 2, "{}", logs.1);
    let show = said(&workshop, &["build", "show", "app-1"]);
    let (_, events) = daemon.stop();
    let told = events.iter().filter(|event| event["line"] == "it says <redacted>");
    assert_eq!(told.count(), 2, "the daemon's log has the output too");
    for (place, text) in everything(&workshop, &events).into_iter().chain([logs, show]) {
        for secret in [PASSWORD, &login] {
            assert!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
    assert!(!workshop.home.state().join("builds/default/app-1/private").exists());
}

#[test]
fn a_secret_is_there_while_the_image_is_built_and_not_in_it() {
    let workshop = Workshop::new();
    workshop.make("default/base:1", "", &[]);
    let token = workshop.directory("private").join("token");
    fs::write(&token, TOKEN).unwrap();
    let dockerfile = "FROM base\nRUN --mount=type=secret,id=npm wc -c < /run/secrets/npm > /length && \
                      echo \"it says $(cat /run/secrets/npm)\"\n\
                      RUN test ! -s /run/secrets/npm && echo it is not there any more\n";
    let keys = format!("secrets = {{ npm = {token:?} }}\noutput = {{ to = \"HOST/team/app:1\" }}");
    configure(&workshop, dockerfile, &keys, "");
    let daemon = workshop.start();
    let shown = workshop.complete(&daemon, "app-1");
    let image = format!("team/app@{}", shown["images"][0]["digest"].as_str().unwrap());
    assert_eq!(workshop.file(&image, "/length").trim(), TOKEN.len().to_string());
    assert!(!workshop.config(&image).to_string().contains(TOKEN));

    let logs = said(&workshop, &["build", "logs", "app-1"]);
    for line in ["\nit says <redacted>\n", "\nit is not there any more\n"] {
        assert!(logs.1.contains(line), "{}", logs.1);
    }
    let (_, events) = daemon.stop();
    for (place, text) in everything(&workshop, &events).into_iter().chain([logs]) {
        assert!(!text.contains(TOKEN), "the token is in {place}: {text}");
    }
    assert!(!workshop.home.state().join("builds/default/app-1/private").exists());
}
