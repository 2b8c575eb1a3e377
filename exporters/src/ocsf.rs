//! Entries as OCSF 1.8.0 events, one JSON object each.
//!
//! Owns the choice of class and the common attributes. `metadata.uid` is `origin:index`, which a
//! receiver deduplicates on; `metadata.sequence` is the index, which it counts; `raw_data_hash` is the
//! leaf hash, which it can look up in the log. What OCSF has no place for is in `unmapped.cairn`.
//! Source: OCSF 1.8.0; `docs/formats/ocsf.md`.

mod organisation;
mod session;
mod tool;

use cairn_audit::evidence::derive::word;
use cairn_event::body::{Body, Family};
use cairn_event::{Disclosure, Entry, Sha256};
use cairn_tlog::Checkpoint;
use serde_json::{Map, Value, json};

/// The OCSF version of every record.
pub const OCSF_VERSION: &str = "1.8.0";

/// Name of the log in `metadata.log_name`.
const LOG_NAME: &str = "cairn";

/// OCSF `algorithm_id` of SHA-256.
const SHA_256: u8 = 3;

/// `severity_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Informational = 1,
    Low = 2,
    Medium = 3,
    High = 4,
}

/// The part of a record that its class decides.
struct Class {
    category: u64,
    class: u64,
    activity: u64,
    severity: Severity,
    members: Map<String, Value>,
}

impl Class {
    fn new(category: u64, class: u64, activity: u64, severity: Severity) -> Self {
        Self {
            category,
            class,
            activity,
            severity,
            members: Map::new(),
        }
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }
}

/// An entry of the log with what is disclosed of it.
pub struct Source<'a> {
    /// Origin of the log.
    pub origin: &'a str,
    /// Index in the log.
    pub index: u64,
    /// The exact bytes.
    pub bytes: &'a [u8],
    /// The entry; `None` for one of an unknown version.
    pub entry: Option<&'a Entry>,
    /// Disclosures that may be sent to the receiver.
    pub disclosures: &'a [Disclosure],
    /// When the covering checkpoint had been cosigned, Unix seconds.
    pub logged_seconds: Option<u64>,
}

impl Source<'_> {
    /// A disclosed value.
    fn disclosed(&self, name: &str) -> Option<&Value> {
        self.disclosures
            .iter()
            .find(|one| one.name() == name)
            .map(Disclosure::value)
    }
}

/// The record of an entry.
pub fn record(source: &Source<'_>) -> Value {
    let class = match source.entry {
        None => base(Severity::Informational),
        Some(entry) => match entry.payload().body.family() {
            Family::Administrative => organisation::class(entry),
            Family::Chained => chained(source, entry),
        },
    };
    let mut record = class.members;
    record.insert("category_uid".into(), json!(class.category));
    record.insert("class_uid".into(), json!(class.class));
    record.insert("activity_id".into(), json!(class.activity));
    record.insert("type_uid".into(), json!(class.class * 100 + class.activity));
    record.insert("severity_id".into(), json!(class.severity as u8));
    let time = source.entry.map(|entry| entry.payload().time_ms);
    let logged_ms = source
        .logged_seconds
        .map(|seconds| seconds.saturating_mul(1_000));
    record.insert("time".into(), json!(time.or(logged_ms).unwrap_or_default()));
    record.insert("metadata".into(), metadata(source, logged_ms));
    let leaf = Sha256::of_leaf(source.bytes).to_string();
    let hash = json!({ "algorithm_id": SHA_256, "algorithm": "SHA-256", "value": leaf });
    record.insert("raw_data_hash".into(), hash);
    if let Some(entry) = source.entry {
        record
            .entry("actor".to_owned())
            .or_insert_with(|| actor(source, entry));
        if let Some(device) = device(source, entry) {
            record.entry("device".to_owned()).or_insert(device);
        }
    }
    record.insert("unmapped".into(), json!({ "cairn": unmapped(source) }));
    Value::Object(record)
}

fn chained(source: &Source<'_>, entry: &Entry) -> Class {
    match &entry.payload().body {
        Body::ToolDecision(decision) => tool::decision(source, entry, decision),
        Body::ToolOutcome(outcome) => tool::outcome(source, entry, outcome),
        body => session::class(source, entry, body),
    }
}

/// The class for what OCSF has no class for: the type is in `unmapped.cairn.type`.
fn base(severity: Severity) -> Class {
    Class::new(0, 0, 99, severity)
}

/// A record that tells a receiver how many records it must have: those of `[from, size)`.
pub fn checkpoint_record(
    checkpoint: &Checkpoint,
    from: u64,
    cosigned: &[(String, u64)],
    note: &str,
) -> Value {
    let seconds = cosigned
        .iter()
        .map(|(_, seconds)| *seconds)
        .max()
        .unwrap_or_default();
    let (origin, size) = (&checkpoint.origin, checkpoint.size);
    json!({
        "category_uid": 0, "class_uid": 0, "activity_id": 99, "type_uid": 99,
        "severity_id": Severity::Informational as u8,
        "time": seconds.saturating_mul(1_000),
        "message": format!("checkpoint: records {from} to {size} of {origin} were sent"),
        "metadata": {
            "version": OCSF_VERSION,
            "product": product(),
            "uid": format!("{origin}:checkpoint:{from}-{size}"),
            "tenant_uid": origin,
            "log_name": LOG_NAME,
        },
        "unmapped": { "cairn": {
            "type": "checkpoint",
            "count": size.saturating_sub(from),
            "range_from": from,
            "range_to": size,
            "root": checkpoint.root.to_string(),
            "note": note,
        }},
    })
}

fn metadata(source: &Source<'_>, logged_ms: Option<u64>) -> Value {
    let mut metadata = json!({
        "version": OCSF_VERSION,
        "product": product(),
        "profiles": ["security_control", "host"],
        "uid": format!("{}:{}", source.origin, source.index),
        "sequence": source.index,
        "tenant_uid": source.origin,
        "log_name": LOG_NAME,
    });
    if let (Some(logged), Some(members)) = (logged_ms, metadata.as_object_mut()) {
        members.insert("logged_time".into(), json!(logged));
    }
    metadata
}

fn product() -> Value {
    json!({ "name": "Cairn", "vendor_name": "Cairn", "version": env!("CARGO_PKG_VERSION") })
}

/// The person and the agent; for an administrative entry the key that signed it.
fn actor(source: &Source<'_>, entry: &Entry) -> Value {
    let context = &entry.payload().context;
    let mut actor = Map::new();
    if context.person.is_some() {
        actor.insert("user".into(), user(source, entry));
    }
    if let Some(session) = &context.session {
        actor.insert("session".into(), json!({ "uid": session }));
    }
    let app = context.agent.as_ref().map(|agent| agent.name.clone());
    let app = app.unwrap_or_else(|| format!("key {}", entry.kid()));
    actor.insert("app_name".into(), json!(app));
    Value::Object(actor)
}

/// The person; without a disclosed address by random identifier only.
fn user(source: &Source<'_>, entry: &Entry) -> Value {
    let person = entry
        .payload()
        .context
        .person
        .as_deref()
        .unwrap_or("unknown");
    let mut user = json!({ "uid": person, "type_id": 1 });
    let address = source
        .disclosed(cairn_event::disclosure::names::EMAIL)
        .and_then(Value::as_str);
    if let (Some(address), Some(members)) = (address, user.as_object_mut()) {
        members.insert("email_addr".into(), json!(address));
        members.insert("name".into(), json!(address));
    }
    user
}

fn device(source: &Source<'_>, entry: &Entry) -> Option<Value> {
    let link = entry.payload().link.as_ref()?;
    let mut device = json!({ "uid": link.device, "type_id": 0 });
    let host = source.disclosed(cairn_event::disclosure::names::HOST);
    let name = host
        .and_then(|host| host.get("name"))
        .and_then(Value::as_str);
    if let (Some(name), Some(members)) = (name, device.as_object_mut()) {
        members.insert("hostname".into(), json!(name));
    }
    Some(device)
}

/// What OCSF has no place for.
fn unmapped(source: &Source<'_>) -> Value {
    let Some(entry) = source.entry else {
        return json!({ "type": "unknown", "index": source.index });
    };
    let payload = entry.payload();
    let mut more = json!({
        "type": payload.body.kind(),
        "index": source.index,
        "signed_by": entry.kid(),
    });
    let Some(members) = more.as_object_mut() else {
        return more;
    };
    let mut put = |name: &str, value: Option<Value>| {
        value.into_iter().for_each(|value| {
            members.insert(name.to_owned(), value);
        });
    };
    put("chain", payload.link.as_ref().map(|link| json!(link.chain)));
    put("seq", payload.link.as_ref().map(|link| json!(link.seq)));
    let context = &payload.context;
    put(
        "teams",
        (!context.teams.is_empty()).then(|| json!(context.teams)),
    );
    put("policy_index", context.policy.map(|index| json!(index)));
    put("roster_index", context.roster.map(|index| json!(index)));
    put(
        "isolation",
        context
            .isolation
            .as_ref()
            .map(|isolation| json!(word(isolation))),
    );
    put(
        "key_protection",
        context.protection.as_ref().map(|place| json!(word(place))),
    );
    put(
        "posture",
        context.posture.as_ref().map(|posture| json!(posture)),
    );
    if let Body::ToolDecision(decision) = &payload.body {
        put("decision", Some(json!(decision)));
    }
    more
}
