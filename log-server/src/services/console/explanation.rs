//! `GET /v1/events/{index}/explanation`: a recorded decision, judged again by the engine.
//!
//! Owns finding the bundle and the membership that the entry names. The input is shown to the same
//! callers as the event itself, and recorded in the same way.

use super::detail::{admit, entry};
use crate::disclosures::DisclosureState as Held;
use crate::problem::Problem;
use crate::services::Services;
use crate::services::access::Caller;
use crate::services::request::{EntryIndex, blocking, internal};
use axum::Json;
use axum::extract::State;
use cairn_api::explanation::{EventExplanation, recorded_subject};
use cairn_event::body::Body;
use cairn_event::{Disclosure, Entry};
use cairn_policy::{
    Again, Bundle, CompiledBundle, Explanation, Obstacle, compile, explain_recorded,
};
use std::sync::Arc;

/// `GET /v1/events/{index}/explanation`.
pub(in crate::services) async fn one(
    State(services): State<Services>,
    caller: Caller,
    EntryIndex(index): EntryIndex,
) -> Result<Json<EventExplanation>, Problem> {
    admit(&services, &caller, index).await?;
    blocking(move || {
        let explanation = explain(&services, index)?;
        Ok(Json(EventExplanation { index, explanation }))
    })
    .await
}

fn explain(services: &Services, index: u64) -> Result<Explanation, Problem> {
    let entry = entry(services, index)?;
    let held = services.log().disclosures().get(index);
    let held = held.map_err(|error| internal(&error, "reading disclosures"))?;
    let present = held.iter().filter_map(|one| one.encoded.as_deref());
    let disclosures: Vec<Disclosure> = present
        .filter_map(|encoded| Disclosure::parse(encoded).ok())
        .collect();
    let bundle = bundle(services, &entry)?;
    let subject = recorded_subject(&entry, services.log().ledger().roster());
    let bundle = bundle.as_deref().map_err(|obstacle| *obstacle);
    let explained = explain_recorded(&entry, &disclosures, bundle, subject);
    let mut explained = explained.ok_or_else(|| {
        let kind = entry.payload().body.kind();
        Problem::bad_request("no-decision", format!("the event is a `{kind}`"))
    })?;
    let erased = held.iter().any(|one| one.state == Held::Erased);
    if let Again::Impossible { reason } = &mut explained.again
        && erased
        && *reason == Obstacle::Withheld.to_string()
    {
        *reason = Obstacle::Erased.to_string();
    }
    Ok(explained)
}

/// The compiled bundle of the policy entry that an entry names, or why there is none.
fn bundle(
    services: &Services,
    of: &Entry,
) -> Result<Result<Arc<CompiledBundle>, Obstacle>, Problem> {
    let Some(index) = of.payload().context.policy else {
        return Ok(Err(Obstacle::NoPolicy));
    };
    let policy = entry(services, index)?;
    let Body::Policy(statement) = &policy.payload().body else {
        return Ok(Err(Obstacle::NoPolicy));
    };
    if let Some(kept) = services.compiled().get(&statement.bundle) {
        return Ok(Ok(kept));
    }
    let bytes = services.log().blob(&statement.bundle.0);
    let bytes = bytes.map_err(|error| internal(&error, "reading the bundle"))?;
    let Some(bytes) = bytes else {
        return Ok(Err(Obstacle::NoPolicy));
    };
    let compiled = Bundle::parse(&bytes)
        .ok()
        .and_then(|bundle| compile(&bundle).ok());
    let Some(compiled) = compiled.map(Arc::new) else {
        return Ok(Err(Obstacle::BadPolicy));
    };
    let kept = Arc::clone(&compiled);
    services
        .compiled()
        .keep(statement.bundle, bytes.len(), kept);
    Ok(Ok(compiled))
}
