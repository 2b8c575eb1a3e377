//! Roster entries in the form in which they are given, made once for all readers.
//!
//! A fleet that starts in the morning reads one history a thousand times: entries, receipts and their JSON
//! text are the same for everybody but for the few names that a reader may know. So the text is made in
//! groups of entries whose receipts lead to one checkpoint, which a reader verifies once, and is shared
//! without a copy. A full group is never made anew: a receipt under an older witnessed checkpoint proves
//! the same, and how new a policy is follows from the policy's own receipt.

use super::{entry_text, receipt};
use crate::problem::Problem;
use crate::services::Services;
use axum::body::Bytes;
use axum::{Error, body::HttpBody};
use cairn_event::frame;
use http_body::{Frame, SizeHint};
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// Entries of one group. The last group is made anew with every roster entry: that must cost little.
pub(super) const GROUP: usize = 64;

/// Bytes of text kept: some 20,000 enrolments. With more, what is kept is dropped and made again.
const KEPT_BYTES_MAX: usize = 67_108_864;

/// One entry as JSON text, open where disclosures may stand.
pub(super) struct Piece {
    /// Its index.
    pub index: u64,
    /// Up to the tilde after the entry.
    pub head: Bytes,
    /// From the end of the frame on.
    pub tail: Bytes,
}

impl Piece {
    fn new(index: u64, entry: &str, receipt: &str) -> Self {
        // An entry and its frame are base64url, full stops and tildes: no letter of them is escaped.
        let head = format!(
            r#"{{"index":{index},"frame":"{}"#,
            frame::present(entry, [])
        );
        let tail = format!(r#"","receipt":{}}}"#, serde_json::Value::from(receipt));
        Self {
            index,
            head: head.into(),
            tail: tail.into(),
        }
    }

    /// Bytes of it without disclosures.
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// The entry as JSON text without disclosures.
    pub fn text(&self) -> Vec<u8> {
        [self.head.as_ref(), self.tail.as_ref()].concat()
    }
}

/// The groups that were made, by their place.
#[derive(Default)]
pub(crate) struct Pages(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    groups: BTreeMap<usize, Arc<Vec<Piece>>>,
    bytes: usize,
}

impl Pages {
    /// The group of this number, whose entries are at `indices`, or more of it. It reads the store: not for
    /// async threads.
    ///
    /// # Errors
    /// An entry or its receipt cannot be read; nothing is kept.
    pub(super) fn group(
        &self,
        services: &Services,
        number: usize,
        indices: &[u64],
    ) -> Result<Arc<Vec<Piece>>, Problem> {
        // The lock is held while a group is made: a thousand readers then wait for one that makes it.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.groups.get(&number);
        if let Some(known) = known.filter(|known| known.len() >= indices.len()) {
            return Ok(known.clone());
        }
        let pieces = indices.iter().map(|index| {
            let (entry, receipt) = (entry_text(services, *index)?, receipt(services, *index)?);
            Ok(Piece::new(*index, &entry, &receipt))
        });
        let made = Arc::new(pieces.collect::<Result<Vec<_>, Problem>>()?);
        kept.put(number, made.clone());
        Ok(made)
    }
}

impl Kept {
    fn put(&mut self, number: usize, made: Arc<Vec<Piece>>) {
        let bytes = bytes_of(&made);
        if self.bytes.saturating_add(bytes) > KEPT_BYTES_MAX {
            *self = Self::default();
        }
        let before = self.groups.insert(number, made);
        let freed = before.map_or(0, |old| bytes_of(&old));
        self.bytes = self.bytes.saturating_add(bytes).saturating_sub(freed);
    }
}

fn bytes_of(group: &[Piece]) -> usize {
    group.iter().map(Piece::len).sum()
}

/// An answer of several parts, most of which other answers hold as well.
#[derive(Default)]
pub(super) struct Parts {
    parts: VecDeque<Bytes>,
    left: u64,
}

impl Parts {
    /// Adds a part at the end.
    pub fn push(&mut self, part: impl Into<Bytes>) {
        let part = part.into();
        self.left = self.left.saturating_add(part.len() as u64);
        self.parts.push_back(part);
    }
}

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let next = self.parts.pop_front();
        let length = next.as_ref().map_or(0, |part| part.len() as u64);
        self.left = self.left.saturating_sub(length);
        Poll::Ready(next.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_api::distribution::ReceiptedFrame;

    #[test]
    fn a_piece_is_the_json_of_its_entry() {
        let piece = Piece::new(
            7,
            "aGVsbG8.d29ybGQ.c2ln",
            "c2sp.org/x\nindex 7\n\n\"note\"\n",
        );
        let read: ReceiptedFrame = serde_json::from_slice(&piece.text()).unwrap();
        assert_eq!(read.frame, "aGVsbG8.d29ybGQ.c2ln~");
        assert_eq!((read.index, piece.index), (7, 7));
        assert_eq!(read.receipt, "c2sp.org/x\nindex 7\n\n\"note\"\n");
        assert_eq!(serde_json::to_vec(&read).unwrap(), piece.text());
    }

    #[test]
    fn more_than_there_is_room_for_is_made_again() {
        let group = |bytes: usize| {
            Arc::new(vec![Piece {
                index: 1,
                head: Bytes::from(vec![0; bytes]),
                tail: Bytes::new(),
            }])
        };
        let mut kept = Kept::default();
        kept.put(0, group(KEPT_BYTES_MAX / 2));
        kept.put(1, group(10));
        kept.put(1, group(20));
        assert_eq!(
            (kept.groups.len(), kept.bytes),
            (2, KEPT_BYTES_MAX / 2 + 20)
        );
        kept.put(2, group(KEPT_BYTES_MAX / 2));
        assert_eq!((kept.groups.len(), kept.bytes), (1, KEPT_BYTES_MAX / 2));
    }
}
