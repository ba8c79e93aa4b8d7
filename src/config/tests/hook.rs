//! Who may ask for builds over HTTP.

use super::{Dir, loaded};
use crate::config::Settings;
use crate::controller::{ConfigKey, HookKind};
use crate::webhook::{AllowEnv, Hook};

const LISTEN: &str = "[webhook]\nlisten = \"127.0.0.1:8089\"\n";
const APP: &str = "[[build_config]]\nname = \"app\"\n[build_config.strategy]\ntype = \"Command\"\n\
                   command = [\"make\"]\n";
const WATCH: &str = "[[watch]]\nimage = \"debian:12\"\nname = \"app\"\nrun = [\"make\"]\n";

fn app() -> ConfigKey {
    ConfigKey::new("default", "app")
}

/// The settings of a file with a secret beside it.
fn settings(text: &str) -> (Dir, Settings) {
    let dir = Dir::with(&[("main.toml", text), ("secret", "s3cret"), ("credentials/hook", "s3cret")]);
    let settings = dir.load().unwrap_or_else(|problems| panic!("{problems}")).settings;
    (dir, settings)
}

fn problems(text: &str) -> Vec<String> {
    Dir::with(&[("main.toml", text), ("secret", "s3cret")]).problems()
}

fn trigger(keys: &str) -> String {
    format!("{APP}[[build_config.trigger]]\n{keys}\n")
}

#[test]
fn each_kind_of_hook_is_taken_over_with_its_secret() {
    let kinds = [
        ("Generic", "generic", HookKind::Generic),
        ("GitHub", "github", HookKind::GitHub),
        ("GitLab", "gitlab", HookKind::GitLab),
        ("Bitbucket", "bitbucket", HookKind::Bitbucket),
    ];
    for (name, key, kind) in kinds {
        // OpenShift has an old spelling of two of them (F20).
        let is_old = matches!(kind, HookKind::Generic | HookKind::GitHub);
        for written in [Some(name), is_old.then_some(key)].into_iter().flatten() {
            let text = trigger(&format!("type = \"{written}\"\n{key} = {{ secret_file = \"secret\" }}"));
            let (dir, settings) = settings(&format!("{text}{LISTEN}"));
            let hook = Hook { kind, secret_file: dir.path("secret"), allow_env: AllowEnv::None };
            assert_eq!(settings.webhook.hooks[&app()], std::slice::from_ref(&hook));
            let watch =
                format!("{WATCH}webhook = {{ type = \"{name}\", secret_file = \"secret\" }}\n{LISTEN}");
            let (dir, settings) = self::settings(&watch);
            assert_eq!(settings.webhook.hooks[&app()], [Hook { secret_file: dir.path("secret"), ..hook }]);
            assert_eq!(settings.webhook.listen, Some("127.0.0.1:8089".parse().unwrap()));
        }
    }
}

#[test]
fn several_hooks_of_one_kind_are_all_kept() {
    let more =
        "[[build_config.trigger]]\ntype = \"Generic\"\ngeneric = { secret_file = \"credential:hook\" }\n";
    let text = trigger("type = \"Generic\"\ngeneric = { secret_file = \"secret\" }");
    let (dir, settings) = settings(&format!("{text}{more}{LISTEN}"));
    let files: Vec<_> = settings.webhook.hooks[&app()].iter().map(|hook| hook.secret_file.clone()).collect();
    assert_eq!(files, [dir.path("secret"), dir.path("credentials/hook")]);
}

#[test]
fn the_hook_of_a_template_is_that_of_each_watch() {
    let text = format!(
        "[template.t]\nrun = [\"make\"]\nwebhook = {{ type = \"GitLab\", secret_file = \"secret\" }}\n\
         [[watch]]\nimage = \"debian:12\"\nnames = [\"a\", \"b\"]\nuse = \"t\"\n{LISTEN}"
    );
    let hooks = settings(&text).1.webhook.hooks;
    let keys: Vec<&str> = hooks.keys().map(ConfigKey::as_str).collect();
    assert_eq!(keys, ["default/a", "default/b"]);
}

#[test]
fn what_a_caller_may_set_is_a_list_or_anything() {
    let allowed = |allow_env: &str| {
        let keys = format!("type = \"Generic\"\ngeneric = {{ secret_file = \"secret\"{allow_env} }}");
        settings(&format!("{}{LISTEN}", trigger(&keys))).1.webhook.hooks[&app()][0].allow_env.clone()
    };
    assert_eq!(allowed(""), AllowEnv::None);
    assert_eq!(allowed(", allow_env = false"), AllowEnv::None);
    assert_eq!(allowed(", allow_env = true"), AllowEnv::Any);
    assert_eq!(allowed(", allow_env = [\"A\", \"B\"]"), AllowEnv::Names(vec!["A".into(), "B".into()]));
}

#[test]
fn a_rate_is_taken_over_and_there_is_one_by_default() {
    assert!((loaded("").settings.webhook.requests_per_second - 2.0).abs() < f64::EPSILON);
    let raised = loaded("[webhook]\nrequests_per_second = 50\n").settings.webhook;
    assert!((raised.requests_per_second - 50.0).abs() < f64::EPSILON);
    assert_eq!(raised.listen, None);
}

#[test]
fn a_mistake_in_a_hook_is_told() {
    let cases = [
        (
            "type = \"Generic\"",
            "main.toml:6: build_config[0].trigger[0]: has no `generic`; \
                                add generic = { secret_file = \"/path\" }",
        ),
        (
            "type = \"Generic\"\ngeneric = {}",
            "main.toml:8: build_config[0].trigger[0].generic: has no secret; \
                                              add secret_file = \"/path\", or \"credential:NAME\"",
        ),
        (
            "type = \"GitHub\"\ngithub = { secret_file = \"secret\", allow_env = [\"A\"] }",
            "main.toml:8: build_config[0].trigger[0].github.allow_env: is for Generic hooks: GitHub sends no variables; \
             delete it",
        ),
        (
            "type = \"Generic\"\ngeneric = { secret_file = \"secret\", allow_env = [\"BASEWATCH_TAG\"] }",
            "main.toml:8: build_config[0].trigger[0].generic.allow_env[0]: is a variable that basewatch sets itself \
             (BASEWATCH_TAG); choose another name",
        ),
        (
            "type = \"Generic\"\ngeneric = { secret_file = \"secret\", allow_env = \"A\" }",
            "main.toml:8: build_config[0].trigger[0].generic.allow_env: should be a list of variables, true or false, \
             not text (\"A\"); write it like [\"VERSION\"]",
        ),
        (
            "type = \"GitLab\"\ngithub = { secret_file = \"secret\" }\ngitlab = { secret_file = \"secret\" }",
            "main.toml:8: build_config[0].trigger[0].github: is for GitHub triggers, and this is of type GitLab; \
             delete it, or correct the type",
        ),
    ];
    for (keys, expected) in cases {
        assert_eq!(problems(&format!("{}{LISTEN}", trigger(keys))), [expected], "of {keys}");
    }
    let missing = trigger("type = \"Generic\"\ngeneric = { secret_file = \"gone\" }");
    let told = problems(&format!("{missing}{LISTEN}"));
    assert!(told.len() == 1 && told[0].contains(".generic.secret_file: cannot be read: "), "{told:?}");
    assert_eq!(
        problems(&format!("{WATCH}webhook = {{ secret_file = \"secret\" }}\n{LISTEN}")),
        [
            "main.toml:5: watch[0].webhook: has no type; add type = \"Generic\", \"GitHub\", \"GitLab\" or \"Bitbucket\""
        ]
    );
    assert_eq!(
        problems(&format!("{WATCH}[webhook]\nlisten = \"8089\"\n")),
        [
            "main.toml:6: webhook.listen: is not an address to listen at (\"8089\"); write ADDRESS:PORT, such as \
          \"127.0.0.1:8089\" or \"[::1]:8089\""
        ]
    );
}

#[test]
fn a_hook_that_nobody_listens_for_is_a_warning_and_so_is_a_listener_without_hooks() {
    let hook = format!("{WATCH}webhook = {{ type = \"Generic\", secret_file = \"secret\" }}\n");
    assert_eq!(
        problems(&hook),
        ["main.toml:5: warning: watch[0].webhook: is a hook, and nothing listens for it; \
          add [webhook] with listen = \"127.0.0.1:8089\""]
    );
    assert_eq!(
        problems(&format!("{WATCH}{LISTEN}")),
        ["main.toml:6: warning: webhook.listen: listens, and no build config has a hook; \
          add a hook to a watch or a build config, or delete it"]
    );
}
