//! `GET /v1/events/{index}`: one event in full, with everything needed to check it.

use super::{Known, summarise};
use crate::problem::Problem;
use crate::services::Services;
use crate::services::access::Caller;
use crate::services::reading::{record, summary};
use crate::services::request::{EntryIndex, blocking, internal};
use axum::Json;
use axum::extract::State;
use cairn_api::browse::{DisclosureState, DisclosureView, EventDetail, WitnessTime};
use cairn_event::{Disclosure, Entry};

/// `GET /v1/events/{index}`.
pub(in crate::services) async fn one(
    State(services): State<Services>,
    caller: Caller,
    EntryIndex(index): EntryIndex,
) -> Result<Json<EventDetail>, Problem> {
    admit(&services, &caller, index).await?;
    blocking(move || detail(&services, &caller, index).map(Json)).await
}

/// Lets a caller see what an event says, confidential members included: to others than its own person
/// only after the log says so.
///
/// # Errors
/// Not found for an event that the caller may not know of; the authority's, and then nothing is shown.
pub(super) async fn admit(services: &Services, caller: &Caller, index: u64) -> Result<(), Problem> {
    let absent = || Problem::not_found("there is no such event");
    let person = {
        let known = services.index();
        let row = known.rows().get(&index).ok_or_else(absent)?;
        if !caller.sees_person(row.person.as_deref()) {
            return Err(absent());
        }
        row.person.clone()
    };
    let own = person.as_deref() == Some(caller.claims.sub.as_str());
    let reader = services.clone();
    let confidential = blocking(move || has_content(&reader, index)).await?;
    if confidential && !own {
        record(services, caller, &format!("index:{index}")).await?;
    }
    Ok(())
}

fn has_content(services: &Services, index: u64) -> Result<bool, Problem> {
    let held = services.log().disclosures().get(index);
    let held = held.map_err(|error| internal(&error, "reading disclosures"))?;
    Ok(held.iter().any(|one| one.encoded.is_some()))
}

fn detail(services: &Services, caller: &Caller, index: u64) -> Result<EventDetail, Problem> {
    let log = services.log();
    let entry = entry(services, index)?;
    let payload = entry.payload().to_value();
    let payload = payload.map_err(|error| internal(&error, "reading an entry"))?;
    let receipt = log
        .receipt(index)
        .map_err(|error| internal(&error, "making a receipt"))?;
    let mut shown = {
        let known = Known::of(services);
        let row = known.index.rows().get(&index);
        let row = row.ok_or_else(|| Problem::not_found("there is no such event"))?;
        summarise(&known, caller, row)
    };
    shown.summary = summary(services, index);
    let key = services.index().ledger().key_for(&entry, &[]);
    let key = key.map_err(|error| internal(&error, "finding an entry's key"))?;
    Ok(EventDetail {
        index,
        leaf: entry.leaf(),
        entry: entry.text().to_owned(),
        payload,
        key,
        disclosures: disclosures(services, index)?,
        receipt,
        trust_policy: services.trust_policy(),
        witnessed_at: witnessed_at(services, index)?,
        summary: shown,
    })
}

/// The entry of an event.
///
/// # Errors
/// Not found, or gone where it was pruned.
pub(super) fn entry(services: &Services, index: u64) -> Result<Entry, Problem> {
    let log = services.log();
    let bytes = log
        .entry(index)
        .map_err(|error| internal(&error, "reading an entry"))?;
    let Some(bytes) = bytes else {
        let minimum = log.minimum_index();
        let minimum = minimum.map_err(|error| internal(&error, "reading the minimum index"))?;
        return Err(if index < minimum {
            Problem::pruned(minimum)
        } else {
            Problem::not_found("there is no such event")
        });
    };
    Entry::parse(&bytes).map_err(|error| internal(&error, "reading an entry"))
}

fn disclosures(services: &Services, index: u64) -> Result<Vec<DisclosureView>, Problem> {
    use crate::disclosures::DisclosureState as Held;
    let held = services.log().disclosures().get(index);
    let held = held.map_err(|error| internal(&error, "reading disclosures"))?;
    let views = held.into_iter().map(|one| {
        let state = match one.state {
            Held::Present => DisclosureState::Present,
            Held::Withheld => DisclosureState::Withheld,
            Held::Erased => DisclosureState::Erased,
        };
        let read = one
            .encoded
            .as_deref()
            .and_then(|encoded| Disclosure::parse(encoded).ok());
        DisclosureView {
            digest: one.digest,
            state,
            encoded: one.encoded,
            name: read.as_ref().map(|read| read.name().to_owned()),
            value: read.map(|read| read.value().clone()),
        }
    });
    Ok(views.collect())
}

/// When the witnesses of the trust policy cosigned the earliest checkpoint that covers the entry.
fn witnessed_at(services: &Services, index: u64) -> Result<Vec<WitnessTime>, Problem> {
    let log = services.log();
    let covering = log.checkpoint_covering(index);
    let covering = covering.map_err(|error| internal(&error, "reading a checkpoint"))?;
    let (Some(covering), Some(trust)) = (covering, log.trust_policy()) else {
        return Ok(Vec::new());
    };
    // A policy that changed since may not know the old witnesses: then there is no bound to show.
    let verified = trust.verify_checkpoint(&covering.note);
    let cosigned = verified
        .map(|verified| verified.cosigned)
        .unwrap_or_default();
    Ok(cosigned
        .into_iter()
        .map(|(witness, time)| WitnessTime { witness, time })
        .collect())
}
