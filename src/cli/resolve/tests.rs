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

fn looked_into(children: &[(&str, &str)]) -> Observed {
    let digest = |text: &str| Digest::sha256_of(text.as_bytes());
    let media_type = "application/vnd.oci.image.index.v1+json".into();
    let manifest = crate::image::Descriptor { digest: digest("index"), media_type, accept_version: 1 };
    let children =
        children.iter().map(|(platform, text)| (platform.parse().unwrap(), digest(text))).collect();
    Observed { children: Some(children), ..manifest.into() }
}

#[test]
fn the_manifest_for_a_platform_is_chosen_or_the_choice_is_named() {
    let tag: TagRef = "debian:12".parse().unwrap();
    let chosen_of = |children: &[(&str, &str)], wanted: &str| {
        choose(&tag, &looked_into(children), &wanted.parse().unwrap())
    };
    let arms = [("linux/arm/v6", "v6"), ("linux/arm/v7", "v7"), ("linux/arm64/v8", "v8")];
    let chosen = |wanted| match chosen_of(&arms, wanted) {
        Ok(Chosen::Child { platform, .. }) => platform.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        ["linux/arm", "linux/arm/v6", "linux/aarch64"].map(chosen),
        ["linux/arm/v7", "linux/arm/v6", "linux/arm64/v8"]
    );
    let error = chosen_of(&arms, "linux/s390x").unwrap_err().to_string();
    assert!(error.ends_with("it has linux/arm/v6, linux/arm/v7, linux/arm64/v8"), "{error}");

    let windows = [("windows(10.0.1.1)/amd64", "a"), ("windows(10.0.2.1)/amd64", "b")];
    let error = chosen_of(&windows, "windows/amd64").unwrap_err().to_string();
    assert!(error.ends_with("name one of windows(10.0.1.1)/amd64, windows(10.0.2.1)/amd64"), "{error}");
    let both = [("linux/arm64", "a"), ("linux/arm64/v8", "b")];
    let Ok(Chosen::Child { platform, .. }) = chosen_of(&both, "linux/arm64") else { panic!() };
    assert_eq!(platform.to_string(), "linux/arm64", "what is written out goes before what it may stand for");
}
