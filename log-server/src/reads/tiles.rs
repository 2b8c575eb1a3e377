//! `/checkpoint` and `/tile/…` (C2SP tlog-tiles).

use super::{BYTES, Headers, IMMUTABLE, NO_CACHE, TEXT, headers, unreadable};
use crate::log::Log;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::Uri;
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
    let found = if let Ok(id) = path.parse::<BundleId>() {
        let there = BundleId::at_size(id.index, size).is_some_and(|at| id.width <= at.width);
        if !there {
            return Err(absent());
        }
        log.store().bundle(id.index, id.width)
    } else {
        let id = path.parse::<TileId>().map_err(|_| absent())?;
        let at = TileId::at_size(id.level, id.index, size);
        if at.is_none_or(|at| id.width > at.width) {
            return Err(absent());
        }
        log.store().tile(id)
    };
    let bytes = found
        .map_err(|error| unreadable(&error))?
        .ok_or_else(absent)?;
    Ok((headers(BYTES, IMMUTABLE), bytes))
}
