use std::path::{Path, PathBuf};

use super::super::registries::{places, with_insecure};

fn told(text: &str, hosts: &[&str]) -> toml::Table {
    let hosts: Vec<Box<str>> = hosts.iter().map(|host| (*host).into()).collect();
    with_insecure(text, Path::new("/f"), &hosts).unwrap().parse().unwrap()
}

#[test]
fn the_machines_own_file_stays_in_force() {
    let text = "unqualified-search-registries = [\"docker.io\"]\n\
                [[registry]]\nlocation = \"a.test\"\nblocked = false\n\
                [[registry]]\nprefix = \"b.test/x\"\nlocation = \"mirror.test/x\"\n";
    let expected = "unqualified-search-registries = [\"docker.io\"]\n\
                [[registry]]\nlocation = \"a.test\"\nblocked = false\ninsecure = true\n\
                [[registry]]\nprefix = \"b.test/x\"\nlocation = \"mirror.test/x\"\n\
                [[registry]]\nlocation = \"c.test:5000\"\ninsecure = true\n";
    assert_eq!(told(text, &["a.test", "c.test:5000"]), expected.parse().unwrap());
    assert_eq!(
        told("", &["a.test"]),
        "[[registry]]\nlocation = \"a.test\"\ninsecure = true".parse().unwrap()
    );
}

#[test]
fn what_is_no_such_file_is_told_with_its_name() {
    for text in ["[[", "registry = 7"] {
        let error = with_insecure(text, Path::new("/f"), &["a.test".into()]).unwrap_err();
        assert!(error.to_string().starts_with("/f: it is not a configuration of registries: "), "{error}");
    }
}

#[test]
fn the_file_that_is_named_counts_before_the_usual_ones() {
    assert_eq!(places(Some("/n".into()), Some("/h".into())), [PathBuf::from("/n")]);
    let usual = ["/h/.config/containers/registries.conf", "/etc/containers/registries.conf"];
    assert_eq!(places(None, Some("/h".into())), usual.map(PathBuf::from));
}
