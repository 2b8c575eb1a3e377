//! Judging a chained entry: its place, what it claims about its device, the history it continues.
//!
//! Owns these rules for whoever reads a whole log and for whoever reads a part of one; the latter knows
//! less, and is told nothing that it cannot know. Source: `docs/formats/entry.md`, "Chains".

use super::{Admission, Change, Ledger};
use crate::chain::{self, ChainState, Flag};
use crate::refusal::Refusal;
use crate::roster::Device;
use cairn_event::body::{Body, ChainStart};
use cairn_event::{Entry, Link};
use std::borrow::Cow;

impl Ledger {
    pub(super) fn admit_chained(&self, entry: &Entry, link: &Link) -> Result<Admission, Refusal> {
        if let Body::ChainStart(body) = &entry.payload().body {
            return self.admit_start(entry, link, body);
        }
        let unknown = || Refusal::UnknownChain(link.chain.clone());
        let known = self.chains.known(&link.chain)?.ok_or_else(unknown)?;
        let state = self.standing(known, entry, link);
        // A second entry for one place is a fork whatever else it claims.
        state.check_free(entry, link)?;
        let device = self.device(&link.device)?;
        self.check_context(entry, device)?;
        let (mut next, flag) = state.extend(entry, link)?;
        let mut flags: Vec<Flag> = flag.into_iter().collect();
        if device.revoked_at.is_some() {
            // A revoked key vouches for nothing more.
            next.anchored_seq = state.anchored_seq;
            flags.push(Flag::DeviceRevoked);
        }
        Ok(Admission {
            flags,
            effect: Change::Chain(link.chain.clone(), Box::new(next)),
        })
    }

    /// Where the chain stands before `entry`. Of a chain that may have grown unseen, the first entry
    /// that is read again is believed about its own place: nobody else here knows it.
    fn standing<'a>(
        &self,
        known: &'a ChainState,
        entry: &Entry,
        link: &Link,
    ) -> Cow<'a, ChainState> {
        let next_seq = match &entry.payload().body {
            Body::Gap(gap)
                if gap.chain == link.chain
                    && gap.from <= gap.to
                    && gap.to.checked_add(1) == Some(link.seq) =>
            {
                gap.from
            }
            _ => link.seq,
        };
        if next_seq < known.next_seq || !self.has_grown_unseen(&link.chain) {
            return Cow::Borrowed(known);
        }
        Cow::Owned(ChainState {
            next_seq,
            last: link.prev.unwrap_or(known.last),
            ..known.clone()
        })
    }

    fn admit_start(
        &self,
        entry: &Entry,
        link: &Link,
        body: &ChainStart,
    ) -> Result<Admission, Refusal> {
        let device = self.device(&link.device)?;
        let state = chain::start(entry, link, body)?;
        if let Some(known) = self.chains.known(&link.chain)? {
            claim("device", Some(&link.device), &known.device)?;
            return Err(Refusal::Fork {
                chain: link.chain.clone(),
                seq: 0,
            });
        }
        if let Some(index) = device.revoked_at {
            let device = link.device.clone();
            return Err(Refusal::RevokedDevice { device, index });
        }
        self.check_context(entry, device)?;
        Ok(Admission {
            flags: self.history_flag(link, body)?.into_iter().collect(),
            effect: Change::Start(link.chain.clone(), Box::new(state)),
        })
    }

    fn check_context(&self, entry: &Entry, device: &Device) -> Result<(), Refusal> {
        let context = &entry.payload().context;
        claim("person", context.person.as_ref(), &device.person)?;
        claim(
            "protection",
            context.protection.as_ref(),
            &device.protection,
        )?;
        claim("isolation", context.isolation.as_ref(), &device.isolation)?;
        if let Some(index) = context.roster
            && self.roster.indices.binary_search(&index).is_err()
        {
            return Err(Refusal::NoSuchBasis {
                what: "roster",
                index,
            });
        }
        self.check_teams(entry, device)?;
        if let Some(index) = context.policy
            && self
                .policies
                .binary_search_by_key(&index, |head| head.index)
                .is_err()
        {
            return Err(Refusal::NoSuchBasis {
                what: "policy",
                index,
            });
        }
        Ok(())
    }

    /// Teams that an entry names must be the person's under the roster it names. Naming none claims
    /// nothing: an entry written before the device read its first roster knows none.
    fn check_teams(&self, entry: &Entry, device: &Device) -> Result<(), Refusal> {
        let context = &entry.payload().context;
        let (Some(index), false) = (context.roster, context.teams.is_empty()) else {
            return Ok(());
        };
        let person = self.roster.people.get(&device.person);
        let membership = person.and_then(|person| person.membership_at(index));
        let known = membership.map(|membership| membership.teams.clone());
        claim("teams", Some(&context.teams), &known.unwrap_or_default())
    }

    /// Whether a chain start continues the history of its device where this log has it end. Nothing is
    /// said of a previous chain, or an end of it, that may lie among entries passed over.
    fn history_flag(&self, link: &Link, start: &ChainStart) -> Result<Option<Flag>, Refusal> {
        let latest = match self.latest_chain.get(&link.device) {
            Some(chain) => self.chains.known(chain)?.map(|state| (chain, state)),
            None => None,
        };
        let Some(previous) = &start.previous else {
            return Ok(latest.map(|_| Flag::HistoryDropped));
        };
        let unread = self.partial && self.chains.known(&previous.chain)?.is_none();
        let missing = |from| Flag::Missing {
            chain: previous.chain.clone(),
            from,
            to: previous.seq,
        };
        Ok(match latest {
            _ if unread => None,
            None => Some(missing(0)),
            Some((chain, state)) if previous.chain == *chain => {
                if previous.seq >= state.next_seq {
                    let behind = self.has_grown_unseen(chain);
                    return Ok((!behind).then(|| missing(state.next_seq)));
                }
                let last =
                    previous.seq.saturating_add(1) == state.next_seq && previous.head == state.last;
                (!last).then_some(Flag::HistoryRewritten)
            }
            Some(_) => Some(Flag::HistoryDropped),
        })
    }
}

fn claim<T: PartialEq + std::fmt::Debug>(
    member: &'static str,
    claimed: Option<&T>,
    known: &T,
) -> Result<(), Refusal> {
    match claimed {
        Some(claimed) if claimed != known => Err(Refusal::Contradiction {
            member,
            claimed: format!("{claimed:?}"),
            known: format!("{known:?}"),
        }),
        _ => Ok(()),
    }
}
