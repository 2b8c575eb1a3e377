//! Reading the agent's log events: OTLP in its JSON form, and of it only what is said about tool calls.
//!
//! Whatever else is in a batch is passed over unread: prompts, answers and inputs are not looked at.
//!
//! Source: OpenTelemetry protocol 1.x, "JSON Protobuf encoding"; Claude Code findings 1.10.

use cairn_event::json::{self, JsonError, Numbers};
use serde_json::Value;

/// Largest batch: the agent sends at most 512 events at once, of well under 8 KiB each.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest session, tool and call identifier; Claude Code's have under 80 bytes.
const IDENTIFIER_BYTES_MAX: usize = 256;

/// Something that the agent says about one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The agent's session.
    pub session: String,
    /// The tool.
    pub tool: String,
    /// The agent's identifier of the call.
    pub use_id: String,
    /// What it says.
    pub what: What,
}

/// What the agent says about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It will run.
    Accepted,
    /// It will not.
    Rejected,
    /// It has ended.
    Ended {
        /// Whether it worked.
        success: bool,
        /// How long it took, in milliseconds.
        duration_ms: Option<u64>,
    },
}

/// Why a batch was refused. The agent may drop it; nothing of it was used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// More than [`BATCH_BYTES_MAX`].
    #[error("batch of {0} bytes is longer than {BATCH_BYTES_MAX}")]
    TooLong(usize),
    /// Not JSON with one meaning.
    #[error("batch: {0}")]
    Json(#[from] JsonError),
    /// Not the shape of OTLP logs.
    #[error("batch has no usable `{0}`")]
    Member(&'static str),
}

/// The statements about tool calls in a batch, in its order.
///
/// Errors: [`EventError`]; nothing of the batch is used.
pub fn told(batch: &[u8]) -> Result<Vec<Told>, EventError> {
    if batch.len() > BATCH_BYTES_MAX {
        return Err(EventError::TooLong(batch.len()));
    }
    let batch = json::parse(batch, Numbers::Any)?;
    let mut found = Vec::new();
    for resource in list(&batch, "resourceLogs")? {
        for scope in list(resource, "scopeLogs")? {
            for record in list(scope, "logRecords")? {
                found.extend(of_record(record)?);
            }
        }
    }
    Ok(found)
}

fn list<'a>(value: &'a Value, name: &'static str) -> Result<&'a [Value], EventError> {
    let items = value.get(name).and_then(Value::as_array);
    items.map(Vec::as_slice).ok_or(EventError::Member(name))
}

fn of_record(record: &Value) -> Result<Option<Told>, EventError> {
    let attributes = list(record, "attributes")?;
    let what = match text(attributes, "event.name") {
        Some("tool_decision") => match text(attributes, "decision") {
            Some("accept") => What::Accepted,
            Some("reject") => What::Rejected,
            _ => return Err(EventError::Member("decision")),
        },
        Some("tool_result") => What::Ended {
            success: match text(attributes, "success") {
                Some("true") => true,
                Some("false") => false,
                _ => return Err(EventError::Member("success")),
            },
            duration_ms: text(attributes, "duration_ms").and_then(|text| text.parse().ok()),
        },
        _ => return Ok(None),
    };
    Ok(Some(Told {
        session: identifier(attributes, "session.id")?,
        tool: identifier(attributes, "tool_name")?,
        use_id: identifier(attributes, "tool_use_id")?,
        what,
    }))
}

/// The text of an attribute; the agent writes numbers and truth values as text too.
fn text<'a>(attributes: &'a [Value], name: &str) -> Option<&'a str> {
    let named = |one: &&Value| one.get("key").and_then(Value::as_str) == Some(name);
    let value = attributes.iter().find(named)?.get("value")?;
    value.get("stringValue").and_then(Value::as_str)
}

fn identifier(attributes: &[Value], name: &'static str) -> Result<String, EventError> {
    let plain = |text: &&str| {
        let strange = |c: char| c.is_control() || c.is_whitespace();
        !text.is_empty() && text.len() <= IDENTIFIER_BYTES_MAX && !text.contains(strange)
    };
    let found = text(attributes, name).filter(plain);
    found.map(str::to_owned).ok_or(EventError::Member(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Batches of a run of Claude Code 2.1.330, one a line.
    const OBSERVED: &str = include_str!("../../testdata/otlp_logs.jsonl");

    fn ended(success: bool, duration_ms: u64) -> What {
        let duration_ms = Some(duration_ms);
        What::Ended {
            success,
            duration_ms,
        }
    }

    #[test]
    fn the_batches_of_the_real_program_are_read() {
        let found: Vec<Told> = OBSERVED
            .lines()
            .flat_map(|line| told(line.as_bytes()).unwrap())
            .collect();
        let of = |id: &str| -> Vec<What> {
            let ours = found.iter().filter(|one| one.use_id == id);
            ours.map(|one| one.what).collect()
        };
        assert_eq!(of("toolu_aaa1"), [What::Accepted, ended(true, 57)]);
        assert_eq!(of("toolu_aaa2"), [What::Rejected]);
        assert_eq!(of("toolu_aaa3"), [What::Accepted, ended(true, 13)]);
        assert_eq!(of("toolu_aaa4"), [What::Accepted, ended(false, 21)]);
        assert_eq!(found.len(), 7);
        assert!(found.iter().all(|one| one.session == found[0].session));
        assert_eq!(found[3].tool, "Read");
    }

    fn batch(attributes: &[(&str, Value)]) -> Vec<u8> {
        let attributes: Vec<Value> = attributes
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        let record = json!({ "attributes": attributes });
        let logs = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record] }] }] });
        logs.to_string().into_bytes()
    }

    #[test]
    fn what_is_malformed_is_refused_whole() {
        let string = |text: &str| json!({ "stringValue": text });
        let good = [
            ("event.name", string("tool_result")),
            ("session.id", string("s")),
            ("tool_name", string("Bash")),
            ("tool_use_id", string("t")),
            ("success", string("true")),
        ];
        assert_eq!(told(&batch(&good)).unwrap().len(), 1);
        for missing in 1..good.len() {
            let (name, _) = good[missing];
            let mut fewer = good.to_vec();
            fewer.remove(missing);
            assert_eq!(told(&batch(&fewer)), Err(EventError::Member(name)));
            for bad in ["", "a b", "a\nb", &"x".repeat(IDENTIFIER_BYTES_MAX + 1)] {
                let mut other = good.to_vec();
                other[missing].1 = string(bad);
                assert_eq!(told(&batch(&other)), Err(EventError::Member(name)), "{bad}");
            }
        }
        for text in [
            "",
            "[]",
            "{}",
            r#"{"resourceLogs":1}"#,
            r#"{"resourceLogs":[{}]}"#,
        ] {
            assert!(told(text.as_bytes()).is_err(), "{text}");
        }
        let twice = br#"{"resourceLogs":[],"resourceLogs":[]}"#;
        assert!(matches!(told(twice), Err(EventError::Json(_))));
        let long = vec![b' '; BATCH_BYTES_MAX + 1];
        assert_eq!(told(&long), Err(EventError::TooLong(long.len())));
    }
}
