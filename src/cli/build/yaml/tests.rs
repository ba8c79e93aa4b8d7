//! Golden files: each is what `oc get build -o yaml` would have of such a build, but for what is said at the top.

use jiff::Timestamp;
use uuid::Uuid;

use super::yaml;
use crate::control::protocol::*;

/// The reference of the document's own example, its port included (S16).
const PINNED: &str = "172.30.17.3:5001/mynamespace/ruby-20-centos7@sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn image(named: &str, tag: &str, reference: &str) -> Image {
    let digest = reference.split_once('@').map(|(_, digest)| digest.parse().unwrap());
    let mutable = digest.is_none();
    Image {
        tag: tag.parse().unwrap(),
        named: named.to_owned(),
        reference: reference.to_owned(),
        digest,
        image_id: None,
        mutable,
    }
}

fn ruby() -> Image {
    let tag = "172.30.17.3:5001/mynamespace/ruby-20-centos7:latest";
    image("mynamespace/ruby-20-centos7:latest", tag, PINNED)
}

fn cause(kind: &str) -> Cause {
    Cause { kind: kind.to_owned(), image: None, old_digest: None, hook: None, rebuild_of: None }
}

fn moved(image: Image) -> Cause {
    Cause { image: Some(image), ..cause("image-change") }
}

fn spec(strategy: &str, base_image: Option<Image>, causes: Vec<Cause>) -> Spec {
    Spec {
        causes,
        strategy: strategy.to_owned(),
        options: None,
        base_image,
        source: None,
        revision: None,
        output: None,
        command: vec!["make".to_owned()],
        steps: Vec::new(),
        image_sources: Vec::new(),
        runner: None,
        secrets: Vec::new(),
        working_dir: None,
        env: Vec::new(),
        labels: [("team".to_owned(), "pay".to_owned())].into(),
        timeout_ms: 3_600_000,
    }
}

fn detail(name: &str, spec: Spec) -> BuildDetail {
    let build = Build {
        build: name.parse().unwrap(),
        id: Uuid::from_u128(7),
        phase: Phase::Complete,
        reason: None,
        cause: spec.causes[0].kind.clone(),
        created: at(0),
        started: Some(at(1)),
        ended: Some(at(62)),
        next_attempt: None,
        attempts: 1,
        cancel_asked: false,
    };
    BuildDetail {
        build,
        run_policy: "Serial".to_owned(),
        interruptions: 0,
        history: Vec::new(),
        images: Vec::new(),
        commit: None,
        spec: Some(spec),
        log: "/log".into(),
    }
}

#[test]
fn s16_a_source_build_has_the_pinned_image_with_its_port() {
    let mut spec = spec("Source", Some(ruby()), vec![moved(ruby())]);
    spec.source = Some(Source {
        directory: None,
        git: Some(Git { uri: "https://git.test/app.git".into(), reference: Some("main".into()) }),
        context_dir: Some("web".into()),
    });
    spec.revision = Some(Revision {
        commit: "c0ffee".into(),
        message: Some("Mend it".into()),
        author: Some(Person { name: Some("Ada".into()), email: Some("ada@example.com".into()) }),
        committer: None,
    });
    spec.output = Some("registry.test/mynamespace/app:latest".to_owned());
    spec.env = vec!["TOKEN".to_owned()];
    spec.options = Some(Options { incremental: true, ..Options::default() });
    let mut detail = detail("mynamespace/app-7", spec);
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    detail.images = vec![BuiltImage {
        reference: "registry.test/mynamespace/app:latest".to_owned(),
        digest: digest.parse().unwrap(),
    }];
    assert_eq!(yaml(&detail).unwrap(), include_str!("golden/source.yaml"));
}

#[test]
fn s16_another_trigger_is_a_cause_and_the_strategy_has_its_own_image() {
    let other = image(
        "mynamespace/custom-image:latest",
        "172.30.17.3:5001/mynamespace/custom-image:latest",
        &PINNED.replace("ruby-20-centos7", "custom-image"),
    );
    let mut spec = spec("Custom", Some(ruby()), vec![moved(other)]);
    spec.env = vec!["FIRST".to_owned(), "OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE".to_owned(), "LAST".to_owned()];
    let mut detail = detail("mynamespace/app-8", spec);
    (detail.build.phase, detail.build.reason) = (Phase::Failed, Some("exit 2".to_owned()));
    assert_eq!(yaml(&detail).unwrap(), include_str!("golden/custom.yaml"));
}

#[test]
fn s16_only_on_v1_the_reference_has_a_colon() {
    let v1 = image("old.test:5000/team/base:1", "old.test:5000/team/base:1", "old.test:5000/team/base:1");
    let mut spec = spec("Docker", Some(v1), vec![cause("manual"), cause("config-change")]);
    spec.options = Some(Options {
        dockerfile_path: Some("Dockerfile.ci".to_owned()),
        build_args: vec!["HTTP_PROXY".to_owned()],
        no_cache: true,
        force_pull: true,
        tool: None,
        no_push: false,
        ..Options::default()
    });
    let mut detail = detail("default/old-1", spec);
    (detail.build.started, detail.build.ended, detail.build.phase) = (None, None, Phase::New);
    assert_eq!(yaml(&detail).unwrap(), include_str!("golden/docker-v1.yaml"));
}

#[test]
fn s16_a_command_and_a_webhook_are_told_in_the_same_form() {
    let hook = |service: &str| Cause { hook: Some(service.to_owned()), ..cause("webhook") };
    let base =
        image("base.test/base:1", "base.test/base:1", &PINNED.replace("172.30.17.3:5001", "base.test"));
    let causes =
        vec![hook("Generic"), hook("GitHub"), hook("GitLab"), hook("Bitbucket"), moved(base.clone())];
    let mut spec = spec("Command", Some(base), causes);
    spec.revision = Some(Revision { commit: "c0ffee".into(), ..Revision::default() });
    spec.working_dir = Some("/srv/app".into());
    let mut detail = detail("default/app-9", spec);
    (detail.build.phase, detail.build.cancel_asked) = (Phase::Cancelled, true);
    assert_eq!(yaml(&detail).unwrap(), include_str!("golden/command.yaml"));
}

#[test]
fn s17_a_build_made_again_is_a_clone_that_a_person_asked_for() {
    let again = Cause { rebuild_of: Some("mynamespace/app-7".parse().unwrap()), ..cause("rebuild") };
    let spec = spec("Source", Some(ruby()), vec![again, moved(ruby())]);
    assert_eq!(yaml(&detail("mynamespace/app-9", spec)).unwrap(), include_str!("golden/clone.yaml"));
}

#[test]
fn what_a_build_was_given_may_be_gone_and_values_are_never_there() {
    let mut detail = detail("default/app-7", spec("Source", None, vec![cause("a new kind")]));
    let text = yaml(&detail).unwrap();
    assert!(text.contains("message: a new kind\n"), "{text}");
    detail.spec = None;
    let text = yaml(&detail).unwrap();
    assert!(!text.contains("spec:") && text.contains("phase: Complete\n"), "{text}");
}
