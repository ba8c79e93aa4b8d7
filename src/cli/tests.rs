use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::output::Show;
use super::style::{Style, Tone, span};
use super::table::Table;
use super::*;
use crate::control::protocol::*;

const NOW: i64 = 1_800_000_000;

const STYLE: Style = Style { colour: false, now: Timestamp::constant(NOW, 0) };

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW - seconds).unwrap()
}

fn parse(arguments: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("basewatch").chain(arguments.split_whitespace()))
}

fn long(name: &str) -> String {
    format!("{name}-{}", "0123456789".repeat(20))
}

fn tag(name: &str) -> Tag {
    Tag {
        tag: name.parse().unwrap(),
        digest: Some(Digest::sha256_of(b"x")),
        image: Some(String::new()),
        image_id: None,
        mutable: false,
        fires_once: false,
        platforms: Children::new(),
        since: Some(ago(3 * 86_400)),
        last_success: Some(ago(60)),
        next_poll: Some(ago(-240)),
        condition: None,
        build_configs: 12,
    }
}

fn build(name: &str) -> Build {
    Build {
        build: name.parse().unwrap(),
        id: Uuid::nil(),
        phase: Phase::Failed,
        reason: Some("exit 2".to_owned()),
        cause: "image-change".to_owned(),
        created: ago(7_200),
        started: Some(ago(7_000)),
        ended: Some(ago(6_880)),
        next_attempt: None,
        attempts: 3,
        cancel_asked: false,
    }
}

fn paused() -> Pause {
    Pause {
        since: ago(7_200),
        by: "command".to_owned(),
        reason: Some("release freeze\n".to_owned()),
        until: Some(ago(-3_600)),
    }
}

fn config(name: &str) -> Config {
    Config {
        build_config: ConfigKey::new("default", name),
        tag: Some("debian".parse().unwrap()),
        digest: Some(Digest::sha256_of(b"x")),
        image_id: None,
        mutable: false,
        triggers: vec![Trigger {
            tag: "debian".parse().unwrap(),
            paused: true,
            pause: Some(paused()),
            stored: None,
            fires_once: false,
            pending_since: None,
        }],
        stale_since: Some(ago(60)),
        pause: None,
        held: Vec::new(),
        last_complete: Some(build("default/app-6")),
        images: Vec::new(),
        last_failure: Some(build("default/app-7")),
        failures_in_row: 1,
        labels: BTreeMap::new(),
    }
}

fn status() -> Status {
    let message = "resolve: registry answered 404\n\x1b[2Jgone".to_owned();
    let condition = Condition { kind: ConditionKind::Missing, since: ago(3_600), count: 4, message };
    let first = |name: &str| Held {
        build_config: ConfigKey::new("default", name),
        tag: None,
        reason: "first_start".to_owned(),
        missing: Vec::new(),
        since: ago(600),
    };
    let missing = Held {
        tag: Some("debian:12".parse().unwrap()),
        reason: "platform_missing".to_owned(),
        missing: vec!["linux/arm64".parse().unwrap()],
        ..first("c")
    };
    let waits = Held {
        tag: Some(long("host.example:5000/x").parse().unwrap()),
        reason: "paused".to_owned(),
        ..first(&long("n"))
    };
    Status {
        version: "0.1.0".to_owned(),
        started: ago(90),
        draining: false,
        state_dir: "/var/lib/basewatch".into(),
        store_trouble: None,
        totals: Totals { tags_ok: 1, tags_failing: 1, running: 1, max_builds: 2, ..Totals::default() },
        tags: vec![tag(&long("host.example:5000/x")), Tag { condition: Some(condition), ..tag("debian:12") }],
        registries: vec![Registry {
            host: long("host"),
            tags: 1,
            failing: 1,
            in_flight: 2,
            max_connections: 2,
            requests_per_second: None,
            stretched: Some(Stretched { wanted_ms: 60_000, interval_ms: 180_000 }),
            trouble: Some(RegistryTrouble {
                reason: "connect".to_owned(),
                since: ago(120),
                count: 3,
                message: "resolve: connect to the registry\n\x1b[2J: refused".to_owned(),
                closed_until: Some(ago(-30)),
            }),
        }],
        held: vec![first("a"), first("b"), waits, missing],
        paused: vec![Paused {
            build_config: ConfigKey::new("default", &long("n")),
            tag: None,
            pause: paused(),
        }],
        builds: vec![build(&format!("default/{}-7", long("app")))],
    }
}

fn detail() -> BuildDetail {
    let image = Image {
        tag: "debian:12".parse().unwrap(),
        named: "debian:12".to_owned(),
        reference: "host/x@sha256:0".to_owned(),
        digest: None,
        image_id: None,
        mutable: false,
    };
    let old_digest = Some(Digest::sha256_of(b"old"));
    let cause = Cause {
        kind: "image-change".to_owned(),
        image: Some(image.clone()),
        old_digest,
        hook: None,
        rebuild_of: None,
    };
    BuildDetail {
        build: build("default/app-7"),
        run_policy: "Serial".to_owned(),
        interruptions: 0,
        history: vec![Attempt { number: 3, started: ago(7_000), outcome: Some("exit 2".to_owned()) }],
        images: Vec::new(),
        commit: None,
        spec: Some(Spec {
            causes: vec![cause],
            strategy: "Docker".to_owned(),
            options: Some(Options {
                build_args: vec!["HTTP_PROXY".to_owned()],
                no_cache: true,
                ..Options::default()
            }),
            base_image: Some(image),
            source: Some(Source {
                directory: None,
                git: Some(Git { uri: "https://git.test/app.git".into(), reference: Some("main".into()) }),
                context_dir: Some("src".into()),
            }),
            revision: Some(Revision {
                commit: "c0ffee".into(),
                message: Some("Mend it\n\nAt last.".into()),
                author: Some(Person { name: Some("Ada".into()), email: None }),
                committer: None,
            }),
            output: Some("host/app:latest".to_owned()),
            command: vec!["make".to_owned(), "a b".to_owned(), "it's\n".to_owned()],
            steps: Vec::new(),
            image_sources: Vec::new(),
            runner: None,
            secrets: Vec::new(),
            working_dir: None,
            env: vec!["TOKEN".to_owned()],
            labels: BTreeMap::from([("team".to_owned(), "pay".to_owned())]),
            timeout_ms: 1,
        }),
        log: "/var/lib/basewatch/builds/default/app-7/log".into(),
    }
}

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn every_verb_is_understood_with_json_before_or_after_it() {
    let lines = [
        "run",
        "run --once",
        "validate --offline",
        "plan",
        "plan --new other.toml --if debian:12@sha256:0 --if default/base:1@sha256:1",
        "resolve debian:12",
        "status",
        "status debian:12 host/x:1",
        "configs --stale -l team=pay --label a=b=c",
        "configs --held",
        "builds --build-config default/app",
        "build show app-7 -o json",
        "build logs default/app-7",
        "build cancel app-7",
        "build show app-7 --output yaml",
        "build rebuild app-7 --env A=b=c --wait --key nightly",
        "start app",
        "start default/app -e A= --env B=c --refresh --wait --key nightly",
        "start app --refresh --dry-run",
        "release app default/web",
        "release --all",
        "pause app default/web --trigger debian:12 --reason freeze --until 2h",
        "pause -l team=pay -l env=prod --all-builds --until 2999-01-01T00:00:00Z",
        "resume app --all-builds",
        "resume -l team=pay --trigger debian",
        "reload",
        "poll",
        "poll debian:12 host/x:1",
    ];
    for line in lines {
        for line in [format!("--json {line}"), format!("{line} --json --socket /s --config c --state-dir d")]
        {
            let cli = parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(cli.global.json, "{line}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let lines = [
        "",
        "nonsense",
        "release",
        "release app --all",
        "configs --stale --held",
        "configs -l team",
        "build show",
        "build show app-7 -o xml",
        "start",
        "start app --env A",
        "start app --env =b",
        "start app --dry-run --wait",
        "build rebuild app-7 --refresh",
        "status --nonsense",
        "pause",
        "resume",
        "pause app -l team=pay",
        "pause app --trigger debian --all-builds",
        "pause app --until yesterday",
        "pause app --until 08:00",
        "pause app --until 2001-01-01T00:00:00Z",
        "pause app --until -2h",
        "resume app --reason why",
        "reload now",
    ];
    for line in lines {
        let error = parse(line).err().unwrap_or_else(|| panic!("{line} is understood"));
        assert!(error.use_stderr(), "{line}");
    }
    assert!(!parse("--help").unwrap_err().use_stderr(), "help was asked for");
    assert_eq!(main(["basewatch", "nonsense"].map(OsString::from)), ExitCode::from(2));
}

#[test]
fn exit_codes_tell_what_kind_of_trouble_it_is() {
    assert_eq!([Exit::Done, Exit::Failed, Exit::Usage].map(Exit::code), [0, 1, 2]);
    let unreachable = anyhow::Error::from(ClientError::Unreachable(Vec::new()));
    assert_eq!(Exit::of(&unreachable).code(), 69);
    let refused = anyhow::Error::from(ClientError::Refused(Problem::new("no")));
    assert_eq!(Exit::of(&refused).code(), 1);
    assert_eq!(Exit::of(&anyhow::Error::from(ConfigError("no".to_owned()))).code(), 78);
}

#[test]
fn only_a_stdout_that_is_closed_is_no_error() {
    #[derive(Debug, thiserror::Error)]
    #[error("ask the daemon")]
    struct Cut(#[source] io::Error);

    let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
    assert_eq!(report(&anyhow::Error::from(closed())), Exit::Done);
    assert_eq!(report(&anyhow::Error::from(ClientError::Write(closed()))), Exit::Done);
    assert_eq!(report(&anyhow::Error::from(Cut(closed()))), Exit::Failed, "the control socket broke");
    assert_eq!(report(&anyhow::Error::from(io::Error::other("full"))), Exit::Failed);
}

#[test]
fn without_a_daemon_the_exit_code_is_69_and_with_a_missing_config_78() {
    let dir = tempfile::tempdir().unwrap();
    let run = |verb: &str, option: &str| {
        let path = dir.path().join("nothing").display().to_string();
        let cli = parse(&format!("{verb} {option} {path}")).unwrap();
        Exit::of(&cli.verb.run(&cli.global).unwrap_err()).code()
    };
    for verb in [
        "status",
        "configs",
        "builds",
        "build show app-7",
        "build logs app-7",
        "build cancel app-7",
        "release --all",
        "pause app",
        "resume app",
        "reload",
        "poll",
    ] {
        assert_eq!(run(verb, "--socket"), 69, "{verb}");
        assert_eq!(run(verb, "--config"), 78, "{verb}");
    }
}

#[test]
fn tables_fit_100_columns_and_keep_both_ends_of_long_names() {
    let text = status().show(STYLE);
    // What a registry said is told in full, below its table.
    for line in text.lines().filter(|line| !line.contains("in vain") && !line.starts_with("tags:")) {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        assert_eq!(line.trim_end(), line);
    }
    assert!(text.contains("host.example:5000/"), "{text}");
    assert!(text.contains('…') && text.contains("789-7"), "{text}");
    let configs = vec![config(&long("app"))].show(STYLE);
    assert!(configs.lines().all(|line| line.chars().count() <= 100), "{configs}");
    assert!(configs.lines().any(|line| line.chars().count() == 100), "all of the room is used: {configs}");
}

#[test]
fn columns_line_up_and_short_names_stay_whole() {
    let mut table = Table::new(["NAME", "N"]);
    table.row(["a".to_owned(), "1".to_owned()]);
    table.row(["longer".to_owned(), "22".to_owned()]);
    assert_eq!(table.render(STYLE), "NAME    N\na       1\nlonger  22\n");
    assert_eq!(Table::new(["NAME"]).render(STYLE), "");
}

#[test]
fn colour_is_for_terminals_and_does_not_shift_columns() {
    let mut table = Table::new(["NAME", "N"]);
    table.toned_row([("bad".to_owned(), Tone::Bad), ("1".to_owned(), Tone::Plain)]);
    let colour = table.render(Style { colour: true, ..STYLE });
    assert_eq!(colour, "\x1b[1mNAME\x1b[0m  \x1b[1mN\x1b[0m\n\x1b[31mbad\x1b[0m   1\n");
    let plain = colour.replace("\x1b[1m", "").replace("\x1b[31m", "").replace("\x1b[0m", "");
    assert_eq!(plain, table.render(STYLE));
    assert!(!status().show(STYLE).contains('\x1b'), "nor does a registry's message bring any");
}

#[test]
fn status_tells_trouble_in_full_and_a_held_first_start_in_one_line() {
    let text = status().show(STYLE);
    assert!(
        text.contains(
            "docker.io/library/debian:12: 4 looks in vain: resolve: registry answered 404\\n\\u{1b}"
        ),
        "{text}"
    );
    assert!(
        text.contains("2 first builds are held for 10m, too many at once: `basewatch release --all`"),
        "{text}"
    );
    assert!(text.contains("missing for 1h"), "{text}");
    assert!(text.contains("left alone, back in 30s"), "{text}");
    assert!(text.contains(": 3 looks in vain for 2m: resolve: connect to the registry\\n\\u{1b}"), "{text}");
    assert!(text.contains("in 4m"), "{text}");
    assert!(text.starts_with("basewatch 0.1.0 running, up for 1m, state in /var/lib/basewatch\n"), "{text}");
}

#[test]
fn status_tells_which_registry_is_asked_less_often_and_which_login_is_of_no_use() {
    let mut status = status();
    status.registries[0].trouble.as_mut().unwrap().closed_until = None;
    assert!(status.show(STYLE).contains("login is of no use"));
    status.registries[0].trouble = None;
    assert!(status.show(STYLE).contains("every 3m, not 1m"));
}

#[test]
fn configs_and_builds_tell_what_became_of_them() {
    let configs = vec![config("app")].show(STYLE);
    let row = configs.lines().nth(1).unwrap();
    let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells, ["default/app", "sha256:2d711642b726", "1m", "#6, 1h ago", "#7, 1h ago", "paused"]);

    let builds = Builds { builds: vec![build("default/app-7")], left_out: 5 }.show(STYLE);
    let row = builds.lines().nth(1).unwrap();
    let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells, ["default/app-7", "Failed", "image-change", "2h", "2m", "3", "exit 2"]);
    assert!(builds.ends_with("and 5 older ones: name a --build-config to see its own\n"), "{builds}");
}

#[test]
fn a_pause_is_told_with_its_time_its_end_and_its_reason() {
    let one = Paused {
        build_config: ConfigKey::new("default", "app"),
        tag: Some("debian:12".parse().unwrap()),
        pause: paused(),
    };
    let all = Paused { tag: None, pause: Pause { until: None, reason: None, ..paused() }, ..one.clone() };
    let text = Pauses { paused: vec![one.clone(), all.clone()] }.show(STYLE);
    let rows = text.lines().skip(1).map(|row| {
        let cells = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        cells.collect::<Vec<_>>()
    });
    let tag = "docker.io/library/debian:12";
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            ["default/app", tag, "2h", "in 1h", "command", "release freeze\\n"],
            ["default/app", "all builds", "2h", "-", "command", "-"],
        ]
    );
    let resumed = Resumed { resumed: vec![one, all] }.show(STYLE);
    assert_eq!(resumed, format!("resumed default/app on {tag}\nresumed all builds of default/app\n"));
    assert_eq!(Resumed { resumed: Vec::new() }.show(STYLE), "nothing was paused\n");

    let configs = vec![config("app")].show(STYLE);
    assert!(configs.contains("command  release freeze"), "why it is paused stands below: {configs}");
    assert!(status().show(STYLE).contains("all builds"), "in the status too");
}

#[test]
fn a_pause_ends_at_an_instant_or_after_a_time() {
    let now = Timestamp::from_second(NOW).unwrap();
    let after = |text: &str| pause::until_from(text, now).map(|then| then.as_second() - NOW);
    assert_eq!(after("2h"), Ok(7_200));
    assert_eq!(after("1h 30m"), Ok(5_400));
    assert_eq!(after("3d"), Ok(3 * 86_400), "a day has 24 hours");
    assert_eq!(after("2027-01-15T11:00:00+01:00"), Ok(7_200));
    assert_eq!(after("2027-01-16T08:00:00Z"), Ok(86_400));
    assert_eq!(after("2001-01-01T00:00:00Z"), Err("it has passed".to_owned()));
    for text in ["", "soon", "2", "-2h", "0s", "08:00", "2027-01-16", "9999999999999h", "9000y"] {
        assert!(after(text).is_err(), "{text}");
    }
}

#[test]
fn a_reload_tells_what_changed_and_what_waits_for_the_next_start() {
    let edited = |name: &str, keys: &[&str]| Edited {
        name: name.to_owned(),
        keys: keys.iter().map(ToString::to_string).collect(),
    };
    let reloaded = Reloaded {
        added: (0..25).map(|number| ConfigKey::new("default", &format!("new-{number}"))).collect(),
        removed: vec![ConfigKey::new("default", "gone")],
        edited: vec![edited("default/app", &["run", "env"])],
        registries_edited: vec![edited("host:5000", &["timeout"])],
        settings: vec!["daemon.max_builds".to_owned(), "daemon.socket".to_owned()],
        later: vec!["daemon.socket".to_owned()],
        ..Reloaded::default()
    };
    let text = ReloadAnswer::Reloaded(Box::new(reloaded)).show(STYLE);
    let head = "reloaded: build configs: 25 added, 1 removed, 1 edited; tags: 0 added, 0 removed\n";
    assert!(text.starts_with(head), "{text}");
    for line in [
        "added default/new-19\nadded 5 more\n",
        "\nremoved default/gone\nedited default/app (run, env)\n",
        "\nregistry edited host:5000 (timeout)\n",
        "\nedited daemon.max_builds\n",
        "\ndaemon.socket takes effect at the next start of the daemon\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn a_refused_reload_tells_every_problem_and_that_the_old_configuration_runs_on() {
    let problem = ConfigProblem {
        severity: "error".to_owned(),
        file: "/etc/b.toml".to_owned(),
        line: Some(3),
        key: "watch[0].run".to_owned(),
        message: "is no list".to_owned(),
        value: None,
        fix: "write one".to_owned(),
        text: "/etc/b.toml:3: watch[0].run: is no list; write one".to_owned(),
    };
    let answer = Refused { summary: "2 errors".to_owned(), problems: vec![problem.clone(), problem] };
    let text = ReloadAnswer::Refused(answer).show(STYLE);
    let line = "/etc/b.toml:3: watch[0].run: is no list; write one\n";
    assert_eq!(text, format!("{line}{line}2 errors; the daemon goes on with the configuration it has\n"));
}

#[test]
fn a_build_is_shown_so_that_its_command_can_be_tried() {
    let text = detail().show(STYLE);
    assert!(text.contains("command     make 'a b' 'it'\\''s\\n'\n"), "{text}");
    assert!(text.contains("phase       Failed, exit 2\n"), "{text}");
    assert!(text.contains("base image  host/x@sha256:0\n"), "{text}");
    assert!(text.contains("env         TOKEN\n"), "{text}");
    assert!(text.contains(&format!(", was {}\n", Digest::sha256_of(b"old"))), "{text}");
}

#[test]
fn a_build_is_shown_with_its_strategy_its_source_and_every_kind_of_cause() {
    let mut detail = detail();
    let spec = detail.spec.as_mut().unwrap();
    let moved = spec.causes.remove(0);
    let bare =
        Cause { kind: "manual".to_owned(), image: None, old_digest: None, hook: None, rebuild_of: None };
    let hook = Cause { kind: "webhook".to_owned(), hook: Some("GitLab".to_owned()), ..bare.clone() };
    let again = Cause {
        kind: "rebuild".to_owned(),
        rebuild_of: Some("default/app-3".parse().unwrap()),
        ..bare.clone()
    };
    let first = Cause { kind: "config-change".to_owned(), ..bare.clone() };
    let mut stream = moved.clone();
    stream.image.as_mut().unwrap().named = "team/base:12".to_owned();
    spec.causes = vec![bare, hook, again, first, moved, stream];
    let text = detail.show(STYLE);
    for lines in [
        "cause       manual\ncause       webhook, GitLab\ncause       rebuild of default/app-3\n",
        "cause       config-change\ncause       image-change\nimage       host/x@sha256:0, was sha256:",
        "\ntag         docker.io/library/debian:12\ncause       image-change\n",
        "\ntag         docker.io/library/debian:12 (team/base:12)\n",
        "strategy    Docker, build args HTTP_PROXY, no cache\n",
        "source      https://git.test/app.git, main\ncontext dir src\nrevision    c0ffee, Ada: Mend it\n",
        "output      host/app:latest\n",
    ] {
        assert!(text.contains(lines), "{lines} in {text}");
    }
    detail.spec = None;
    assert!(
        detail.show(STYLE).contains("cause       image-change\n"),
        "the record knows it without its file"
    );
}

#[test]
fn a_build_that_was_asked_for_is_told_with_what_is_strange_about_it() {
    let new = Started {
        build: Build { phase: Phase::New, ..build("default/app-7") },
        existed: false,
        dry_run: false,
        spec: None,
        warnings: vec!["A is\nset".to_owned()],
    };
    assert_eq!(new.show(STYLE), "warning: A is\\nset\ndefault/app-7 is queued\n");
    let again = Started { existed: true, build: build("default/app-7"), warnings: Vec::new(), ..new.clone() };
    assert_eq!(again.show(STYLE), "default/app-7 was asked for by this key before: it is Failed\n");
    let dry = Started { dry_run: true, spec: detail().spec, warnings: Vec::new(), ..new };
    let text = dry.show(STYLE);
    assert!(text.starts_with("default/app-7 would be given this; nothing was stored and nothing starts\n"));
    assert!(text.contains("command     make 'a b' 'it'\\''s\\n'\n"), "{text}");
    assert_eq!(wait::End(build("default/app-7")).show(STYLE), "default/app-7 is Failed, exit 2\n");
}

#[test]
fn a_log_as_json_is_an_object_a_line_however_it_arrives() {
    let written = |pieces: &[&[u8]]| {
        let mut lines = build::JsonLines { out: Vec::new(), open: Vec::new() };
        pieces.iter().for_each(|piece| lines.piece(piece).unwrap());
        lines.end().unwrap();
        String::from_utf8(lines.out).unwrap()
    };
    let expected = "{\"line\":\"one\"}\n{\"line\":\"\"}\n{\"line\":\"t\\\"wo\"}\n";
    assert_eq!(written(&[b"one\n\nt\"wo"]), expected);
    assert_eq!(written(&[b"o", b"ne", b"\n", b"\nt\"w", b"o\n"]), expected);
    assert_eq!(written(&[b"\xff\n"]), "{\"line\":\"\u{fffd}\"}\n");
    let endless = vec![b'x'; 3 * build::JsonLines::<Vec<u8>>::LONGEST];
    assert_eq!(written(&endless.chunks(1000).collect::<Vec<_>>()).lines().count(), 3);
}

#[test]
fn a_thread_that_hangs_keeps_no_verb_from_ending() {
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let begun = std::time::Instant::now();
    let answer = runtime::block_on(std::time::Duration::ZERO, async move {
        tokio::task::spawn_blocking(move || held.recv_timeout(std::time::Duration::from_secs(60)));
        "answer"
    });
    assert_eq!(answer.unwrap(), "answer");
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "it waited for the thread");
    drop(let_go);
}

#[test]
fn spans_are_told_in_their_largest_unit() {
    let spans = [
        (-5, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3_599, "59m"),
        (86_399, "23h"),
        (86_400, "1d"),
        (864_000, "10d"),
    ];
    for (seconds, text) in spans {
        assert_eq!(span(seconds), text);
    }
}

#[test]
fn a_state_that_cannot_be_stored_is_the_first_thing_that_status_tells() {
    let error = "store the journal: no space left on device".to_owned();
    let status = Status { store_trouble: Some(StoreTrouble { for_ms: 5, error }), ..status() };
    let text = status.show(STYLE);
    assert!(text.lines().nth(1).unwrap().contains("no space left on device"), "{text}");
}
