//! The daemon: one process a user, answering hooks and keeping the record.
//!
//! Owns putting the parts together and taking them down in order. Does not own what any part does.
//!
//! Source: architecture of record, sections 2 and 3 (chains).

mod control;
mod ensure;
mod mcp;
mod run;
mod socket;
mod wire;

pub use control::{
    CANARY, CanaryRequest, LAUNCH, LaunchAnswer, LaunchRequest, McpFound, McpJudged, PROJECT,
    STATUS, StatusAnswer, ask,
};
pub use ensure::{EnsureError, ensure, stop};
pub use mcp::fingerprint;
pub use run::{RunError, run};
pub use wire::{AskError, Header};
