//! Placing the entries of one round: duplicate, next index, or refused.
//!
//! Owns dedup by leaf hash and what the observer writes: a fork entry when two signed entries claim
//! one place, a gap entry when a new chain shows that its predecessor's tail is missing.

use super::{SequenceError, Sequencer, reference};
use crate::disclosures::{DisclosureStoreError, Plan};
use crate::pool::Verdict;
use crate::problem::{Family, Problem};
use crate::stage::NewEntry;
use crate::store::{Stored, entries};
use axum::http::StatusCode;
use cairn_event::administrative::{Fork, ObservedGap};
use cairn_event::body::Body;
use cairn_event::payload::Beacon;
use cairn_event::{Context, Entry, EntryError, Frame, Kid, Payload, Sha256, freeze};
use cairn_identity::{Admission, Flag, Refusal};
use cairn_tlog::Hash;
use std::collections::{BTreeSet, HashMap};

/// What RFC 6962 puts before an entry to make its leaf hash. With it in front, the leaf hash is the
/// plain SHA-256 of the bytes, and so the name of a blob.
const LEAF_PREFIX: u8 = 0;

/// Entries and what they change, in index order.
pub(super) type Applied = Vec<(Entry, Admission)>;

/// What one round appends.
pub(super) struct Placed {
    pub(super) entries: Vec<NewEntry>,
    pub(super) applied: Applied,
    pub(super) forks: Vec<(Kid, u64)>,
}

/// The entry that holds a place of a chain.
struct Holder {
    leaf: Sha256,
    /// `None` where it was pruned.
    text: Option<String>,
}

/// A round being filled.
pub(super) struct Round<'a> {
    of: &'a mut Sequencer,
    now_ms: u64,
    by_leaf: HashMap<Hash, u64>,
    by_place: HashMap<(Kid, u64), usize>,
    applied: Applied,
    forks: BTreeSet<(Kid, u64)>,
    /// The last beacon that was found true.
    beacon: Option<Beacon>,
}

impl<'a> Round<'a> {
    pub(super) fn new(of: &'a mut Sequencer, now_ms: u64) -> Self {
        Self {
            of,
            now_ms,
            by_leaf: HashMap::new(),
            by_place: HashMap::new(),
            applied: Vec::new(),
            forks: BTreeSet::new(),
            beacon: None,
        }
    }

    /// Decides one verified frame and plans its disclosures.
    pub(super) fn place(
        &mut self,
        frame: Frame,
        plan: &mut Plan<'_>,
    ) -> Result<Verdict, SequenceError> {
        let entry = frame.entry();
        let leaf = Hash(entry.leaf().0);
        if let Some(index) = self.known(entry, &leaf)? {
            if let Err(problem) = self.keep(index, &frame, plan)? {
                return Ok(Verdict::Refused(problem));
            }
            return Ok(Verdict::Sequenced {
                index,
                leaf,
                duplicate: true,
            });
        }
        match self.of.working.admit(entry) {
            Ok(admission) => {
                if let Err(problem) = self.check_references(&frame)? {
                    return Ok(Verdict::Refused(problem));
                }
                if let Err(problem) = self.keep(self.of.working.size(), &frame, plan)? {
                    return Ok(Verdict::Refused(problem));
                }
                let gap = self.gap_shown_by(entry, &admission);
                let index = self.append(frame.into_entry(), admission);
                if let Some(gap) = gap {
                    self.observe(Body::ObservedGap(gap))?;
                }
                Ok(Verdict::Sequenced {
                    index,
                    leaf,
                    duplicate: false,
                })
            }
            Err(refusal) => {
                self.record_fork(entry, &refusal)?;
                Ok(Verdict::Refused(Problem::from(&refusal)))
            }
        }
    }

    /// Ends the round.
    pub(super) fn finish(self) -> Placed {
        let entries = self.applied.iter().map(|(entry, _)| NewEntry {
            bytes: entry.bytes().to_vec(),
            leaf: Hash(entry.leaf().0),
            place: place_of(entry),
        });
        Placed {
            entries: entries.collect(),
            forks: self.forks.into_iter().collect(),
            applied: self.applied,
        }
    }

    fn check_references(&mut self, frame: &Frame) -> Result<Result<(), Problem>, SequenceError> {
        if let Err(problem) = reference::check_complete(frame) {
            return Ok(Err(problem));
        }
        // The entries of one upload usually name the same checkpoint.
        let beacon = frame.entry().payload().context.beacon.as_ref();
        if let Some(beacon) = beacon.filter(|beacon| self.beacon.as_ref() != Some(*beacon)) {
            match reference::check_beacon(self.of.store.as_ref(), beacon)? {
                Ok(()) => self.beacon = Some(beacon.clone()),
                Err(problem) => return Ok(Err(problem)),
            }
        }
        match &frame.entry().payload().body {
            Body::Policy(statement) => {
                Ok(reference::check_bundle(self.of.store.as_ref(), statement)?)
            }
            Body::Erasure(erasure) => {
                let target = self.entry_at(erasure.index)?;
                Ok(reference::check_erasure(erasure, target.as_deref()))
            }
            Body::LogPrune(prune) => {
                let (store, days) = (self.of.store.as_ref(), self.of.retention_days);
                Ok(reference::check_prune(store, prune, days, self.now_ms)?)
            }
            Body::LogClose(close) => Ok(reference::check_close(close, &self.of.origin)),
            _ => Ok(Ok(())),
        }
    }

    /// Plans a frame's disclosures. What cannot be sealed refuses its frame; the log goes on.
    fn keep(
        &self,
        index: u64,
        frame: &Frame,
        plan: &mut Plan<'_>,
    ) -> Result<Result<(), Problem>, SequenceError> {
        // What was confidential in a pruned entry has gone with it, and does not come back.
        if index < self.of.store.minimum_index()? {
            return Ok(Ok(()));
        }
        match plan.add(index, frame, self.of.working.roster()) {
            Ok(()) => Ok(Ok(())),
            Err(DisclosureStoreError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::error!(index, %error, "a frame is refused: its disclosures are not sealed");
                let (status, family) = (StatusCode::INTERNAL_SERVER_ERROR, Family::Retry);
                let detail = "the disclosures of the frame could not be sealed";
                Ok(Err(Problem::new(status, "not-sealed", family, detail)))
            }
        }
    }

    /// The bytes of an entry, placed in this round or stored.
    fn entry_at(&self, index: u64) -> Result<Option<Vec<u8>>, SequenceError> {
        let stored = self.of.head.size();
        let Some(place) = index.checked_sub(stored) else {
            return Ok(self.of.store.entry(index)?);
        };
        let placed = usize::try_from(place).ok();
        let placed = placed.and_then(|place| self.applied.get(place));
        Ok(placed.map(|(entry, _)| entry.bytes().to_vec()))
    }

    /// Where these bytes are already. Every admitted entry of a chain has a place below the chain's
    /// next, so an entry at or after it, or of a chain nobody knows, is new without a look-up.
    fn known(&self, entry: &Entry, leaf: &Hash) -> Result<Option<u64>, SequenceError> {
        if let Some(link) = &entry.payload().link {
            let state = self.of.working.chain(&link.chain);
            if state.is_none_or(|state| link.seq >= state.next_seq) {
                return Ok(None);
            }
        }
        match self.by_leaf.get(leaf) {
            Some(index) => Ok(Some(*index)),
            None => Ok(self.of.store.index_of_leaf(leaf)?),
        }
    }

    fn append(&mut self, entry: Entry, admission: Admission) -> u64 {
        let index = self.of.working.size();
        self.of.working.apply(&entry, admission.clone());
        self.by_leaf.insert(Hash(entry.leaf().0), index);
        if let Some(place) = place_of(&entry) {
            self.by_place.insert(place, self.applied.len());
        }
        self.applied.push((entry, admission));
        index
    }

    /// A new chain that names a later head of its predecessor than this log holds.
    fn gap_shown_by(&self, entry: &Entry, admission: &Admission) -> Option<ObservedGap> {
        let own = entry.payload().link.as_ref().map(|link| &link.chain);
        admission.flags.iter().find_map(|flag| match flag {
            Flag::Missing { chain, from, to } if Some(chain) != own => Some(ObservedGap {
                chain: chain.clone(),
                from: *from,
                shown_by: "next-chain-names-later-head".to_owned(),
                to: *to,
            }),
            _ => None,
        })
    }

    /// Writes the proof of a fork, once for each contested place.
    fn record_fork(&mut self, refused: &Entry, refusal: &Refusal) -> Result<(), SequenceError> {
        let Some((chain, seq)) = place_of(refused) else {
            return Ok(());
        };
        let rival = match refusal {
            Refusal::Fork { .. } => seq,
            // It follows another entry than the one admitted before it: the key signed two histories.
            Refusal::BrokenLink { .. } => seq.saturating_sub(1),
            _ => return Ok(()),
        };
        let place = (chain, seq);
        if self.forks.contains(&place) || self.of.store.fork_recorded(&place.0, seq)? {
            return Ok(());
        }
        let Some(admitted) = self.holder(&(place.0.clone(), rival))? else {
            return Ok(());
        };
        if self.state_fork(&place, &admitted, refused)? {
            self.of.metrics.forks.add(1);
            self.forks.insert(place);
        }
        Ok(())
    }

    /// Appends the observer's fork entry with as much embedded as fits. The admitted entry can be read
    /// in the log; a refused one that does not fit is nowhere else, so it becomes a blob first.
    fn state_fork(
        &mut self,
        (chain, seq): &(Kid, u64),
        admitted: &Holder,
        refused: &Entry,
    ) -> Result<bool, SequenceError> {
        for (with_admitted, with_refused) in [(true, true), (false, true), (false, false)] {
            if !with_refused {
                let bytes = [&[LEAF_PREFIX], refused.bytes()].concat();
                self.of.store.put_blob(&refused.leaf().0, &bytes)?;
            }
            let fork = Body::Fork(Fork {
                chain: chain.clone(),
                admitted: admitted.leaf,
                admitted_entry: admitted.text.clone().filter(|_| with_admitted),
                refused_entry: with_refused.then(|| refused.text().to_owned()),
                refused: refused.leaf(),
                seq: *seq,
            });
            if self.observe(fork)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The entry that holds a place, in this round or in the store.
    fn holder(&self, place: &(Kid, u64)) -> Result<Option<Holder>, SequenceError> {
        if let Some((entry, _)) = self
            .by_place
            .get(place)
            .and_then(|at| self.applied.get(*at))
        {
            return Ok(Some(Holder {
                leaf: entry.leaf(),
                text: Some(entry.text().to_owned()),
            }));
        }
        let Some(index) = self.of.store.index_of_place(&place.0, place.1)? else {
            return Ok(None);
        };
        let Some(stored) = entries(self.of.store.as_ref(), index..index + 1).next() else {
            return Ok(None);
        };
        let (_, stored) = stored?;
        let leaf = Sha256(stored.leaf().0);
        let text = match stored {
            Stored::Entry(bytes) => String::from_utf8(bytes.into_owned()).ok(),
            Stored::Pruned(_) => None,
        };
        Ok(Some(Holder { leaf, text }))
    }

    /// Appends an entry signed by the observer. False when it is too long or not authorised.
    fn observe(&mut self, body: Body) -> Result<bool, SequenceError> {
        let is_gap = matches!(body, Body::ObservedGap(_));
        let payload = Payload {
            log: self.of.origin.clone(),
            time_ms: self.now_ms,
            link: None,
            context: Context::default(),
            body,
            approvals: Vec::new(),
            sd: Vec::new(),
            ext: None,
        };
        let frozen = match freeze(&payload, self.of.observer.as_ref()) {
            Ok(frozen) => frozen,
            Err(EntryError::TooLong(_)) => return Ok(false),
            Err(error) => {
                tracing::error!(%error, "the observer could not sign");
                return Ok(false);
            }
        };
        let admitted = Entry::parse(frozen.entry.as_bytes())
            .map_err(Refusal::Entry)
            .and_then(|entry| Ok((self.of.working.admit(&entry)?, entry)));
        match admitted {
            Ok((admission, entry)) => {
                self.append(entry, admission);
                self.of.metrics.gaps.add(u64::from(is_gap));
                Ok(true)
            }
            Err(refusal) => {
                tracing::error!(%refusal, "the observer's entry was refused");
                Ok(false)
            }
        }
    }
}

fn place_of(entry: &Entry) -> Option<(Kid, u64)> {
    let link = entry.payload().link.as_ref()?;
    Some((link.chain.clone(), link.seq))
}
