use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::super::error::StrategyError;
use super::super::place::Context;

fn outside(result: Result<impl Sized, StrategyError>) {
    match result {
        Err(StrategyError::Outside { .. }) => {}
        Err(error) => panic!("not for that: {error}"),
        Ok(_) => panic!("it was let out"),
    }
}

#[test]
fn nothing_leads_out_of_the_source_code() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("source");
    fs::create_dir_all(root.join("sub/inner")).unwrap();
    fs::write(dir.path().join("secret"), "x").unwrap();
    fs::write(root.join("file"), "x").unwrap();
    symlink(dir.path(), root.join("out")).unwrap();
    symlink("../secret", root.join("Dockerfile")).unwrap();
    symlink("sub", root.join("within")).unwrap();
    let source = root.to_str().unwrap();

    for context_dir in ["out", "..", "sub/../.."] {
        outside(Context::new(source, Some(context_dir)));
    }
    for missing in ["nowhere", "file/x"] {
        assert!(matches!(Context::new(source, Some(missing)), Err(StrategyError::Missing { .. })));
    }
    assert!(matches!(Context::new(source, Some("file")), Err(StrategyError::NoDirectory { .. })));
    assert_eq!(Context::new(source, Some("within/inner/")).unwrap().path, format!("{source}/within/inner"));

    let context = Context::new(source, None).unwrap();
    outside(context.find("it", "Dockerfile"));
    outside(context.find_optional("it", "/etc/passwd"));
    assert!(context.find_optional("it", "not/there").unwrap().is_none());
    for path in ["out/new", "../new", "/new"] {
        outside(context.make_dir("it", path));
    }
    assert!(!dir.path().join("new").exists());
    let made = context.make_dir("it", "./within/new/deep").unwrap();
    assert_eq!(made, fs::canonicalize(&root).unwrap().join("sub/new/deep"));
    assert!(made.is_dir());
}
