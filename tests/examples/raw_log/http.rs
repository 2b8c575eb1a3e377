//! The four resources that a load generator needs: `add`, `checkpoint`, tiles, bundles.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cairn_server::store::{LogStore, StoreError};
use cairn_tlog::MAX_ENTRY_BYTES;
use cairn_tlog::tile::{BundleId, TileId};
use tokio::net::TcpListener;

use crate::log::RawLog;

#[derive(Clone)]
struct Served {
    store: Arc<dyn LogStore>,
    log: RawLog,
}

/// Serves until the listener fails.
pub async fn serve(
    listener: TcpListener,
    store: Arc<dyn LogStore>,
    log: RawLog,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/add", post(add))
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .layer(DefaultBodyLimit::max(MAX_ENTRY_BYTES))
        .with_state(Served { store, log });
    axum::serve(listener, routes).await
}

async fn add(State(served): State<Served>, body: Bytes) -> Response {
    match served.log.add(body.to_vec()).await {
        Some(index) => index.to_string().into_response(),
        None => {
            let later = [(header::RETRY_AFTER, "1")];
            (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
        }
    }
}

async fn checkpoint(State(served): State<Served>) -> Response {
    let note = served.log.published.borrow().note.clone();
    ([(header::CACHE_CONTROL, "no-cache")], note).into_response()
}

/// Nothing beyond the published checkpoint is served.
async fn tile(State(served): State<Served>, Path(path): Path<String>) -> Response {
    let size = served.log.published.borrow().size;
    match find(served.store.as_ref(), &format!("tile/{path}"), size) {
        Ok(Some(bytes)) => bytes.into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            eprintln!("raw_log: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn find(store: &dyn LogStore, path: &str, size: u64) -> Result<Option<Vec<u8>>, StoreError> {
    if let Ok(id) = path.parse::<BundleId>() {
        let there = BundleId::at_size(id.index, size).is_some_and(|at| id.width <= at.width);
        return if there {
            store.bundle(id.index, id.width)
        } else {
            Ok(None)
        };
    }
    let Ok(id) = path.parse::<TileId>() else {
        return Ok(None);
    };
    let at = TileId::at_size(id.level, id.index, size);
    if at.is_some_and(|at| id.width <= at.width) {
        store.tile(id)
    } else {
        Ok(None)
    }
}
