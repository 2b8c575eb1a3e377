//! Blobs: bodies too large for an entry, named by their SHA-256.
//!
//! Owns the size limit and the digest. An entry that names a blob is submitted after the blob is
//! durable; this module makes it durable before it returns.

use crate::store::{LogStore, StoreError};
use cairn_event::Sha256;

/// Largest blob in bytes: a policy bundle of 1,000 rules is about 200 KiB.
pub const MAX_BLOB_BYTES: usize = 1_048_576;

/// Why a blob was not kept.
#[derive(Debug, thiserror::Error)]
pub enum PutBlobError {
    /// Longer than [`MAX_BLOB_BYTES`]. Refused.
    #[error("blob of {0} bytes is longer than {MAX_BLOB_BYTES}")]
    TooLong(usize),
    /// The store's. Fatal.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a blob durable and gives its SHA-256; a known blob is success.
pub(crate) fn put(store: &dyn LogStore, bytes: &[u8]) -> Result<[u8; 32], PutBlobError> {
    if bytes.len() > MAX_BLOB_BYTES {
        return Err(PutBlobError::TooLong(bytes.len()));
    }
    let digest = Sha256::of(bytes).0;
    store.put_blob(&digest, bytes)?;
    Ok(digest)
}
