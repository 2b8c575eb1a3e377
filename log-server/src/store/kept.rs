//! What is kept for ever of the checkpoints published at one size.
//!
//! Owns the rule. A head that does not change is cosigned again and again, to show that the log
//! lives; only the first time says how old its entries are at least. So the first note stays, and a
//! later one adds the cosignatures of witnesses that had not cosigned this size before: each
//! witness's earliest statement is kept, and nothing that was kept is ever left out again.

use super::{PublishedCheckpoint, StoreError};
use cairn_tlog::Note;
use cairn_tlog::note::MAX_NOTE_SIGNATURES;

/// The checkpoint to keep at a size where `kept` is kept and `next` is published; `None` when
/// `next` adds nothing. The time is that of the first.
///
/// # Errors
/// `Damaged`: a note that was stored as one cannot be read.
pub(super) fn add(
    kept: &PublishedCheckpoint,
    next: &PublishedCheckpoint,
) -> Result<Option<PublishedCheckpoint>, StoreError> {
    let mut note = read(kept)?;
    let before = note.signatures.len();
    for line in read(next)?.signatures {
        let known =
            |have: &cairn_tlog::NoteSignature| have.name == line.name && have.key_id == line.key_id;
        // Beyond the limit no reader would take the note.
        if !note.signatures.iter().any(known) && note.signatures.len() < MAX_NOTE_SIGNATURES {
            note.signatures.push(line);
        }
    }
    let witnessed = kept.witnessed || next.witnessed;
    if note.signatures.len() == before && witnessed == kept.witnessed {
        return Ok(None);
    }
    Ok(Some(PublishedCheckpoint {
        note: note.to_string(),
        witnessed,
        ..kept.clone()
    }))
}

fn read(checkpoint: &PublishedCheckpoint) -> Result<Note, StoreError> {
    Note::parse(&checkpoint.note).map_err(|_| StoreError::Damaged {
        table: "checkpoint",
        what: "the note is not a signed note",
    })
}
