//! Environment variables as an ENV instruction.
//!
//! Values stand in single quotes: in these no builder expands a `$` or heeds an escape character, whichever it is. A
//! single quote stands in double ones.

use super::edit::Edits;
use super::error::{DockerfileError, shown};
use super::instruction::End;
use super::line::LONGEST_LINE;

/// One ENV instruction, or none if there is nothing to set.
#[derive(Debug)]
pub(super) struct Environment {
    instruction: String,
}

impl Environment {
    /// Writes variables as one instruction.
    ///
    /// # Errors
    /// When one of them cannot be written. A value cannot have lines: no builder reads a newline in ENV.
    pub(super) fn new(variables: &[(String, String)]) -> Result<Self, DockerfileError> {
        let mut instruction = String::new();
        for (name, value) in variables {
            check(name, value)?;
            let start = if instruction.is_empty() { "ENV" } else { "" };
            let value = value.replace('\'', r#"'"'"'"#);
            instruction.push_str(&format!("{start} {name}='{value}'"));
        }
        match instruction.len() <= LONGEST_LINE {
            true => Ok(Self { instruction }),
            false => Err(DockerfileError::LongEnvironment),
        }
    }

    /// Puts the instruction behind another one.
    pub(super) fn put(&self, end: &End, edits: &mut Edits) {
        if !self.instruction.is_empty() {
            edits.put_line(end, &self.instruction);
        }
    }
}

fn check(name: &str, value: &str) -> Result<(), DockerfileError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if name.is_empty() || name.starts_with('-') || !name.bytes().all(is_plain) {
        return Err(DockerfileError::VariableName(shown(name)));
    }
    match value.contains(['\n', '\0']) {
        true => Err(DockerfileError::VariableValue(shown(name))),
        false => Ok(()),
    }
}
