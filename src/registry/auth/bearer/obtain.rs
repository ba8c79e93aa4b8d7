//! Where a token comes from that is not there yet: for whom one is asked, and how large a part of the group.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::super::error::Trouble;
use super::super::super::{Gate, Target};
use super::super::fetch::Issuer;
use super::super::scope::{chunk, repositories};
use super::super::sharing::TOO_LONG_TOKEN;
use super::super::token::{Purpose, Token};
use super::{Bearer, Grant, lock};

/// How to ask for a token.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// For its repository and no other.
    pub(super) alone: bool,
    /// For these scopes, too, which makes it one for its repository alone.
    pub(super) besides: Vec<Box<str>>,
    /// How many shared tokens before it were refused in a row.
    pub(super) strikes: u8,
}

impl Bearer {
    /// A token for `target`, which may be one that another request has just brought for both.
    pub(super) async fn obtain(
        &self,
        issuer: &Issuer,
        target: &Target<'_>,
        wish: Wish,
        gate: &impl Gate,
    ) -> Result<Grant<'_>, Trouble> {
        let (asked, group) = (target.tag.repository(), repositories(target));
        let is_left_out = lock(&self.sharing).is_left_out(asked);
        let mut alone = wish.alone || !wish.besides.is_empty() || is_left_out;
        let mut was_refused = false;
        loop {
            let part = chunk(&group, asked, if alone { 1 } else { self.most(issuer, &group) });
            let purpose = Purpose {
                repositories: first(asked, part),
                besides: wish.besides.clone(),
                strikes: wish.strikes,
            };
            let (place, service) = (issuer.realm.url.as_str(), issuer.service.as_deref().unwrap_or_default());
            let key = [place, service, &part.join(" "), &wish.besides.join(" ")].join("\n");
            let token = match self.flights.join(&key, self.fetch(issuer, purpose, gate)).await {
                Ok(token) => token,
                Err(trouble) if part.len() > 1 && is_refusal(&trouble) => {
                    (alone, was_refused) = (true, true);
                    continue;
                }
                Err(trouble) => return Err(trouble),
            };
            // The chunk has become smaller meanwhile, so this comes to an end.
            if token.is_shared() && token.length() > TOO_LONG_TOKEN {
                continue;
            }
            if was_refused {
                lock(&self.sharing).refuted();
            }
            match self.admit(token, asked).await {
                Some(grant) => return Ok(grant),
                None => alone = true,
            }
        }
    }

    /// Fetches a token and learns from its looks.
    async fn fetch(
        &self,
        issuer: &Issuer,
        purpose: Purpose,
        gate: &impl Gate,
    ) -> Result<Arc<Token>, Trouble> {
        let token = Arc::new(self.fetcher.fetch(issuer, purpose, gate).await?);
        let mut sharing = lock(&self.sharing);
        sharing.measured(token.repositories.len(), token.length());
        if token.is_shared() && token.is_readable() && sharing.is_untried() {
            match token.serves().count() {
                0 | 1 => sharing.left_out(token.left_out()),
                2.. => sharing.proved(),
            }
        }
        if !(token.is_shared() && token.length() > TOO_LONG_TOKEN) {
            lock(&self.cache).enter(&token, Instant::now());
        }
        Ok(token)
    }

    /// For how many repositories of a group a token may be asked. An untried password goes out for one alone, because a
    /// refusal of several says nothing about it.
    fn most(&self, issuer: &Issuer, group: &[&str]) -> usize {
        let untried = self.fetcher.login_for(issuer).is_some_and(|login| !login.is_accepted());
        match group {
            [first, _, ..] if !untried => lock(&self.sharing).most(first, Instant::now()),
            _ => 1,
        }
    }
}

/// `part` with `asked` in front.
fn first(asked: &str, part: &[&str]) -> Vec<Box<str>> {
    let others = part.iter().filter(|repository| **repository != asked);
    std::iter::once(asked).chain(others.copied()).map(Into::into).collect()
}

/// Whether the token server understood, and does not want to.
fn is_refusal(trouble: &Trouble) -> bool {
    if let Trouble::Token { reason, .. } = trouble { reason.is_refusal() } else { false }
}
