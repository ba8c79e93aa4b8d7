//! What comes of OpenShift's YAML: the golden files beside this, and the rules one by one.

mod golden;
mod leaves;
mod properties;
mod rules;

use super::{Imported, Input, Options, Status, Weight, openshift};

fn import(text: &str, status: Status) -> Imported {
    openshift(&[Input { name: "app.yaml", text }], Options { status })
}

fn report(imported: &Imported) -> String {
    imported.lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The TOML of something that nothing of is refused.
fn toml(text: &str) -> toml::Table {
    let imported = import(text, Status::Left);
    assert_eq!(imported.worst(), Weight::Told, "{}", report(&imported));
    imported.toml.parse().unwrap()
}
