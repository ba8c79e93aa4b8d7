use super::super::Cli;
use super::*;
use crate::registry::Credentials;

const CONFIG: &str = r#"
[[registry]]
host = "other.example"
username = "ci"
password_file = "/nowhere/secret"
ca_file = "/nowhere/ca.pem"

[[registry]]
host = "unit.example"
username = "ci"
password_file = "credential:token"
timeout = "1s"
"#;

fn configured(host: &str) -> Option<Settings> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("basewatch.toml");
    std::fs::write(&file, CONFIG).unwrap();
    let arguments = ["basewatch", "resolve", "debian:12", "--config", file.to_str().unwrap()];
    let cli = <Cli as clap::Parser>::try_parse_from(arguments).unwrap();
    settings(&cli.global, host).unwrap()
}

#[test]
fn the_files_of_other_registries_may_be_out_of_reach() {
    assert_eq!(configured("unit.example").unwrap().timeout, Duration::from_secs(1));
    assert_eq!(configured("docker.io"), None);
}

#[test]
fn a_systemd_credential_is_found_in_its_directory_and_named_where_there_is_none() {
    let file = |settings: Settings| settings.credentials.unwrap().password_file;
    let credentials = Credentials { username: "ci".to_owned(), password_file: "credential:token".into() };
    let settings = Settings { credentials: Some(credentials), ..Settings::new("unit.example") };
    let found = with_credential(settings.clone(), Some("/run/credentials/x".into()));
    assert_eq!(file(found), PathBuf::from("/run/credentials/x/token"));
    assert_eq!(file(with_credential(settings, None)), PathBuf::from("$CREDENTIALS_DIRECTORY/token"));
    let read = file(configured("unit.example").unwrap());
    assert!(read.ends_with("token"), "the configuration's way to write it is known: {}", read.display());
}
