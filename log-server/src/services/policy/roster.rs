//! `GET /v1/roster`: entries after a revision, a page at a time, with the names that the reader may know.

use super::pages::{GROUP, Parts, Piece};
use crate::answers::Shared;
use crate::problem::Problem;
use crate::services::Services;
use crate::services::access::Caller;
use crate::services::people::names_of;
use crate::services::request::{Params, blocking, internal};
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use cairn_event::Disclosure;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Roster entries in one answer; a device that is far behind asks again after the last revision.
pub const MAX_ROSTER_ENTRIES: usize = 1_000;

/// Bytes of entries in one answer: a slow line, or a machine that starts, has taken it before its patience
/// ends, and what it has taken it need not ask for again. One entry is given whatever its length.
const PAGE_BYTES: usize = 262_144;

/// Query of `GET /v1/roster`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::services) struct After {
    after_revision: Option<u64>,
}

/// Roster entries after a revision and what is shown beside them.
struct Wanted {
    /// Position of the first entry of the group in which the page begins.
    aligned: usize,
    /// Entries before the page in that group.
    skipped: usize,
    indices: Vec<u64>,
    /// Revision of the newest roster entry.
    newest: usize,
    /// Entries that may disclose something to the caller; `None` where any may.
    naming: Option<BTreeSet<u64>>,
    /// What those disclosures are about: the person and their devices.
    own: BTreeSet<String>,
}

/// `GET /v1/roster`.
pub(in crate::services) async fn roster(
    State(services): State<Services>,
    caller: Caller,
    Params(after): Params<After>,
) -> Result<Response, Problem> {
    let from = usize::try_from(after.after_revision.unwrap_or(0)).unwrap_or(usize::MAX);
    let wanted = wanted(&services, &caller, from);
    if wanted.skipped >= wanted.indices.len() {
        return Ok(answer(page(&[], wanted.newest), true));
    }
    blocking(move || {
        let mut parts = Vec::new();
        let mut bytes = 0;
        let mut given = 0;
        for (turn, indices) in wanted.indices.chunks(GROUP).enumerate() {
            let number = wanted.aligned / GROUP + turn;
            let group = services.0.pages.group(&services, number, indices)?;
            let skipped = if turn == 0 { wanted.skipped } else { 0 };
            for piece in group.iter().take(indices.len()).skip(skipped) {
                bytes += piece.len();
                if given > 0 && (bytes > PAGE_BYTES || given >= MAX_ROSTER_ENTRIES) {
                    return Ok(answer(page(&parts, wanted.newest), wanted.naming.is_some()));
                }
                given += 1;
                parts.push(shown(&services, &wanted, piece)?);
            }
        }
        Ok(answer(page(&parts, wanted.newest), wanted.naming.is_some()))
    })
    .await
}

/// What a caller asks for of the roster as it is published now.
fn wanted(services: &Services, caller: &Caller, from: usize) -> Wanted {
    let roster = services.log().ledger().roster().clone();
    let entries = services.published_roster(&roster);
    // Revisions count roster entries from 1, so a revision is a position.
    let aligned = from / GROUP * GROUP;
    let taken = entries
        .iter()
        .skip(aligned)
        .take(MAX_ROSTER_ENTRIES + GROUP);
    let indices: Vec<u64> = taken.copied().collect();
    let skipped = from - aligned;
    let newest = entries.len();
    let is_empty = skipped >= indices.len();
    let (naming, own) = if caller.reads_all() && !is_empty {
        (None, BTreeSet::new())
    } else if is_empty {
        (Some(BTreeSet::new()), BTreeSet::new())
    } else {
        let own = names_of(&roster, &caller.claims.sub);
        let people = services.people();
        let places = own.iter().flat_map(|name| people.directory().naming(name));
        (Some(places.collect()), own)
    };
    Wanted {
        aligned,
        skipped,
        indices,
        newest,
        naming,
        own,
    }
}

/// A piece with what its reader may know: developers and their devices read what concerns themselves.
fn shown(
    services: &Services,
    wanted: &Wanted,
    piece: &Piece,
) -> Result<[axum::body::Bytes; 3], Problem> {
    let mut between = String::new();
    let naming = wanted.naming.as_ref();
    if naming.is_none_or(|naming| naming.contains(&piece.index)) {
        let held = services.log().disclosures().get(piece.index);
        let held = held.map_err(|error| internal(&error, "reading disclosures"))?;
        for encoded in held.into_iter().filter_map(|held| held.encoded) {
            if naming.is_none() || concerns(&wanted.own, &encoded) {
                between.push_str(&encoded);
                between.push('~');
            }
        }
    }
    Ok([piece.head.clone(), between.into(), piece.tail.clone()])
}

fn concerns(own: &BTreeSet<String>, encoded: &str) -> bool {
    let Ok(disclosure) = Disclosure::parse(encoded) else {
        return false;
    };
    match disclosure.name().split_once(':') {
        Some(("email" | "host", about)) => own.contains(about),
        _ => false,
    }
}

fn page(entries: &[[axum::body::Bytes; 3]], newest: usize) -> Parts {
    let mut page = Parts::default();
    page.push(r#"{"entries":["#);
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 {
            page.push(",");
        }
        for part in entry.iter().filter(|part| !part.is_empty()) {
            page.push(part.clone());
        }
    }
    page.push(format!(r#"],"newest":{newest}}}"#));
    page
}

/// `shared` says that all but a few names of it is in memory once for all readers.
fn answer(page: Parts, shared: bool) -> Response {
    let media = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (media, Body::new(page)).into_response();
    if shared {
        response.extensions_mut().insert(Shared);
    }
    response
}
