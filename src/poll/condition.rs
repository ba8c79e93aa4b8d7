//! Trouble of a tag: since when, how often, of which kind. Pure: time comes in.
//!
//! Trouble fires nothing and clears nothing (D17). It is told when it starts, when its kind changes and when it ends,
//! never each time.

use jiff::Timestamp;

/// Why a poll brought no digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// A stable word for what went wrong, such as [`Trouble::MISSING`].
    pub kind: &'static str,
    /// The whole of it, for a person.
    pub message: String,
}

/// Trouble that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What the last poll ran into.
    pub trouble: Trouble,
    /// When the first poll failed, of whatever kind that was.
    pub since: Timestamp,
    /// How many polls failed since.
    pub count: u32,
}

/// What is remembered of a tag between two polls.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// When a poll last brought a digest.
    pub(super) last_success: Option<Timestamp>,
    /// Boxed, because few tags have one.
    pub(super) condition: Option<Box<Condition>>,
}

/// What is worth a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News<'a> {
    /// A poll failed, and the one before did not, or in another way.
    Trouble(&'a Condition),
    /// A poll succeeded after these failures.
    Recovered(Box<Condition>),
}

impl Trouble {
    /// The kind of trouble in which the registry says that there is no such tag.
    pub const MISSING: &'static str = "missing";
}

impl Health {
    /// Takes in the result of a poll that ended at `now`, and says whether it is news.
    pub(super) fn note(&mut self, result: Result<(), Trouble>, now: Timestamp) -> Option<News<'_>> {
        match result {
            Ok(()) => {
                self.last_success = Some(now);
                self.condition.take().map(News::Recovered)
            }
            Err(trouble) => self.fail(trouble, now),
        }
    }

    fn fail(&mut self, trouble: Trouble, now: Timestamp) -> Option<News<'_>> {
        let known = self.condition.as_ref().is_some_and(|condition| condition.trouble.kind == trouble.kind);
        let condition = match &mut self.condition {
            Some(condition) => {
                condition.trouble = trouble;
                condition.count = condition.count.saturating_add(1);
                condition
            }
            none => none.insert(Box::new(Condition { trouble, since: now, count: 1 })),
        };
        (!known).then_some(News::Trouble(condition))
    }
}
