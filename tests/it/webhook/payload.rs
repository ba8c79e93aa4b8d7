//! Payloads as the services send them.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{JSON, Served, app, filled, hooks};
use crate::support::http::post;

const COMMIT: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
const OF_MAIN: &str = "source = { git = { uri = \"https://git.example.com/app.git\", ref = \"main\" } }";

fn sign(secret: &str, body: &str) -> String {
    let keyed = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let signature: [u8; 32] = keyed.chain_update(body).finalize().into_bytes().into();
    format!("sha256={}", signature.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// As GitHub sends it, shortened where nobody reads.
fn github(reference: &str) -> String {
    json!({
        "ref": reference, "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246", "after": COMMIT,
        "repository": { "id": 186853002, "name": "app", "full_name": "octo/app", "private": false,
            "owner": { "name": "octo", "email": null, "login": "octo", "id": 21031067 }, "default_branch": "main" },
        "pusher": { "name": "ada", "email": "ada@example.com" }, "sender": { "login": "ada", "id": 1 },
        "created": false, "deleted": false, "forced": false, "base_ref": null,
        "compare": "https://github.com/octo/app/compare/6113728f27ae...7fd1a60b01f9",
        "commits": [], "head_commit": { "id": COMMIT, "tree_id": "f9d2a07e9488b91af2641b26b9407fe22a451433",
            "distinct": true, "message": "Fix all the bugs", "timestamp": "2026-11-02T10:20:00+01:00", "url": "https://x",
            "author": { "name": "Ada", "email": "ada@example.com", "username": "ada" },
            "committer": { "name": "GitHub", "email": "noreply@github.com", "username": "web-flow" },
            "added": [], "removed": [], "modified": ["Dockerfile"] } })
    .to_string()
}

fn gitlab(reference: &str) -> String {
    json!({
        "object_kind": "push", "event_name": "push", "before": "95790bf891e76fee5e1747ab589903a6a1f80f22",
        "after": COMMIT, "ref": reference, "checkout_sha": COMMIT, "user_id": 4, "user_name": "Ada",
        "project_id": 15, "project": { "id": 15, "name": "app", "default_branch": "main" },
        "commits": [{ "id": COMMIT, "message": "Fix all the bugs", "title": "Fix all the bugs", "timestamp": "2026-11-02T10:20:00+01:00",
            "url": "https://x", "author": { "name": "Ada", "email": "ada@example.com" }, "added": [], "modified": [], "removed": [] }],
        "total_commits_count": 1 })
    .to_string()
}

fn bitbucket(name: &str) -> String {
    json!({
        "repository": { "type": "repository", "full_name": "octo/app" }, "actor": { "display_name": "Ada L.", "type": "user" },
        "push": { "changes": [{ "old": null, "created": true, "forced": false, "closed": false, "truncated": false, "commits": [],
            "new": { "name": name, "type": "branch", "target": { "type": "commit", "hash": COMMIT,
                "author": { "type": "author", "raw": "Ada <ada@example.com>", "user": { "display_name": "Ada L." } },
                "message": "Fix all the bugs", "date": "2026-11-02T09:20:00+00:00", "parents": [] } } }] } })
    .to_string()
}

fn bitbucket_server(reference: &str) -> String {
    json!({
        "eventKey": "repo:refs_changed", "date": "2026-11-02T10:20:00+0100",
        "actor": { "name": "ada", "emailAddress": "ada@example.com", "id": 1, "displayName": "Ada", "active": true },
        "repository": { "slug": "app", "id": 84, "name": "app", "project": { "key": "PROJ" } },
        "changes": [{ "ref": { "id": reference, "displayId": "x", "type": "BRANCH" }, "refId": reference,
            "fromHash": "ecddabb624f6f5ba43816f5926e580a5f680a932", "toHash": COMMIT, "type": "UPDATE" }] })
    .to_string()
}

fn revision(served: &Served, build: &Value) -> Value {
    let name = build["name"].as_str().unwrap();
    let file = served.home.state().join("specs/default").join(format!("{name}.json"));
    serde_json::from_slice::<Value>(&std::fs::read(file).unwrap()).unwrap()["revision"].clone()
}

#[test]
fn each_service_is_understood_with_its_secret_in_the_path_or_in_a_header() {
    let served = Served::new(&app(OF_MAIN, &hooks()));
    let (main, other) = ("refs/heads/main", "refs/heads/feature");
    let cases = [
        ("github", ("X-GitHub-Event", "push"), github(main), github(other)),
        ("github", ("X-Gogs-Event", "push"), github(main), github(other)),
        ("gitlab", ("X-Gitlab-Event", "Push Hook"), gitlab(main), gitlab(other)),
        ("bitbucket", ("X-Event-Key", "repo:push"), bitbucket("main"), bitbucket("feature")),
        ("bitbucket", ("X-Event-Key", "repo:refs_changed"), bitbucket_server(main), bitbucket_server(other)),
    ];
    for (kind, event, body, elsewhere) in &cases {
        let secret = format!("{kind}-s3cret");
        let proof = match *kind {
            "github" => ("X-Hub-Signature-256", sign(&secret, body)),
            "bitbucket" => ("X-Hub-Signature", sign(&secret, body)),
            _ => ("X-Gitlab-Token", secret.clone()),
        };
        let with_path = served.post(&format!("{secret}/{kind}"), &[JSON, *event], body);
        let with_header = served.post(kind, &[JSON, *event, (proof.0, &proof.1)], body);
        for answer in [with_path, with_header] {
            assert_eq!(answer.status, 200, "{kind} {event:?}: {answer:?}");
            let revision = revision(&served, &answer.json()["build"]);
            assert_eq!(revision["commit"], COMMIT, "{kind}: {revision}");
            if event.1 != "repo:refs_changed" {
                let author = json!({ "name": "Ada", "email": "ada@example.com" });
                assert_eq!(
                    (&revision["message"], &revision["author"]),
                    (&json!("Fix all the bugs"), &author),
                    "{kind}"
                );
            }
        }
        let answer = served.post(&format!("{secret}/{kind}"), &[JSON, *event], elsewhere);
        assert_eq!((answer.status, answer.json()), (200, json!({ "build": null })), "{kind}");
        let answer = served.post(&format!("{secret}/{kind}"), &[JSON, (event.0, "issues")], body);
        assert_eq!(answer.status, 400, "{kind}");
    }
    let ping = served.post(
        "github-s3cret/github",
        &[JSON, ("X-GitHub-Event", "ping")],
        r#"{"zen":"Design for failure."}"#,
    );
    assert_eq!((ping.status, ping.json()), (200, json!({ "build": null })));
    let received = served.daemon.wait_count("webhook_received", 3 * cases.len() + 1);
    let of = |reason: &str| received.iter().filter(|line| line["reason"] == reason).count();
    assert_eq!((of("ref_mismatch"), of("ping")), (cases.len(), 1));
    assert_eq!(
        received.iter().filter(|line| line["commit"] == COMMIT && line["build"].is_string()).count(),
        2 * cases.len()
    );
}

#[test]
fn a_generic_call_may_bring_variables_as_far_as_it_is_allowed() {
    let triggers = hooks().replace(", allow_env = true", ", allow_env = [\"VERSION\"]")
        + "[[build_config.trigger]]\ntype = \"Generic\"\ngeneric = { secret_file = \"SECRETS/github\", allow_env = true }\n\
           [[build_config.trigger]]\ntype = \"Generic\"\ngeneric = { secret_file = \"SECRETS/gitlab\" }\n";
    let served = Served::new(&app(OF_MAIN, &triggers));
    let body = json!({ "git": { "uri": "https://x", "ref": "refs/heads/main", "commit": COMMIT }, "env": [
        { "name": "VERSION", "value": "1.2" }, { "name": "COLOUR", "value": "red" }, { "name": "LD_PRELOAD", "value": "/tmp/x.so" }] });
    let ask = |secret: &str| {
        let answer = served.post(&format!("{secret}/generic"), &[JSON], &body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
        let printed = served.printed(&answer);
        let has = |variable: &str| printed.lines().any(|line| line == variable);
        let has = [has("VERSION=1.2"), has("COLOUR=red"), printed.contains("LD_PRELOAD")];
        (has, answer.json()["warning"].clone())
    };
    assert_eq!(ask("generic-s3cret"), ([true, false, false], Value::Null));
    assert_eq!(ask("gitlab-s3cret"), ([false, false, false], Value::Null));
    let (has, warning) = ask("github-s3cret");
    assert_eq!(has, [true, true, false]);
    assert!(warning.as_str().unwrap().contains("LD_PRELOAD"), "{warning}");

    let yaml = "git: {ref: main, commit: abc}\nenv:\n- name: VERSION\n  value: \"2\"\n";
    let answer = served.post("generic-s3cret/generic", &[("Content-Type", "application/yaml")], yaml);
    assert!(served.printed(&answer).contains("VERSION=2\n"));
    let answer = served.post("generic-s3cret/generic", &[], "VERSION=3");
    assert!(answer.status == 200 && answer.json()["warning"].is_string(), "{answer:?}");
    let other = json!({ "git": { "ref": "other" } }).to_string();
    let answer = served.post("generic-s3cret/generic", &[JSON], &other);
    assert!(answer.json()["build"].is_null() && answer.json()["warning"].is_string(), "{answer:?}");
}

#[test]
fn a_watch_may_have_a_hook_too_and_any_branch_is_its_own() {
    let watch = "[[watch]]\nimage = \"HOST/base:1\"\nname = \"app\"\nrun = [\"/bin/true\"]\ninterval = \"1h\"\non_first = \"record\"\n\
                 webhook = { type = \"GitHub\", secret_file = \"SECRETS/github\" }\n";
    let served = Served::new(watch);
    let body = github("refs/heads/feature");
    let answer = served.post("github-s3cret/github", &[JSON, ("X-GitHub-Event", "push")], &body);
    assert_eq!(answer.json()["build"]["name"], "app-1", "{answer:?}");
    served.home.configure(&filled(
        &watch.replace("github\" }", "gitlab\" }"),
        &served.registry,
        &served.secrets,
    ));
    assert!(served.home.run(&["reload"]).status.success());
    let path = super::path("gitlab-s3cret/github");
    assert_eq!(post(&served.address, &path, &[JSON, ("X-GitHub-Event", "push")], &body).status, 200);
    served.home.configure(&filled(&watch.replace("webhook", "# webhook"), &served.registry, &served.secrets));
    assert!(served.home.run(&["reload"]).status.success());
    assert_eq!(post(&served.address, &path, &[JSON, ("X-GitHub-Event", "push")], &body).status, 401);
}
