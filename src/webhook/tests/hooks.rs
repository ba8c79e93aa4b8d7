use std::fs;

use super::support::{HOOKS, app, config, hex, hook, hooks, leave, settings, sign};
use crate::controller::{ConfigKey, HookKind, StrategyKind};
use crate::webhook::hooks::Hooks;
use crate::webhook::secret::Offered;
use crate::webhook::{AllowEnv, Settings, check_secret_file};

#[test]
fn only_the_secret_of_a_hook_of_that_kind_and_config_lets_in() {
    let dir = tempfile::tempdir().unwrap();
    let hooks = hooks(&dir);
    for (kind, secret) in HOOKS {
        for (other, _) in HOOKS {
            let known = hooks.ask(&app(), other, &Offered::secret(secret.as_bytes()));
            assert_eq!(known.is_some(), kind == other, "{secret} at {other:?}");
        }
        let elsewhere = ConfigKey::new("default", "other");
        assert!(hooks.ask(&elsewhere, kind, &Offered::secret(secret.as_bytes())).is_none());
        for wrong in ["", " ", "s3cret", &format!("{secret}\n"), &secret[1..]] {
            assert!(hooks.ask(&app(), kind, &Offered::secret(wrong.as_bytes())).is_none(), "{wrong:?}");
        }
    }
    let generic = hooks.ask(&app(), HookKind::Generic, &Offered::secret(b"generic-s3cret")).unwrap();
    assert_eq!((generic.config, generic.allow_env), (app(), AllowEnv::Any));
}

#[test]
fn several_hooks_of_one_kind_let_in_each_with_its_own_leave() {
    let dir = tempfile::tempdir().unwrap();
    let two = vec![
        hook(dir.path(), HookKind::Generic, "one", AllowEnv::None),
        hook(dir.path(), HookKind::Generic, "two", AllowEnv::Any),
    ];
    let settings = Settings { hooks: [(app(), two)].into(), ..Settings::default() };
    let hooks = Hooks::read(&settings, &[]).unwrap();
    let leave = |secret: &[u8]| hooks.ask(&app(), HookKind::Generic, &Offered::secret(secret));
    assert_eq!(leave(b"one").unwrap().allow_env, AllowEnv::None);
    assert_eq!(leave(b"two").unwrap().allow_env, AllowEnv::Any);
}

#[test]
fn a_signature_is_of_this_body_and_this_secret() {
    let dir = tempfile::tempdir().unwrap();
    let hooks = hooks(&dir);
    let body = b"{\"ref\":\"refs/heads/main\"}".as_slice();
    let ask = |signature, body| hooks.ask(&app(), HookKind::GitHub, &Offered::Signature { signature, body });
    assert!(ask(sign("github-s3cret", body), body).is_some());
    assert!(ask(sign("github-s3cret", body), b"{}").is_none());
    assert!(ask(sign("gitlab-s3cret", body), body).is_none());
    assert!(ask(sign("", body), body).is_none(), "what stands in for a secret is none");
}

#[test]
fn the_signature_is_githubs_own() {
    // The example of GitHub's documentation, "Validating webhook deliveries".
    let expected = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let signature = sign("It's a Secret to Everybody", b"Hello, World!");
    assert_eq!(hex(&signature), expected);
    let dir = tempfile::tempdir().unwrap();
    let github = vec![hook(dir.path(), HookKind::GitHub, "It's a Secret to Everybody", AllowEnv::None)];
    let settings = Settings { hooks: [(app(), github)].into(), ..Settings::default() };
    let hooks = Hooks::read(&settings, &[]).unwrap();
    let offered = Offered::Signature { signature, body: b"Hello, World!" };
    assert!(hooks.ask(&app(), HookKind::GitHub, &offered).is_some());
}

#[test]
fn a_secret_that_cannot_be_had_is_an_error_that_names_the_hook_and_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&dir);
    let path = dir.path().join("gitlab-s3cret");
    let told = |what: &str| {
        let error = Hooks::read(&settings, &[]).unwrap_err().to_string();
        assert!(
            error.contains("GitLab webhook of default/app") && error.contains("gitlab-s3cret"),
            "{error}"
        );
        assert!(error.contains(what), "{error}");
        assert!(check_secret_file(&path).unwrap_err().to_string().contains(what));
    };
    for (content, what) in
        [("", "it is empty"), ("\n", "it is empty"), (&*"x".repeat(5000), "more than 4096")]
    {
        fs::write(&path, content).unwrap();
        told(what);
    }
    fs::remove_file(&path).unwrap();
    told("No such file");
    fs::create_dir(&path).unwrap();
    told("not a regular file");
}

#[test]
fn a_config_is_concerned_by_its_branch_which_is_master_unless_told() {
    let concerns =
        |config, reference: &str| leave(HookKind::GitHub, AllowEnv::None, config).branch.is(reference);
    let docker = |reference| config(StrategyKind::Docker, Some(reference));
    for (wanted, told, expected) in [
        (None, "refs/heads/master", true),
        (None, "master", true),
        (None, "refs/heads/main", false),
        (Some("main"), "refs/heads/main", true),
        (Some("refs/heads/main"), "main", true),
        (Some("main"), "refs/heads/main2", false),
        (Some("v1"), "refs/tags/v1", false),
        (Some("refs/tags/v1"), "refs/tags/v1", true),
        (Some("main"), "", false),
    ] {
        assert_eq!(concerns(docker(wanted), told), expected, "{wanted:?} of {told}");
    }
    assert!(!concerns(config(StrategyKind::Source, None), "refs/heads/main"));
    let watch = || config(StrategyKind::Command, None);
    assert!(concerns(watch(), "refs/heads/main") && !concerns(watch(), "refs/tags/v1"));
}
