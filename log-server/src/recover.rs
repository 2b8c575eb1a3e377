//! Starting a log: everything that is checked before the first entry is accepted.
//!
//! Owns the refusals of a start and the wiring of sequencer and publisher. Every entry
//! since the last kept ledger is read, hashed and applied through the same code as at admission; without
//! one, every entry of the log. Nothing is repaired: a log in doubt stays down.
//!
//! Source: the project's ARCHITECTURE.md, "Storage", start-up refusals.

mod kept;
pub mod predecessor;
mod replay;
pub mod silence;
mod start;
mod state;

pub use kept::{Base, DoubtError, KEEP_EVERY, KeepError, LedgerFile};
pub use replay::{ReplayError, Replayed, Signatures, keep, replay};
pub use start::{Parts, RunSequencer, StartError, Surroundings, start, start_in};
pub use state::{Found, StateError, examine};
