//! The listener over real connections; a stand-in for the daemon answers.

use std::net::SocketAddr;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};

use super::support::{HOOKS, app, config, hex, hook, hooks, made, settings, sign};
use crate::controller::{HookKind, Origin, StartRefused, StrategyKind};
use crate::webhook::{AllowEnv, Call, Hooks, Listener, Made, Refusal, Settings, serve};

const PATH: &str = "/apis/build.openshift.io/v1/namespaces/default/buildconfigs/app/webhooks";

struct Served {
    address: SocketAddr,
    hooks: watch::Sender<Arc<Hooks>>,
    dir: TempDir,
    _stop: oneshot::Sender<()>,
}

impl Served {
    async fn new(answer: impl Fn(&Call) -> Result<(Made, Option<String>), Refusal> + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address();
        let (hooks, known) = watch::channel(Arc::new(hooks(&dir)));
        let (calls, mut asked) = mpsc::channel::<Call>(8);
        tokio::spawn(async move {
            while let Some(call) = asked.recv().await {
                let answer = answer(&call);
                drop(call.reply.send(answer));
            }
        });
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(serve(listener, known, calls, async { drop::<Result<(), _>>(stopped.await) }));
        Self { address, hooks, dir, _stop: stop }
    }

    async fn content() -> Self {
        Self::new(|call| Ok((made(call), None))).await
    }

    async fn send(&self, text: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text).await.unwrap();
        read(stream).await
    }

    async fn post(&self, path: &str, headers: &[&str], body: &str) -> String {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{headers}\r\n");
        self.send(format!("{head}{body}").as_bytes()).await
    }
}

/// The whole answer, but for what the clock says.
async fn read(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8(answer).unwrap();
    text.split("\r\n").filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n")
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().unwrap()
}

fn body(answer: &str) -> serde_json::Value {
    serde_json::from_str(answer.split("\n\n").nth(1).unwrap()).unwrap()
}

const JSON: &str = "Content-Type: application/json";

#[tokio::test]
async fn a_push_is_answered_with_the_build_as_one_object() {
    let served = Served::new(|call| {
        assert_eq!(call.start.origin, Origin::Webhook(HookKind::GitHub));
        assert_eq!(&*call.start.revision.as_ref().unwrap().commit, "abc");
        Ok((made(call), Some("mind the gap".to_owned())))
    });
    let push = r#"{"ref":"refs/heads/master","head_commit":{"id":"abc"}}"#;
    let answer = served
        .await
        .post(&format!("{PATH}/github-s3cret/github"), &[JSON, "X-GitHub-Event: push"], push)
        .await;
    assert_eq!(status(&answer), 200, "{answer}");
    let body = body(&answer);
    assert_eq!((&body["build"]["name"], &body["build"]["build"]), (&"app-7".into(), &"default/app-7".into()));
    assert_eq!((&body["build"]["phase"], &body["warning"]), (&"New".into(), &"mind the gap".into()));
}

#[tokio::test]
async fn what_is_not_let_in_is_one_answer_to_the_byte() {
    let served = Served::content().await;
    let other = PATH.replace("/app/", "/other/");
    let signature = format!("X-Hub-Signature-256: sha256={}", "0".repeat(64));
    let refused = served.post(&format!("{PATH}/wrong/github"), &[], "").await;
    assert_eq!(status(&refused), 401, "{refused}");
    for (path, headers) in [
        (format!("{PATH}/github-s3cret/gitlab"), vec![]),
        (format!("{PATH}/x/bitbucket"), vec![JSON, "X-Event-Key: repo:push"]),
        (format!("{other}/github-s3cret/github"), vec![JSON]),
        (format!("{other}/github"), vec![JSON, &signature]),
        (format!("{PATH}/github"), vec![JSON, &signature]),
        (format!("{PATH}/github"), vec![JSON]),
        (format!("{PATH}/github"), vec!["X-Hub-Signature-256: sha256=zz"]),
        (format!("{PATH}/gitlab"), vec!["X-Gitlab-Token: wrong"]),
        (format!("{PATH}/gitlab"), vec![]),
        (format!("{PATH}/generic"), vec![]),
        (PATH.replace("/default/", "/DEFAULT%20x/") + "/x/generic", vec![]),
    ] {
        assert_eq!(served.post(&path, &headers, "{}").await, refused, "{path} {headers:?}");
    }
}

#[tokio::test]
async fn every_mistake_has_its_code_and_no_answer_repeats_the_path() {
    let served = Served::content().await;
    let mut answers = Vec::new();
    for (method, path, expected) in [
        ("GET", format!("{PATH}/s3cret/github"), 405),
        ("PUT", format!("{PATH}/s3cret/github"), 405),
        ("GET", "/s3cret".to_owned(), 404),
        ("POST", "/s3cret".to_owned(), 404),
        ("POST", format!("{PATH}/s3cret/gitea"), 404),
        ("POST", format!("{PATH}/a/s3cret/github"), 400),
        ("POST", PATH.to_owned(), 400),
        ("POST", format!("{PATH}/wrong-s3cret/github"), 401),
    ] {
        let answer = served.send(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
        assert_eq!(status(&answer), expected, "{method} {path}: {answer}");
        answers.push(answer);
    }
    assert!(answers[0].contains("allow: POST"), "{}", answers[0]);
    assert!(answers.iter().all(|answer| !answer.contains("s3cret")), "{answers:?}");
    assert!(answers.iter().all(|answer| body(answer)["error"].is_string()), "{answers:?}");
}

#[tokio::test]
async fn a_header_may_prove_what_the_path_does_not() {
    let served = Served::content().await;
    let push = r#"{"ref":"master"}"#;
    let sign = |secret: &str| hex(&sign(secret, push.as_bytes()));
    let hub = format!("X-Hub-Signature-256: sha256={}", sign("github-s3cret"));
    let bucket = format!("X-Hub-Signature: sha256={}", sign("bitbucket-s3cret").to_uppercase());
    let generic = format!("X-Hub-Signature-256: sha256={}", sign("generic-s3cret"));
    for (kind, headers) in [
        ("github", [&*hub, "X-GitHub-Event: push"]),
        ("gitlab", ["X-Gitlab-Token: gitlab-s3cret", "X-Gitlab-Event: Push Hook"]),
        ("bitbucket", [&bucket, "X-Event-Key: repo:push"]),
        ("generic", [&generic, "X: y"]),
    ] {
        let answer = served.post(&format!("{PATH}/{kind}"), &[JSON, headers[0], headers[1]], push).await;
        assert_eq!(status(&answer), 200, "{kind}: {answer}");
    }
    let other = served.post(&format!("{PATH}/github"), &[JSON, &hub, "X-GitHub-Event: push"], "{}").await;
    assert_eq!(status(&other), 401);
}

#[tokio::test]
async fn what_the_daemon_refuses_has_openshifts_codes() {
    let named = "ruby:latest".into();
    let unresolved: Refusal = StartRefused::Unresolved { named, namespace: "default".into() }.into();
    let paused: Refusal = StartRefused::Paused(app()).into();
    let gone: Refusal = StartRefused::NoConfig(app()).into();
    let f34 =
        "Error resolving ImageStreamTag ruby:latest in namespace default: unable to find latest tagged image";
    let failed = "could not generate a build: all builds of default/app are paused";
    for (refusal, expected, error) in [(unresolved, 422, f34), (paused, 500, failed)] {
        let served = Served::new(move |_| Err(refusal.clone())).await;
        let answer = served.post(&format!("{PATH}/generic-s3cret/generic"), &[JSON], "").await;
        assert_eq!((status(&answer), body(&answer)["error"].as_str()), (expected, Some(error)));
    }
    let served = Served::new(move |_| Err(gone.clone())).await;
    let gone = served.post(&format!("{PATH}/generic-s3cret/generic"), &[JSON], "").await;
    assert_eq!(gone, served.post(&format!("{PATH}/wrong/generic"), &[JSON], "").await);
}

#[tokio::test]
async fn a_ping_is_answered_without_a_build() {
    let served = Served::new(|_| panic!("nothing is to be built")).await;
    let answer =
        served.post(&format!("{PATH}/github-s3cret/github"), &[JSON, "X-GitHub-Event: ping"], "{}").await;
    assert_eq!((status(&answer), body(&answer)), (200, serde_json::json!({ "build": null })));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_and_one_of_a_stranger_is_not_read() {
    let served = Served::content().await;
    let long = "x".repeat(4 * 1024 * 1024 + 1);
    let path = format!("{PATH}/generic-s3cret/generic");
    assert_eq!(status(&served.post(&path, &[JSON], &long).await), 413);
    let chunked = |path: &str, body: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{JSON}\r\n\r\n");
        format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    assert_eq!(status(&served.send(chunked(&path, &long).as_bytes()).await), 413);
    assert_eq!(status(&served.send(chunked(&path, "").replace("0\r\n\r\n0", "0").as_bytes()).await), 200);
    let stranger = format!("{PATH}/wrong/generic");
    assert_eq!(status(&served.post(&stranger, &[JSON], &long).await), 401);
}

#[tokio::test]
async fn too_many_calls_are_told_when_to_come_again_and_wrong_secrets_use_up_nothing() {
    let served = Served::content().await;
    let (good, wrong) = (format!("{PATH}/generic-s3cret/generic"), format!("{PATH}/wrong/generic"));
    for _ in 0..50 {
        assert_eq!(status(&served.post(&wrong, &[JSON], "").await), 401);
    }
    let mut answers: Vec<String> = Vec::new();
    while answers.len() < 200 && answers.last().is_none_or(|answer| status(answer) == 200) {
        answers.push(served.post(&good, &[JSON], "").await);
    }
    let (last, taken) = (answers.last().unwrap(), answers.len() - 1);
    assert!(taken >= 10, "{taken} were taken");
    assert_eq!(status(last), 429, "{last}");
    assert!(last.contains("retry-after: 1\n"), "{last}");
}

#[tokio::test]
async fn what_asks_for_no_build_uses_up_no_build() {
    let served = Served::content().await;
    let path = format!("{PATH}/github-s3cret/github");
    for _ in 0..50 {
        let ping = served.post(&path, &[JSON, "X-GitHub-Event: ping"], "{}").await;
        let other = served.post(&path, &[JSON, "X-GitHub-Event: push"], r#"{"ref":"refs/heads/x"}"#).await;
        assert_eq!((status(&ping), status(&other)), (200, 200));
    }
    let push = served.post(&path, &[JSON, "X-GitHub-Event: push"], r#"{"ref":"refs/heads/master"}"#).await;
    assert_eq!(status(&push), 200, "{push}");
}

#[tokio::test]
async fn other_secrets_hold_from_the_moment_they_are_swapped_in() {
    let served = Served::content().await;
    let new = vec![hook(served.dir.path(), HookKind::Generic, "rotated", AllowEnv::None)];
    let old = settings(&served.dir);
    let settings = Settings { hooks: [(app(), new)].into(), ..old };
    let (old, rotated) = (format!("{PATH}/{}/generic", HOOKS[0].1), format!("{PATH}/rotated/generic"));
    assert_eq!(status(&served.post(&old, &[JSON], "").await), 200);
    assert_eq!(status(&served.post(&rotated, &[JSON], "").await), 401);
    let hooks = Hooks::read(&settings, &[config(StrategyKind::Docker, None)]).unwrap();
    served.hooks.send_replace(Arc::new(hooks));
    assert_eq!(status(&served.post(&old, &[JSON], "").await), 401);
    assert_eq!(status(&served.post(&rotated, &[JSON], "").await), 200);
}
