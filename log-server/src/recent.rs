//! The entries that were sequenced last, as admission had parsed them.
//!
//! Owns handing them from the sequencer to the index, which would otherwise parse what it reads back. The
//! index still reads every entry from the store: what it takes here must have the leaf hash of the stored
//! bytes. What is no longer here is parsed, as it is after a start.

use cairn_event::{Entry, Sha256};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Entries kept: what a server at full load sequences between two checkpoints, twice.
const ENTRIES_MAX: usize = 8_192;

/// Bytes of entries kept; parsed they take about three times as much.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The last entries, in order and without a hole.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Index of the first.
    first: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Recent {
    /// Adds the entries from `first` on.
    pub fn push(&self, first: u64, entries: Vec<Entry>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.next() != first {
            *kept = Kept {
                first,
                ..Kept::default()
            };
        }
        kept.bytes += entries.iter().map(|one| one.bytes().len()).sum::<usize>();
        kept.entries.extend(entries);
        while kept.entries.len() > ENTRIES_MAX || kept.bytes > BYTES_MAX {
            kept.pop();
        }
    }

    /// Takes the entry at `index`, if it is still here and has this leaf hash. Those before it go: the
    /// index asks in order.
    pub fn take(&self, index: u64, leaf: &Sha256) -> Option<Entry> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.first < index && !kept.entries.is_empty() {
            kept.pop();
        }
        if kept.first != index {
            return None;
        }
        kept.pop().filter(|entry| entry.leaf() == *leaf)
    }
}

impl Kept {
    fn next(&self) -> u64 {
        self.first.saturating_add(self.entries.len() as u64)
    }

    fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.first += 1;
        self.bytes -= entry.bytes().len();
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_event::administrative::ObservedGap;
    use cairn_event::body::Body;
    use cairn_event::{Context, Kid, Payload, SoftwareKey, freeze};

    /// Some entry; each number makes another.
    fn entry(number: u64) -> Entry {
        let payload = Payload {
            log: "log.example.com".into(),
            time_ms: 0,
            link: None,
            context: Context::default(),
            body: Body::ObservedGap(ObservedGap {
                chain: Kid("chain".into()),
                from: 1,
                shown_by: String::new(),
                to: number,
            }),
            approvals: vec![],
            sd: vec![],
            ext: None,
        };
        let frozen = freeze(&payload, &SoftwareKey::from_seed(&[1; 32])).unwrap();
        Entry::parse(frozen.entry.as_bytes()).unwrap()
    }

    fn leaf(number: u64) -> Sha256 {
        entry(number).leaf()
    }

    #[test]
    fn entries_are_given_once_and_only_for_their_own_bytes() {
        let recent = Recent::default();
        recent.push(5, vec![entry(5), entry(6)]);
        recent.push(7, vec![entry(7), entry(8)]);
        assert!(recent.take(4, &leaf(4)).is_none(), "before all");
        assert_eq!(recent.take(5, &leaf(5)), Some(entry(5)));
        assert!(recent.take(5, &leaf(5)).is_none(), "taken");
        assert_eq!(recent.take(7, &leaf(7)), Some(entry(7)), "6 goes");
        assert!(recent.take(8, &leaf(9)).is_none(), "other bytes are stored");
        assert!(recent.take(9, &leaf(9)).is_none());
        // Nothing may be taken for an entry that was never handed over.
        recent.push(11, vec![entry(11)]);
        assert!(recent.take(10, &leaf(10)).is_none());
        assert_eq!(recent.take(11, &leaf(11)), Some(entry(11)));
    }

    #[test]
    fn no_more_is_kept_than_the_bounds_say() {
        let recent = Recent::default();
        let one = entry(1);
        let all = ENTRIES_MAX as u64 + 3;
        recent.push(0, vec![one.clone(); ENTRIES_MAX]);
        recent.push(ENTRIES_MAX as u64, vec![one.clone(); 3]);
        assert!(recent.take(2, &one.leaf()).is_none());
        assert_eq!(recent.take(all - 1, &one.leaf()), Some(one));
        let kept = recent.0.lock().unwrap();
        assert_eq!((kept.bytes, kept.next()), (0, all));
    }
}
