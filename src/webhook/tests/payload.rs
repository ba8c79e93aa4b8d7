use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::support::{config, leave};
use crate::controller::{HookKind, StrategyKind};
use crate::webhook::AllowEnv;
use crate::webhook::hooks::Leave;
use crate::webhook::payload::{Malformed, Payload, Wanted, read};

const JSON: (&str, &str) = ("content-type", "application/json");

fn headers(headers: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    headers.iter().map(header).collect()
}

/// Built from `main`.
fn of(kind: HookKind) -> Leave {
    leave(kind, AllowEnv::Any, config(StrategyKind::Docker, Some(Some("main"))))
}

fn ask(kind: HookKind, event: (&str, &str), body: &Value) -> Result<Payload, Malformed> {
    read(&of(kind), &headers(&[JSON, event]), body.to_string().as_bytes())
}

fn wanted(payload: Result<Payload, Malformed>) -> Wanted {
    match payload.unwrap() {
        Payload::Build(wanted) => wanted,
        Payload::Nothing(skipped) => panic!("{skipped:?}"),
    }
}

fn skipped(payload: Result<Payload, Malformed>) -> (&'static str, Option<String>) {
    match payload.unwrap() {
        Payload::Nothing(skipped) => (skipped.reason, skipped.warning),
        Payload::Build(wanted) => panic!("{wanted:?}"),
    }
}

/// Commit, message, author's name, author's mail.
fn told(wanted: Wanted) -> [String; 4] {
    let revision = wanted.revision.unwrap();
    let author = revision.author.unwrap_or_default();
    let text = |text: Option<Box<str>>| text.unwrap_or_default().into();
    [revision.commit.into(), text(revision.message), text(author.name), text(author.email)]
}

const PUSHED: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
const ADA: [&str; 4] = [PUSHED, "Fix it", "Ada", "ada@example.com"];
const NONE: &str = "0000000000000000000000000000000000000000";

#[test]
fn github_tells_the_head_commit() {
    let push = |reference: &str, deleted: bool| {
        json!({ "ref": reference, "before": NONE, "after": PUSHED, "deleted": deleted, "commits": [], "head_commit": {
            "id": PUSHED, "message": "Fix it", "author": { "name": "Ada", "email": "ada@example.com", "username": "ada" },
            "committer": { "name": "GitHub", "email": "noreply@github.com" }, "added": [], "timestamp": "2026-11-02T08:00:00Z" } })
    };
    for header in ["x-github-event", "x-gogs-event"] {
        let ask = |event: &str, body: &Value| ask(HookKind::GitHub, (header, event), body);
        assert_eq!(told(wanted(ask("push", &push("refs/heads/main", false)))), ADA);
        assert_eq!(skipped(ask("push", &push("refs/heads/other", false))), ("ref_mismatch", None));
        assert_eq!(skipped(ask("push", &push("refs/tags/main", false))), ("ref_mismatch", None));
        assert_eq!(skipped(ask("push", &push("refs/heads/main", true))), ("ref_deleted", None));
        assert_eq!(
            skipped(ask("ping", &json!({ "zen": "Keep it logically awesome.", "hook_id": 1 }))),
            ("ping", None)
        );
        assert!(ask("issues", &json!({})).is_err());
    }
}

#[test]
fn gogs_tells_the_newest_commit_among_others() {
    let commit = |id: &str, message: &str| json!({ "id": id, "message": message, "author": { "name": "Ada", "email": "ada@example.com" } });
    let body = json!({ "ref": "refs/heads/main", "after": PUSHED, "commits": [commit("aaaa", "Old"), commit(PUSHED, "Fix it")] });
    assert_eq!(told(wanted(ask(HookKind::GitHub, ("x-gogs-event", "push"), &body))), ADA);
    let bare = json!({ "ref": "refs/heads/main", "after": PUSHED });
    assert_eq!(told(wanted(ask(HookKind::GitHub, ("x-gogs-event", "push"), &bare))), [PUSHED, "", "", ""]);
}

#[test]
fn gitlab_tells_the_last_commit() {
    let push = |reference: &str, after: &str, commits: Value| json!({ "object_kind": "push", "ref": reference, "after": after, "checkout_sha": after, "user_name": "Ada", "commits": commits });
    let commit = |id: &str, message: &str| json!({ "id": id, "message": message, "author": { "name": "Ada", "email": "ada@example.com" } });
    let ask = |event: &str, body: &Value| ask(HookKind::GitLab, ("x-gitlab-event", event), body);
    let commits = json!([commit("aaaa", "Old"), commit(PUSHED, "Fix it")]);
    assert_eq!(told(wanted(ask("Push Hook", &push("refs/heads/main", PUSHED, commits)))), ADA);
    let bare = push("refs/heads/main", PUSHED, json!([]));
    assert_eq!(told(wanted(ask("Push Hook", &bare))), [PUSHED, "", "", ""]);
    assert_eq!(skipped(ask("Push Hook", &push("refs/heads/x", PUSHED, json!([])))), ("ref_mismatch", None));
    assert_eq!(skipped(ask("Push Hook", &push("refs/heads/main", NONE, json!([])))), ("ref_deleted", None));
    assert!(ask("Tag Push Hook", &bare).is_err());
}

#[test]
fn bitbucket_of_the_cloud_tells_each_branch_that_moved() {
    let branch = |kind: &str, name: &str| {
        json!({ "type": kind, "name": name, "target": { "type": "commit", "hash": PUSHED, "message": "Fix it",
            "author": { "raw": "Ada <ada@example.com>", "user": { "display_name": "Ada L." } } } })
    };
    let push = |changes: Value| json!({ "actor": {}, "push": { "changes": changes } });
    let ask = |body: &Value| ask(HookKind::Bitbucket, ("x-event-key", "repo:push"), body);
    let change = |kind, name| json!({ "old": null, "new": branch(kind, name), "commits": [] });
    let two = push(json!([change("branch", "other"), change("branch", "main")]));
    assert_eq!(told(wanted(ask(&two))), ADA);
    assert_eq!(skipped(ask(&push(json!([change("tag", "main")])))), ("ref_mismatch", None));
    let gone = push(json!([{ "old": branch("branch", "main"), "new": null, "closed": true }]));
    assert_eq!(skipped(ask(&gone)), ("ref_deleted", None));
    let moved = push(json!([{ "old": branch("branch", "main"), "new": null }, change("branch", "main")]));
    assert_eq!(told(wanted(ask(&moved))), ADA, "what is gone hides nothing");
    assert_eq!(skipped(ask(&json!({}))), ("ref_mismatch", None));
}

#[test]
fn bitbucket_of_ones_own_tells_refs() {
    let push = |kind: &str, to: &str| {
        json!({ "eventKey": "repo:refs_changed", "actor": { "name": "ada" }, "changes": [
            { "ref": { "id": "refs/heads/main", "displayId": "main", "type": "BRANCH" }, "refId": "refs/heads/main",
              "fromHash": NONE, "toHash": to, "type": kind }],
          "toCommit": { "id": PUSHED, "message": "Fix it", "author": { "name": "ada", "displayName": "Ada", "emailAddress": "ada@example.com" } } })
    };
    let ask = |event: &str, body: &Value| ask(HookKind::Bitbucket, ("x-event-key", event), body);
    assert_eq!(told(wanted(ask("repo:refs_changed", &push("UPDATE", PUSHED)))), ADA);
    assert_eq!(told(wanted(ask("repo:refs_changed", &push("UPDATE", "abcd")))), ["abcd", "", "", ""]);
    assert_eq!(skipped(ask("repo:refs_changed", &push("DELETE", NONE))), ("ref_deleted", None));
    assert_eq!(skipped(ask("diagnostics:ping", &json!({ "test": true }))), ("ping", None));
    assert!(ask("pr:opened", &json!({})).is_err());
}

#[test]
fn a_git_service_sends_json_and_names_its_event() {
    let services = [
        (HookKind::GitHub, ("x-github-event", "push")),
        (HookKind::GitLab, ("x-gitlab-event", "Push Hook")),
        (HookKind::Bitbucket, ("x-event-key", "repo:push")),
    ];
    for (kind, event) in services {
        let ask = |sent: &[(&str, &str)], body: &str| read(&of(kind), &headers(sent), body.as_bytes());
        assert!(ask(&[JSON, event], "{}").is_ok());
        assert!(ask(&[("content-type", "application/json; charset=utf-8"), event], "{}").is_ok());
        for (sent, body) in [
            (&[event][..], "{}"),
            (&[("content-type", "application/x-www-form-urlencoded"), event], "payload=%7B%7D"),
            (&[("content-type", "what?"), event], "{}"),
            (&[JSON], "{}"),
            (&[JSON, event], ""),
            (&[JSON, event], "{"),
            (&[JSON, event], "[]1"),
        ] {
            assert!(ask(sent, body).is_err(), "{kind:?} {sent:?} {body}");
        }
    }
}

fn generic(
    allow_env: AllowEnv,
    reference: Option<Option<&str>>,
    kind: &str,
    body: &str,
) -> Result<Payload, Malformed> {
    let leave = leave(HookKind::Generic, allow_env, config(StrategyKind::Docker, reference));
    read(&leave, &headers(&[("content-type", kind)]), body.as_bytes())
}

#[test]
fn a_generic_body_may_be_json_or_yaml() {
    let json = r#"{"type":"git","git":{"uri":"https://x","ref":"refs/heads/main","commit":"7fd1a60b01f91b314f59955a4e4d4e80d8edf11d",
        "author":{"name":"Ada","email":"ada@example.com"},"committer":{"name":"Bob"},"message":"Fix it"},
        "env":[{"name":"VERSION","value":"1.2"},{"name":"PATH","value":"/tmp"}]}"#;
    let yaml = "git:\n  ref: refs/heads/main\n  commit: 7fd1a60b01f91b314f59955a4e4d4e80d8edf11d\n  message: Fix it\n  \
        author: {name: Ada, email: ada@example.com}\nenv:\n- name: VERSION\n  value: \"1.2\"\n- {name: PATH, value: /tmp}\n";
    let forms = [
        ("application/json", json),
        ("application/yaml", yaml),
        ("text/yaml", yaml),
        ("application/x-yaml", json),
    ];
    for (kind, body) in forms {
        let build = wanted(generic(AllowEnv::Any, Some(Some("main")), kind, body));
        assert_eq!(build.env, [("VERSION".to_owned(), "1.2".to_owned())]);
        assert!(build.warning.as_deref().unwrap().contains("PATH"), "{build:?}");
        assert_eq!(told(build), ADA, "{kind}");
        let quiet = wanted(generic(AllowEnv::None, Some(Some("main")), kind, body));
        assert_eq!((quiet.env.len(), quiet.warning), (0, None));
    }
}

#[test]
fn a_generic_body_that_is_of_no_use_costs_a_warning_and_the_build_is_made() {
    let main = Some(Some("main"));
    for (kind, body) in [
        ("text/plain", "{}"),
        ("application/x-www-form-urlencoded", "a=b"),
        ("application/json", "{"),
        ("application/json", "[1]"),
        ("application/json", r#"{"git":{"commit":7}}"#),
        ("application/yaml", "a: [b"),
        ("application/yaml", "a: *b"),
        ("application/json", "{}"),
        ("application/json", r#"{"git":null}"#),
    ] {
        let build = wanted(generic(AllowEnv::Any, main, kind, body));
        assert!(build.warning.is_some() && build.revision.is_none(), "{kind} {body}: {build:?}");
    }
    let without = leave(HookKind::Generic, AllowEnv::Any, config(StrategyKind::Docker, main));
    assert!(wanted(read(&without, &HeaderMap::new(), b"")).warning.is_some());
    assert!(read(&without, &headers(&[("content-type", "json")]), b"{}").is_err());
    // Nothing is missed where nothing is expected.
    assert_eq!(wanted(generic(AllowEnv::Any, main, "application/json", "")), Wanted::default());
    assert_eq!(wanted(generic(AllowEnv::Any, None, "application/json", "{}")), Wanted::default());
}

#[test]
fn a_generic_body_of_another_branch_makes_no_build_and_says_so() {
    let main = Some(Some("main"));
    let ask = |body: &str| generic(AllowEnv::Any, main, "application/json", body);
    for body in [
        r#"{"git":{"ref":"refs/heads/other","commit":"abc"}}"#,
        r#"{"git":{"commit":"abc"}}"#,
        r#"{"git":{"ref":"refs/heads/main","refs":[]}}"#,
        r#"{"git":{"refs":[{"ref":"refs/heads/other"}]}}"#,
    ] {
        let (reason, warning) = skipped(ask(body));
        assert!(reason == "ref_mismatch" && warning.unwrap().contains("`main`"), "{body}");
    }
    let refs = r#"{"git":{"refs":[{"ref":"refs/heads/other","commit":"aa"},{"ref":"refs/heads/main","commit":"bb"}]}}"#;
    assert_eq!(told(wanted(ask(refs))), ["bb", "", "", ""]);
    assert!(wanted(generic(AllowEnv::Any, None, "application/json", refs)).revision.is_none());
}

#[test]
fn every_text_is_bounded_and_a_commit_is_a_plain_word() {
    let push = |commit: &str, text: &str| {
        let body = json!({ "ref": "main", "head_commit": { "id": commit, "message": text, "author": { "name": text, "email": text } } });
        wanted(ask(HookKind::GitHub, ("x-github-event", "push"), &body))
    };
    let [_, message, name, email] = told(push("abc", &"ü".repeat(100_000)));
    assert_eq!((message.len(), name.len(), email.len()), (1024, 256, 256));
    for commit in ["", "--upload-pack=x", "a b", "a\nb", "$(x)", "0000", &"a".repeat(129), "../x"] {
        assert_eq!(push(commit, "x").revision, None, "{commit}");
    }
}

#[test]
fn hostile_bodies_are_refused_without_a_panic() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let bodies = [
        deep("[", "]"),
        format!("{{\"git\":{}}}", deep("{\"refs\":[", "]}")),
        format!("{{\"x\":{}}}", deep("{\"a\":", "}")),
        format!("{{\"ref\":1e{}}}", "9".repeat(1000)),
        format!("{{\"commits\":{}}}", "9".repeat(100_000)),
        "{\"ref\":\"\\ud800\"}".to_owned(),
        "\u{feff}{}".to_owned(),
        "{\"head_commit\":[],\"commits\":{},\"push\":3,\"changes\":\"x\",\"git\":[],\"env\":{}}".to_owned(),
        "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c]\nenv: [*d,*d,*d]".to_owned(),
    ];
    let services = [
        (HookKind::GitHub, ("x-github-event", "push")),
        (HookKind::GitLab, ("x-gitlab-event", "Push Hook")),
        (HookKind::Bitbucket, ("x-event-key", "repo:push")),
        (HookKind::Bitbucket, ("x-event-key", "repo:refs_changed")),
        (HookKind::Generic, ("x", "y")),
    ];
    for body in &bodies {
        for (kind, event) in services {
            for media in ["application/json", "application/yaml"] {
                let answer = read(&of(kind), &headers(&[("content-type", media), event]), body.as_bytes());
                if let Err(Malformed(what)) = &answer {
                    assert!(what.len() < 1000, "{what}");
                }
                if let Ok(Payload::Build(Wanted { warning: Some(warning), .. })) = &answer {
                    assert!(warning.len() < 1000, "{warning}");
                }
            }
        }
    }
}
