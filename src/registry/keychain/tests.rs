use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use super::*;

fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn login(file: &NamedTempFile) -> Login {
    Login::new(Credentials { username: "ci".to_owned(), password_file: file.path().to_owned() })
}

fn password(content: &[u8]) -> Result<String, PasswordError> {
    read_password(content).map(|password| password.expose_secret().to_owned())
}

#[test]
fn one_trailing_newline_is_no_part_of_the_password() {
    for (content, expected) in
        [("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("s3cret\n\n", "s3cret\n")]
    {
        assert_eq!(password(content.as_bytes()).unwrap(), expected, "{content:?}");
    }
}

#[test]
fn a_file_that_holds_no_password_is_refused() {
    assert!(matches!(password(b""), Err(PasswordError::Empty)));
    assert!(matches!(password(b"\n"), Err(PasswordError::Empty)));
    assert!(matches!(password(&[0xff, 0xfe]), Err(PasswordError::NotText)));
    assert!(matches!(password(&vec![b'x'; 70_000]), Err(PasswordError::TooLong(_))));
}

#[tokio::test]
async fn a_pipe_or_a_missing_file_is_an_error_and_no_wait() {
    let directory = tempfile::tempdir().unwrap();
    let at = |path: &Path| Login::new(Credentials { username: "ci".into(), password_file: path.to_owned() });
    let pipe = directory.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for path in [directory.path().to_owned(), directory.path().join("none"), pipe] {
        let error = at(&path).pass().await.unwrap_err();
        assert_eq!(error.kind(), "password_unreadable");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[tokio::test]
async fn the_password_is_in_the_header_and_in_no_debug_text() {
    let file = file(b"open sesame\n");
    let login = login(&file);
    let pass = login.pass().await.unwrap();
    assert_eq!(pass.header(), "Basic Y2k6b3BlbiBzZXNhbWU=");
    let debug = format!("{pass:?} {login:?}");
    assert!(!debug.contains("sesame") && !debug.contains("Y2k6b3B"), "{debug}");
}

#[tokio::test]
async fn a_rejected_login_is_parked_until_its_file_changes() {
    let mut file = file(b"wrong");
    let login = login(&file);
    let trouble = login.pass().await.unwrap().rejected();
    assert_eq!(trouble.kind(), "credentials_rejected");
    assert!(!trouble.to_string().contains("wrong"), "{trouble}");
    for _ in 0..3 {
        assert_eq!(login.pass().await.unwrap_err().kind(), "credentials_rejected");
    }

    file.write_all(b" no more").unwrap();
    assert_eq!(login.pass().await.unwrap().header(), "Basic Y2k6d3Jvbmcgbm8gbW9yZQ==");
}

#[tokio::test]
async fn a_rejection_of_the_old_password_does_not_park_the_new_one() {
    let mut file = file(b"old");
    let login = login(&file);
    login.pass().await.unwrap().accepted();
    let old = login.pass().await.unwrap();
    file.write_all(b" and new").unwrap();
    let new = login.pass().await.unwrap();
    old.rejected();
    new.accepted();
    assert!(login.pass().await.is_ok());
}

#[tokio::test]
async fn while_an_untried_password_is_out_others_wait_for_what_becomes_of_it() {
    let file = file(b"s3cret");
    let login = login(&file);
    let first = login.pass().await.unwrap();
    let mut second = Box::pin(login.pass());
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    first.rejected();
    assert_eq!(second.await.unwrap_err().kind(), "credentials_rejected");
}

#[tokio::test]
async fn an_accepted_password_serves_many_at_once() {
    let file = file(b"s3cret");
    let login = login(&file);
    login.pass().await.unwrap().accepted();
    let (one, two) = (login.pass().await.unwrap(), login.pass().await.unwrap());
    assert_eq!(one.header(), two.header());
}
