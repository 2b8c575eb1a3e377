//! Entry bundles in order, fetched ahead of their use.
//!
//! Owns a thread that reads while the caller hashes and verifies, and the split of bundles into
//! entries.

use crate::source::{LogSource, SourceError};
use cairn_tlog::{BundleDecodeError, BundleId, bundle};
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
    let width = u64::from(cairn_tlog::TILE_WIDTH);
    let ids = (range.start / width..range.end.div_ceil(width))
        .filter_map(move |index| BundleId::at_size(index, size));
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        scope.spawn(move || {
            for id in ids {
                // The receiver leaves on the first error; then there is nothing more to fetch.
                if sender.send((id, source.bundle(id))).is_err() {
                    return;
                }
            }
        });
        for (id, read) in receiver {
            let bytes = read.map_err(BundleError::Source)?;
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
                each(first.max(range.start), wanted)?;
            }
        }
        Ok(())
    })
}
