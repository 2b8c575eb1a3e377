//! `GET /v1/policies`: every policy version, newest first, and how many devices run it.

use crate::problem::Problem;
use crate::services::Services;
use crate::services::request::{blocking, internal};
use axum::Json;
use axum::extract::State;
use cairn_api::browse::PolicyView;
use cairn_event::body::Body;
use cairn_event::{Entry, Kid};
use cairn_identity::PolicyHead;

/// Versions in one answer; older ones stay readable as entries.
pub const MAX_POLICIES: usize = 200;

/// `GET /v1/policies`.
pub(in crate::services) async fn list(
    State(services): State<Services>,
) -> Result<Json<Vec<PolicyView>>, Problem> {
    blocking(move || {
        let heads: Vec<PolicyHead> = {
            let index = services.index();
            index
                .ledger()
                .policies()
                .iter()
                .rev()
                .take(MAX_POLICIES)
                .cloned()
                .collect()
        };
        let newest = heads.first().map(|head| head.index);
        let views = heads
            .iter()
            .map(|head| view(&services, head, Some(head.index) == newest));
        Ok(Json(views.collect::<Result<Vec<_>, Problem>>()?))
    })
    .await
}

fn view(services: &Services, head: &PolicyHead, newest: bool) -> Result<PolicyView, Problem> {
    let log = services.log();
    let covering = log.checkpoint_covering(head.index);
    let covering = covering.map_err(|error| internal(&error, "reading a checkpoint"))?;
    let bundle = if newest {
        let bytes = log.blob(&head.bundle.0);
        let bytes = bytes.map_err(|error| internal(&error, "reading a bundle"))?;
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok())
    } else {
        None
    };
    let active_on = {
        let index = services.index();
        let devices = index.ledger().roster().devices.iter();
        let active = devices.filter(|(id, device)| {
            let version = index.device(id).and_then(|facts| facts.policy_version);
            device.revoked_at.is_none() && version == Some(head.version)
        });
        active.count() as u64
    };
    Ok(PolicyView {
        index: head.index,
        revision: head.revision,
        version: head.version,
        bundle_sha256: head.bundle,
        time_ms: covering.map_or(0, |checkpoint| checkpoint.time_ms),
        signed_by: signed_by(services, head.index)?,
        bundle,
        active_on,
    })
}

/// `administrators`, or the label of the delegation whose key signed.
fn signed_by(services: &Services, index: u64) -> Result<String, Problem> {
    let Some(entry) = read(services, index)? else {
        return Err(Problem::internal("a policy entry is missing"));
    };
    let genesis = read(services, 0)?;
    let label = genesis.and_then(|genesis| match &genesis.payload().body {
        Body::Genesis(genesis) => {
            let signed = |kid: Kid| kid == *entry.kid();
            let found = genesis.delegations.iter().find(|one| signed(one.key.kid()));
            found.map(|delegation| delegation.label.clone())
        }
        _ => None,
    });
    Ok(label.unwrap_or_else(|| "administrators".to_owned()))
}

fn read(services: &Services, index: u64) -> Result<Option<Entry>, Problem> {
    let bytes = services.log().entry(index);
    let bytes = bytes.map_err(|error| internal(&error, "reading an entry"))?;
    Ok(bytes.and_then(|bytes| Entry::parse(&bytes).ok()))
}
