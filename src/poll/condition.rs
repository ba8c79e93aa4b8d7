//! Trouble that lasts, of a tag or of a host: since when, how often, of which kind. Pure: time comes in.
//!
//! Trouble fires nothing and clears nothing (D17). It is told when it starts, when its kind changes and when it ends,
//! never each time; and trouble of a host is told of the host alone, not of each of its tags.

use std::time::Duration;

use jiff::Timestamp;

use super::backoff::Blame;

/// Why a poll brought no digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// A stable word for what went wrong, such as [`Trouble::MISSING`].
    pub kind: &'static str,
    /// The whole of it, for a person.
    pub message: String,
    /// Whose it may be.
    pub scope: Scope,
    /// How long the registry wants to be left alone, if it said so.
    pub retry_after: Option<Duration>,
}

/// Whose trouble it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The tag's: the host is well, and says no.
    Tag,
    /// A 5xx: the tag's while its repository is alone with it, else the host's.
    Server,
    /// There was a connection, and no whole answer: the host's, unless it turns out to be this tag's every time.
    Exchange,
    /// It cannot be reached, or wants to be left alone: the host's too, unless it turns out to be this tag's every time.
    Host,
    /// The login's, which many tags may need.
    Login,
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
    /// The kind of trouble that was told last, if any was.
    told: Option<&'static str>,
    standing: Standing,
    /// Whether it failed for the login, and was not answered since.
    lacks_login: bool,
    /// Until when, in steady time, the registry wants this tag alone to be left alone. Boxed as well.
    wish: Option<Box<Duration>>,
}

/// What a tag's failures say about its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Standing {
    /// All that is known.
    #[default]
    Trusted,
    /// The host is closed, among others for a failure of this tag.
    Accuser,
    /// It was, and turned out to be well before this tag succeeded.
    Doubted,
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
    /// The kind of trouble in which the registry says that it is asked too often.
    pub const LIMIT: &'static str = "too_many_requests";
    /// The kind of trouble of who asks for a look at a tag that no plan has.
    pub const NOT_POLLED: &'static str = "not_polled";
    /// The kind of trouble of who asks for a look where each tag is polled exactly once.
    pub const POLLED_ONCE: &'static str = "polled_once";
}

impl Condition {
    /// One more failure at `now`; answers whether it is of another kind than the one before.
    pub(super) fn enter(slot: &mut Option<Box<Self>>, trouble: Trouble, now: Timestamp) -> (&Self, bool) {
        let changed = slot.as_ref().is_none_or(|condition| condition.trouble.kind != trouble.kind);
        let condition = match slot {
            Some(condition) => {
                condition.trouble = trouble;
                condition.count = condition.count.saturating_add(1);
                condition
            }
            none => none.insert(Box::new(Self { trouble, since: now, count: 1 })),
        };
        (condition, changed)
    }
}

impl Health {
    /// A poll that ended at `now` brought a digest. Answers whether that is news.
    pub(super) fn succeed(&mut self, now: Timestamp) -> Option<News<'_>> {
        self.last_success = Some(now);
        self.standing = Standing::Trusted;
        let condition = self.condition.take()?;
        self.told.take().map(|_| News::Recovered(condition))
    }

    /// A poll that ended at `now` failed. Answers whether that is news of the tag.
    pub(super) fn fail(&mut self, trouble: Trouble, blame: Blame, now: Timestamp) -> Option<News<'_>> {
        let kind = trouble.kind;
        let (condition, _) = Condition::enter(&mut self.condition, trouble, now);
        match blame {
            Blame::Tag if self.told == Some(kind) => None,
            Blame::Tag => {
                self.told = Some(kind);
                Some(News::Trouble(condition))
            }
            Blame::Host => {
                self.standing = Standing::Accuser;
                None
            }
            Blame::Login => {
                self.lacks_login = true;
                None
            }
        }
    }

    /// The registry answered what was asked about this tag. Answers whether the last answer of the kind was about the login:
    /// trouble of the host that came between says nothing about that.
    pub(super) fn answered(&mut self) -> bool {
        std::mem::take(&mut self.lacks_login)
    }

    /// Whether it failed for the login, and was not answered since.
    pub(super) fn lacks_login(&self) -> bool {
        self.lacks_login
    }

    /// A look at it failed for the login.
    pub(super) fn lack_login(&mut self) {
        self.lacks_login = true;
    }

    /// The host was closed for a look at it.
    pub(super) fn accuse(&mut self) {
        self.standing = Standing::Accuser;
    }

    /// The host is well after all.
    pub(super) fn host_recovered(&mut self) {
        if self.standing == Standing::Accuser {
            self.standing = Standing::Doubted;
        }
    }

    /// Whether the host proved well after this tag had failed, and before it succeeded.
    pub(super) fn is_doubted(&self) -> bool {
        self.standing == Standing::Doubted
    }

    /// What the registry wishes of this tag alone: that it is asked for no more before `until`, in steady time.
    pub(super) fn leave_alone(&mut self, until: Option<Duration>) {
        self.wish = until.map(Box::new);
    }

    /// How long that still holds at `now`; zero if it does not.
    pub(super) fn left_alone_for(&self, now: Duration) -> Duration {
        self.wish.as_deref().map_or(Duration::ZERO, |until| until.saturating_sub(now))
    }
}
