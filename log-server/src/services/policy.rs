//! What devices follow: roster entries, the policy in force, and the stream that tells of both.
//!
//! Everything here is published: a device verifies a receipt before it believes anything, so an
//! entry without one is of no use to it. What a whole fleet asks for at once is made once (`pages`,
//! `news`, and the policy in force here).

mod news;
mod pages;
mod roster;

pub(crate) use news::News;
pub(super) use news::stream;
pub(crate) use pages::Pages;
pub use roster::MAX_ROSTER_ENTRIES;
pub(super) use roster::roster;

use super::Services;
use super::request::{Params, blocking, internal};
use crate::answers::Shared;
use crate::problem::{Family, Problem};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use cairn_api::distribution::{PolicyAnswer, PolicyNotice, RosterNotice};
use cairn_api::newest::Newest;
use cairn_event::encoding::to_base64url;
use cairn_identity::{Ledger, Roster};
use cairn_tlog::{Checkpoint, Note, Receipt};
use serde::Deserialize;
use tokio::sync::Mutex;

/// Policies that may come into force one after the other while one is given out.
const TRIES: u32 = 4;

/// The newest published policy and roster entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// The policy entry in force.
    pub policy: Option<PolicyNotice>,
    /// The newest roster entry.
    pub roster: Option<RosterNotice>,
}

impl Heads {
    /// Those among the first `size` entries.
    pub fn at(ledger: &Ledger, size: u64) -> Self {
        let mut policies = ledger.policies().iter().rev();
        let policy = policies.find(|head| head.index < size);
        let indices = &ledger.roster().indices;
        let revision = indices.partition_point(|index| *index < size);
        let newest = revision.checked_sub(1).and_then(|last| indices.get(last));
        Self {
            policy: policy.map(|head| PolicyNotice {
                index: head.index,
                version: head.version,
                bundle_sha256: head.bundle,
            }),
            roster: newest.map(|index| RosterNotice {
                index: *index,
                revision: revision as u64,
            }),
        }
    }
}

impl Services {
    /// Those of the roster's entries that devices are told of; position plus one is the revision.
    fn published_roster<'a>(&self, roster: &'a Roster) -> &'a [u64] {
        let newest = self
            .0
            .heads
            .borrow()
            .roster
            .as_ref()
            .map_or(0, |head| head.revision);
        let count = usize::try_from(newest).unwrap_or(usize::MAX);
        roster.indices.get(..count).unwrap_or_default()
    }
}

/// The policy in force as it is given, under the checkpoint that was newest then.
#[derive(Default)]
pub(crate) struct Current(Mutex<Option<Given>>);

struct Given {
    head: PolicyNotice,
    note: String,
    whole: Bytes,
    /// Without the bundle.
    brief: Bytes,
}

impl Given {
    /// The answer for somebody who has the bundle of the policy entry at `have`.
    fn text(&self, have: Option<u64>) -> SharedJson {
        let has_it = have == Some(self.head.index);
        let text = if has_it { &self.brief } else { &self.whole };
        let media = [(header::CONTENT_TYPE, "application/json")];
        (media, Extension(Shared), text.clone())
    }
}

/// Query of `GET /v1/policy`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Having {
    have: Option<u64>,
}

/// JSON that is in memory once for all readers.
type SharedJson = ([(HeaderName, &'static str); 1], Extension<Shared>, Bytes);

/// `GET /v1/policy`.
///
/// The receipt leads to the newest checkpoint, and the log says beside it what is newest there: by that a
/// device knows that the policy is not an old one. Both are made once for each checkpoint, and not for each
/// device.
pub(super) async fn policy(
    State(services): State<Services>,
    Params(Having { have }): Params<Having>,
) -> Result<SharedJson, Problem> {
    let head = services.0.heads.borrow().policy.clone();
    let head = head.ok_or_else(|| {
        let detail = "no policy has been put in force yet";
        Problem::new(StatusCode::NOT_FOUND, "no-policy", Family::Refused, detail)
    })?;
    let note = services.log().published().borrow().note.clone();
    let mut current = services.0.current.0.lock().await;
    let known = current.as_ref();
    if let Some(known) = known.filter(|known| known.head == head && known.note == note) {
        return Ok(known.text(have));
    }
    let of = services.clone();
    // The receipt may be under a newer checkpoint than `note`: then the next reader has it made again.
    let given = blocking(move || give(&of, head, note)).await?;
    let text = given.text(have);
    *current = Some(given);
    Ok(text)
}

fn give(services: &Services, head: PolicyNotice, note: String) -> Result<Given, Problem> {
    let written = |answer: &PolicyAnswer| {
        let text = serde_json::to_vec(answer);
        let text = text.map_err(|error| internal(&error, "writing the policy"))?;
        Ok::<_, Problem>(Bytes::from(text))
    };
    let mut answer = policy_answer(services, &head)?;
    let whole = written(&answer)?;
    answer.bundle.clear();
    let brief = written(&answer)?;
    Ok(Given {
        head,
        note,
        whole,
        brief,
    })
}

/// The policy in force with its receipt, its bundle, and the log's word that it is the newest: `head`, or what
/// was published since. It reads the store: not for async threads.
fn policy_answer(services: &Services, head: &PolicyNotice) -> Result<PolicyAnswer, Problem> {
    let mut head = head.clone();
    for _ in 0..TRIES {
        let receipt = receipt(services, head.index)?;
        let size = proven_size(&receipt)?;
        let heads = Heads::at(&services.log().ledger(), size);
        match &heads.policy {
            Some(found) if found.index != head.index => head = found.clone(),
            _ => return whole(services, &head, receipt, newest(services, size, &heads)?),
        }
    }
    let detail = "the policy is changing";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Err(Problem::retry(status, "policy-changing", 1, detail))
}

/// The size of the checkpoint to which a receipt leads.
fn proven_size(receipt: &str) -> Result<u64, Problem> {
    let receipt = Receipt::parse(receipt).map_err(|error| internal(&error, "reading a receipt"))?;
    let note = Note::parse(&receipt.checkpoint);
    let note = note.map_err(|error| internal(&error, "reading a receipt"))?;
    let checkpoint = Checkpoint::parse(&note.text);
    let checkpoint = checkpoint.map_err(|error| internal(&error, "reading a receipt"))?;
    Ok(checkpoint.size)
}

/// The log's word about what was newest at a size.
fn newest(services: &Services, size: u64, heads: &Heads) -> Result<String, Problem> {
    let newest = Newest {
        origin: services.log().origin().to_owned(),
        size,
        policy: heads.policy.as_ref().map(|head| head.index),
        roster: heads.roster.as_ref().map_or(0, |head| head.revision),
    };
    let signed = newest.sign(&services.log().keys().log);
    signed.map_err(|error| internal(&error, "signing what is newest"))
}

fn whole(
    services: &Services,
    head: &PolicyNotice,
    receipt: String,
    newest: String,
) -> Result<PolicyAnswer, Problem> {
    let bundle = services.log().blob(&head.bundle_sha256.0);
    let bundle = bundle.map_err(|error| internal(&error, "reading the bundle"))?;
    // An administrator may have submitted an entry whose bundle never came.
    let bundle = bundle.ok_or_else(|| {
        let detail = "the policy in force names a bundle that was never handed in";
        Problem::new(StatusCode::NOT_FOUND, "no-bundle", Family::Refused, detail)
    })?;
    Ok(PolicyAnswer {
        index: head.index,
        entry: entry_text(services, head.index)?,
        receipt,
        bundle: to_base64url(&bundle),
        newest,
    })
}

fn entry_text(services: &Services, index: u64) -> Result<String, Problem> {
    let bytes = services
        .log()
        .entry(index)
        .map_err(|error| internal(&error, "reading an entry"))?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Problem::internal("a published entry is missing"))
}

fn receipt(services: &Services, index: u64) -> Result<String, Problem> {
    let receipt = services.log().receipt(index);
    let receipt = receipt.map_err(|error| internal(&error, "making a receipt"))?;
    receipt.ok_or_else(|| Problem::internal("a published entry has no receipt"))
}
