//! Reads OpenShift's image streams and build configs, and writes them in our own words: YAML or JSON in, TOML and a
//! report out.
//!
//! The way is `read` (text to trees), `object` (which objects are in them), `image_stream` and `build_config` (what they
//! say), `resolve` (what they mean together), `write`. Each field that is read is taken out of its tree (`fields`); what
//! is left in the end is what is not carried over, and the report names it, whether anybody has heard of it or not.
//!
//! It opens no file, asks no cluster and checks no configuration: `basewatch validate` does that with what comes out.

mod build_config;
mod fields;
mod image_stream;
mod object;
mod read;
mod reason;
mod report;
mod resolve;
mod strategy;
#[cfg(test)]
mod tests;
mod trigger;
mod write;

pub use read::LARGEST;
pub use report::{Line, Weight};

use object::{Found, Object};
use report::{Origin, Report};

/// A text to import, and what to call it.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The name of the file.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a str,
}

/// How an import is done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What OpenShift stored comes along: numbers, and the images that triggers last fired for.
    pub status: Status,
}

/// What becomes of the `status` of an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    /// It is left out, and said to be.
    #[default]
    Left,
    /// What OpenShift stored is where basewatch begins.
    Taken,
}

/// What came of an import.
#[derive(Debug)]
pub struct Imported {
    /// The configuration, without what was refused.
    pub toml: String,
    /// What was not carried over, what is to be done by hand, and what was refused, in the order of the input.
    pub lines: Vec<Line>,
}

impl Status {
    /// What is said of a status that is left out.
    const LEFT_OUT: &str = "left out: --with-status takes the stored ids along";
}

impl Imported {
    /// The worst that was met.
    #[must_use]
    pub fn worst(&self) -> Weight {
        self.lines.iter().map(|line| line.weight).max().unwrap_or(Weight::Told)
    }
}

/// Turns OpenShift's image streams and build configs into the long form of the configuration.
#[must_use]
pub fn openshift(inputs: &[Input], options: Options) -> Imported {
    let mut report = Report::default();
    let mut objects = Vec::new();
    for input in inputs {
        for (number, document) in (1..).zip(read::documents(input.text)) {
            let origin = Origin { file: input.name.into(), document: number, item: String::new() };
            match document {
                Ok(tree) => object::find(tree, &origin, &mut objects, &mut report),
                Err(error) => report.unreadable(&origin, &error.to_string()),
            }
        }
    }
    let objects: Vec<Object> =
        objects.into_iter().filter_map(|found: Found| found.read(options.status, &mut report)).collect();
    let objects = object::first_of_each_name(objects, &mut report);
    let resolved = resolve::resolve(&objects, options.status, &mut report);
    Imported { toml: write::toml(&resolved), lines: report.into_lines() }
}
