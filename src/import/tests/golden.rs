//! Whole files: what is in, what is out, what is said.

use super::{Status, Weight, import, report, toml};

const DOCUMENT: &str = include_str!("document.yaml");
const EVERY_FIELD: &str = include_str!("every_field.yaml");
const STREAMS: &str = include_str!("streams.yaml");

#[test]
fn s05_the_documents_image_stream_is_imported_as_it_stands() {
    let stream = toml(include_str!("image_stream.yaml"));
    let expected: toml::Table = "[[image_stream]]\nname = \"ruby-20-centos7\"".parse().unwrap();
    assert_eq!(stream, expected);
}

#[test]
fn the_documents_blocks_become_the_long_form() {
    let imported = import(DOCUMENT, Status::Left);
    assert_eq!(imported.toml, include_str!("document.toml"));
    assert_eq!(report(&imported), include_str!("document.report"));
}

#[test]
fn s20_a_paused_trigger_keeps_its_shape_in_snake_case() {
    let config = toml(include_str!("paused.yaml"));
    let expected = "type = \"ImageChange\"
         [image_change]
         paused = true
         from = { kind = \"ImageStreamTag\", name = \"custom-image:latest\" }";
    let expected: toml::Table = expected.parse().unwrap();
    assert_eq!(config["build_config"][0]["trigger"][0].as_table(), Some(&expected));
}

#[test]
fn each_field_that_is_dropped_is_named() {
    let imported = import(EVERY_FIELD, Status::Left);
    assert_eq!(imported.toml, include_str!("every_field.toml"));
    assert_eq!(report(&imported), include_str!("every_field.report"));
    assert_eq!(imported.worst(), Weight::Told, "it is done all the same");
}

#[test]
fn the_stored_ids_come_along_if_wanted() {
    let imported = import(EVERY_FIELD, Status::Taken);
    assert_eq!(imported.toml, include_str!("every_field_with_status.toml"));
    let said = report(&imported);
    assert!(!said.contains("--with-status"), "{said}");
}

#[test]
fn tags_from_elsewhere_are_followed_where_they_come_from() {
    let imported = import(STREAMS, Status::Left);
    assert_eq!(imported.toml, include_str!("streams.toml"));
    assert_eq!(report(&imported), include_str!("streams.report"));
}

#[test]
fn tags_from_another_stream_are_held_where_they_are_if_the_status_comes_along() {
    let imported = import(STREAMS, Status::Taken);
    assert_eq!(imported.toml, include_str!("streams_with_status.toml"));
    let said = report(&imported);
    assert!(said.contains("ImageStream shop/copied: spec.tags[0].from: held at the image it has"), "{said}");
}

#[test]
fn a_template_shows_its_parameters_and_says_where_they_stand() {
    let imported = import(include_str!("template.yaml"), Status::Left);
    assert_eq!(imported.toml, include_str!("template.toml"));
    assert_eq!(report(&imported), include_str!("template.report"));
    assert_eq!(imported.worst(), Weight::Refused);
}

#[test]
fn no_secret_is_shown() {
    for status in [Status::Left, Status::Taken] {
        let imported = import(EVERY_FIELD, status);
        let all = imported.toml.clone() + &report(&imported);
        assert!(!all.contains("do-not-print"), "{all}");
        assert!(!all.contains("WebHookSecretKey=") && all.contains("placeholder"), "{all}");
    }
}
