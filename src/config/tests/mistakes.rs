//! Each mistake is told once, with file, line, key, value and fix.

use std::fs;
use std::path::Path;

use super::{Dir, problems};
use crate::config::{SecretFiles, load};

/// A watch in which nothing is wrong, up to the line that is added.
const WATCH: &str = "[[watch]]\nimage = \"reg.example.com/base:1\"\nname = \"app\"\nrun = [\"make\"]\n";

#[track_caller]
fn tells(cases: &[(&str, &str)], before: &str) {
    for (line, expected) in cases {
        assert_eq!(problems(&format!("{before}{line}\n")), [expected.to_string()], "of {line}");
    }
}

#[test]
fn a_wrong_value_is_told_with_what_to_write() {
    let cases = [
        (
            "interval = 15",
            "main.toml:5: watch[0].interval: should be a duration in quotes, not a number (15); \
             write it like \"250ms\", \"90s\", \"15m\" or \"6h\"",
        ),
        (
            "interval = \"15\"",
            "main.toml:5: watch[0].interval: is not a duration (\"15\"); \
             write it like \"250ms\", \"90s\", \"15m\" or \"6h\"",
        ),
        (
            "interval = \"-5m\"",
            "main.toml:5: watch[0].interval: is not a duration (\"-5m\"); \
             write it like \"250ms\", \"90s\", \"15m\" or \"6h\"",
        ),
        (
            "interval = \"99ms\"",
            "main.toml:5: watch[0].interval: is out of range (\"99ms\"); write one from 100ms to 720h",
        ),
        (
            "interval = 15m",
            "main.toml:5: not TOML: string values must be quoted, expected literal string (15m); write \"15m\"",
        ),
        ("intervall = \"15m\"", "main.toml:5: watch[0].intervall: unknown key; did you mean `interval`?"),
        (
            "run-policy = \"Serial\"",
            "main.toml:5: watch[0].run-policy: unknown key; did you mean `run_policy`?",
        ),
        (
            "run_policy = \"serial\"",
            "main.toml:5: watch[0].run_policy: is not a choice here (\"serial\"); did you mean \"Serial\"?",
        ),
        (
            "on_first = \"skip\"",
            "main.toml:5: watch[0].on_first: is not a choice here (\"skip\"); write \"build\" or \"record\"",
        ),
        (
            "paused = \"yes\"",
            "main.toml:5: watch[0].paused: should be true or false, not text (\"yes\"); write it without quotes",
        ),
        (
            "platforms = \"indx\"",
            "main.toml:5: watch[0].platforms: is not a choice here (\"indx\"); did you mean \"index\"?",
        ),
        (
            "platforms = \"linux/aarch64\"",
            "main.toml:5: watch[0].platforms: should be a list of platforms (\"linux/aarch64\"); write [\"linux/arm64\"]",
        ),
        (
            "platforms = true",
            "main.toml:5: watch[0].platforms: should be \"all\", \"index\" or a list, not true or false (true); \
             write \"all\", \"index\" or a list such as [\"linux/amd64\"]",
        ),
        (
            "platforms = []",
            "main.toml:5: watch[0].platforms: is an empty list ([]); write at least one element",
        ),
        (
            "platforms = [\"linux/amd64\", \"linux\"]",
            "main.toml:5: watch[0].platforms[1]: is not a platform (\"linux\"); \
             write OS/ARCH or OS/ARCH/VARIANT, such as \"linux/amd64\"",
        ),
        (
            "platforms = [\"unknown/unknown\"]",
            "main.toml:5: watch[0].platforms[0]: is not a platform (\"unknown/unknown\"); \
             write OS/ARCH or OS/ARCH/VARIANT, such as \"linux/amd64\"",
        ),
        (
            "platforms = [\"amd64/linux\"]",
            "main.toml:5: watch[0].platforms[0]: has its architecture before its system (\"amd64/linux\"); \
             write \"linux/amd64\"",
        ),
        (
            "platforms = [\"linux/arm64\", \"linux/arm64/v8\"]",
            "main.toml:5: watch[0].platforms[1]: is linux/arm64 again (\"linux/arm64/v8\"); delete it",
        ),
        (
            "platforms = [\"linux/amd65\"]",
            "main.toml:5: warning: watch[0].platforms[0]: `amd65` is nothing that images are usually made for \
             (\"linux/amd65\"); did you mean amd64?",
        ),
        (
            "platforms = [\"plan9/amd64\"]",
            "main.toml:5: warning: watch[0].platforms[0]: `plan9` is nothing that images are usually made for \
             (\"plan9/amd64\"); nothing is built until an image has it",
        ),
        (
            "retry = 3",
            "main.toml:5: watch[0].retry: should be a table, not a number (3); write retry = { KEY = VALUE }",
        ),
        (
            "retry = { attempts = 0 }",
            "main.toml:5: watch[0].retry.attempts: is out of range (0); write a whole number from 1 to 100",
        ),
        (
            "env = { BASEWATCH_BUILD = \"x\" }",
            "main.toml:5: watch[0].env.BASEWATCH_BUILD: is a variable that basewatch sets itself \
             (BASEWATCH_BUILD); choose another name",
        ),
        (
            "env = { OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE = \"x\" }",
            "main.toml:5: watch[0].env.OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE: is a variable that basewatch sets \
             itself (OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE); choose another name",
        ),
        (
            "env = { 1K = \"x\" }",
            "main.toml:5: watch[0].env.1K: is not the name of a variable (1K); \
             write letters, digits and _, with no digit first",
        ),
        (
            "labels = { team = \"a\\nb\" }",
            "main.toml:5: watch[0].labels.team: holds a line break or another control character (\"a␣b\"); \
             write one line",
        ),
        (
            "working_dir = \"/srv/a\\u0000b\"",
            "main.toml:5: watch[0].working_dir: holds a NUL character (\"/srv/a␣b\"); leave it out",
        ),
        (
            "use = \"mak\"\n[template.make]",
            "main.toml:5: watch[0].use: there is no such template (\"mak\"); did you mean \"make\"?",
        ),
        (
            "names = [\"a\", \"b\"]",
            "main.toml:5: watch[0].names: stands beside `name`; keep either `name` or `names`",
        ),
        (
            "[daemon]\nmax_builds = 0",
            "main.toml:6: daemon.max_builds: is out of range (0); write a whole number from 1 to 1000",
        ),
        (
            "[daemon]\nmax_builds = 99999999999999999999999999999999999999999",
            "main.toml:6: daemon.max_builds: is out of range (170141183460469231731687303715884105727); \
             write a whole number from 1 to 1000",
        ),
        (
            "[log]\nlevel = \"inf\"",
            "main.toml:6: log.level: is not a choice here (\"inf\"); did you mean \"info\"?",
        ),
        (
            "[defaults]\nnamespace = \"My_Team\"",
            "main.toml:6: defaults.namespace: is not a name (\"My_Team\"); \
             write 1 to 63 of a-z, 0-9 and -, with no - at either end",
        ),
        (
            "[watch.retry]\nbackof = \"1m\"",
            "main.toml:6: watch[0].retry.backof: unknown key; did you mean `backoff`?",
        ),
        (
            "[[builder]]\nname = \"x\"",
            "main.toml:5: builder: unknown key; the keys here are watch, template, defaults, image_stream, \
             build_config, runner, registry, daemon, log, webhook",
        ),
    ];
    tells(&cases, WATCH);
}

#[test]
fn a_watch_that_lacks_something_is_told_what() {
    let cases = [
        ("run = [\"make\"]", "main.toml:1: watch[0]: watches no image; add image = \"host/repository:tag\""),
        (
            "image = \"debian:12\"",
            "main.toml:1: watch[0]: has nothing to run; \
             add run = [\"make\", \"image\"], or use = \"…\" with a template that has it",
        ),
        (
            "image = \"Debian:12\"\nrun = [\"make\"]",
            "main.toml:2: watch[0].image: is not an image reference: invalid reference format (\"Debian:12\"); \
             write it as host/repository:tag",
        ),
        (
            "images = []\nrun = [\"make\"]",
            "main.toml:2: watch[0].images: is an empty list ([]); write at least one element",
        ),
        (
            "images = \"debian:12\"\nrun = [\"make\"]",
            "main.toml:2: watch[0].images: should be a list, not text (\"debian:12\"); write [\"debian:12\"]",
        ),
        (
            "image = \"debian:12\"\nrun = \"make  image\"",
            "main.toml:3: watch[0].run: should be a list: the program, then its arguments (\"make  image\"); \
             write [\"make\", \"image\"]",
        ),
        (
            "image = \"debian:12\"\nrun = \"cd /srv && make\"",
            "main.toml:3: watch[0].run: should be a list: the program, then its arguments (\"cd /srv && make\"); \
             write [\"sh\", \"-c\", \"cd /srv && make\"]",
        ),
        (
            "image = \"debian:12\"\nrun = []",
            "main.toml:3: watch[0].run: is an empty list ([]); write at least one element",
        ),
        (
            "image = \"debian:12\"\nrun = [\"\", \"x\"]",
            "main.toml:3: watch[0].run: names no program (\"\"); write the program as the first element",
        ),
        (
            "image = \"debian:12\"\nrun = [\n  \"make\",\n  7,\n]",
            "main.toml:5: watch[0].run[1]: should be text, not a number (7); write it in quotes",
        ),
    ];
    tells(&cases, "[[watch]]\n");
}

#[test]
fn an_image_pinned_to_a_digest_is_refused() {
    let digest = "a".repeat(64);
    let text = format!("[[watch]]\nimage = \"debian@sha256:{digest}\"\nrun = [\"make\"]\n");
    let told = problems(&text);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("main.toml:2: watch[0].image: is pinned to a digest and can never move"));
    assert!(told[0].ends_with("; name a tag instead: host/repository:tag"));
}

#[test]
fn a_wrong_registry_is_told_with_what_to_write() {
    let cases = [
        ("insecure = true", "main.toml:5: registry[0]: names no host; add host = \"registry.example.com\""),
        (
            "host = \"https://reg.example.com/v2/\"",
            "main.toml:6: registry[0].host: is not the host of a registry (\"https://reg.example.com/v2/\"); \
             write \"reg.example.com\"",
        ),
        (
            "host = \"registry\"",
            "main.toml:6: registry[0].host: is not the host of a registry (\"registry\"); \
             write HOST or HOST:PORT, as it stands in image references",
        ),
        (
            "host = \"reg.example.com\"\nusername = \"ci\"",
            "main.toml:7: registry[0].username: needs password_file beside it; \
             add password_file = \"/path\", or \"credential:NAME\"",
        ),
        (
            "host = \"reg.example.com\"\npassword_file = \"main.toml\"",
            "main.toml:7: registry[0].password_file: needs username beside it; add username = \"…\"",
        ),
        (
            "host = \"reg.example.com\"\npassword = \"hunter2\"",
            "main.toml:7: registry[0].password: unknown key; did you mean `password_file`?",
        ),
        (
            "host = \"reg.example.com\"\nca_file = \"ca.pem\"",
            "main.toml:7: registry[0].ca_file: cannot be read: No such file or directory (os error 2) (ca.pem); \
             create it, and let the user that runs basewatch read it",
        ),
        (
            "host = \"reg.example.com\"\nca_file = \"main.toml\"",
            "main.toml:7: registry[0].ca_file: holds no usable PEM certificate (main.toml); \
             name a file with the CA's certificate in it, from BEGIN CERTIFICATE to END CERTIFICATE",
        ),
        (
            "host = \"reg.example.com\"\nusername = \"ci\"\npassword_file = \"credential:reg\"",
            "main.toml:8: registry[0].password_file: cannot be read: No such file or directory (os error 2) \
             (credentials/reg); create it, and let the user that runs basewatch read it",
        ),
        (
            "host = \"reg.example.com\"\nusername = \"ci\"\npassword_file = \"credential:../reg\"",
            "main.toml:8: registry[0].password_file: is not the name of a systemd credential \
             (\"credential:../reg\"); write credential:NAME, the name that LoadCredential= gives it",
        ),
        (
            "host = \"reg.example.com\"\nrequests_per_second = 0",
            "main.toml:7: registry[0].requests_per_second: is out of range (0); write a number from 0.01 to 10000",
        ),
        (
            "host = \"reg.example.com\"\ntrusted_realms = [\"https://auth.example.com/token\"]",
            "main.toml:7: registry[0].trusted_realms[0]: is not the host of a token server \
             (\"https://auth.example.com/token\"); write \"auth.example.com\"",
        ),
        (
            "host = \"reg.example.com\"\ntrusted_realms = [\"auth.example.com:443\", \"auth server\"]",
            "main.toml:7: registry[0].trusted_realms[1]: is not the host of a token server (\"auth server\"); \
             write HOST or HOST:PORT, as it stands in the realm of the registry's challenge",
        ),
        (
            "host = \"reg.example.com\"\ntrusted_realms = \"auth.example.com\"",
            "main.toml:7: registry[0].trusted_realms: should be a list, not text (\"auth.example.com\"); \
             write [\"auth.example.com\"]",
        ),
        (
            "host = \"reg.example.com\"\n[[registry]]\nhost = \"reg.example.com\"",
            "main.toml:7: registry[1]: has a table already, at main.toml:5 (\"reg.example.com\"); \
             make one [[registry]] of the two",
        ),
    ];
    tells(&cases, &format!("{WATCH}[[registry]]\n"));
}

#[test]
fn what_can_be_used_but_is_odd_is_a_warning() {
    let cases = [
        (
            "interval = \"30s\"",
            "main.toml:5: warning: watch[0].interval: is short for reg.example.com, which may count requests \
             and shut you out (\"30s\"); write \"1m\" or more",
        ),
        (
            "working_dir = \"/srv/{nmae}\"",
            "main.toml:5: warning: watch[0].working_dir: is not a placeholder and stays as it is ({nmae}); \
             did you mean {name}?",
        ),
        (
            "[template.make]\nrun = [\"make\"]",
            "main.toml:5: warning: template.make: no watch uses this template; \
             write use = \"make\" in a watch, or delete it",
        ),
        (
            "[[registry]]\nhost = \"other.example.com\"",
            "main.toml:5: warning: registry[0]: no image that is watched is of this registry (other.example.com); \
             watch an image of it, or delete the table",
        ),
    ];
    tells(&cases, WATCH);
    assert_eq!(
        problems(""),
        ["main.toml: warning: nothing is watched; add a [[watch]] with an image and a command to run"]
    );
}

#[test]
fn a_misspelt_placeholder_is_a_warning_and_a_brace_of_a_script_is_not() {
    let text = "[[watch]]\nimage = \"debian:12\"\nrun = [\"sh\", \"-c\", \"{base-image} {Digest} ${x} {{}} {print $1} {name}\"]\n";
    let told = problems(text);
    let fixes: Vec<&str> = told.iter().filter_map(|line| line.split("; ").last()).collect();
    assert_eq!(fixes, ["did you mean {base_image}?", "did you mean {digest}?"]);
}

#[test]
fn five_mistakes_in_two_files_are_told_at_once() {
    let dir = Dir::with(&[
        ("main.toml", "[daemon]\nmax_build = 2\n[[watch]]\nimage = \"debian:12\"\nrun = \"make\"\n"),
        (
            "conf.d/10-team.toml",
            "[[watch]]\nimage = \"alpine:3\"\nrun = [\"make\"]\ninterval = 5m\nuse = \"none\"\non_first = \"bild\"\n",
        ),
    ]);
    assert_eq!(
        dir.problems(),
        [
            "main.toml:2: daemon.max_build: unknown key; did you mean `max_builds`?",
            "main.toml:5: watch[0].run: should be a list: the program, then its arguments (\"make\"); \
             write [\"make\"]",
            "conf.d/10-team.toml:4: not TOML: string values must be quoted, expected literal string (5m); \
             write \"5m\"",
            "conf.d/10-team.toml:5: watch[0].use: there is no such template (\"none\"); \
             add [template.none], or leave `use` out",
            "conf.d/10-team.toml:6: watch[0].on_first: is not a choice here (\"bild\"); did you mean \"build\"?",
        ]
    );
    assert_eq!(dir.load().unwrap_err().summary(), "5 errors");
}

#[test]
fn every_line_that_is_not_toml_is_told_once() {
    let text = "[[watch]]\nimage = \"debian:12\nrun : [\"make\"]\n\nsome words\n[daemon]\nmax_builds = \n\
                socket = \"a\"\nsocket = \"b\"\nhold_above = -1\n";
    let lines: Vec<String> =
        problems(text).iter().map(|told| told.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect();
    assert_eq!(
        lines,
        [
            "main.toml:2: not TOML",
            "main.toml:3: not TOML",
            "main.toml:5: not TOML",
            "main.toml:7: not TOML",
            "main.toml:9: not TOML",
            "main.toml:10: daemon.hold_above",
        ]
    );
}

#[test]
fn what_may_stand_in_an_unread_line_is_not_called_missing() {
    let text = "[[watch]]\nimage = \"debian:12\"\nrun : [\"make\"]\n";
    assert_eq!(problems(text), ["main.toml:3: not TOML: key with no value, expected `=`; write KEY = VALUE"]);
}

#[test]
fn a_missing_file_is_told_with_where_else_it_could_be() {
    assert_eq!(
        Dir::with(&[]).problems(),
        ["main.toml: cannot be read: No such file or directory (os error 2); \
          create it, or name another with --config or $BASEWATCH_CONFIG"]
    );
}

#[test]
fn what_is_no_configuration_at_all_is_told_and_harms_nothing() {
    let wide = format!("a = {}", "[".repeat(100_000));
    let texts = ["= 3\n???\nfoo\n", "\0\0\0", "[[[[[\n]]", &wide];
    for bytes in texts.map(str::as_bytes).into_iter().chain([&b"\xff\xfe"[..]]) {
        let dir = Dir::with(&[]);
        fs::write(dir.path("main.toml"), bytes).unwrap();
        assert!(dir.load().is_err(), "{:?}", bytes.get(..20));
    }
    assert!(load(Path::new("/"), &SecretFiles::Skip).is_err(), "a directory");
    assert!(load(Path::new("/dev/zero"), &SecretFiles::Skip).is_err(), "an endless file");
}

#[test]
fn tables_nested_thousands_deep_are_refused_on_a_small_stack() {
    // The parser bounds tables within tables, and the parts of a dotted key, but not the two together.
    let dotted = "a.".repeat(75);
    let deep = format!("{}{dotted}a = 1{}", format!("{dotted}a = {{").repeat(75), "}".repeat(75));
    for text in [deep.clone(), format!("stray\n{deep}")] {
        let refused = move || Dir::with(&[("main.toml", &text)]).problems().pop().unwrap();
        let told = std::thread::Builder::new().stack_size(512 * 1024).spawn(refused).unwrap().join().unwrap();
        assert!(told.ends_with("is nested too deep; no key needs that"), "{told}");
    }
}

#[test]
fn more_problems_than_anyone_reads_are_counted() {
    let text: String = (0..1_500).map(|number| format!("key{number} = 1\n")).collect();
    let told = Dir::with(&[("main.toml", &text)]).load().unwrap_err();
    assert_eq!((told.iter().len(), told.summary()), (1_000, "1500 errors".to_owned()));
    assert!(told.to_string().ends_with("\nand 500 more"));
}

#[test]
fn secret_files_are_not_looked_at_offline() {
    let text = format!(
        "{WATCH}[[registry]]\nhost = \"reg.example.com\"\nca_file = \"none.pem\"\n\
         username = \"ci\"\npassword_file = \"credential:reg\"\n"
    );
    let dir = Dir::with(&[("main.toml", &text)]);
    assert_eq!(dir.load().unwrap_err().summary(), "2 errors");
    assert!(load(&dir.path("main.toml"), &SecretFiles::Skip).is_ok());
}

#[test]
fn problems_are_json_for_a_program() {
    let dir = Dir::with(&[("main.toml", "[log]\nlevel = 3\n")]);
    let json = serde_json::to_value(dir.load().unwrap_err()).unwrap();
    let expected = serde_json::json!([{
        "severity": "error",
        "file": dir.path("main.toml"),
        "line": 2,
        "key": "log.level",
        "message": "should be text, not a number",
        "value": "3",
        "fix": "write it in quotes",
    }]);
    assert_eq!(json, expected);
}
