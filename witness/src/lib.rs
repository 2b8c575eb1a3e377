//! A C2SP tlog-witness and nothing else: it cosigns checkpoints that it can show to extend what
//! it cosigned before, and never sees an entry.
//!
//! This crate owns the decision to cosign, its durable state, the HTTP surface and the program's
//! configuration. It does not own the formats (`cairn-tlog`). Source: C2SP tlog-witness at
//! 5ba5ee8 (statuses of `main`; where v1.0.0 differs, `docs/specs.md` says so).
//!
//! Two rules carry everything else. The check against the last cosigned size and the write of the
//! new one are one transaction, and that transaction is on disk before a signature exists.
//!
//! Trap for operators: the state file is the witness's memory. Restoring an old copy of it, or
//! deleting it, lets a log show two histories. After such a loss retire the key: `init` a new one.

pub mod add_checkpoint;
pub mod clock;
pub mod config;
pub mod http;
pub mod key;
pub mod logs;
pub mod state;
pub mod witness;

pub use add_checkpoint::{Candidate, Head, Refusal};
pub use config::{Config, ConfigProblem, Settings};
pub use logs::LogSet;
pub use state::Store;
pub use witness::{AddCheckpointError, Witness};
