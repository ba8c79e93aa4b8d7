//! Goes through the instructions and notes which word gives way to what.

use super::edit::Edits;
use super::environment::Environment;
use super::error::{DockerfileError, shown};
use super::flag::{self, Flag, Letter};
use super::instruction::Instruction;
use super::stage::Stages;
use super::{Changes, Replaced};

/// What was found so far.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    changes: &'a Changes<'a>,
    env: Environment,
    built_env: Environment,
    stages: Stages,
    edits: Edits,
}

impl<'a> Survey<'a> {
    pub(super) fn new(changes: &'a Changes<'a>) -> Result<Self, DockerfileError> {
        let sources = changes.images.iter().map(|image| image.reference);
        sources.chain(changes.base).try_for_each(check_reference)?;
        Ok(Self {
            changes,
            env: Environment::new(changes.env)?,
            built_env: Environment::new(changes.built_env)?,
            stages: Stages::default(),
            edits: Edits::default(),
        })
    }

    /// Takes an instruction in.
    pub(super) fn look_at(&mut self, instruction: &Instruction) -> Result<(), DockerfileError> {
        let (keyword, arguments) = instruction.keyword();
        let is = |name| keyword.eq_ignore_ascii_case(name);
        if is("from") {
            return self.stages.add(instruction, arguments);
        }
        self.stages.extend(&instruction.end);
        if is("copy") {
            let (flags, _) = flag::flags(&instruction.text, arguments);
            flags
                .iter()
                .filter_map(|flag| flag.value("from"))
                .for_each(|from| self.source(instruction, from));
        } else if is("run") {
            let (flags, _) = flag::flags(&instruction.text, arguments);
            let mounts = flags.iter().filter_map(|flag: &Flag| flag.value("mount"));
            mounts
                .flat_map(|mount| flag::fields(mount, "from"))
                .for_each(|from| self.source(instruction, from));
        }
        Ok(())
    }

    /// What is to be done to the text.
    pub(super) fn finish(mut self) -> Result<Edits, DockerfileError> {
        let built = self.stages.built(self.changes.target)?;
        let ground = self.stages.ground(built);
        for (number, stage) in self.stages.iter() {
            let base = self.changes.base.filter(|_| number == ground);
            let source = || self.alias(&stage.image.word).filter(|_| stage.stands_on.is_none());
            if let Some(new) = base.or_else(source) {
                let image = &stage.image;
                let replaced = Replaced { line: image.line, old: image.word.clone(), new: new.to_owned() };
                self.edits.replace(image.span.clone(), replaced);
            }
            self.env.put(&stage.begin, &mut self.edits);
            if number == built {
                self.built_env.put(&stage.end, &mut self.edits);
            }
        }
        Ok(self.edits)
    }

    /// Replaces what `COPY --from` or a mount names, if it is an image source and no stage.
    fn source(&mut self, instruction: &Instruction, from: &[Letter]) {
        let old = flag::word(from);
        let Some(new) = self.alias(&old).filter(|_| self.stages.named(&old).is_none()) else {
            return;
        };
        let mut parts = flag::parts(from);
        if let Some(first) = parts.next() {
            let replaced = Replaced { line: instruction.line_of(first.start), old, new: new.to_owned() };
            self.edits.replace(instruction.span(&first), replaced);
        }
        parts.for_each(|part| self.edits.remove(instruction.span(&part)));
    }

    /// The reference that an alias stands for.
    fn alias(&self, word: &str) -> Option<&'a str> {
        self.changes.images.iter().find(|image| image.alias == word).map(|image| image.reference)
    }
}

/// Whatever is written into the file must be one word that means itself, in quotes or not.
fn check_reference(reference: &str) -> Result<(), DockerfileError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/@+[]".contains(&byte);
    match !reference.is_empty() && !reference.starts_with('-') && reference.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(DockerfileError::Reference(shown(reference))),
    }
}
