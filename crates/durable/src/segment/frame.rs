//! The pure part of a segment: framing one payload, and judging the bytes of a whole file.
//!
//! Owns no file and makes no system call.
//!
//! Source: the format in [`crate::segment`].

use super::{FRAME_HEADER_BYTES, MAGIC, RECORD_BYTES_MAX};

/// [`FRAME_HEADER_BYTES`] as a length in memory.
const FRAME_HEADER_LEN: usize = 8;

/// The most bytes checksummed while looking for a valid record after a damaged one: 1 GiB.
///
/// Honest files cost almost nothing, because few four-byte runs are lengths a record can have. A
/// payload crafted so that every byte looks like the start of a long record would otherwise keep
/// a start-up busy for hours. When the budget is spent the file is refused.
const SEARCH_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What the bytes of a segment file hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Offsets of the valid records from the start of the file, ascending.
    pub offsets: Vec<u32>,
    /// Where the readable part ends; the file's length when it is whole.
    pub end: u64,
    /// What follows the readable part.
    pub tail: Tail,
}

/// What follows the readable part of a segment file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    Clean,
    /// Bytes without any valid record among them.
    Torn,
    /// A damaged frame and, later, a valid record at this offset.
    Corrupt {
        /// Offset of that record.
        next_valid: u64,
    },
    /// A damaged frame, and too many bytes after it that look like records to tell the two apart.
    Undecided,
}

/// Returns the size on disk of a record with a payload of this many bytes.
#[must_use]
pub fn frame_bytes(payload_bytes: u64) -> u64 {
    payload_bytes.saturating_add(FRAME_HEADER_BYTES)
}

/// Frames a payload, or says that its length is not one a record can have.
pub(super) fn encode(payload: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len())
        .ok()
        .filter(|n| is_record_length(*n))?;
    let mut frame = Vec::with_capacity(payload.len().saturating_add(FRAME_HEADER_LEN));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&crc32c::crc32c(payload).to_be_bytes());
    frame.extend_from_slice(payload);
    Some(frame)
}

/// Splits a frame header into payload length and checksum, or says that no record has this length.
pub(super) fn decode_header(header: [u8; 8]) -> Option<(u32, u32)> {
    let [a, b, c, d, e, f, g, h] = header;
    let length = u32::from_be_bytes([a, b, c, d]);
    is_record_length(length).then_some((length, u32::from_be_bytes([e, f, g, h])))
}

/// Returns the payload of the valid record that begins at `offset`, if there is one.
pub(super) fn payload_at(bytes: &[u8], offset: usize) -> Option<&[u8]> {
    let (header, rest) = bytes.get(offset..)?.split_first_chunk::<8>()?;
    let (length, checksum) = decode_header(*header)?;
    let payload = rest.get(..usize::try_from(length).ok()?)?;
    (crc32c::crc32c(payload) == checksum).then_some(payload)
}

/// Judges the bytes of a whole file, or says that it does not begin as a segment does.
///
/// The caller has made sure that the file is no larger than a segment may be.
pub(super) fn scan(bytes: &[u8]) -> Option<Scan> {
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let mut offsets = Vec::new();
    let mut end = MAGIC.len();
    while let Some(payload) = payload_at(bytes, end) {
        offsets.push(u32::try_from(end).ok()?);
        end = end
            .saturating_add(payload.len())
            .saturating_add(FRAME_HEADER_LEN);
    }
    let tail = if end == bytes.len() {
        Tail::Clean
    } else {
        judge_tail(bytes, end)
    };
    Some(Scan {
        offsets,
        end: end as u64,
        tail,
    })
}

/// Tells a torn tail from corruption: is there a valid record anywhere after `damaged`?
fn judge_tail(bytes: &[u8], damaged: usize) -> Tail {
    let mut searched: u64 = 0;
    for at in damaged.saturating_add(1)..bytes.len() {
        if payload_at(bytes, at).is_some() {
            return Tail::Corrupt {
                next_valid: at as u64,
            };
        }
        searched = searched.saturating_add(checksummed_bytes(bytes, at));
        if searched > SEARCH_BYTES_MAX {
            return Tail::Undecided;
        }
    }
    Tail::Torn
}

/// Returns how many bytes [`payload_at`] has to checksum to reject this offset.
fn checksummed_bytes(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk::<8>().copied().and_then(decode_header) {
        Some((length, _)) if frame_bytes(u64::from(length)) <= rest.len() as u64 => {
            u64::from(length)
        }
        _ => 0,
    }
}

fn is_record_length(length: u32) -> bool {
    length != 0 && u64::from(length) <= RECORD_BYTES_MAX
}
