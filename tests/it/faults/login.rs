//! A login that stops being taken.

use super::*;

#[test]
fn a_rejected_login_is_told_once_sends_nothing_more_and_is_tried_when_its_file_changes() {
    let registry = FakeRegistry::start();
    let home = Home::new("");
    let password = home.path().join("password");
    fs::write(&password, "right").unwrap();
    let watches: Vec<Watch> = (0..5)
        .map(|number| {
            registry.push(&format!("base-{number}"), "1", number);
            let image = format!("base-{number}:1");
            Watch::new(&format!("app-{number}"), &registry.host(), &image)
                .every("100ms")
                .key("on_first", "\"record\"")
        })
        .collect();
    let keys = format!("insecure = true\nusername = \"ci\"\npassword_file = \"{}\"", password.display());
    home.configure(&watch_list(&registry.host(), &watches).replacen("insecure = true", &keys, 1));
    registry.fault(ANY, Fault::basic_login("ci", "right"));
    let daemon = home.start();
    daemon.wait_count("trigger_recorded", 5);

    registry.heal();
    registry.fault(ANY, Fault::basic_login("ci", "changed"));
    let told = daemon.wait_for("credential_rejected");
    assert_eq!((&told["reason"], &told["level"]), (&"credentials_rejected".into(), &"error".into()));
    assert!(told["error"].as_str().unwrap().contains(password.to_str().unwrap()), "{told}");
    let trouble = eventually("each tag to have the condition", || {
        let status = home.ask(&["status"]);
        let conditions = status["tags"].as_array()?.iter().filter(|tag| tag["condition"].is_object());
        (conditions.count() == 5).then(|| status["registries"][0]["trouble"].clone())
    });
    assert_eq!(trouble["reason"], "credentials_rejected");
    assert!(trouble["closed_until"].is_null(), "{trouble}");
    registry.reset_counts();
    let looks = |least: u64| {
        eventually("more looks", || {
            let status = home.ask(&["status"]);
            (status["registries"][0]["trouble"]["count"].as_u64()? >= least).then_some(())
        });
    };
    looks(trouble["count"].as_u64().unwrap() + 10);
    assert_eq!(registry.requests().len(), 0, "a parked login sends nothing");

    fs::write(&password, "changed").unwrap();
    daemon.wait_for("registry_recovered");
    eventually("every tag to be well", || {
        let status = home.ask(&["status"]);
        let well = status["tags"].as_array()?.iter().all(|tag| tag["condition"].is_null());
        (well && status["registries"][0]["trouble"].is_null()).then_some(())
    });
    let (_, events) = daemon.stop();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    let told =
        ["credential_rejected", "registry_recovered", "tag_unresolved", "tag_recovered", "image_changed"];
    assert_eq!(told.map(of), [1, 1, 0, 0, 0]);
}
