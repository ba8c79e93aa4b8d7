use super::super::builder::Image;
use super::super::containerfile::{Assembly, OwnScripts, ignore};
use super::super::error::StrategyError;
use super::super::s2i::{environment_file, merged, parse_environment};

fn of_buildah(config: &str) -> Image {
    Image::parse(format!(r#"{{"Type":"buildah","OCIv1":{{"config":{config}}}}}"#).as_bytes()).unwrap()
}

fn assembly(image: &Image) -> Assembly<'_> {
    Assembly { builder: "r.test/b@sha256:a", image, own: OwnScripts::default(), previous: None }
}

#[test]
fn it_does_what_s2i_does() {
    let image = of_buildah(
        r#"{"User":"1001","Labels":{"io.openshift.s2i.scripts-url":"image:///usr/libexec/s2i","io.s2i.scripts-url":"image:///old"}}"#,
    );
    assert_eq!(
        assembly(&image).text().unwrap(),
        "FROM r.test/b@sha256:a\nCOPY --chown=1001:0 . /tmp/src\nRUN [\"/usr/libexec/s2i/assemble\"]\nCMD [\"/usr/libexec/s2i/run\"]\n"
    );
    let own = OwnScripts { assemble: true, ..OwnScripts::default() };
    let text = Assembly { own, previous: Some("r.test/app:1"), ..assembly(&image) }.text().unwrap();
    assert_eq!(
        text,
        "FROM r.test/app:1 AS cached\n\
         RUN if [ -s /usr/libexec/s2i/save-artifacts ]; then /usr/libexec/s2i/save-artifacts > /tmp/artifacts.tar; else touch /tmp/artifacts.tar; fi\n\
         FROM r.test/b@sha256:a\n\
         COPY --chown=1001:0 . /tmp/src\n\
         COPY --chmod=0755 --chown=1001:0 .s2i/bin/assemble /tmp/scripts/assemble\n\
         COPY --from=cached --chown=1001:0 /tmp/artifacts.tar /tmp/artifacts.tar\n\
         RUN if [ -s /tmp/artifacts.tar ]; then mkdir -p /tmp/artifacts && tar -xf /tmp/artifacts.tar -C /tmp/artifacts; fi && rm -f /tmp/artifacts.tar\n\
         RUN [\"/tmp/scripts/assemble\"]\n\
         CMD [\"/usr/libexec/s2i/run\"]\n"
    );
}

#[test]
fn older_labels_and_other_users_and_places_hold() {
    let told = br#"[{"Config":{"User":"","Labels":{"io.s2i.scripts-url":"image:///s/","io.openshift.s2i.destination":"/opt/d/","io.openshift.s2i.assemble-user":"7:8"}}}]"#;
    let image = Image::parse(told).unwrap();
    assert_eq!(
        assembly(&image).text().unwrap(),
        "FROM r.test/b@sha256:a\nCOPY --chown=7:8 . /opt/d/src\nUSER 7:8\nRUN [\"/s/assemble\"]\nUSER 0\nCMD [\"/s/run\"]\n"
    );
}

#[test]
fn a_builder_without_usable_scripts_is_refused() {
    let none = of_buildah("{}");
    let error = assembly(&none).text().unwrap_err();
    assert!(matches!(error, StrategyError::NoScripts(_, "assemble")), "{error}");
    for url in ["https://scripts.test/x", "image:///x\\nRUN evil", "image://relative"] {
        let image = of_buildah(&format!(r#"{{"Labels":{{"io.openshift.s2i.scripts-url":"{url}"}}}}"#));
        let error = assembly(&image).text().unwrap_err();
        assert!(matches!(error, StrategyError::BadScripts { .. }), "{error}");
    }
    let own = OwnScripts { assemble: true, run: true, save_artifacts: false };
    assert!(Assembly { own, ..assembly(&none) }.text().is_ok());
}

#[test]
fn what_s2i_leaves_out_is_left_out_but_for_the_scripts() {
    assert_eq!(ignore("", OwnScripts::default()), ".git\n\n");
    let own = OwnScripts { run: true, ..OwnScripts::default() };
    assert_eq!(ignore(".s2i\n*.log\n", own), ".git\n.s2i\n*.log\n!.s2i/bin\n");
}

#[test]
fn the_environment_of_the_source_code_is_read_and_the_strategys_own_wins() {
    let read = parse_environment("# a\n\nA=1\nB = x=y \n", "f").unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(read, [pair("A", "1"), pair("B", "x=y")]);
    let error = parse_environment("A=1\nnonsense\n", "f").unwrap_err();
    assert_eq!(error.to_string(), "f, line 2: it is not NAME=VALUE");
    let all = merged(read.into_iter().chain([pair("A", "2")]));
    assert_eq!(all, [pair("B", "x=y"), pair("A", "2")]);
    assert_eq!(environment_file(&all).unwrap(), "B=x=y\nA=2\n");
    let error = environment_file(&[pair("KEY", "two\nlines")]).unwrap_err();
    assert!(!error.to_string().contains("lines\n") && error.to_string().contains("KEY"), "{error}");
}
