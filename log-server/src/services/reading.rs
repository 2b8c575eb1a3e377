//! Reading confidential parts of other people's entries, and the record that it was done.
//!
//! Owns the rule: before a person is shown what another person typed, an `admin.action` entry
//! `disclosure.read` is durable. One entry a token and object (a token lives ten minutes), or one for a
//! whole range ([`range`]).

pub(super) mod range;

use super::access::Caller;
use super::authority::Statement;
use super::{Services, locked};
use crate::outcome::Wait;
use crate::problem::Problem;
use cairn_event::Disclosure;
use cairn_event::administrative::AdminAction;
use cairn_event::body::Body;
use cairn_event::disclosure::names;
use serde_json::Value;

/// The action of every entry that records a reading, of one entry or of a range.
const ACTION: &str = "disclosure.read";

/// Tokens whose readings are remembered; older ones cost a second entry for the same reading.
const MAX_TOKENS: usize = 10_000;

/// Longest one-line summary in characters.
const MAX_SUMMARY_CHARS: usize = 200;

/// Members of a tool input that say most in a line, in this order.
const TELLING: &[&str] = &[
    "command",
    "file_path",
    "notebook_path",
    "path",
    "url",
    "pattern",
    "query",
    "prompt",
];

/// Records that `caller` reads `object` (for example `index:12`), unless this token did already.
///
/// # Errors
/// The authority's; the caller must then be shown nothing.
pub(super) async fn record(
    services: &Services,
    caller: &Caller,
    object: &str,
) -> Result<(), Problem> {
    let token = &caller.claims.jti;
    let known = locked(&services.0.readings)
        .get(token)
        .is_some_and(|read| read.contains(object));
    if known {
        return Ok(());
    }
    let say = |_: &cairn_identity::Ledger| {
        Some(Statement {
            body: Body::AdminAction(AdminAction {
                action: ACTION.to_owned(),
                object: object.to_owned(),
                person: caller.claims.sub.clone(),
            }),
            confidential: Vec::new(),
            ext: None,
        })
    };
    services.0.authority.write(Wait::Sequenced, say).await?;
    let mut readings = locked(&services.0.readings);
    if readings.len() >= MAX_TOKENS {
        readings.clear();
    }
    readings
        .entry(token.clone())
        .or_default()
        .insert(object.to_owned());
    Ok(())
}

/// One line of what was asked, out of the disclosed request; `None` where nothing is held.
pub(super) fn summary(services: &Services, index: u64) -> Option<String> {
    let held = services.log().disclosures().get(index).ok()?;
    let mut disclosures = held
        .iter()
        .filter_map(|one| one.encoded.as_deref())
        .filter_map(|encoded| Disclosure::parse(encoded).ok());
    let request = disclosures.find(|one| one.name() == names::REQUEST)?;
    let input = request
        .value()
        .get("input")
        .unwrap_or_else(|| request.value());
    let telling = TELLING
        .iter()
        .find_map(|name| input.get(name))
        .and_then(Value::as_str);
    let line = telling.map_or_else(|| input.to_string(), str::to_owned);
    let flat = line
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    Some(flat.take(MAX_SUMMARY_CHARS).collect())
}
