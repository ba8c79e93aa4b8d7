//! Which change of a multi-platform image counts (D13).

use super::{Children, Digest, Identity, Platform};

/// Which change of an index counts for a trigger. A single manifest is its own digest, whatever is written here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Platforms {
    /// That of any real platform: attestations and annotations may move.
    #[default]
    All,
    /// Any: the digest of the index itself.
    Index,
    /// That of one of these.
    These(Vec<Platform>),
    /// That of the one image in the index that is for this host, which builds are then given (`Legacy`, F10).
    Legacy(Box<Legacy>),
}

/// Which image of an index stands for the whole: the first of these that is there (F10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Legacy {
    /// `prefer_os`.
    pub os: Option<Box<str>>,
    /// `prefer_arch`.
    pub architecture: Option<Box<str>>,
    /// The platform that basewatch itself runs on.
    pub host: Platform,
}

impl Platforms {
    /// Whether `new` is news to a trigger that has `stored`.
    #[must_use]
    pub fn is_news(&self, new: &Identity, stored: &Identity) -> bool {
        match self {
            Self::All => new.differs_from(stored),
            Self::Index => new.moved_from(stored),
            Self::These(wanted) => match (new.children(), stored.children()) {
                (Some(new), Some(old)) => wanted.iter().any(|platform| changed(platform, new, old)),
                (Some(_) | None, Some(_) | None) => new.moved_from(stored),
            },
            Self::Legacy(legacy) => {
                new.moved_from(stored)
                    && match (new.children(), stored) {
                        // An import has the one image itself, which OpenShift may have chosen among several that fit.
                        (Some(new), Identity::Digest(stored)) => !legacy.choices(new).contains(&stored),
                        (Some(_) | None, Identity::Index { .. } | Identity::Digest(_) | Identity::V1Tag) => {
                            self.digest(new) != self.digest(stored)
                        }
                    }
            }
        }
    }

    /// Whether enough is known of `image` to tell whether it has what is wanted. A list is about what is in an index.
    #[must_use]
    pub fn is_answered_by(&self, image: &Identity) -> bool {
        match (self, image) {
            (Self::These(_) | Self::Legacy(_), Identity::Index { children, .. }) => children.is_some(),
            (Self::These(_) | Self::Legacy(_), Identity::Digest(_) | Identity::V1Tag)
            | (Self::All | Self::Index, _) => true,
        }
    }

    /// The digest that builds are given of `image`: the tag's own, but for the one image that stands for an index under
    /// [`Platforms::Legacy`]. None on a v1 registry.
    #[must_use]
    pub fn digest<'a>(&self, image: &'a Identity) -> Option<&'a Digest> {
        let one = match (self, image.children()) {
            (Self::Legacy(legacy), Some(children)) => legacy.choose(children),
            (Self::Legacy(_), None) | (Self::All | Self::Index | Self::These(_), _) => None,
        };
        one.or_else(|| image.digest())
    }

    /// The wanted platforms that `image` does not have. Of an image that nobody looked into none is known to be missing.
    #[must_use]
    pub fn missing_in(&self, image: &Identity) -> Vec<Platform> {
        match (self, image.children()) {
            (Self::These(wanted), Some(children)) => {
                let is_missing = |platform: &&Platform| chosen(platform, children).is_empty();
                wanted.iter().filter(is_missing).cloned().collect()
            }
            (Self::These(_), None) | (Self::All | Self::Index | Self::Legacy(_), _) => Vec::new(),
        }
    }
}

impl Legacy {
    /// The image that stands for an index. Where several fit as well, it is the first by the name of its platform: what is
    /// known of an index does not tell in which order it has them, and another order is no other image.
    fn choose<'a>(&self, children: &'a Children) -> Option<&'a Digest> {
        self.choices(children).first().copied()
    }

    /// The images that fit best: what is preferred, for this host in what is left open, else what is preferred and for any,
    /// else this host's own, else linux/amd64, else whatever there is.
    fn choices<'a>(&self, children: &'a Children) -> Vec<&'a Digest> {
        let prefers = self.os.is_some() || self.architecture.is_some();
        let best = self.preferred_here();
        let is_preferred = |platform: &Platform| {
            self.os.as_deref().is_none_or(|os| *os == *platform.os)
                && self.architecture.as_deref().is_none_or(|wanted| *wanted == *platform.architecture)
        };
        let is_usual = |platform: &Platform| (&*platform.os, &*platform.architecture) == ("linux", "amd64");
        let levels: [&dyn Fn(&Platform) -> bool; 5] = [
            &|platform| prefers && best.means(platform),
            &|platform| prefers && is_preferred(platform),
            &|platform| self.host.means(platform),
            &is_usual,
            &|_| true,
        ];
        let fitting = |fits: &dyn Fn(&Platform) -> bool| -> Vec<&'a Digest> {
            children.iter().filter(|(platform, _)| fits(platform)).map(|(_, digest)| digest).collect()
        };
        levels.into_iter().map(fitting).find(|fitting| !fitting.is_empty()).unwrap_or_default()
    }

    /// This host's platform, but for what is preferred.
    fn preferred_here(&self) -> Platform {
        let Platform { os, architecture, variant, os_version } = self.host.clone();
        Platform {
            variant: variant.filter(|_| self.architecture.is_none()),
            os_version: os_version.filter(|_| self.os.is_none()),
            os: self.os.clone().unwrap_or(os),
            architecture: self.architecture.clone().unwrap_or(architecture),
        }
    }
}

/// Manifests are compared and not names: `linux/arm64` that is called `linux/arm64/v8` from now on is the same image.
fn changed(wanted: &Platform, new: &Children, old: &Children) -> bool {
    let old = chosen(wanted, old);
    chosen(wanted, new).iter().any(|digest| !old.contains(digest))
}

/// The manifests for a platform. Those that name none may be for any, so they count where no other is for it.
fn chosen<'a>(wanted: &Platform, children: &'a Children) -> Vec<&'a Digest> {
    let meant = |wanted: &dyn Fn(&Platform) -> bool| -> Vec<&'a Digest> {
        children.iter().filter(|(platform, _)| wanted(platform)).map(|(_, digest)| digest).collect()
    };
    match meant(&|platform| wanted.means(platform)) {
        none if none.is_empty() => meant(&|platform| !platform.is_named()),
        some => some,
    }
}
