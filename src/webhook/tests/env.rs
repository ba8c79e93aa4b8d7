use crate::webhook::AllowEnv;

fn take(allow: &AllowEnv, sent: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let sent = sent.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let taken = allow.take(sent.collect());
    (taken.env.into_iter().map(|(name, value)| format!("{name}={value}")).collect(), taken.refused)
}

#[test]
fn without_leave_nothing_is_taken_and_nothing_said() {
    assert_eq!(take(&AllowEnv::None, &[("VERSION", "1"), ("PATH", "/tmp")]), (vec![], vec![]));
}

#[test]
fn of_a_list_what_it_names_is_taken_and_of_the_rest_nothing_said() {
    let allow = AllowEnv::Names(vec!["VERSION".to_owned(), "GIT_BRANCH".to_owned()]);
    let sent =
        [("VERSION", "1"), ("GIT_BRANCH", "main"), ("PATH", "/tmp"), ("version", "2"), ("VERSION", "3")];
    assert_eq!(take(&allow, &sent), (vec!["GIT_BRANCH=main".into(), "VERSION=3".into()], vec![]));
}

#[test]
fn where_any_is_allowed_what_changes_the_command_itself_is_left_out() {
    #[rustfmt::skip]
    let dangerous = [
        "PATH", "LD_PRELOAD", "BASH_ENV", "ENV", "IFS", "GIT_SSH_COMMAND", "BASEWATCH_IMAGE", "PYTHONPATH",
        "NODE_OPTIONS", "PERL5LIB", "PERL5OPT", "RUBYOPT", "RUBYLIB", "ld_preload", "JAVA_TOOL_OPTIONS",
        "https_proxy", "DOCKER_HOST", "npm_config_registry", "HOME", "SHELLOPTS", "PS4", "MAKEFLAGS",
        "TAR_OPTIONS", "RSYNC_RSH", "LESSOPEN", "LESSCLOSE", "ZDOTDIR", "HGRCPATH", "SVN_SSH", "OPENSSL_MODULES",
        "WGETRC", "CURL_HOME", "RM", "LD", "AR", "AS", "CC", "CPP", "FC", "MAKE", "MAKEFILES", "CFLAGS", "LDFLAGS",
        "CPATH", "LIBRARY_PATH", "CMAKE_TOOLCHAIN_FILE", "CCACHE_PREFIX", "GOFLAGS", "GOTOOLCHAIN", "YARN_RC_FILENAME",
        "NPM_TOKEN", "MAVEN_ARGS", "ANT_ARGS", "GRADLE_USER_HOME", "JAVA_HOME", "JDK_HOME", "COMPOSE_FILE",
        "BUILDX_BUILDER", "BUILDKIT_HOST", "CONTAINER_HOST", "CONTAINERS_CONF", "BUILDAH_ISOLATION", "AWS_PROFILE",
        "KUBECONFIG", "HELM_PLUGINS", "TF_CLI_ARGS", "GNUPGHOME", "XDG_RUNTIME_DIR", "SBT_OPTS", "X_RSH", "M2_HOME",
        "APP_CONFIG", "LESS_OPTIONS",
    ];
    for name in dangerous {
        assert_eq!(take(&AllowEnv::Any, &[(name, "x")]), (vec![], vec![name.to_owned()]), "{name}");
    }
    let sent = [("VERSION", "1 2"), ("GITHUB_SHA", "abc"), ("PATHS", "x"), ("_X", "")];
    let taken = ["VERSION=1 2", "GITHUB_SHA=abc", "PATHS=x", "_X="].map(str::to_owned).to_vec();
    assert_eq!(take(&AllowEnv::Any, &sent), (taken, vec![]));
}

#[test]
fn what_cannot_be_a_variable_is_left_out() {
    let long = "x".repeat(40_000);
    let sent =
        [("", "1"), ("A B", "1"), ("A=B", "1"), ("1A", "1"), ("A", "a\0b"), ("B", &*long), (&*long, "1")];
    let (env, refused) = take(&AllowEnv::Any, &sent);
    assert_eq!((env.len(), refused.len()), (0, sent.len()));
    let many: Vec<(String, String)> = (0..1000).map(|number| (format!("V{number}"), String::new())).collect();
    let taken = AllowEnv::Any.take(many);
    assert_eq!((taken.env.len(), taken.refused.len()), (100, 900));
}

#[test]
fn all_of_them_together_are_no_longer_than_exec_takes() {
    let value = "x".repeat(32 * 1024 - 4);
    let sent: Vec<(String, String)> = (0..100).map(|number| (format!("V{number}"), value.clone())).collect();
    let taken = AllowEnv::Any.take(sent);
    assert_eq!(taken.env.len(), 4);
    assert_eq!(taken.env.len() + taken.refused.len(), 100);
    let short = AllowEnv::Names(vec!["A".to_owned(), "B".to_owned()])
        .take(vec![("A".to_owned(), value), ("B".to_owned(), String::new())]);
    assert_eq!((short.env.len(), short.refused.len()), (2, 0));
}
