//! `/checkpoint` and `/tile/…` (C2SP tlog-tiles), and what is left of pruned bundles.

use super::{BYTES, Headers, IMMUTABLE, JSON, NO_CACHE, TEXT, gone, headers, number, unreadable};
use crate::log::Log;
use crate::problem::Problem;
use axum::extract::{Path, State};
use axum::http::Uri;
use cairn_tlog::TILE_WIDTH;
use cairn_tlog::tile::{BundleId, TileId};

/// The newest published checkpoint.
pub(super) async fn checkpoint(State(log): State<Log>) -> Result<(Headers, String), Problem> {
    let note = log.published().borrow().note.clone();
    if note.is_empty() {
        return Err(Problem::not_found("nothing is published yet"));
    }
    Ok((headers(TEXT, NO_CACHE), note))
}

/// A tile or an entry bundle, full or cut to a width, as far as the published checkpoint goes.
///
/// The raw path is parsed: a percent-encoded second spelling of the same tile is not found.
pub(super) async fn tile(State(log): State<Log>, uri: Uri) -> Result<(Headers, Vec<u8>), Problem> {
    let path = uri.path().strip_prefix('/').unwrap_or_default();
    let absent = || Problem::not_found("no such tile");
    let size = log.published().borrow().size;
    if let Ok(id) = path.parse::<BundleId>() {
        let there = BundleId::at_size(id.index, size).is_some_and(|at| id.width <= at.width);
        if !there {
            return Err(absent());
        }
        let bytes = log.store().bundle(id.index, id.width);
        let bytes = bytes.map_err(|error| unreadable(&error))?;
        let bytes = bytes.ok_or_else(|| gone(&log, id.first_entry(), absent))?;
        return Ok((headers(BYTES, IMMUTABLE), bytes));
    }
    let id = path.parse::<TileId>().map_err(|_| absent())?;
    let at = TileId::at_size(id.level, id.index, size);
    if at.is_none_or(|at| id.width > at.width) {
        return Err(absent());
    }
    let bytes = log.store().tile(id).map_err(|error| unreadable(&error))?;
    Ok((headers(BYTES, IMMUTABLE), bytes.ok_or_else(absent)?))
}

/// What was pruned. Tiles never are: every checkpoint can still be proven.
pub(super) async fn retention(State(log): State<Log>) -> Result<(Headers, Vec<u8>), Problem> {
    let retention = log
        .store()
        .retention()
        .map_err(|error| unreadable(&error))?;
    let text = serde_json::to_vec(&retention).map_err(|error| unreadable(&error))?;
    Ok((headers(JSON, NO_CACHE), text))
}

/// What stays of a pruned bundle; nothing of it is an answer as well.
pub(super) async fn kept(
    State(log): State<Log>,
    Path(bundle): Path<String>,
) -> Result<(Headers, Vec<u8>), Problem> {
    let bundle = number(&bundle)?;
    let store = log.store();
    let minimum = store.minimum_index().map_err(|error| unreadable(&error))?;
    if bundle >= minimum / u64::from(TILE_WIDTH) {
        let detail = format!("bundle {bundle} is not pruned: read it as a tile");
        return Err(Problem::not_found(detail));
    }
    let kept = store.kept(bundle).map_err(|error| unreadable(&error))?;
    Ok((headers(BYTES, IMMUTABLE), kept.unwrap_or_default()))
}
