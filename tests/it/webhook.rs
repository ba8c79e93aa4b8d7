//! Webhooks: who may ask for builds, in whose words, and what comes of it.

mod many;
mod payload;

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::daemon::{Daemon, Home};
use crate::support::fake_registry::FakeRegistry;
use crate::support::http::{Answer, begin, post, send};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PREFIX: &str = "/apis/build.openshift.io/v1/namespaces/default/buildconfigs";

/// A daemon that listens, a registry whose `base:1` it knows, and files with secrets.
struct Served {
    registry: FakeRegistry,
    home: Home,
    secrets: TempDir,
    daemon: Daemon,
    address: String,
}

/// The configuration of one build config, `app`, of `base:1`, with `keys` of its own and `triggers`.
fn app(keys: &str, triggers: &str) -> String {
    format!(
        "[[image_stream]]\nname = \"base\"\nrepository = \"HOST/base\"\ninterval = \"1h\"\n\
         [[build_config]]\nname = \"app\"\n{keys}\n[build_config.strategy]\ntype = \"Docker\"\n\
         from = {{ kind = \"ImageStreamTag\", name = \"base:1\" }}\ncommand = [\"/usr/bin/env\"]\n{triggers}"
    )
}

/// A hook of each kind, the secret of which is `KIND-s3cret`.
fn hooks() -> String {
    let hook = |kind: &str| {
        let key = kind.to_lowercase();
        let allow = if kind == "Generic" { ", allow_env = true" } else { "" };
        format!(
            "[[build_config.trigger]]\ntype = \"{kind}\"\n{key} = {{ secret_file = \"SECRETS/{key}\"{allow} }}\n"
        )
    };
    ["Generic", "GitHub", "GitLab", "Bitbucket"].map(hook).concat()
}

fn path(rest: &str) -> String {
    format!("{PREFIX}/app/webhooks/{rest}")
}

impl Served {
    /// `HOST` and `SECRETS` in the configuration are the registry and the directory of secrets.
    fn new(config: &str) -> Self {
        let registry = FakeRegistry::start();
        registry.push("base", "1", 1);
        let served = Self::with(registry, config);
        served.daemon.wait_for("tag_resolved");
        served
    }

    fn with(registry: FakeRegistry, config: &str) -> Self {
        let secrets = TempDir::new().unwrap();
        for kind in ["generic", "github", "gitlab", "bitbucket"] {
            fs::write(secrets.path().join(kind), format!("{kind}-s3cret\n")).unwrap();
        }
        let home = Home::new("");
        home.configure(&filled(config, &registry, &secrets));
        let daemon = home.start();
        let address = daemon.wait_for("started")["webhook"].as_str().unwrap().to_owned();
        Self { registry, home, secrets, daemon, address }
    }

    fn post(&self, rest: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        post(&self.address, &path(rest), headers, body)
    }

    fn generic(&self, body: &str) -> Answer {
        self.post("generic-s3cret/generic", &[JSON], body)
    }

    /// What the build of an answer is given.
    fn spec(&self, answer: &Answer) -> Value {
        let build = answer.json()["build"]["build"].as_str().unwrap().to_owned();
        self.home.ask(&["build", "show", &build])["spec"].clone()
    }

    /// What the build of an answer printed: its environment.
    fn printed(&self, answer: &Answer) -> String {
        let build = answer.json()["build"]["build"].clone();
        self.daemon.wait_until("its end", |events| {
            events
                .iter()
                .find(|event| event["event"] == "build_finished" && event["build"] == build)
                .map(|_| ())
        });
        let output = self.home.run(&["build", "logs", build.as_str().unwrap()]);
        String::from_utf8(output.stdout).unwrap()
    }
}

fn filled(config: &str, registry: &FakeRegistry, secrets: &TempDir) -> String {
    let config = config.replace("HOST", &registry.host());
    let config = config.replace("SECRETS", &secrets.path().display().to_string());
    format!(
        "[webhook]\nlisten = \"127.0.0.1:0\"\nrequests_per_second = 1000\n[[registry]]\nhost = \"{}\"\ninsecure = true\n{config}",
        registry.host()
    )
}

#[test]
fn s24_a_webhook_builds_from_what_was_last_found_and_asks_no_registry() {
    let served = Served::new(&app("", &hooks()));
    let polls = served.registry.requests().len();
    served.registry.fault("base", crate::support::fake_registry::Fault::status(503));
    let answer = served.generic("{}");
    assert_eq!(answer.status, 200, "{answer:?}");
    let build = answer.json()["build"].clone();
    assert_eq!((&build["name"], &build["build"]), (&json!("app-1"), &json!("default/app-1")));
    assert_eq!(build["cause"], "webhook");
    let spec = served.spec(&answer);
    assert!(spec["base_image"]["reference"].as_str().unwrap().contains("/base@sha256:"), "{spec}");
    assert_eq!(
        (&spec["causes"][0]["type"], &spec["causes"][0]["hook"]),
        (&json!("webhook"), &json!("Generic"))
    );
    let printed = served.printed(&answer);
    assert!(printed.contains("BASEWATCH_CAUSE=webhook\n"), "{printed}");
    let received = served.daemon.wait_for("webhook_received");
    assert_eq!((&received["build"], &received["hook"]), (&json!("default/app-1"), &json!("Generic")));
    assert_eq!((&received["actor"], &received["build_config"]), (&json!("127.0.0.1"), &json!("default/app")));
    assert_eq!(served.registry.requests().len(), polls, "nobody was asked");
    assert_eq!(served.registry.count(Method::GET, "/v2/base"), 0);
}

#[test]
fn s24_what_was_never_found_is_openshifts_422_and_uses_no_number() {
    let served = Served::with(FakeRegistry::start(), &app("", &hooks()));
    let answer = served.generic("{}");
    let sentence =
        "Error resolving ImageStreamTag base:1 in namespace default: unable to find latest tagged image";
    assert_eq!((answer.status, &answer.json()["error"]), (422, &json!(sentence)));
    let refused = served.daemon.wait_for("webhook_refused");
    assert_eq!((&refused["reason"], &refused["build_config"]), (&json!("unresolved"), &json!("default/app")));
    served.registry.push("base", "1", 1);
    assert!(served.home.run(&["poll"]).status.success());
    served.daemon.wait_for("tag_resolved");
    assert_eq!(served.generic("{}").json()["build"]["name"], "app-1");
}

#[test]
fn what_is_not_let_in_gets_one_answer_and_one_line() {
    let served = Served::new(&app("", &hooks().replace("github", "generic").replace("GitHub", "Generic")));
    let wrong = served.post("wrong/generic", &[JSON], "{}");
    assert_eq!(wrong.status, 401);
    let signature = format!("sha256={}", "0".repeat(64));
    for (rest, headers) in [
        ("wrong/gitlab", vec![]),
        ("generic-s3cret/gitlab", vec![JSON]),
        // Not enabled.
        ("github-s3cret/github", vec![JSON]),
        ("github", vec![JSON, ("X-Hub-Signature-256", &*signature)]),
        ("generic", vec![JSON, ("X-Hub-Signature-256", &*signature)]),
        ("gitlab", vec![("X-Gitlab-Token", "wrong")]),
        ("gitlab", vec![]),
    ] {
        assert_eq!(served.post(rest, &headers, "{}"), wrong, "{rest}");
    }
    let unknown = format!("{PREFIX}/unknown/webhooks/generic-s3cret/generic");
    assert_eq!(post(&served.address, &unknown, &[JSON], "{}"), wrong);
    // The log is in order: once this is there, all before it is.
    served.generic("{}");
    served.daemon.wait_for("webhook_received");
    let lines = served.daemon.all("webhook_refused");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["reason"], &lines[0]["actor"]), (&json!("unauthorized"), &json!("127.0.0.1")));
}

#[test]
fn no_secret_is_in_a_line_of_a_trace_an_answer_or_a_file() {
    let served = Served::new(&(app("", &hooks()) + "[log]\nformat = \"json\"\nlevel = \"trace\"\n"));
    let mut answers = vec![
        served.generic("{}"),
        served.post("generic-s3cret/github", &[JSON], "{}"),
        served.post("generic-s3cret/gitea", &[JSON], "{}"),
        served.post("a/generic-s3cret/generic", &[JSON], "{}"),
        served.post("generic-s3cret/generic", &[("Content-Type", "?")], "{}"),
        served.post("github-s3cret/github", &[JSON, ("X-GitHub-Event", "push")], "{"),
        served.post(
            "gitlab",
            &[JSON, ("X-Gitlab-Token", "gitlab-s3cret"), ("X-Gitlab-Event", "Push Hook")],
            "{}",
        ),
        post(&served.address, "/generic-s3cret", &[], ""),
    ];
    for method in ["GET", "DELETE", "FROB"] {
        let path = path("generic-s3cret/generic");
        answers.push(send(&served.address, &format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n")));
    }
    let codes: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(codes, [200, 401, 404, 400, 400, 400, 200, 404, 405, 405, 405]);
    // What is no HTTP at all.
    drop(begin(&served.address, "POST /generic-s3cret\u{1} HTTP/9\r\n\r\n"));
    let status = served.home.ask(&["status"]).to_string();
    let Served { daemon, home, secrets, .. } = served;
    let (_, events) = daemon.stop();
    assert!(events.iter().any(|event| event["event"] == "polled"), "it was a trace");
    let answers = answers.iter().map(|answer| format!("{answer:?}"));
    let lines = events.iter().map(Value::to_string);
    let files =
        crate::secrets::texts_below(&home.state()).into_iter().map(|(path, text)| path + ": " + &text);
    for text in answers.chain(lines).chain(files).chain([status]) {
        assert!(!text.contains("s3cret"), "{text}");
    }
    drop(secrets);
}

#[test]
fn a_reload_changes_secrets_all_or_nothing() {
    let served = Served::new(&app("", &hooks()));
    let generic = served.secrets.path().join("generic");
    assert_eq!(served.generic("{}").status, 200);
    fs::write(&generic, "rotated").unwrap();
    assert_eq!(served.generic("{}").status, 200, "a file is not read by itself");
    fs::write(served.secrets.path().join("gitlab"), "\n").unwrap();
    let refused = served.home.run(&["reload"]);
    assert!(!refused.status.success());
    let told = served.daemon.wait_for("reload_refused")["error"].to_string();
    assert!(told.contains("gitlab") && told.contains("empty"), "{told}");
    assert_eq!(served.generic("{}").status, 200, "the old secrets hold");
    fs::write(served.secrets.path().join("gitlab"), "x").unwrap();
    assert!(served.home.run(&["reload"]).status.success());
    assert_eq!(served.generic("{}").status, 401);
    assert_eq!(served.post("rotated/generic", &[JSON], "{}").status, 200);
}

#[test]
fn a_daemon_that_cannot_listen_or_read_a_secret_does_not_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = Home::new(&format!("[webhook]\nlisten = \"{address}\"\n"));
    let (code, events) = home.spawn(&[], &[]).finish();
    let why = events.last().unwrap()["error"].as_str().unwrap().to_owned();
    assert!(code != Some(0) && why.contains(&address) && why.contains("[webhook] listen"), "{why}");

    let registry = FakeRegistry::start();
    let secrets = TempDir::new().unwrap();
    for (kind, secret) in [("generic", "x"), ("github", "x"), ("gitlab", "\n"), ("bitbucket", "x")] {
        fs::write(secrets.path().join(kind), secret).unwrap();
    }
    home.configure(&filled(&app("", &hooks()), &registry, &secrets));
    let output = home.run(&["validate"]);
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains("gitlab.secret_file") && told.contains("it is empty"), "{told}");
}

#[test]
fn what_dawdles_or_is_too_long_is_refused_and_keeps_nobody_out() {
    let served = Served::new(&app("", &hooks()));
    let path = path("generic-s3cret/generic");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
    );
    let dawdling: Vec<_> =
        (0..70).map(|number| begin(&served.address, &head[..[0, 40, head.len()][number % 3]])).collect();
    assert_eq!(served.generic("{}").status, 200);
    assert_eq!(served.generic(&" ".repeat(4 * 1024 * 1024 + 1)).status, 413);
    served.daemon.wait_until("both refusals", |events| {
        let told = |reason: &str| events.iter().any(|event| event["reason"] == reason);
        (told("too_long") && told("too_slow")).then_some(())
    });
    // Only now: what is cut off would not have been too slow.
    drop(dawdling);
}
