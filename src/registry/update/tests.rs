use std::fs;

use tempfile::TempDir;

use super::*;

fn host(registries: &Registries, name: &str) -> Arc<Host> {
    registries.host(name).unwrap()
}

fn change(registries: &Registries, settings: &[Settings]) {
    registries.install(registries.prepare(settings).unwrap());
}

fn insecure(name: &str) -> Settings {
    Settings { insecure: true, ..Settings::new(name) }
}

/// A certificate that no other call makes.
fn certificate(name: &str) -> Vec<u8> {
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-keyout", "/dev/null", "-days", "1", "-subj", &format!("/CN={name}")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

#[test]
fn a_host_whose_settings_are_the_same_stays_and_another_is_made_anew() {
    let before = [Settings::new("a.example"), Settings::new("b.example"), Settings::new("c.example")];
    let registries = Registries::new(&before).unwrap();
    let [a, b, c] = ["a.example", "b.example", "c.example"].map(|name| host(&registries, name));
    let slower = Settings { timeout: std::time::Duration::from_secs(5), ..Settings::new("b.example") };
    change(&registries, &[Settings::new("a.example"), slower]);
    assert!(Arc::ptr_eq(&a, &host(&registries, "a.example")), "with all that it learnt");
    assert!(!Arc::ptr_eq(&b, &host(&registries, "b.example")));
    assert!(!Arc::ptr_eq(&c, &host(&registries, "c.example")), "it was let go, and is made when it is asked");
}

#[test]
fn nothing_changes_before_it_is_installed_nor_by_what_cannot_be() {
    let registries = Registries::new(&[Settings::new("a.example")]).unwrap();
    let a = host(&registries, "a.example");
    let update = registries.prepare(&[insecure("a.example")]).unwrap();
    assert!(Arc::ptr_eq(&a, &host(&registries, "a.example")));
    drop(update);
    let broken = Settings { ca_file: Some("/nonexistent/ca.pem".into()), ..Settings::new("a.example") };
    assert!(matches!(registries.prepare(&[broken]), Err(SetupError::CaFile { .. })));
    assert!(Arc::ptr_eq(&a, &host(&registries, "a.example")));
}

#[test]
fn a_host_is_made_anew_exactly_if_the_content_of_its_ca_file_changed() {
    let dir = TempDir::new().unwrap();
    let ca_file = dir.path().join("ca.pem");
    let (one, other) = (certificate("one"), certificate("other"));
    let settings = [Settings { ca_file: Some(ca_file.clone()), ..Settings::new("a.example") }];
    fs::write(&ca_file, &one).unwrap();
    let registries = Registries::new(&settings).unwrap();
    let a = host(&registries, "a.example");
    fs::write(&ca_file, &one).unwrap();
    change(&registries, &settings);
    assert!(Arc::ptr_eq(&a, &host(&registries, "a.example")), "written again, and the same");

    fs::write(&ca_file, &other).unwrap();
    change(&registries, &settings);
    let b = host(&registries, "a.example");
    assert!(!Arc::ptr_eq(&a, &b));
    change(&registries, &settings);
    assert!(Arc::ptr_eq(&b, &host(&registries, "a.example")));
    fs::remove_file(&ca_file).unwrap();
    assert!(registries.prepare(&settings).is_err(), "it cannot be trusted any more");
}

#[test]
fn where_plain_http_may_lead_changes_for_hosts_that_stay_too() {
    let registries = Registries::new(&[Settings::new("a.example"), insecure("b.example")]).unwrap();
    let plain_http = registries.lock().plain_http.clone();
    let allows = |url: &str| plain_http.allows(&url.parse().unwrap());
    assert!(allows("http://b.example/x") && !allows("http://c.example/x"));
    change(&registries, &[Settings::new("a.example"), insecure("c.example")]);
    assert!(!allows("http://b.example/x") && allows("http://c.example/x"));
}
