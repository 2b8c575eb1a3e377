//! What stays of a log that is pruned.
//!
//! Owns the rule, the digest over what it keeps, and the form of a bundle that was thinned to it. The
//! entries that stay are those by which later ones are judged: a ledger that is given them and nothing
//! else of the range is, at its end, the ledger of the whole log. Whether a range may be pruned is not
//! decided here.
//!
//! Source: `docs/formats/administrative.md`, "Pruning a log".

mod remainder;

pub use remainder::{Remainder, digest};

use crate::Ledger;
use cairn_event::administrative::LogPrune;
use cairn_event::body::Body;
use cairn_event::{Entry, Kid, Sha256};
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Finds what stays of a range. Fed with every entry from the start of the range on, after the ledger
/// took it.
#[derive(Clone, Debug)]
pub struct Keeping {
    range: Range<u64>,
    always: BTreeSet<u64>,
    chains: BTreeMap<Kid, Newest>,
}

/// The newest entry of a chain, and the newest that vouches for it.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    last: Option<u64>,
    anchor: Option<u64>,
}

impl Keeping {
    /// Nothing was read yet.
    pub fn new(range: Range<u64>) -> Self {
        Self {
            range,
            always: BTreeSet::new(),
            chains: BTreeMap::new(),
        }
    }

    /// Notes the entry at `index`, which `ledger` has applied; `None` for one that cannot be read here.
    /// Entries outside the range are passed over.
    ///
    /// Stays: whatever is not of a chain (genesis, rosters, policies, erasures, forks, …), every start
    /// and gap of a chain, what this version cannot read, and of each chain the last entry of the range
    /// and the one up to which its device has vouched for it.
    pub fn note(&mut self, index: u64, entry: Option<&Entry>, ledger: &Ledger) {
        if !self.range.contains(&index) {
            return;
        }
        let payload = entry.map(Entry::payload);
        let Some((link, body)) = payload.and_then(|one| Some((one.link.as_ref()?, &one.body)))
        else {
            self.always.insert(index);
            return;
        };
        if matches!(body, Body::ChainStart(_) | Body::Gap(_)) {
            self.always.insert(index);
        }
        let anchors = ledger
            .chain(&link.chain)
            .is_some_and(|state| state.anchored_seq == link.seq);
        let newest = self.chains.entry(link.chain.clone()).or_default();
        newest.last = Some(index);
        if anchors {
            newest.anchor = Some(index);
        }
    }

    /// The indices that stay.
    pub fn finish(self) -> BTreeSet<u64> {
        let mut kept = self.always;
        for newest in self.chains.into_values() {
            kept.extend(newest.last.into_iter().chain(newest.anchor));
        }
        kept
    }
}

/// SHA-256 over index (8 bytes, big-endian) and leaf hash of each entry that stays, ascending.
#[derive(Clone, Debug, Default)]
pub struct KeptDigest(sha2::Sha256);

impl KeptDigest {
    /// Takes the next entry that stays.
    pub fn push(&mut self, index: u64, leaf: &Sha256) {
        self.0.update(index.to_be_bytes());
        self.0.update(leaf.0);
    }

    /// The digest.
    pub fn finish(self) -> Sha256 {
        Sha256(self.0.finalize().into())
    }
}

/// Why bytes are no thinned bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThinnedError {
    /// They end inside an entry.
    #[error("a thinned bundle ends inside an entry")]
    Short,
    /// Positions must ascend, each once.
    #[error("position {0} of a thinned bundle does not ascend")]
    Order(u8),
    /// An entry is longer than any can be.
    #[error("an entry of a thinned bundle is too long")]
    Long,
}

/// What stays of a bundle: of each entry the position (1 byte), the length (2 bytes, big-endian) and the
/// bytes.
///
/// Errors: [`ThinnedError::Long`], [`ThinnedError::Order`].
pub fn thinned<'a>(
    kept: impl IntoIterator<Item = (u8, &'a [u8])>,
) -> Result<Vec<u8>, ThinnedError> {
    let mut bytes = Vec::new();
    let mut before = None;
    for (position, entry) in kept {
        if before.is_some_and(|before| before >= position) {
            return Err(ThinnedError::Order(position));
        }
        before = Some(position);
        let length = u16::try_from(entry.len()).map_err(|_| ThinnedError::Long)?;
        bytes.push(position);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Reads what stays of a bundle, by position.
///
/// Errors: [`ThinnedError::Short`], [`ThinnedError::Order`].
pub fn read_thinned(mut bytes: &[u8]) -> Result<BTreeMap<u8, &[u8]>, ThinnedError> {
    let mut kept: BTreeMap<u8, &[u8]> = BTreeMap::new();
    while let Some((&position, rest)) = bytes.split_first() {
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(ThinnedError::Short)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(ThinnedError::Short)?;
        if kept
            .last_key_value()
            .is_some_and(|(last, _)| *last >= position)
        {
            return Err(ThinnedError::Order(position));
        }
        kept.insert(position, entry);
        bytes = rest;
    }
    Ok(kept)
}

/// One range that was pruned, as a log says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrunedRange {
    /// Index of the `log.prune` entry.
    pub entry: u64,
    /// First index.
    pub from: u64,
    /// First index after it.
    pub to: u64,
}

/// What a log says of its pruning.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Entries below it are gone, but those that stay.
    pub minimum_index: u64,
    /// The ranges below it, ascending, without a hole between them.
    pub pruned: Vec<PrunedRange>,
}

/// Why what a log says of its pruning is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// The ranges are not `[0, minimum)` in whole bundles.
    #[error("the pruned ranges do not make up the entries below {0}")]
    Ranges(u64),
    /// No administrators agreed to a range.
    #[error("the entry at index {entry} does not order the pruning of {from} to {to}")]
    NotOrdered {
        /// Index of the entry named.
        entry: u64,
        /// First index.
        from: u64,
        /// First index after it.
        to: u64,
    },
    /// Something else is there than what the administrators said would stay.
    #[error("the entries that are left of {from} to {to} are not those that entry {entry} keeps")]
    Kept {
        /// Index of the entry.
        entry: u64,
        /// First index.
        from: u64,
        /// First index after it.
        to: u64,
    },
}

impl Retention {
    /// Whether the ranges are whole bundles and end at the minimum index, one after the other.
    ///
    /// Errors: [`RetentionError::Ranges`].
    pub fn check_form(&self) -> Result<(), RetentionError> {
        let mut next = 0;
        for range in &self.pruned {
            let whole = range.to.is_multiple_of(LogPrune::STEP);
            if range.from != next || range.to <= range.from || !whole {
                return Err(RetentionError::Ranges(self.minimum_index));
            }
            next = range.to;
        }
        if next == self.minimum_index {
            Ok(())
        } else {
            Err(RetentionError::Ranges(self.minimum_index))
        }
    }

    /// Whether the administrators agreed to one range, and `left`, the digest of the entries that are there
    /// of it, is what they said would stay.
    ///
    /// Errors: [`RetentionError::NotOrdered`], [`RetentionError::Kept`].
    pub fn check_range(
        range: PrunedRange,
        ledger: &Ledger,
        left: Sha256,
    ) -> Result<(), RetentionError> {
        let PrunedRange { entry, from, to } = range;
        let ordered = ledger.prunes().iter().find(|(at, _)| *at == entry);
        let ordered = ordered
            .map(|(_, prune)| prune)
            .filter(|prune| (prune.from, prune.to) == (from, to))
            .ok_or(RetentionError::NotOrdered { entry, from, to })?;
        if left == ordered.kept {
            Ok(())
        } else {
            Err(RetentionError::Kept { entry, from, to })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_bundle_is_read_as_it_was_written() {
        let kept: [(u8, &[u8]); 3] = [(0, b"genesis"), (7, b""), (255, b"last")];
        let bytes = thinned(kept).unwrap();
        assert_eq!(read_thinned(&bytes).unwrap(), BTreeMap::from(kept));
        assert_eq!(read_thinned(b"").unwrap(), BTreeMap::new());
        for end in [1, 2, 5, bytes.len() - 1] {
            assert_eq!(read_thinned(&bytes[..end]), Err(ThinnedError::Short));
        }
        assert_eq!(
            thinned([(3, b"a".as_slice()), (3, b"b")]),
            Err(ThinnedError::Order(3))
        );
        assert_eq!(
            read_thinned(&[3, 0, 0, 2, 0, 0]),
            Err(ThinnedError::Order(2))
        );
        let long = vec![0; 65_536];
        assert_eq!(thinned([(0, long.as_slice())]), Err(ThinnedError::Long));
    }

    #[test]
    fn pruned_ranges_are_whole_bundles_without_a_hole() {
        let of = |minimum_index, ranges: &[(u64, u64)]| Retention {
            minimum_index,
            pruned: ranges
                .iter()
                .map(|&(from, to)| PrunedRange {
                    entry: 2_000,
                    from,
                    to,
                })
                .collect(),
        };
        for sound in [
            of(0, &[]),
            of(256, &[(0, 256)]),
            of(1_024, &[(0, 256), (256, 1_024)]),
        ] {
            assert_eq!(sound.check_form(), Ok(()), "{sound:?}");
        }
        for wrong in [
            of(256, &[]),
            of(0, &[(0, 256)]),
            of(512, &[(0, 256)]),
            of(512, &[(256, 512)]),
            of(768, &[(0, 256), (512, 768)]),
            of(300, &[(0, 300)]),
            of(256, &[(0, 0), (0, 256)]),
        ] {
            assert!(wrong.check_form().is_err(), "{wrong:?}");
        }
    }
}
