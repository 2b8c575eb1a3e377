//! Chains: the certificate that starts one, and the place the next entry must have.
//!
//! Source: `docs/formats/entry.md`, "Chains".

use crate::refusal::Refusal;
use cairn_event::body::{Body, ChainStart};
use cairn_event::encoding::from_base64url;
use cairn_event::payload::possession_message;
use cairn_event::{Entry, Kid, Link, PublicKey, Sha256};
use std::sync::Arc;

/// Where a chain stands after its last admitted entry.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainState {
    /// The device.
    pub device: String,
    /// The certified chain key.
    pub key: PublicKey,
    /// Next `seq`.
    pub next_seq: u64,
    /// Leaf hash of the last entry.
    pub last: Sha256,
    /// `seq` of the last entry that the device key signed: everything up to it is vouched for.
    pub anchored_seq: u64,
    /// Whether the device key closed the chain.
    pub ended: bool,
    /// Places that gap entries of the chain gave up, first and last of each, ascending. Shared, because
    /// a state is copied for every entry and gaps are rare.
    pub gaps: Arc<Vec<(u64, u64)>>,
}

/// Something an auditor must be told about an admitted entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    /// The device had been revoked when the entry arrived.
    DeviceRevoked,
    /// The chain start does not name the device's previous chain although there is one.
    HistoryDropped,
    /// The chain start names an earlier place, or another last entry, of the device's previous chain
    /// than this log holds.
    HistoryRewritten,
    /// The entry shows that the log misses entries of a chain.
    Missing {
        /// The chain.
        chain: Kid,
        /// First missing `seq`.
        from: u64,
        /// Last missing `seq`, inclusive.
        to: u64,
    },
}

/// Which key must have signed a chained entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The device key.
    Device,
    /// The chain key.
    Chain,
}

/// The signer that a chained body needs.
pub fn signer_of(body: &Body) -> Signer {
    match body {
        Body::ChainStart(_) | Body::ChainHead(_) | Body::ChainEnd(_) => Signer::Device,
        _ => Signer::Chain,
    }
}

/// Checks a chain certificate and gives the chain's first state.
///
/// Errors: [`Refusal::ChainStart`]; the device starts again.
/// Trap: whether the device is revoked, and whether the chain exists, is the ledger's to judge.
pub fn start(entry: &Entry, link: &Link, start: &ChainStart) -> Result<ChainState, Refusal> {
    if link.seq != 0 {
        return Err(Refusal::ChainStart("seq is not 0"));
    }
    if start.key.kid() != link.chain {
        return Err(Refusal::ChainStart(
            "the chain is not the thumbprint of its key",
        ));
    }
    let message = possession_message(&link.device, &link.chain, &entry.payload().log);
    let possessed =
        from_base64url(&start.pop).is_some_and(|pop| start.key.verifies(&message, &pop));
    if !possessed {
        return Err(Refusal::ChainStart("the proof of possession is not valid"));
    }
    Ok(ChainState {
        device: link.device.clone(),
        key: start.key.clone(),
        next_seq: 1,
        last: entry.leaf(),
        anchored_seq: 0,
        ended: false,
        gaps: Arc::default(),
    })
}

impl ChainState {
    /// Checks that `entry` is the chain's next one and gives the state after it.
    ///
    /// Errors: [`Refusal::MissingBefore`] (submit what is missing), [`Refusal::Fork`],
    /// [`Refusal::GapDeclared`], [`Refusal::BrokenLink`], [`Refusal::ChainEnded`].
    pub fn extend(&self, entry: &Entry, link: &Link) -> Result<(Self, Option<Flag>), Refusal> {
        let chain = link.chain.clone();
        if link.device != self.device {
            return Err(Refusal::Contradiction {
                member: "device",
                claimed: link.device.clone(),
                known: self.device.clone(),
            });
        }
        self.check_free(entry, link)?;
        if self.ended {
            return Err(Refusal::ChainEnded(chain));
        }
        let flag = self.check_place(entry, link)?;
        let mut next = self.clone();
        if let Some(Flag::Missing { from, to, .. }) = &flag {
            Arc::make_mut(&mut next.gaps).push((*from, *to));
        }
        next.next_seq = link.seq.saturating_add(1);
        next.last = entry.leaf();
        let body = &entry.payload().body;
        if signer_of(body) == Signer::Device {
            next.anchored_seq = link.seq;
        }
        next.ended = matches!(body, Body::ChainEnd(_));
        Ok((next, flag))
    }

    /// Whether the entry's place is still free.
    ///
    /// Errors: [`Refusal::Fork`] where the chain's own key, or its device's, signed a second entry for
    /// a place; [`Refusal::GapDeclared`] where the chain gave the place up, so that no first one is
    /// there. Another device's key cannot make this chain fork, so its entries are left to
    /// [`ChainState::extend`].
    pub fn check_free(&self, entry: &Entry, link: &Link) -> Result<(), Refusal> {
        let own = signer_of(&entry.payload().body) == Signer::Chain || link.device == self.device;
        if !own || link.seq >= self.next_seq {
            return Ok(());
        }
        let (chain, seq) = (link.chain.clone(), link.seq);
        match self.gap_over(seq) {
            Some((from, to)) => Err(Refusal::GapDeclared {
                chain,
                seq,
                from,
                to,
            }),
            None => Err(Refusal::Fork { chain, seq }),
        }
    }

    /// The declared gap that holds a place.
    fn gap_over(&self, seq: u64) -> Option<(u64, u64)> {
        let after = self.gaps.partition_point(|(from, _)| *from <= seq);
        let (from, to) = *self.gaps.get(after.checked_sub(1)?)?;
        (seq <= to).then_some((from, to))
    }

    fn check_place(&self, entry: &Entry, link: &Link) -> Result<Option<Flag>, Refusal> {
        let chain = link.chain.clone();
        if link.seq > self.next_seq {
            let (from, to) = (self.next_seq, link.seq - 1);
            let declared = matches!(&entry.payload().body, Body::Gap(gap)
                if gap.chain == chain && gap.from == from && gap.to == to);
            // The lost entry that `prev` names is in nobody's hands, so only the range is checked.
            return if declared {
                Ok(Some(Flag::Missing { chain, from, to }))
            } else {
                Err(Refusal::MissingBefore {
                    chain,
                    expected: from,
                    got: link.seq,
                })
            };
        }
        match link.prev {
            Some(prev) if prev == self.last => Ok(None),
            named => Err(Refusal::BrokenLink {
                chain,
                seq: link.seq,
                named: named.unwrap_or(Sha256([0; 32])),
                last: self.last,
            }),
        }
    }
}
