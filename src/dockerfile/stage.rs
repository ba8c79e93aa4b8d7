//! The stages of a Dockerfile, what each stands on, and which of them is built.

use std::collections::HashMap;
use std::ops::Range;

use super::MOST_STAGES;
use super::error::{DockerfileError, shown};
use super::flag;
use super::instruction::{End, Instruction, words};

/// One FROM, and the instructions up to the next.
#[derive(Debug)]
pub(super) struct Stage {
    /// The image as the FROM has it.
    pub(super) image: Image,
    /// The earlier stage that the image is the name of.
    pub(super) stands_on: Option<usize>,
    /// Where the FROM ends.
    pub(super) begin: End,
    /// Where its last instruction ends.
    pub(super) end: End,
    name: Option<String>,
}

/// A word that means an image, and where it is in the file.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) word: String,
    pub(super) line: usize,
    pub(super) span: Range<usize>,
}

/// All stages that there are so far.
#[derive(Debug, Default)]
pub(super) struct Stages {
    all: Vec<Stage>,
    /// By their names in lower case. Of two of one name the later one is meant.
    names: HashMap<String, usize>,
}

impl Stages {
    /// Adds the stage that a FROM begins. `arguments` is where they are in it.
    pub(super) fn add(&mut self, from: &Instruction, arguments: usize) -> Result<(), DockerfileError> {
        if self.all.len() == MOST_STAGES {
            return Err(DockerfileError::TooManyStages);
        }
        let stage = self.stage(from, arguments)?;
        if let Some(name) = &stage.name {
            self.names.insert(name.to_lowercase(), self.all.len());
        }
        self.all.push(stage);
        Ok(())
    }

    fn stage(&self, from: &Instruction, arguments: usize) -> Result<Stage, DockerfileError> {
        let mut words = words(&from.text, flag::flags(&from.text, arguments).1);
        let mut next = || words.next().and_then(|word| Some((word.clone(), from.text.get(word)?)));
        let Some((place, image)) = next() else {
            return Err(DockerfileError::NoImage { line: from.line });
        };
        let is_named = next().is_some_and(|(_, word)| word.eq_ignore_ascii_case("as"));
        let name = next().filter(|_| is_named).map(|(_, name)| name.to_owned());
        let (line, span) = (from.line_of(place.start), from.span(&place));
        let image = Image { word: image.to_owned(), line, span };
        let stands_on = self.named(image.word.trim_matches(['\'', '"']));
        Ok(Stage { image, stands_on, begin: from.end.clone(), end: from.end.clone(), name })
    }

    /// Notes where the last instruction so far ends.
    pub(super) fn extend(&mut self, end: &End) {
        if let Some(stage) = self.all.last_mut() {
            stage.end.clone_from(end);
        }
    }

    /// The stage of that name or number.
    pub(super) fn named(&self, word: &str) -> Option<usize> {
        let numbered = || word.parse::<usize>().ok().filter(|number| *number < self.all.len());
        self.names.get(&word.to_lowercase()).copied().or_else(numbered)
    }

    pub(super) fn get(&self, number: usize) -> Option<&Stage> {
        self.all.get(number)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Stage)> {
        self.all.iter().enumerate()
    }

    /// The stage that is built.
    pub(super) fn built(&self, target: Option<&str>) -> Result<usize, DockerfileError> {
        let last = self.all.len().checked_sub(1).ok_or(DockerfileError::NoFrom)?;
        let Some(target) = target else {
            return Ok(last);
        };
        let unknown = || DockerfileError::Target { target: shown(target), stages: self.in_words() };
        self.named(target).ok_or_else(unknown)
    }

    /// The stage whose image a stage stands on in the end.
    pub(super) fn ground(&self, mut stage: usize) -> usize {
        // A stage stands on an earlier one, so that this ends.
        while let Some(below) = self.get(stage).and_then(|stage| stage.stands_on) {
            stage = below;
        }
        stage
    }

    /// Which stages there are, for a message.
    fn in_words(&self) -> String {
        const MOST: usize = 10;
        let names: Vec<String> =
            self.all.iter().filter_map(|stage| stage.name.as_deref()).take(MOST).map(shown).collect();
        let numbers = match self.all.len() {
            1 => "0".to_owned(),
            stages => format!("a number from 0 to {}", stages - 1),
        };
        if names.is_empty() { numbers } else { format!("{}, or {numbers}", names.join(", ")) }
    }
}
