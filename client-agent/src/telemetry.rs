//! What the agent itself reports about its tool calls, held against the verdicts that were given.
//!
//! Owns a receiver of the agent's OpenTelemetry log events on loopback, their strict reading, and the
//! join on the identifier of the call. A call that ran without a verdict, or against one, is an alert.
//! Does not own the record of it (`hook::told`).
//!
//! The agent's word proves nothing by itself: silence is no alibi, and a forged event can only raise
//! an alert, never take one away.
//!
//! Source: Claude Code findings 1.10 and 6; events observed from version 2.1.330.

mod event;
mod join;
mod receiver;

pub use event::{EventError, Told, What, told};
pub use join::{DENIED_AND_RAN, Found, Joins, NO_VERDICT};
pub use receiver::{Receiver, Sink};
