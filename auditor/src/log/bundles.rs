//! Entry bundles in order, fetched ahead of their use.
//!
//! Owns a thread that reads while the caller hashes and verifies, and the split of bundles into
//! entries.

use crate::source::reading::{Leave, Parts};
use crate::source::{Disclosed, LogSource, SourceError};
use cairn_tlog::{BundleDecodeError, BundleId, bundle};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc::sync_channel;

/// Bundles fetched ahead: enough to hide a slow line, and at most 270 MB of the largest entries.
const AHEAD: usize = 16;

/// Why entries could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The bundle could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The bundle is damaged.
    #[error("`{path}` is damaged: {cause}")]
    Damaged {
        /// The bundle.
        path: String,
        /// Why.
        cause: BundleDecodeError,
    },
}

/// Calls `each` with the entries of `range` in a tree of `size` leaves, bundle by bundle: the index
/// of the first and the bytes of each.
///
/// Errors: [`BundleError`], or what `each` returns first.
pub fn for_each<E: From<BundleError>>(
    source: &dyn LogSource,
    range: Range<u64>,
    size: u64,
    mut each: impl FnMut(u64, Vec<Vec<u8>>) -> Result<(), E>,
) -> Result<(), E> {
    for_each_disclosed(source, None, range, size, |first, entries, _| {
        each(first, entries)
    })
}

/// Confidential members by index.
pub type DisclosedByIndex = BTreeMap<u64, Vec<Disclosed>>;

/// As [`for_each`], with the confidential members of each bundle's entries where there is a leave to
/// read them; both are fetched ahead.
///
/// Errors: [`BundleError`], or what `each` returns first.
pub fn for_each_disclosed<E: From<BundleError>>(
    source: &dyn LogSource,
    leave: Option<&Leave>,
    range: Range<u64>,
    size: u64,
    mut each: impl FnMut(u64, Vec<Vec<u8>>, DisclosedByIndex) -> Result<(), E>,
) -> Result<(), E> {
    let width = u64::from(cairn_tlog::TILE_WIDTH);
    let ids = (range.start / width..range.end.div_ceil(width))
        .filter_map(move |index| BundleId::at_size(index, size));
    let inside = range.clone();
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        scope.spawn(move || {
            let mut parts = leave.map(|leave| Parts::new(source, leave));
            for id in ids {
                let read = source.bundle(id).and_then(|bytes| {
                    let first = id.first_entry();
                    let part = first.max(inside.start)..inside.end.min(first.saturating_add(width));
                    let disclosed = parts.as_mut().map(|parts| parts.take(part)).transpose()?;
                    Ok((bytes, disclosed.unwrap_or_default()))
                });
                // The receiver leaves on the first error; then there is nothing more to fetch.
                if sender.send((id, read)).is_err() {
                    return;
                }
            }
        });
        for (id, read) in receiver {
            let (bytes, disclosed) = read.map_err(BundleError::Source)?;
            let entries =
                bundle::decode(&bytes, id.width).map_err(|cause| BundleError::Damaged {
                    path: id.to_string(),
                    cause,
                })?;
            let first = id.first_entry();
            let skip = range.start.saturating_sub(first);
            let take = range.end.saturating_sub(first.max(range.start));
            let wanted: Vec<Vec<u8>> = entries
                .into_iter()
                .skip(usize::try_from(skip).unwrap_or(usize::MAX))
                .take(usize::try_from(take).unwrap_or(usize::MAX))
                .map(<[u8]>::to_vec)
                .collect();
            if !wanted.is_empty() {
                each(first.max(range.start), wanted, disclosed)?;
            }
        }
        Ok(())
    })
}
