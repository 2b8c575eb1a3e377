//! Reading the confidential members of a range: one entry in the log, then any number of parts.
//!
//! Owns both routes and the rule that joins them: the leave to read **is** the `disclosure.read` entry,
//! found again by its index, so it outlives a restart and nobody reads what the log does not say. The
//! entry names range, reader, purpose and count. A part is written as it is read; what cannot be
//! finished is cut off before its last line. Source: `docs/formats/http.md`, "Readings".

use crate::disclosures::{DisclosureState as Held, DisclosureStoreError, EntryDisclosures};
use crate::outcome::Wait;
use crate::problem::{Family, Problem};
use crate::services::Services;
use crate::services::access::Caller;
use crate::services::authority::Statement;
use crate::services::request::{Body, EntryIndex, Params, blocking, internal};
use axum::Json;
use axum::body::Body as Stream;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cairn_api::browse::DisclosureState;
use cairn_api::reading::{
    self, HeldDisclosure, MAX_PART_ENTRIES, MAX_PURPOSE_BYTES, PartEnd, ReadingRequest,
    ReadingStarted,
};
use cairn_event::administrative::AdminAction;
use cairn_event::{Entry, body};
use serde::Deserialize;
use serde_json::json;
use std::ops::Range;

/// Most entries one reading may cover: counting them takes seconds, and the caller waits for it.
const MAX_READING_ENTRIES: u64 = 1 << 24;

/// How long after its entry a reading may go on: the largest one at a tenth of the usual pace.
const MAX_READING_AGE_MS: u64 = 12 * 60 * 60 * 1_000;

/// Bytes after which a part ends early: what a slow caller makes the network hold.
const MAX_PART_BYTES: usize = 16 * 1024 * 1024;

/// `POST /v1/readings`.
pub(in crate::services) async fn announce(
    State(services): State<Services>,
    caller: Caller,
    Body(request): Body<ReadingRequest>,
) -> Result<Json<ReadingStarted>, Problem> {
    let purpose = request.purpose.trim().to_owned();
    if purpose.is_empty() || purpose.len() > MAX_PURPOSE_BYTES {
        let detail = format!("`purpose` is empty or longer than {MAX_PURPOSE_BYTES} bytes");
        return Err(Problem::bad_request("purpose", detail));
    }
    let range = request.start..request.end;
    let size = services.log().size();
    let entries = range.end.saturating_sub(range.start);
    if entries == 0 || entries > MAX_READING_ENTRIES || range.end > size {
        let detail = format!(
            "{} to {} is not a range of 1 to {MAX_READING_ENTRIES} of the log's {size} entries",
            range.start, range.end
        );
        return Err(Problem::bad_request("range", detail));
    }
    let (reader, counted) = (services.clone(), range.clone());
    let count = blocking(move || {
        let count = reader.log().disclosures().count_present(counted);
        count.map_err(|error| internal(&error, "counting disclosures"))
    });
    let disclosures = count.await?;
    let say = |_: &cairn_identity::Ledger| {
        Some(Statement {
            body: body::Body::AdminAction(AdminAction {
                action: super::ACTION.to_owned(),
                object: format!("range:{}-{}", range.start, range.end),
                person: caller.claims.sub.clone(),
            }),
            confidential: Vec::new(),
            ext: Some(json!({ "reading": { "disclosures": disclosures, "purpose": purpose } })),
        })
    };
    let written = services.0.authority.write(Wait::Sequenced, say).await?;
    Ok(Json(ReadingStarted {
        disclosures,
        reading: written.index,
    }))
}

/// Which part of a reading is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::services) struct Part {
    from: u64,
    to: u64,
}

/// `GET /v1/readings/{index}/disclosures?from=n&to=n`.
pub(in crate::services) async fn part(
    State(services): State<Services>,
    caller: Caller,
    EntryIndex(index): EntryIndex,
    Params(part): Params<Part>,
) -> Result<Response, Problem> {
    let reader = services.clone();
    let range = blocking(move || announced(&reader, &caller, index)).await?;
    let entries = part.to.saturating_sub(part.from);
    if entries == 0 || entries > MAX_PART_ENTRIES || part.to > range.end {
        let detail = format!(
            "{} to {} is not a part of 1 to {MAX_PART_ENTRIES} entries before {}",
            part.from, part.to, range.end
        );
        return Err(Problem::bad_request("range", detail));
    }
    let state = Writing {
        services,
        range,
        next: part.from,
        end: part.to,
        entries: 0,
        bytes: 0,
        ended: false,
    };
    let lines = futures_util::stream::try_unfold(state, Writing::step);
    let media_type = HeaderValue::from_static(reading::MEDIA_TYPE);
    Ok((
        [(header::CONTENT_TYPE, media_type)],
        Stream::from_stream(lines),
    )
        .into_response())
}

/// The range that the caller announced with the entry at `index`.
fn announced(services: &Services, caller: &Caller, index: u64) -> Result<Range<u64>, Problem> {
    let log = services.log();
    let bytes = log.entry(index);
    let bytes = bytes.map_err(|error| internal(&error, "reading an entry"))?;
    let entry = bytes.and_then(|bytes| Entry::parse(&bytes).ok());
    let absent = || Problem::not_found("you announced no such reading");
    let entry = entry.ok_or_else(absent)?;
    let body::Body::AdminAction(action) = &entry.payload().body else {
        return Err(absent());
    };
    let range = action.object.strip_prefix("range:").and_then(|range| {
        let (start, end) = range.split_once('-')?;
        Some(start.parse().ok()?..end.parse().ok()?)
    });
    let own = action.action == super::ACTION && action.person == caller.claims.sub;
    let range = range.filter(|_| own).ok_or_else(absent)?;
    if log.now_ms().saturating_sub(entry.payload().time_ms) > MAX_READING_AGE_MS {
        let detail = "the reading was announced too long ago; announce it again";
        let status = StatusCode::FORBIDDEN;
        return Err(Problem::new(
            status,
            "reading-over",
            Family::Refused,
            detail,
        ));
    }
    Ok(range)
}

/// A part on its way to the caller.
struct Writing {
    services: Services,
    range: Range<u64>,
    next: u64,
    end: u64,
    entries: u64,
    bytes: usize,
    ended: bool,
}

/// Why a part was cut off. The caller sees a broken answer; the cause is in the diagnostics.
#[derive(Debug, thiserror::Error)]
#[error("the part could not be finished: {0}")]
struct CutOff(String);

impl Writing {
    /// The lines of one bundle, or the last line.
    async fn step(mut self) -> Result<Option<(Bytes, Self)>, CutOff> {
        if self.ended {
            return Ok(None);
        }
        if self.next >= self.end || self.bytes >= MAX_PART_BYTES {
            self.ended = true;
            let (entries, next) = (self.entries, self.next);
            let line = line(&PartEnd { entries, next })?;
            return Ok(Some((line.into(), self)));
        }
        let (services, range) = (self.services.clone(), self.range.clone());
        let asked = self.next..self.end;
        let read = blocking(move || {
            let disclosures = services.log().disclosures();
            let wanted = |index, entry: &Entry| range.contains(&index) || is_context(entry);
            let read = disclosures.read_bundle(asked, wanted);
            read.map_err(|error: DisclosureStoreError| internal(&error, "reading disclosures"))
        });
        let (read, next) = read
            .await
            .map_err(|problem| CutOff(problem.body.to_string()))?;
        let mut lines = Vec::new();
        for one in &read {
            lines.extend(line(&shown(one))?);
        }
        self.next = next;
        self.entries = self.entries.saturating_add(read.len() as u64);
        self.bytes = self.bytes.saturating_add(lines.len());
        Ok(Some((lines.into(), self)))
    }
}

/// Entries from before a range without which nobody can tell whose its rows are.
fn is_context(entry: &Entry) -> bool {
    let body = &entry.payload().body;
    matches!(body, body::Body::Roster(_) | body::Body::ChainStart(_))
}

fn shown(one: &EntryDisclosures) -> reading::EntryDisclosures {
    let disclosures = one.held.iter().map(|held| HeldDisclosure {
        digest: held.digest.clone(),
        encoded: held.encoded.clone(),
        state: match held.state {
            Held::Present => DisclosureState::Present,
            Held::Withheld => DisclosureState::Withheld,
            Held::Erased => DisclosureState::Erased,
        },
    });
    reading::EntryDisclosures {
        disclosures: disclosures.collect(),
        index: one.index,
    }
}

fn line<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, CutOff> {
    let mut bytes = serde_json::to_vec(value).map_err(|error| CutOff(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}
