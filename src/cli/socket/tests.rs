use super::*;

fn places(socket: Option<&str>, state_dir: Option<&str>) -> Places {
    Places { socket: socket.map(PathBuf::from), state_dir: state_dir.map(PathBuf::from) }
}

fn chosen(state_dir: Option<&str>, config_named: bool, configured: Places) -> Vec<String> {
    let chosen = choose(state_dir.map(Path::new), config_named, configured);
    chosen.iter().map(|path| path.display().to_string()).collect()
}

#[test]
fn the_configured_socket_comes_first() {
    let configured = || places(Some("/a.sock"), Some("/state"));
    assert_eq!(chosen(None, false, configured()), ["/a.sock"]);
    assert_eq!(chosen(Some("/other"), true, configured()), ["/a.sock"]);
}

#[test]
fn a_named_state_dir_is_the_only_place_to_look() {
    assert_eq!(chosen(Some("/other"), false, places(None, Some("/state"))), ["/other/control.sock"]);
    assert_eq!(chosen(None, true, places(None, Some("/state"))), ["/state/control.sock"]);
}

#[test]
fn otherwise_the_places_of_the_unit_and_of_the_state_are_tried() {
    let usual = ["/run/basewatch/control.sock", "/var/lib/basewatch/control.sock"];
    assert_eq!(chosen(None, false, places(None, None)), usual);
    assert_eq!(chosen(None, true, places(None, None)), usual);
    let elsewhere = ["/run/basewatch/control.sock", "/state/control.sock"];
    assert_eq!(chosen(None, false, places(None, Some("/state"))), elsewhere);
}

#[test]
fn conf_d_counts_and_relative_paths_are_relative_to_their_file() {
    let dir = tempfile::tempdir().unwrap();
    let main = dir.path().join("main.toml");
    std::fs::create_dir(dir.path().join("conf.d")).unwrap();
    std::fs::write(&main, "[daemon]\nstate_dir = \"state\"\nunknown = 1\n[[watch]]\nnonsense = true\n")
        .unwrap();
    std::fs::write(dir.path().join("conf.d/a.toml"), "[daemon]\nsocket = \"a.sock\"\n").unwrap();
    let expected =
        Places { socket: Some(dir.path().join("conf.d/a.sock")), state_dir: Some(dir.path().join("state")) };
    assert_eq!(glance(&main).unwrap(), expected, "what is wrong elsewhere does not matter");
}

#[test]
fn what_is_hidden_or_broken_in_conf_d_keeps_nobody_from_asking() {
    let dir = tempfile::tempdir().unwrap();
    let main = dir.path().join("main.toml");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    std::fs::create_dir(dir.path().join("conf.d")).unwrap();
    write("main.toml", "[daemon]\nsocket = \"/a.sock\"\n");
    write("conf.d/.#edited.toml", "[daemon]\nhalf a li");
    write("conf.d/half.toml", "[[watch]]\nimage =");
    assert_eq!(glance(&main).unwrap(), places(Some("/a.sock"), None));
    write("conf.d/half.toml", "[daemon]\nsocket =");
    let error = glance(&main).unwrap_err().to_string();
    assert!(error.contains("conf.d/half.toml: "), "it may name another socket: {error}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let error = glance(Path::new("/nowhere/basewatch.toml")).unwrap_err();
    assert!(error.to_string().starts_with("read /nowhere/basewatch.toml: "), "{error}");
}

#[test]
fn a_reload_also_tries_the_usual_places_unless_somebody_says_which_daemon_is_meant() {
    let configured = || choose(None, false, places(Some("/new.sock"), None));
    let usual = ["/run/basewatch/control.sock", "/var/lib/basewatch/control.sock"].map(PathBuf::from);
    assert_eq!(for_reload(configured(), false), [&configured()[..], &usual[..]].concat());
    assert_eq!(for_reload(configured(), true), configured());
    assert_eq!(for_reload(usual.to_vec(), false), usual, "each is tried once");
}
