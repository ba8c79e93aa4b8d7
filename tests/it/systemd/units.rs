//! The units: what systemd thinks of them, and where they are put.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use basewatch::runner;
use tempfile::TempDir;

use super::said;

const DAEMON: &str = "basewatch.service";
const SOCKET: &str = "basewatch-runner.socket";
const RUNNER: &str = "basewatch-runner@.service";

/// Each unit, with the drop-ins that there are for it.
const UNITS: [(&str, &[&str]); 3] = [
    (DAEMON, &["hardened.conf"]),
    (SOCKET, &[]),
    (
        RUNNER,
        &[
            "runner/limits.conf",
            "runner/docker.conf",
            "runner/buildah-root.conf",
            "runner/buildah-rootless.conf",
        ],
    ),
];

/// What takes set-uid helpers from a service with a `User=`: systemd.exec(5), NoNewPrivileges=.
const IMPLY_NO_NEW_PRIVILEGES: [&str; 16] = [
    "DynamicUser",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "SystemCallLog",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sections of a unit: each key with its value, in order.
fn assignments(unit: &str) -> Vec<(String, String)> {
    let lines = unit.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
    let assignments =
        lines.map(|line| line.split_once('=').unwrap_or_else(|| panic!("not KEY=VALUE: {line}")));
    assignments.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The assignments of a file in `systemd/`.
fn unit(name: &str) -> Vec<(String, String)> {
    assignments(&fs::read_to_string(root().join("systemd").join(name)).unwrap())
}

fn value<'u>(unit: &'u [(String, String)], key: &str) -> &'u str {
    let mut values = unit.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let value = values.next().unwrap_or_else(|| panic!("the unit has no {key}="));
    assert_eq!(values.next(), None, "{key}= is set twice");
    value
}

/// `make install` of a tree that was built, into a directory of its own.
fn installed(prefix: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let built = dir.path().join("target/release");
    fs::create_dir_all(&built).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_basewatch"), built.join("basewatch")).unwrap();
    let mut make = Command::new("make");
    make.arg("-C").arg(root()).arg("install").arg(format!("PREFIX={prefix}"));
    make.arg(format!("DESTDIR={}", dir.path().join("dest").display()));
    let output =
        make.env("CARGO_TARGET_DIR", dir.path().join("target")).env_remove("MAKEFLAGS").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    dir
}

/// A program of systemd's; `None` on a machine that has no systemd.
fn tool(name: &str) -> Option<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|program| program.is_file())?;
    Some(Command::new(found))
}

/// The installed units in a directory of their own, with a program that is there; `rename` goes over their text.
fn units_to_verify(installed: &Path, rename: impl Fn(String) -> String) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, _) in UNITS {
        let unit = fs::read_to_string(installed.join("usr/lib/systemd/system").join(name)).unwrap();
        let unit = rename(unit).replace("/usr/bin/basewatch", env!("CARGO_BIN_EXE_basewatch"));
        fs::write(dir.path().join(rename(name.to_owned())), unit).unwrap();
    }
    dir
}

/// What systemd has to say of a unit: nothing, if all is well.
fn verified(unit: &Path) -> (Option<i32>, String) {
    let mut verify = tool("systemd-analyze").unwrap();
    // Its like in the directory is what a unit names.
    verify.env("SYSTEMD_UNIT_PATH", format!("{}:", unit.parent().unwrap().display()));
    let output = verify.arg("verify").arg(unit).output().unwrap();
    (output.status.code(), said(&output))
}

fn add_drop_in(unit: &Path, name: &str, text: &str) {
    let dir = PathBuf::from(format!("{}.d", unit.display()));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(name), text).unwrap();
}

#[test]
fn systemd_knows_every_key_of_the_units_and_of_their_drop_ins() {
    if tool("systemd-analyze").is_none() {
        return;
    }
    let installed = installed("/usr");
    let well = (Some(0), String::new());
    for (name, drop_ins) in UNITS {
        let dir = units_to_verify(&installed.path().join("dest"), |text| text);
        let unit = dir.path().join(name);
        assert_eq!(verified(&unit), well, "{name}");
        for drop_in in drop_ins {
            let text = fs::read_to_string(root().join("systemd").join(drop_in)).unwrap();
            add_drop_in(&unit, "example.conf", &text);
            assert_eq!(verified(&unit), well, "{name} with {drop_in}");
        }
        add_drop_in(&unit, "wrong.conf", "[Unit]\nAfterwards=basewatch.service\n");
        assert!(verified(&unit).1.contains("Afterwards"), "a wrong key of {name} would not be noticed");
    }
}

#[test]
fn every_drop_in_is_verified() {
    let listed: Vec<&str> = UNITS.iter().flat_map(|(_, drop_ins)| drop_ins.iter().copied()).collect();
    let found = |dir: &str| {
        let files = fs::read_dir(root().join("systemd").join(dir)).unwrap().map(|file| file.unwrap());
        let names = files.map(|file| Path::new(dir).join(file.file_name()).to_str().unwrap().to_owned());
        let drop_ins = names.filter(|name| name.ends_with(".conf") && !name.ends_with(".sysusers.conf"));
        drop_ins.collect::<Vec<_>>()
    };
    let missing: Vec<_> =
        [found(""), found("runner")].concat().into_iter().filter(|name| !listed.contains(&&**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_second_runner_is_the_pair_under_another_name() {
    if tool("systemd-analyze").is_none() {
        return;
    }
    let installed = installed("/usr");
    let rename = |text: String| text.replace("basewatch-runner", "basewatch-docker");
    let dir = units_to_verify(&installed.path().join("dest"), rename);
    for name in [SOCKET, RUNNER].map(|name| rename(name.to_owned())) {
        let unit = dir.path().join(&name);
        assert_eq!(verified(&unit), (Some(0), String::new()), "{name}");
        let text = fs::read_to_string(&unit).unwrap();
        assert!(!text.contains("basewatch-runner"), "{name}");
    }
}

#[test]
fn the_unit_gives_a_stop_more_time_than_the_daemon_takes_and_no_wrong_configuration_a_second_try() {
    let unit = unit(DAEMON);
    let sample = fs::read_to_string(root().join("config/basewatch.toml")).unwrap();
    let drain = sample.lines().find_map(|line| line.strip_prefix("# drain_timeout = \"")).unwrap();
    let seconds = |text: &str| text.split_once('s').unwrap().0.parse().map(Duration::from_secs).unwrap();
    let whole = seconds(drain) + runner::Settings::GRACE;
    let stop = seconds(value(&unit, "TimeoutStopSec"));
    assert!(stop >= whole + Duration::from_secs(30), "{stop:?} for {whole:?} and the state");
    assert_eq!(value(&unit, "KillMode"), "mixed");
    assert_eq!(value(&unit, "Type"), "notify");
    assert_eq!(value(&unit, "NotifyAccess"), "main");
    let never: Vec<&str> = value(&unit, "RestartPreventExitStatus").split(' ').collect();
    assert!(never.contains(&"78") && never.contains(&"2"), "{never:?}");
    // All else may pass, however long that takes.
    assert_eq!((value(&unit, "StartLimitIntervalSec"), value(&unit, "RestartSec")), ("0", "30s"));
}

#[test]
fn no_key_of_the_unit_takes_set_uid_helpers_from_builds() {
    let unit = unit(DAEMON);
    let wrong: Vec<_> =
        unit.iter().filter(|(key, _)| IMPLY_NO_NEW_PRIVILEGES.contains(&key.as_str())).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(value(&unit, "NoNewPrivileges"), "no");
}

#[test]
fn the_rootless_drop_in_takes_back_every_key_that_takes_set_uid_helpers_from_builds() {
    let drop_in = unit("runner/buildah-rootless.conf");
    for (key, _) in unit(RUNNER).iter().filter(|(key, _)| IMPLY_NO_NEW_PRIVILEGES.contains(&key.as_str())) {
        assert!(["", "no"].contains(&value(&drop_in, key)), "{key}");
    }
    assert_eq!(value(&drop_in, "NoNewPrivileges"), "no");
}

#[test]
fn no_stop_of_the_daemon_stops_a_build_in_a_runner() {
    const BIND: [&str; 8] = [
        "BindsTo",
        "Conflicts",
        "PartOf",
        "PropagatesStopTo",
        "Requires",
        "Requisite",
        "StopPropagatedFrom",
        "StopWhenUnneeded",
    ];
    for name in [DAEMON, SOCKET, RUNNER] {
        let bound: Vec<_> = unit(name).into_iter().filter(|(key, _)| BIND.contains(&key.as_str())).collect();
        assert!(bound.is_empty(), "{name}: {bound:?}");
    }
}

#[test]
fn only_the_daemon_can_connect_to_the_runner_and_a_stop_gives_its_build_the_grace() {
    let (socket, runner, daemon) = (unit(SOCKET), unit(RUNNER), unit(DAEMON));
    assert_eq!(value(&socket, "SocketUser"), value(&daemon, "User"));
    assert_eq!(value(&socket, "SocketMode"), "0600");
    assert_ne!(value(&runner, "User"), value(&daemon, "User"));
    assert_ne!(value(&runner, "Group"), value(&daemon, "Group"));
    assert_eq!((value(&socket, "Accept"), value(&runner, "StandardInput")), ("yes", "socket"));
    let stop = value(&runner, "TimeoutStopSec").strip_suffix('s').unwrap().parse().unwrap();
    assert!(Duration::from_secs(stop) >= runner::Settings::GRACE + Duration::from_secs(10), "{stop}");
    // What hides from the runner is killed by systemd, once the runner has ended.
    assert_eq!(value(&runner, "KillMode"), "mixed");
}

#[test]
fn an_installed_unit_names_the_program_that_was_installed_with_it() {
    for prefix in ["/usr", "/usr/local", "/opt/basewatch"] {
        let dir = installed(prefix);
        let at = |path: &str| PathBuf::from(format!("{}/dest{prefix}/{path}", dir.path().display()));
        let unit = assignments(&fs::read_to_string(at("lib/systemd/system/basewatch.service")).unwrap());
        assert_eq!(value(&unit, "ExecStart"), format!("{prefix}/bin/basewatch run"));
        assert_eq!(value(&unit, "ExecReload"), format!("{prefix}/bin/basewatch reload"));
        assert!(at("bin/basewatch").is_file());
        let runner = assignments(&fs::read_to_string(at("lib/systemd/system").join(RUNNER)).unwrap());
        assert_eq!(value(&runner, "ExecStart"), format!("{prefix}/bin/basewatch runner --own-cgroup"));
        let socket = fs::read_to_string(at("lib/systemd/system").join(SOCKET)).unwrap();
        assert!(socket.contains(&format!("#   cd {prefix}/lib/systemd/system\n")), "{socket}");
        for drop_in in UNITS.iter().flat_map(|(_, drop_ins)| *drop_ins) {
            assert!(at("share/doc/basewatch").join(drop_in).is_file(), "{drop_in}");
        }
        let documents = value(&unit, "Documentation").strip_prefix("file://").unwrap();
        assert!(Path::new(&format!("{}/dest{documents}", dir.path().display())).is_file(), "{documents}");
        assert!(at("share/doc/basewatch/basewatch.toml").is_file());
        assert!(at("lib/sysusers.d/basewatch.conf").is_file());
    }
}

#[test]
fn the_users_and_groups_of_the_units_are_made_by_sysusers() {
    let Some(mut sysusers) = tool("systemd-sysusers") else { return };
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    let file = root().join("systemd/basewatch.sysusers.conf");
    let output = sysusers.arg(format!("--root={}", dir.path().display())).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let made = |file: &str| fs::read_to_string(dir.path().join("etc").join(file)).unwrap();
    let (passwd, groups) = (made("passwd"), made("group"));
    for unit in [unit(DAEMON), unit(RUNNER)] {
        let (user, group) = (value(&unit, "User"), value(&unit, "Group"));
        let entry: Vec<&str> =
            passwd.lines().find(|line| line.starts_with(&format!("{user}:"))).unwrap().split(':').collect();
        assert_eq!(entry[5], format!("/var/lib/{}", value(&unit, "StateDirectory")), "home");
        let entry: Vec<&str> =
            groups.lines().find(|line| line.starts_with(&format!("{group}:"))).unwrap().split(':').collect();
        assert_eq!(entry[3], "", "nobody else is in the group {group}");
    }
}
