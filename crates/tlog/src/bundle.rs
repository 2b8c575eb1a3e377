//! Entry bundles: up to 256 entries, each behind a 16-bit big-endian length.
//!
//! Owns the bytes of the resource. It does not own what an entry means, nor the resource's path
//! (`tile_path`). Source: C2SP tlog-tiles, "Log entries".

use crate::tile::TILE_WIDTH;

/// The longest entry: its length is written in 16 bits.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// Bytes of the length in front of each entry.
const LENGTH_BYTES: usize = 2;

/// Why entries cannot be encoded as a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleEncodeError {
    /// An entry is longer than `MAX_ENTRY_BYTES`.
    #[error("entry {position} has {bytes} bytes, the limit is 65535")]
    EntryTooLong {
        /// Position inside the bundle.
        position: usize,
        /// Length of the entry.
        bytes: usize,
    },
    /// More than 256 entries.
    #[error("a bundle holds at most 256 entries")]
    TooManyEntries,
}

/// Why bytes are not a bundle of the expected width.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleDecodeError {
    /// The bytes end inside a length or an entry.
    #[error("bundle ends inside entry {position}")]
    Truncated {
        /// Position inside the bundle.
        position: usize,
    },
    /// The bundle has not the number of entries its path says.
    #[error("bundle has more or fewer than {want} entries")]
    EntryCount {
        /// Entries the path promises.
        want: u16,
    },
}

/// Encodes entries as the bytes of one bundle resource.
///
/// # Errors
/// Refused: an entry over `MAX_ENTRY_BYTES` or more than 256 entries.
pub fn encode<'a>(
    entries: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, BundleEncodeError> {
    let mut bytes = Vec::new();
    for (position, entry) in entries.into_iter().enumerate() {
        if position >= usize::from(TILE_WIDTH) {
            return Err(BundleEncodeError::TooManyEntries);
        }
        append(&mut bytes, entry).map_err(|_| BundleEncodeError::EntryTooLong {
            position,
            bytes: entry.len(),
        })?;
    }
    Ok(bytes)
}

/// Appends one entry to the bytes of a growing bundle.
///
/// # Errors
/// Refused: an entry over `MAX_ENTRY_BYTES` (position is reported as 0). The caller counts entries.
pub fn append(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleEncodeError> {
    let too_long = || BundleEncodeError::EntryTooLong {
        position: 0,
        bytes: entry.len(),
    };
    let length = u16::try_from(entry.len()).map_err(|_| too_long())?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Splits a bundle resource of `width` entries into its entries, in order.
///
/// # Errors
/// Refused: truncated, or not exactly `width` entries. A client treats the resource as damaged.
pub fn decode(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleDecodeError> {
    let mut entries = Vec::with_capacity(usize::from(width.min(TILE_WIDTH)));
    let mut rest = bundle;
    while !rest.is_empty() {
        let position = entries.len();
        if position == usize::from(width) {
            return Err(BundleDecodeError::EntryCount { want: width });
        }
        let (entry, after) = split_entry(rest).ok_or(BundleDecodeError::Truncated { position })?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() == usize::from(width) {
        Ok(entries)
    } else {
        Err(BundleDecodeError::EntryCount { want: width })
    }
}

/// The first `width` entries of a bundle as bytes, the resource `.p/<width>`; `None` when the
/// bundle has fewer entries.
///
/// A partial bundle is a strict prefix of the full one, so a server need not store partials.
#[must_use]
pub fn prefix(bundle: &[u8], width: u16) -> Option<&[u8]> {
    let mut rest = bundle;
    for _ in 0..width {
        rest = split_entry(rest)?.1;
    }
    bundle.get(..bundle.len() - rest.len())
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
