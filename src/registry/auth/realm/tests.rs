use super::super::super::Settings;
use super::*;

/// Vets `realm` for a registry at `home` that was asked there and answered from `peer`: the address, then whether the
/// login may go there, and whether it may be private.
fn vet(home: &str, peer: &str, realm: &str) -> Result<(String, bool, bool), RealmTrouble> {
    let insecure = |host: &str| Settings { insecure: true, ..Settings::new(host) };
    let rules = Rules {
        home: Url::parse(home).ok(),
        trusted: vec!["auth.example.com".to_owned(), "10.0.0.9:8443".to_owned()],
        plain_http: PlainHttp::of(&[insecure("plain.example.com:8080")]),
    };
    let asked = Url::parse(home).unwrap().join("/v2/app/manifests/1").unwrap();
    let realm = rules.vet(realm, &asked, peer.parse().ok())?;
    Ok((realm.url.into(), realm.takes_login, realm.may_be_inward))
}

const PUBLIC: &str = "https://reg.example.com/v2/";
const SOMEWHERE: &str = "1.1.1.1:443";

fn there(url: &str, takes_login: bool, may_be_inward: bool) -> Result<(String, bool, bool), RealmTrouble> {
    Ok((url.to_owned(), takes_login, may_be_inward))
}

#[test]
fn the_login_goes_to_the_registrys_own_host_and_port_and_to_who_is_trusted() {
    let table = [
        ("https://reg.example.com/token", true),
        ("https://REG.example.com:443/token", true),
        ("https://reg.example.com:444/token", false),
        ("https://evil.example.com/token", false),
        ("https://auth.example.com/token", true),
        ("https://auth.example.com:444/token", false),
        ("https://10.0.0.9:8443/token", true),
        ("https://reg.example.com.evil.com/token", false),
        ("https://auth.docker.io/token", false),
    ];
    for (realm, takes_login) in table {
        assert_eq!(vet(PUBLIC, SOMEWHERE, realm).unwrap().1, takes_login, "{realm}");
    }
    let hub = "https://registry-1.docker.io/v2/";
    assert!(vet(hub, SOMEWHERE, "https://auth.docker.io/token").unwrap().1);
    assert!(!vet(hub, SOMEWHERE, "https://auth.docker.io:444/token").unwrap().1);
}

#[test]
fn a_realm_is_relative_to_what_was_asked_and_keeps_its_query() {
    assert_eq!(vet(PUBLIC, SOMEWHERE, "/token"), there("https://reg.example.com/token", true, true));
    assert_eq!(
        vet(PUBLIC, SOMEWHERE, "t?a=b#c"),
        there("https://reg.example.com/v2/app/manifests/t?a=b", true, true)
    );
}

#[test]
fn plain_http_is_for_registries_that_speak_it_and_for_hosts_that_may() {
    let plain = "http://reg.example.com:5000/v2/";
    for realm in
        ["http://reg.example.com:5000/t", "http://reg.example.com:5001/t", "http://plain.example.com:8080/t"]
    {
        assert!(vet(plain, SOMEWHERE, realm).is_ok(), "{realm}");
        assert_eq!(vet(PUBLIC, SOMEWHERE, realm), Err(RealmTrouble::Insecure), "{realm}");
    }
    assert_eq!(vet(plain, SOMEWHERE, "http://plain.example.com/t"), Err(RealmTrouble::Insecure));
    assert_eq!(vet(plain, SOMEWHERE, "http://auth.example.com/t"), Err(RealmTrouble::Insecure));
    assert!(vet(plain, SOMEWHERE, "https://other.example.com/t").is_ok());
}

#[test]
fn what_is_no_address_or_has_a_login_in_it_is_refused() {
    for realm in ["", "file:///etc/passwd", "ftp://reg.example.com/", "https://", "data:x"] {
        assert_eq!(vet(PUBLIC, SOMEWHERE, realm), Err(RealmTrouble::Unusable), "{realm}");
    }
    for realm in ["https://a:b@reg.example.com/t", "https://a@reg.example.com/t", "//:b@reg.example.com/"] {
        assert_eq!(vet(PUBLIC, SOMEWHERE, realm), Err(RealmTrouble::Userinfo), "{realm}");
    }
}

#[test]
fn private_addresses_are_for_registries_that_have_one_and_for_who_is_trusted() {
    let private = [
        "https://127.0.0.1/t",
        "https://localhost/t",
        "https://10.0.0.9/t",
        "https://169.254.169.254/t",
        "https://[::1]/t",
        "https://[::ffff:10.0.0.1]/t",
        "https://0x7f.1/t",
        "https://2130706433/t",
    ];
    for realm in private {
        assert!(matches!(vet(PUBLIC, SOMEWHERE, realm), Err(RealmTrouble::Inward(_))), "{realm}");
        assert!(vet(PUBLIC, "", realm).is_err(), "{realm}");
        // The registry was reached through a proxy at another port, which says nothing about the registry.
        assert!(vet(PUBLIC, "10.0.0.1:3128", realm).is_err(), "{realm}");
        assert!(vet(PUBLIC, "10.0.0.1:443", realm).is_ok(), "{realm}");
        assert!(vet("https://10.0.0.1:5000/v2/", "", realm).is_ok(), "{realm}");
    }
    assert_eq!(
        vet(PUBLIC, SOMEWHERE, "https://10.0.0.9:8443/t"),
        there("https://10.0.0.9:8443/t", true, true)
    );
    // Another port of the registry's name is another place.
    assert_eq!(
        vet(PUBLIC, SOMEWHERE, "https://reg.example.com:8443/t"),
        there("https://reg.example.com:8443/t", false, false)
    );
    // A name is looked up later, by who finds no private address for it.
    assert_eq!(vet(PUBLIC, SOMEWHERE, "https://evil.com/t"), there("https://evil.com/t", false, false));
}
