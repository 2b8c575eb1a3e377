//! Stored forms of what was pruned.
//!
//! Owns the rows `retention` and `pruning-owed` of the table `meta`, and finding an entry in what stays
//! of a bundle. Does not own what stays (`cairn_identity::retention`).
//!
//! Source: `docs/formats/store.md`.

use super::StoreError;
use cairn_identity::retention::{PrunedRange, Retention, read_thinned};
use cairn_tlog::TILE_WIDTH;
use std::ops::Range;

/// First byte of both rows: the layout of this version.
const LAYOUT: u8 = 1;

/// Layout byte, minimum index, then of each range `from`, `to` and the index of its entry.
pub(super) fn encode(retention: &Retention) -> Vec<u8> {
    let mut bytes = vec![LAYOUT];
    bytes.extend_from_slice(&retention.minimum_index.to_be_bytes());
    for range in &retention.pruned {
        for number in [range.from, range.to, range.entry] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
    }
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Result<Retention, StoreError> {
    let wrong = || damaged("meta", "the pruned ranges have not their form");
    let numbers = numbers(bytes).ok_or_else(wrong)?;
    let (&minimum_index, ranges) = numbers.split_first().ok_or_else(wrong)?;
    let (ranges, []) = ranges.as_chunks::<3>() else {
        return Err(wrong());
    };
    let pruned = ranges
        .iter()
        .map(|&[from, to, entry]| PrunedRange { entry, from, to })
        .collect();
    let retention = Retention {
        minimum_index,
        pruned,
    };
    match retention.check_form() {
        Ok(()) => Ok(retention),
        Err(_) => Err(wrong()),
    }
}

/// Layout byte, first index, first index after the range.
pub(super) fn encode_owed(range: &Range<u64>) -> Vec<u8> {
    let mut bytes = vec![LAYOUT];
    bytes.extend_from_slice(&range.start.to_be_bytes());
    bytes.extend_from_slice(&range.end.to_be_bytes());
    bytes
}

pub(super) fn decode_owed(bytes: &[u8]) -> Result<Range<u64>, StoreError> {
    match numbers(bytes).as_deref() {
        Some(&[start, end]) if start < end => Ok(start..end),
        _ => Err(damaged("meta", "the owed pruning has not its form")),
    }
}

/// The entry with this index out of what stays of its bundle.
pub(super) fn entry_of(thinned: &[u8], index: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let kept = read_thinned(thinned)
        .map_err(|_| damaged("kept", "what stays of a bundle has not its form"))?;
    let position = u8::try_from(index % u64::from(TILE_WIDTH)).unwrap_or(u8::MAX);
    Ok(kept.get(&position).map(|entry| entry.to_vec()))
}

fn numbers(bytes: &[u8]) -> Option<Vec<u64>> {
    let rest = bytes.strip_prefix(&[LAYOUT])?;
    let (chunks, []) = rest.as_chunks::<8>() else {
        return None;
    };
    Some(chunks.iter().map(|one| u64::from_be_bytes(*one)).collect())
}

fn damaged(table: &'static str, what: &'static str) -> StoreError {
    StoreError::Damaged { table, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_they_were_written_and_not_otherwise() {
        let range = |from, to, entry| PrunedRange { entry, from, to };
        let retention = Retention {
            minimum_index: 1_024,
            pruned: vec![range(0, 512, 700), range(512, 1_024, 2_000)],
        };
        let bytes = encode(&retention);
        assert_eq!(decode(&bytes).unwrap(), retention);
        assert!(decode(&bytes[..bytes.len() - 8]).is_err());
        assert!(decode(&bytes[..33]).is_err(), "the last range is missing");
        assert!(decode(&[]).is_err());
        assert_eq!(decode_owed(&encode_owed(&(256..512))).unwrap(), 256..512);
        assert!(decode_owed(&encode_owed(&(512..512))).is_err());
    }
}
