//! What is refused, and in which words.

use std::fs::{self, File};

use super::CHANGES;
use crate::dockerfile::{Changes, DockerfileError, ImageSource, LARGEST, read, rewrite};

fn error(text: impl AsRef<[u8]>) -> String {
    rewrite(text.as_ref(), &CHANGES).unwrap_err().to_string()
}

fn error_of(changes: &Changes<'_>) -> String {
    rewrite(b"FROM debian AS one\nFROM one AS two\nFROM one\n", changes).unwrap_err().to_string()
}

#[test]
fn a_file_that_builds_nothing_is_refused() {
    for text in ["", "\n\n", "# FROM debian\n", "ARG A=1\nRUN <<EOF\nFROM debian\nEOF\n"] {
        assert_eq!(
            error(text),
            "there is no FROM in it, so that it builds nothing: begin it with FROM IMAGE"
        );
    }
}

#[test]
fn a_from_without_an_image_is_refused() {
    for from in ["FROM", "from  ", "FROM --platform=linux/amd64", "FROM \\", "FROM \\\n# debian"] {
        let text = format!("FROM debian\n\n{from}\n");
        assert_eq!(error(text), "line 3: FROM names no image: write FROM IMAGE");
    }
}

#[test]
fn a_heredoc_that_never_ends_is_refused() {
    let expected = "line 2: the heredoc EOF never ends: write a line with EOF alone where it does";
    for text in [
        "RUN <<EOF\nFROM a\n",
        "RUN \\\n  <<EOF\n EOF\nEOF \n",
        "COPY <<A <<EOF /x\nA\n",
        "RUN <<-EOF\n \tEOF",
    ] {
        assert_eq!(error(format!("FROM debian\n{text}")), expected, "{text}");
    }
}

#[test]
fn binaries_are_refused() {
    assert_eq!(
        error(b"FROM debian\n\x7fELF\x02\x01\x01\0\0\0"),
        "it is not a Dockerfile: line 2 holds a NUL byte; name the right file, or save it as UTF-8"
    );
    let utf16: Vec<u8> = "FROM debian\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(error(utf16).starts_with("it is not a Dockerfile: line 1 holds a NUL byte"));
    assert_eq!(
        error(b"FROM debian\nRUN \\\n\xff\xfe\n"),
        "it is not a Dockerfile: the instruction in line 2 is not UTF-8; save it as UTF-8"
    );
}

#[test]
fn what_is_too_large_is_refused() {
    let mut text = b"FROM debian\n".to_vec();
    text.resize(LARGEST, b'\n');
    rewrite(&text, &CHANGES).unwrap();
    text.push(b'\n');
    let expected = "it is larger than 1048576 bytes, which no Dockerfile is: name the right file";
    assert_eq!(error(text), expected);
    let line = format!("FROM debian\nRUN {}", "x".repeat(65_531));
    rewrite(line.as_bytes(), &CHANGES).unwrap();
    assert_eq!(error(line + "x"), "line 2 is longer than 65535 bytes, and no builder reads it: split it");
    let stages = "FROM debian\n".repeat(1000);
    rewrite(stages.as_bytes(), &CHANGES).unwrap();
    assert_eq!(error(stages + "FROM debian"), "it has more than 1000 stages: split it");
}

#[test]
fn an_escape_directive_that_names_no_escape_is_refused() {
    let expected = "line 2: the escape directive must name \\ or `, and names ^";
    assert_eq!(error("# syntax=x\n# escape=^\nFROM debian\n"), expected);
}

#[test]
fn a_target_that_is_not_there_is_refused() {
    let target = |target| error_of(&Changes { target: Some(target), ..CHANGES });
    assert_eq!(
        target("three"),
        "there is no stage three in it: the target must be one, two, or a number from 0 to 2"
    );
    assert_eq!(target("3"), target("three").replace("three", "3"));
    let lone = rewrite(b"FROM debian\n", &Changes { target: Some("x\u{1b}"), ..CHANGES }).unwrap_err();
    assert_eq!(lone.to_string(), "there is no stage x\\u{1b} in it: the target must be 0");
}

#[test]
fn a_reference_that_would_be_something_else_is_refused() {
    for reference in ["", "a b", "a\nRUN x", "--platform=x", "$BASE", "a\\", "a,target=/", "a\"", "é"] {
        let base = error_of(&Changes { base: Some(reference), ..Changes::default() });
        assert!(base.ends_with(" cannot stand in a Dockerfile: it is no image reference"), "{base}");
        let images = &[ImageSource { alias: "tools", reference }];
        assert_eq!(error_of(&Changes { images, ..Changes::default() }), base);
    }
}

#[test]
fn a_variable_that_cannot_be_written_is_refused_and_its_value_not_shown() {
    for (name, value) in [("", "x"), ("A B", "x"), ("A=B", "x"), ("--A", "x"), ("$A", "x"), ("é", "x")] {
        let env = &[(name.to_owned(), value.to_owned())];
        let error = error_of(&Changes { env, ..CHANGES });
        assert!(error.ends_with("use letters, digits, _, - and . in its name"), "{error}");
    }
    for value in ["hidden\nRUN x", "hidden\0"] {
        let built_env = &[("A".to_owned(), value.to_owned())];
        let error = error_of(&Changes { built_env, ..CHANGES });
        assert!(error.contains("variable A cannot be set") && !error.contains("hidden"), "{error}");
    }
    let env = &[("A".to_owned(), "x".repeat(1 << 16))];
    assert!(error_of(&Changes { env, ..CHANGES }).starts_with("the environment is longer than 65535 bytes"));
}

#[test]
fn gigabytes_are_refused_unread() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("Dockerfile");
    // A terabyte of which nothing is on the disk: were it read, the test would not end.
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(read(&path), Err(DockerfileError::TooLarge)));
}

#[test]
fn what_does_not_tell_its_size_is_read_within_bounds() {
    // A file of the kernel's is regular, says that it is empty, and is not.
    let text = read("/proc/self/status".as_ref()).unwrap();
    assert!(text.starts_with(b"Name:"));
}

#[test]
fn only_regular_files_are_read_and_nothing_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for path in [&path, directory.path(), "/dev/zero".as_ref()] {
        assert_eq!(read(path).unwrap_err().to_string(), "read it: not a regular file");
    }
    let missing = read(&directory.path().join("Dockerfile")).unwrap_err();
    assert!(missing.to_string().starts_with("read it: No such file"), "{missing}");
}

#[test]
fn a_dockerfile_is_read_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("Dockerfile");
    fs::write(&path, b"\xef\xbb\xbfFROM debian\r\n\xff").unwrap();
    assert_eq!(read(&path).unwrap(), b"\xef\xbb\xbfFROM debian\r\n\xff");
}
