//! The Source strategy, where s2i is not installed.

use super::{app, layers};
use crate::support::workshop::Workshop;

/// A builder that keeps what it made before, as s2i's own examples do.
const BUILDER: &str = "LABEL io.openshift.s2i.scripts-url=image:///usr/libexec/s2i\n\
    COPY assemble run save-artifacts /usr/libexec/s2i/\n\
    RUN chmod +x /usr/libexec/s2i/*; mkdir -p /opt/app /tmp; chmod 777 /opt/app /tmp; echo WORD > /word\n\
    USER 1001\n";

const ASSEMBLE: &str = "#!/bin/sh\nset -e\n\
    echo \"$GREETING $FROM_FILE $(cat /word) $(cat /tmp/src/message) $(id -u)\" > /opt/app/made\n\
    if [ -e /tmp/artifacts/saved ]; then cat /tmp/artifacts/saved > /opt/app/history; fi\n\
    cat /word >> /opt/app/history\n";
const RUN: &str = "#!/bin/sh\ncat /opt/app/made\n";
const SAVE: &str = "#!/bin/sh\ncd /opt/app && cp history saved && tar cf - saved\n";

fn builder(workshop: &Workshop, word: &str) -> basewatch::image::Digest {
    let files = [("assemble", ASSEMBLE), ("run", RUN), ("save-artifacts", SAVE)];
    workshop.make("default/base:1", &BUILDER.replace("WORD", word), &files)
}

#[test]
fn source_code_is_assembled_in_each_new_builder() {
    let workshop = Workshop::new();
    let first = builder(&workshop, "one");
    let repository = workshop.repository("app");
    let environment = "# of the source code\nFROM_FILE=file\nGREETING=lost\n";
    let commit = repository.commit(&[("message", "hello"), (".s2i/environment", environment)]);
    let rest = format!(
        "source = {{ git = {{ uri = \"{}\", ref = \"main\" }} }}\noutput = {{ to = \"HOST/team/app:latest\" }}",
        repository.uri()
    );
    let strategy = "incremental = true\nenv = [{ name = \"GREETING\", value = \"good 'day'\" }]";
    workshop.configure(&app("Source", strategy, &rest));
    let daemon = workshop.start();
    let shown = workshop.complete(&daemon, "app-1");
    let made =
        |shown: &serde_json::Value| format!("team/app@{}", shown["images"][0]["digest"].as_str().unwrap());
    let image = made(&shown);
    assert_eq!(workshop.file(&image, "/opt/app/made"), "good 'day' file one hello 1001\n");
    let config = workshop.config(&image);
    assert_eq!(config["config"]["Cmd"], serde_json::json!(["/usr/libexec/s2i/run"]));
    assert_eq!(config["config"]["User"], "1001");
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.base.digest"], first.to_string());
    assert_eq!(shown["commit"], *commit);

    let second = builder(&workshop, "two");
    let shown = workshop.complete(&daemon, "app-2");
    let image = made(&shown);
    assert_eq!(shown["spec"]["base_image"]["digest"], second.to_string());
    assert_eq!(workshop.file(&image, "/opt/app/made"), "good 'day' file two hello 1001\n");
    assert_eq!(workshop.file(&image, "/opt/app/history"), "one\ntwo\n", "incremental");
    let under = layers(&workshop, &format!("default/base@{second}"));
    assert_eq!(layers(&workshop, &image)[..under.len()], under);
    let labels = &workshop.config(&image)["config"]["Labels"];
    assert_eq!(labels["org.opencontainers.image.base.digest"], second.to_string());
    daemon.stop();
}

#[test]
fn scripts_of_the_source_code_win_and_an_image_without_any_is_told() {
    let workshop = Workshop::new();
    workshop.make("default/base:1", "", &[]);
    let repository = workshop.repository("app");
    repository.commit(&[("message", "hello")]);
    let rest = format!(
        "source = {{ git = {{ uri = \"{}\", ref = \"main\" }} }}\noutput = {{ to = \"HOST/team/app:latest\" }}",
        repository.uri()
    );
    workshop.configure(&app("Source", "", &rest));
    let daemon = workshop.start();
    assert_eq!(workshop.ended(&daemon, "app-1")["phase"], "Failed");
    let log = workshop.log("app-1");
    assert!(
        log.contains("it needs the label io.openshift.s2i.scripts-url, or the source code .s2i/bin/assemble"),
        "{log}"
    );

    // Not executable, as a checkout on another system may leave them.
    let assemble = "#!/bin/sh\ncat /tmp/src/message > /own\n";
    repository.commit(&[(".s2i/bin/assemble", assemble), (".s2i/bin/run", "#!/bin/sh\ncat /own\n")]);
    workshop.home.ask(&["start", "app"]);
    let shown = workshop.complete(&daemon, "app-2");
    let image = format!("team/app@{}", shown["images"][0]["digest"].as_str().unwrap());
    assert_eq!(workshop.file(&image, "/own"), "hello");
    assert_eq!(workshop.config(&image)["config"]["Cmd"], serde_json::json!(["/tmp/scripts/run"]));
    daemon.stop();
}
