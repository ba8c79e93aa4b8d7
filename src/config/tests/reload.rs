//! What one configuration says otherwise than another.

use super::loaded;
use crate::config::Difference;
use crate::controller::ConfigKey;
use crate::image::TagRef;

const REGISTRY: &str = "[[registry]]\nhost = \"reg.example.com\"\ntimeout = \"30s\"\n";

fn difference(old: &str, new: &str) -> Difference {
    Difference::between(&loaded(old).settings, &loaded(new).settings)
}

fn watch(name: &str, keys: &str) -> String {
    let run = if keys.contains("run =") { "" } else { "run = [\"make\"]\n" };
    let images = if keys.contains("images =") { "" } else { "images = [\"reg.example.com/base:1\"]\n" };
    format!("[[watch]]\nname = \"{name}\"\n{images}{run}{keys}\n")
}

/// The keys that make `new` another watch than `old`.
fn edited(old: &str, new: &str) -> Vec<&'static str> {
    let changes = difference(&watch("app", old), &watch("app", new)).build_configs;
    assert!(changes.added.is_empty() && changes.removed.is_empty());
    changes.edited.into_iter().flat_map(|(_, keys)| keys).collect()
}

#[test]
fn the_same_in_other_words_is_no_difference() {
    let template = "[template.make]\nrun = [\"make\"]\ninterval = \"15m\"\n[[watch]]\nname = \"app\"\n\
                    image = \"reg.example.com/base:1\"\nuse = \"make\"\n";
    let renamed =
        template.replace("template.make", "template.build").replace("use = \"make\"", "use = \"build\"");
    assert_eq!(difference(template, &renamed), Difference::default());
    assert_eq!(difference(template, &watch("app", "interval = \"15m\"")), Difference::default());
    let (one, other) = (watch("one", ""), watch("other", ""));
    let turned = difference(&format!("{one}{other}"), &format!("{other}{one}"));
    assert_eq!(turned, Difference::default(), "the order of watches says nothing");
}

#[test]
fn each_key_of_a_watch_is_told_by_its_name() {
    let keys = [
        ("run = [\"make\", \"all\"]", "run"),
        ("env = { A = \"b\" }", "env"),
        ("working_dir = \"/srv\"", "working_dir"),
        ("run_policy = \"Serial\"", "run_policy"),
        ("supersede = \"all\"", "supersede"),
        ("on_first = \"record\"", "on_first"),
        ("on_interrupt = \"fail\"", "on_interrupt"),
        ("retry = { attempts = 1 }", "retry"),
        ("timeout = \"2h\"", "timeout"),
        ("labels = { team = \"pay\" }", "labels"),
        ("paused = true", "paused"),
        ("webhook = { type = \"Generic\", secret_file = \"main.toml\" }", "webhook"),
        ("images = [\"reg.example.com/base:2\"]", "images"),
        ("images = [\"reg.example.com/base:1\", \"reg.example.com/tools:1\"]", "images"),
    ];
    for (key, name) in keys {
        assert_eq!(edited("", key), [name], "{key}");
        assert_eq!(edited(key, ""), [name], "{key} taken away");
    }
    assert_eq!(
        edited("paused = true", "timeout = \"2h\"\nlabels = { a = \"b\" }"),
        ["paused", "timeout", "labels"]
    );
}

#[test]
fn what_comes_and_goes_is_told_with_its_tags_and_registries() {
    let old = format!("{}{}", watch("one", ""), watch("two", "interval = \"10m\""));
    let new = format!(
        "{}{}",
        watch("two", "interval = \"20m\""),
        watch("three", "images = [\"other.example/x:1\"]")
    );
    let difference = difference(&old, &new);
    let key = |name: &str| ConfigKey::new("default", name);
    assert_eq!(
        (difference.build_configs.added, difference.build_configs.removed),
        (vec![key("three")], vec![key("one")])
    );
    assert_eq!(difference.build_configs.edited, [], "an interval is the tag's");
    let tag = |text: &str| -> TagRef { text.parse().unwrap() };
    assert_eq!(difference.tags.added, [tag("other.example/x:1")]);
    assert_eq!(difference.tags.edited, [(tag("reg.example.com/base:1"), vec!["interval"])]);
    assert_eq!(difference.registries.added, ["other.example"]);
    assert!(difference.registries.removed.is_empty());
}

#[test]
fn each_key_of_a_registry_is_told_by_its_name() {
    let keys = [
        ("insecure = true", vec!["insecure"]),
        ("max_connections = 9", vec!["max_connections"]),
        ("requests_per_second = 9", vec!["requests_per_second"]),
        ("username = \"ci\"\npassword_file = \"main.toml\"", vec!["username", "password_file"]),
    ];
    let app = watch("app", "");
    for (key, names) in keys {
        let difference = difference(&format!("{REGISTRY}{app}"), &format!("{REGISTRY}{key}\n{app}"));
        assert_eq!(difference.registries.edited, [("reg.example.com".to_owned(), names)], "{key}");
    }
    let slower = REGISTRY.replace("30s", "9s");
    let difference = difference(&format!("{REGISTRY}{app}"), &format!("{slower}{app}"));
    assert_eq!(difference.registries.edited, [("reg.example.com".to_owned(), vec!["timeout"])]);
}

#[test]
fn what_a_running_daemon_cannot_follow_is_told_to_wait() {
    let app = watch("app", "");
    let all = "[daemon]\nstate_dir = \"/s\"\nsocket = \"/c\"\nmax_builds = 9\nhold_above = 9\n\
               drain_timeout = \"9s\"\non_lost_state = \"build\"\n\
               [log]\nformat = \"text\"\nlevel = \"debug\"\nbuild_output = \"log\"\n\
               [webhook]\nlisten = \"127.0.0.1:8089\"\nrequests_per_second = 9\n";
    let difference = difference(&app, &format!("{app}{all}"));
    let later = ["daemon.state_dir", "daemon.socket", "log.format", "log.level", "webhook.listen"];
    assert_eq!(difference.later, later);
    let now = [
        "daemon.max_builds",
        "daemon.hold_above",
        "daemon.drain_timeout",
        "daemon.on_lost_state",
        "log.build_output",
        "webhook.requests_per_second",
    ];
    assert_eq!(difference.settings, [&now[..], &later[..]].concat());
}

const LONG: &str = "[[image_stream]]\nname = \"ruby\"\nrepository = \"reg.example.com/ruby\"\nTAG\n\
                    [[build_config]]\nname = \"app\"\nCONFIG\n\
                    [build_config.strategy]\ntype = \"Custom\"\nfrom = { name = \"ruby:2\" }\n\
                    command = [\"make\"]\nSTRATEGY\n";

/// A build config of the long form with something more in it.
fn long(place: &str, more: &str) -> String {
    let text = LONG.replacen(place, more, 1);
    ["TAG", "CONFIG", "STRATEGY"].iter().fold(text, |text, place| text.replacen(place, "", 1))
}

#[test]
fn each_key_of_the_long_form_is_told_by_a_name() {
    let keys = [
        ("CONFIG", "paused = true", "paused"),
        ("CONFIG", "run_policy = \"Parallel\"", "run_policy"),
        ("CONFIG", "successful_builds_history_limit = 0", "history"),
        ("CONFIG", "source = { context_dir = \"web\" }", "source"),
        ("CONFIG", "output = { to = \"reg.example.com/app:1\" }", "output"),
        ("STRATEGY", "force_pull = true", "strategy"),
        ("STRATEGY", "env = [{ name = \"A\" }]", "env"),
        ("STRATEGY", "[[build_config.trigger]]\ntype = \"ConfigChange\"", "config_change"),
        ("STRATEGY", "[[build_config.trigger]]\ntype = \"ImageChange\"", "images"),
        (
            "STRATEGY",
            "[[build_config.trigger]]\ntype = \"GitHub\"\ngithub = { secret_file = \"main.toml\" }",
            "webhook",
        ),
    ];
    for (place, more, name) in keys {
        let edited = difference(&long("", ""), &long(place, more)).build_configs.edited;
        assert_eq!(edited, [(ConfigKey::new("default", "app"), vec![name])], "{more}");
    }
}

#[test]
fn a_tag_that_is_looked_at_only_once_from_now_on_is_edited() {
    let once = "[[image_stream.tag]]\nname = \"2\"\nimport_policy = { scheduled = false }";
    let difference = difference(&long("", ""), &long("TAG", once));
    let tag: TagRef = "reg.example.com/ruby:2".parse().unwrap();
    assert_eq!(difference.tags.edited, [(tag, vec!["scheduled"])]);
    assert_eq!(difference.build_configs, Default::default());
}
