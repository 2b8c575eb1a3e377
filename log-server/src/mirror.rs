//! `cairn-server export-static`: the published log as plain files for any web server.
//!
//! Owns the layout and the order of writing. Does not own the consistent view (`crate::snapshot`).
//! What is written is what anybody can fetch from this server: nothing confidential, no keys.
//!
//! ```text
//! checkpoint             the newest published one; written last
//! checkpoints/<size>     each published checkpoint
//! checkpoints/sizes      their sizes, ascending, one a line
//! tile/…                 tiles and entry bundles (C2SP tlog-tiles)
//! retention              what was pruned
//! kept/<bundle>          what stays of a pruned bundle, where something does
//! blobs/<sha256>         bodies that entries name
//! ```
//!
//! A reader at any moment finds everything that the `checkpoint` it read covers: files are added
//! before the checkpoint that needs them, and partial tiles of the checkpoint before stay for one
//! more export. A full tile, a bundle and a checkpoint of a size are written once and never again.
//!
//! Source: C2SP tlog-tiles; `docs/operating/mirror.md`.

mod files;

use crate::keys::{Keys, KeysError};
use crate::receipts::{StoreTiles, TileError};
use crate::snapshot::{Snapshot, SnapshotError};
use crate::store::{
    Engine, KeyedStore, LogStore, PublishedCheckpoint, Rocks, RocksOpenError, StoreError, Table,
};
use cairn_durable::file::{CreateDirError, ReadFileError, WriteFileError};
use cairn_tlog::node_hash;
use cairn_tlog::nodes::{NodeReader as _, decompose};
use cairn_tlog::tile::{TileNodeError, bundles_for_size, tiles_for_size};
use cairn_tlog::{
    BundleId, Checkpoint, CheckpointOpenError, EMPTY_ROOT, Hash, TILE_WIDTH, TileId, TileNodes,
};
use files::Files;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// Name of the newest checkpoint, as in C2SP tlog-tiles.
const CHECKPOINT: &str = "checkpoint";

/// Name of the list of sizes, inside the folder of checkpoints.
const SIZES: &str = "checkpoints/sizes";

/// Name of what says what was pruned.
const RETENTION: &str = "retention";

/// Blobs read from the store at once: at most 64 MiB.
const BLOBS_AT_ONCE: usize = 64;

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MirrorReport {
    /// The log's origin.
    pub origin: String,
    /// Entries that the exported checkpoint covers.
    pub size: u64,
    /// Entries that the export covered before; absent at the first export.
    pub size_before: Option<u64>,
    /// Files written by this run.
    pub written: u64,
    /// Files that were there.
    pub kept: u64,
    /// Bundles removed because they were pruned, and partial tiles and bundles because no checkpoint needs
    /// them any more.
    pub removed: u64,
}

/// Why nothing, or not everything, was exported. What is there already stays valid.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// No view of the data folder.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store does not open.
    #[error(transparent)]
    Open(#[from] RocksOpenError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing is published yet. Retry later.
    #[error("nothing is published yet")]
    NothingPublished,
    /// The export was made from another log. Refused: choose another folder.
    #[error("the export holds a checkpoint that this log did not sign")]
    OtherLog(#[source] CheckpointOpenError),
    /// The export is ahead: the store went back in time, or is another's copy. Refused.
    #[error("the export holds size {exported}, the log has published {published}")]
    Ahead {
        /// Size of the export.
        exported: u64,
        /// Published size of the store.
        published: u64,
    },
    /// The export has another tree. Refused: keep it, it is evidence of a fork.
    #[error("at size {0} the export and the log have different roots: keep both and stop")]
    Fork(u64),
    /// What was pruned cannot be written down.
    #[error("what was pruned could not be written as json")]
    Form(#[source] serde_json::Error),
    /// A tile that the tree has is missing.
    #[error("a tile or bundle of size {0} is missing in the store")]
    Missing(u64),
    /// The root of the exported size cannot be computed.
    #[error("the tree of the exported size cannot be read")]
    Tree(#[from] TileNodeError<TileError>),
    /// A folder cannot be made.
    #[error("a folder of the export cannot be made")]
    Folder(#[from] CreateDirError),
    /// A file cannot be read.
    #[error("a file of the export cannot be read")]
    Read(#[from] ReadFileError),
    /// A file cannot be written.
    #[error("a file of the export cannot be written")]
    Write(#[from] WriteFileError),
    /// A file cannot be removed or listed.
    #[error("a folder of the export cannot be tidied")]
    Tidy(#[source] std::io::Error),
}

/// Writes what is published to `target`, adding to what an earlier export left there.
///
/// # Errors
/// [`MirrorError`].
pub fn export(data: &Path, target: &Path) -> Result<MirrorReport, MirrorError> {
    let keys = Keys::load(data)?;
    let view = Snapshot::take(data)?;
    let rocks = Arc::new(Rocks::open_read_only(&view.store())?);
    let store = KeyedStore::new(rocks.clone());
    let newest = store.published()?.ok_or(MirrorError::NothingPublished)?;
    let mut files = Files::open(target)?;
    let before = before(&files, &store, &keys, &newest)?;
    write_blobs(&mut files, rocks.as_ref())?;
    let retention = store.retention()?;
    write_tree(&mut files, &store, newest.size, retention.minimum_index)?;
    // Before what it makes superfluous goes: a reader finds one or the other.
    let text = serde_json::to_vec(&retention).map_err(MirrorError::Form)?;
    if files.read(RETENTION)?.is_none_or(|known| known != text) {
        files.replace(RETENTION, &text)?;
    }
    remove_pruned(&mut files, retention.minimum_index)?;
    write_checkpoints(&mut files, &store, &newest)?;
    files.replace(CHECKPOINT, newest.note.as_bytes())?;
    let sizes = [newest.size, before.unwrap_or(newest.size)];
    files.remove_partials(sizes, retention.minimum_index)?;
    Ok(MirrorReport {
        origin: keys.origin,
        size: newest.size,
        size_before: before,
        written: files.written,
        kept: files.kept,
        removed: files.removed,
    })
}

/// The size of the export as it is, after it was found to be of this log and of its past.
fn before(
    files: &Files,
    store: &dyn LogStore,
    keys: &Keys,
    newest: &PublishedCheckpoint,
) -> Result<Option<u64>, MirrorError> {
    let Some(note) = files.read(CHECKPOINT)? else {
        return Ok(None);
    };
    let opened = Checkpoint::open(&String::from_utf8_lossy(&note), keys.log.verifier());
    let (exported, _) = opened.map_err(MirrorError::OtherLog)?;
    if exported.size > newest.size {
        return Err(MirrorError::Ahead {
            exported: exported.size,
            published: newest.size,
        });
    }
    if root_at(store, exported.size)? != exported.root {
        return Err(MirrorError::Fork(exported.size));
    }
    Ok(Some(exported.size))
}

/// The root of the first `size` leaves, out of the tiles.
fn root_at(store: &dyn LogStore, size: u64) -> Result<Hash, MirrorError> {
    let nodes = TileNodes::new(StoreTiles::new(store), size);
    let mut root: Option<Hash> = None;
    let parts: Vec<_> = decompose(0, size).collect();
    for part in parts.into_iter().rev() {
        let left = nodes.node(part.level, part.index)?;
        root = Some(root.map_or(left, |right| node_hash(&left, &right)));
    }
    Ok(root.unwrap_or(EMPTY_ROOT))
}

/// Removes the bundles that were pruned since an earlier export.
fn remove_pruned(files: &mut Files, minimum: u64) -> Result<(), MirrorError> {
    for number in 0..minimum / u64::from(TILE_WIDTH) {
        files.remove(&BundleId::full(number).to_string())?;
    }
    Ok(())
}

fn write_tree(
    files: &mut Files,
    store: &dyn LogStore,
    size: u64,
    minimum: u64,
) -> Result<(), MirrorError> {
    for id in bundles_for_size(size) {
        let BundleId { index, width } = id;
        if id.first_entry() < minimum {
            if let Some(kept) = store.kept(index)? {
                files.once(&format!("kept/{index}"), || Ok(kept))?;
            }
            continue;
        }
        files.once(&id.to_string(), || {
            store
                .bundle(index, width)?
                .ok_or(MirrorError::Missing(size))
        })?;
    }
    for id in tiles_for_size(size) {
        files.once(&TileId::to_string(&id), || {
            store.tile(id)?.ok_or(MirrorError::Missing(size))
        })?;
    }
    Ok(())
}

fn write_checkpoints(
    files: &mut Files,
    store: &dyn LogStore,
    newest: &PublishedCheckpoint,
) -> Result<(), MirrorError> {
    let mut list = String::new();
    for size in store.checkpoint_sizes(0, usize::MAX)? {
        let Some(kept) = store.checkpoint(size)? else {
            continue;
        };
        // One without witnesses may be followed by a witnessed one of the same size.
        let name = format!("checkpoints/{size}");
        if kept.witnessed || size < newest.size {
            files.once(&name, || Ok(kept.note.into_bytes()))?;
        } else {
            files.replace(&name, kept.note.as_bytes())?;
        }
        list.push_str(&format!("{size}\n"));
    }
    files.replace(SIZES, list.as_bytes())
}

fn write_blobs(files: &mut Files, rocks: &Rocks) -> Result<(), MirrorError> {
    // No digest is longer, so this is past the last key.
    let end = [u8::MAX; 33];
    let mut from = Vec::new();
    loop {
        let rows = rocks.scan(Table::Blob, &from, &end, BLOBS_AT_ONCE)?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        // The key after `last` is `last` with a zero byte.
        from = [last.as_slice(), &[0]].concat();
        for (digest, bytes) in rows {
            let name = format!("blobs/{}", hex::encode(digest));
            files.once(&name, || Ok(bytes))?;
        }
    }
}
