//! The units: what systemd thinks of them, and where they are put.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use basewatch::runner;
use tempfile::TempDir;

use super::said;

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

fn unit() -> Vec<(String, String)> {
    assignments(&fs::read_to_string(root().join("systemd/basewatch.service")).unwrap())
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

#[test]
fn systemd_knows_every_key_of_the_unit_and_of_its_drop_in() {
    let Some(mut verify) = tool("systemd-analyze") else { return };
    let dir = installed("/usr");
    let unit = fs::read_to_string(dir.path().join("dest/usr/lib/systemd/system/basewatch.service")).unwrap();
    // It wants the program to be where the unit says.
    let here = dir.path().join("basewatch.service");
    fs::write(&here, unit.replace("/usr/bin/basewatch", env!("CARGO_BIN_EXE_basewatch"))).unwrap();
    let output = verify.arg("verify").arg(&here).output().unwrap();
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));

    let drop_ins = dir.path().join("basewatch.service.d");
    fs::create_dir(&drop_ins).unwrap();
    fs::copy(root().join("systemd/hardened.conf"), drop_ins.join("hardened.conf")).unwrap();
    let output = tool("systemd-analyze").unwrap().arg("verify").arg(&here).output().unwrap();
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));

    fs::write(drop_ins.join("wrong.conf"), "[Service]\nRestartPreventExitCode=78\n").unwrap();
    let output = tool("systemd-analyze").unwrap().arg("verify").arg(&here).output().unwrap();
    assert!(said(&output).contains("RestartPreventExitCode"), "a wrong key would not be noticed");
}

#[test]
fn the_unit_gives_a_stop_more_time_than_the_daemon_takes_and_no_wrong_configuration_a_second_try() {
    let unit = unit();
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
    // systemd.exec(5), NoNewPrivileges=.
    const IMPLY: [&str; 16] = [
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
    let unit = unit();
    let wrong: Vec<_> = unit.iter().filter(|(key, _)| IMPLY.contains(&key.as_str())).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(value(&unit, "NoNewPrivileges"), "no");
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
        let documents = value(&unit, "Documentation").strip_prefix("file://").unwrap();
        assert!(Path::new(&format!("{}/dest{documents}", dir.path().display())).is_file(), "{documents}");
        assert!(at("share/doc/basewatch/basewatch.toml").is_file());
        assert!(at("lib/sysusers.d/basewatch.conf").is_file());
    }
}

#[test]
fn the_user_and_group_of_the_unit_are_made_by_sysusers() {
    let Some(mut sysusers) = tool("systemd-sysusers") else { return };
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    let file = root().join("systemd/basewatch.sysusers.conf");
    let output = sysusers.arg(format!("--root={}", dir.path().display())).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let (unit, made) = (unit(), |file: &str| fs::read_to_string(dir.path().join("etc").join(file)).unwrap());
    let (user, group) = (value(&unit, "User"), value(&unit, "Group"));
    let passwd = made("passwd");
    let entry: Vec<&str> =
        passwd.lines().find(|line| line.starts_with(&format!("{user}:"))).unwrap().split(':').collect();
    assert_eq!(entry[5], format!("/var/lib/{}", value(&unit, "StateDirectory")), "home");
    assert!(made("group").lines().any(|line| line.starts_with(&format!("{group}:"))));
}
