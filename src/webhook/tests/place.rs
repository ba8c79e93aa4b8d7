use crate::controller::{ConfigKey, HookKind};
use crate::webhook::place::{Astray, Place};
use crate::webhook::secret::{Offered, Secret};

const BASE: &str = "/apis/build.openshift.io/v1/namespaces/shop/buildconfigs/app/webhooks";

fn is(place: &Place, secret: &str) -> bool {
    let known = Secret::new(secret.as_bytes().to_vec());
    place.secret.as_ref().is_some_and(|offered| bool::from(known.is(offered)))
}

#[test]
fn a_path_names_the_config_the_secret_and_the_kind() {
    let kinds = [
        ("generic", HookKind::Generic),
        ("github", HookKind::GitHub),
        ("gitlab", HookKind::GitLab),
        ("bitbucket", HookKind::Bitbucket),
    ];
    for (word, kind) in kinds {
        let place = Place::read(&format!("{BASE}/s3cret/{word}")).ok().unwrap();
        assert_eq!((&place.config, place.kind), (&ConfigKey::new("shop", "app"), kind));
        assert!(is(&place, "s3cret") && !is(&place, "s3cre"));
        assert!(Place::read(&format!("{BASE}/{word}")).ok().unwrap().secret.is_none());
    }
}

#[test]
fn a_secret_may_be_written_with_escapes() {
    let place = Place::read(&format!("{BASE}/a%2Fb%20%ff+/generic")).ok().unwrap();
    let known = Secret::new(b"a/b \xff+".to_vec());
    assert!(bool::from(known.is(&place.secret.unwrap())));
}

#[test]
fn other_paths_lead_nowhere() {
    let astray = |path: &str| Place::read(path).err();
    for path in ["/", "", "/healthz", "/apis/build.openshift.io/v1/namespaces/shop/builds/app-1"] {
        assert_eq!(astray(path), Some(Astray::Nowhere), "{path}");
    }
    for rest in ["", "/", "/s3cret/", "//github", "/a/s3cret/github", "/s3cret/github/", "/a/b/c/d"] {
        assert_eq!(astray(&format!("{BASE}{rest}")), Some(Astray::Malformed), "{rest}");
    }
    for rest in ["/s3cret/gitea", "/s3cret/GitHub", "/s3cret", "/s3cret/image"] {
        assert_eq!(astray(&format!("{BASE}{rest}")), Some(Astray::UnknownKind), "{rest}");
    }
    let nameless = BASE.replace("/shop/", "//");
    assert_eq!(astray(&format!("{nameless}/s3cret/github")), Some(Astray::Malformed));
    let long = BASE.replace("/app/", &format!("/{}/", "a".repeat(300)));
    assert_eq!(astray(&format!("{long}/s3cret/github")), Some(Astray::Malformed));
}

#[test]
fn a_secret_is_not_printed() {
    let secret = Secret::new(b"s3cret".to_vec());
    assert_eq!(format!("{secret:?}"), "[REDACTED]");
    assert!(!bool::from(secret.is(&Offered::secret(b""))));
}
