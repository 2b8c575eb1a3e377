//! Paths of the HTTP surface. A `{name}` is a path parameter, as in axum and OpenAPI.

/// Newest published checkpoint (C2SP tlog-tiles).
pub const CHECKPOINT: &str = "/checkpoint";
/// Merkle tiles and entry bundles (C2SP tlog-tiles).
pub const TILE: &str = "/tile/{*path}";
/// What was pruned of the log.
pub const RETENTION: &str = "/retention";
/// What stays of a pruned bundle.
pub const KEPT: &str = "/kept/{bundle}";
/// Submission of frames.
pub const ENTRIES: &str = "/v1/entries";
/// One entry's bytes.
pub const ENTRY: &str = "/v1/entries/{index}";
/// Receipt by index.
pub const RECEIPT: &str = "/v1/receipts/{index}";
/// Receipt by leaf hash.
pub const RECEIPT_BY_LEAF: &str = "/v1/receipts/by-leaf/{leaf}";
/// Index of a leaf hash.
pub const LEAF: &str = "/v1/leaves/{leaf}";
/// Consistency proof between two sizes.
pub const CONSISTENCY: &str = "/v1/consistency";
/// Range proof.
pub const RANGE: &str = "/v1/range";
/// Sizes of published checkpoints.
pub const CHECKPOINTS: &str = "/v1/checkpoints";
/// One published checkpoint.
pub const CHECKPOINT_AT: &str = "/v1/checkpoints/{size}";
/// Server-sent events: a checkpoint was published.
pub const TAIL: &str = "/v1/tail";
/// The genesis entry.
pub const GENESIS: &str = "/v1/genesis";
/// The server's copy of the trust policy, for convenience.
pub const TRUST_POLICY: &str = "/v1/trust-policy";
/// Content-addressed bodies.
pub const BLOB: &str = "/v1/blobs/{sha256}";
/// Roster entries.
pub const ROSTER: &str = "/v1/roster";
/// Newest policy entry and its bundle.
pub const POLICY: &str = "/v1/policy";
/// Server-sent events: policy or roster changed.
pub const POLICY_STREAM: &str = "/v1/policy/stream";
/// Access tokens for devices and administrators.
pub const TOKEN: &str = "/v1/token";
/// Start of a browser sign-in.
pub const LOGIN_EMAIL: &str = "/v1/login/email";
/// End of a browser sign-in.
pub const LOGIN_CODE: &str = "/v1/login/code";
/// Start of an enrolment.
pub const ENROLL: &str = "/v1/enroll";
/// State of an enrolment.
pub const ENROLLMENT: &str = "/v1/enroll/{id}";
/// The enrolment page.
pub const ENROLL_PAGE: &str = "/enroll/{id}";
/// The page's e-mail form.
pub const ENROLL_PAGE_EMAIL: &str = "/enroll/{id}/email";
/// The page's code form.
pub const ENROLL_PAGE_CODE: &str = "/enroll/{id}/code";
/// Who the token stands for.
pub const ME: &str = "/v1/me";
/// Fleet at a glance.
pub const OVERVIEW: &str = "/v1/overview";
/// Agent sessions.
pub const SESSIONS: &str = "/v1/sessions";
/// One session's events in order.
pub const SESSION: &str = "/v1/sessions/{session}";
/// Events, newest first.
pub const EVENTS: &str = "/v1/events";
/// One event in full.
pub const EVENT: &str = "/v1/events/{index}";
/// Which rule decided a recorded call, refused session or MCP server, which lost, and what would change it.
pub const EVENT_EXPLANATION: &str = "/v1/events/{index}/explanation";
/// Erasure of an event's disclosures.
pub const EVENT_ERASURE: &str = "/v1/events/{index}/erasure";
/// Says that the confidential members of a range will be read, and why.
pub const READINGS: &str = "/v1/readings";
/// The confidential members that a reading covers, in parts.
pub const READING_DISCLOSURES: &str = "/v1/readings/{index}/disclosures";
/// Devices.
pub const DEVICES: &str = "/v1/devices";
/// People.
pub const PEOPLE: &str = "/v1/people";
/// Teams.
pub const TEAMS: &str = "/v1/teams";
/// MCP servers seen.
pub const MCP: &str = "/v1/mcp";
/// Policy versions.
pub const POLICIES: &str = "/v1/policies";
/// Installer script.
pub const INSTALL: &str = "/install.sh";
/// Programs for the installer.
pub const DIST: &str = "/dist/{name}";
/// Health.
pub const HEALTH: &str = "/healthz";
/// Readiness: published in time, with the quorum.
pub const READY: &str = "/readyz";
/// Prometheus metrics.
pub const METRICS: &str = "/metrics";
/// This surface as OpenAPI 3.1.
pub const OPENAPI: &str = "/openapi.json";

/// Fills one `{name}` of a path. The value must need no percent-encoding: indices, hex digests and
/// identifiers do not.
pub fn fill(path: &str, name: &str, value: impl std::fmt::Display) -> String {
    path.replace(&format!("{{{name}}}"), &value.to_string())
}
