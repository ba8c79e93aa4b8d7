//! The main job against Debian's docker-registry, with skopeo pushing: plain, with a login, with TLS, with an index.

use std::fs;

use crate::support::RealRegistry;
use crate::support::daemon::Home;

const WRITE_DOWN: &str = "echo $BASEWATCH_BUILD $BASEWATCH_BASE_IMAGE >> builds.txt";

/// Watches `app:latest` of `registry`; `keys` go into its `[[registry]]` table.
fn watches(registry: &RealRegistry, keys: &str) -> Home {
    let home = Home::new("");
    let host = registry.host();
    let config = format!(
        "[[registry]]\nhost = \"{host}\"\n{keys}\n[[watch]]\nimage = \"{host}/team/app:latest\"\ninterval = \"200ms\"\n\
         working_dir = \"{}\"\nrun = [\"/bin/sh\", \"-c\", \"{WRITE_DOWN}\"]\n",
        home.path().display()
    );
    home.configure(&config);
    home
}

/// A push, a build; a restart, none; a push while stopped, one. Each is given what skopeo sees.
fn the_main_job_holds(registry: &RealRegistry, home: &Home, push: impl Fn(u64)) {
    let mut expected = Vec::new();
    let mut build = |number: usize| {
        let digest = registry.digest("team/app", "latest");
        expected.push(format!("app-{number} {}/team/app@{digest}", registry.host()));
        expected.clone()
    };
    let written = || {
        let text = fs::read_to_string(home.path().join("builds.txt")).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    push(1);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    assert_eq!(written(), build(1));
    push(2);
    daemon.wait_count("build_finished", 2);
    assert_eq!(written(), build(2));
    daemon.stop();

    push(3);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let (code, _) = daemon.stop();
    assert_eq!(code, Some(0));
    assert_eq!(written(), build(3));
    assert_eq!(home.spawn(&["--once"], &[]).finish().0, Some(0));
    assert_eq!(written().len(), 3);
}

#[test]
fn the_main_job_holds_on_a_plain_registry() {
    let registry = RealRegistry::plain();
    let home = watches(&registry, "insecure = true");
    the_main_job_holds(&registry, &home, |seed| drop(registry.push("team/app", "latest", seed)));
}

#[test]
fn the_main_job_holds_with_a_multi_arch_index() {
    let registry = RealRegistry::plain();
    let home = watches(&registry, "insecure = true");
    the_main_job_holds(&registry, &home, |seed| {
        drop(registry.push_index("team/app", "latest", &[("amd64", seed), ("arm64", seed + 100)]));
    });
}

#[test]
fn the_main_job_holds_with_a_login() {
    let registry = RealRegistry::htpasswd("ci", "open sesame");
    let password = tempfile::NamedTempFile::new().unwrap();
    fs::write(password.path(), "open sesame\n").unwrap();
    let keys =
        format!("insecure = true\nusername = \"ci\"\npassword_file = \"{}\"", password.path().display());
    let home = watches(&registry, &keys);
    the_main_job_holds(&registry, &home, |seed| drop(registry.push("team/app", "latest", seed)));
    let journal = fs::read_dir(home.state().join("journal")).unwrap();
    let stored: Vec<u8> = journal.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!String::from_utf8_lossy(&stored).contains("open sesame"));
}

#[test]
fn the_main_job_holds_with_tokens_for_everybody() {
    let registry = RealRegistry::tokens_for_all("ci", "open sesame");
    let home = watches(&registry, "insecure = true");
    the_main_job_holds(&registry, &home, |seed| drop(registry.push("team/app", "latest", seed)));
}

#[test]
fn the_main_job_holds_with_tokens_for_a_login() {
    let registry = RealRegistry::tokens_for("ci", "open sesame");
    let password = tempfile::NamedTempFile::new().unwrap();
    fs::write(password.path(), "open sesame\n").unwrap();
    let login =
        format!("insecure = true\nusername = \"ci\"\npassword_file = \"{}\"", password.path().display());
    let keys = format!("{login}\ntrusted_realms = [\"{}\"]", registry.token_host());
    let home = watches(&registry, &keys);
    the_main_job_holds(&registry, &home, |seed| drop(registry.push("team/app", "latest", seed)));

    // Its token server is at another port, so it is another host: nobody trusts it unasked.
    let home = watches(&registry, &login);
    let daemon = home.start();
    let withheld = daemon.wait_for("login_withheld");
    assert_eq!(withheld["registry"], registry.host());
    let trouble = daemon.wait_for("tag_unresolved");
    assert!(trouble["error"].as_str().unwrap().contains("trusted_realms"), "{trouble}");
    let (_, events) = daemon.stop();
    assert_eq!(events.iter().filter(|event| event["event"] == "login_withheld").count(), 1);
}

#[test]
fn the_main_job_holds_over_tls_with_an_own_ca() {
    let registry = RealRegistry::tls();
    let home = watches(&registry, &format!("ca_file = \"{}\"", registry.ca_file().display()));
    the_main_job_holds(&registry, &home, |seed| drop(registry.push("team/app", "latest", seed)));
}

#[test]
fn a_certificate_nobody_vouches_for_is_no_image_and_the_message_names_the_way_out() {
    let registry = RealRegistry::tls();
    registry.push("team/app", "latest", 1);
    let home = watches(&registry, "");
    let daemon = home.start();
    let trouble = daemon.wait_for("registry_backing_off");
    assert!(trouble["error"].as_str().unwrap().contains("ca_file"), "{trouble}");
    daemon.stop();
}
