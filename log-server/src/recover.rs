//! Starting a log: everything that is checked before the first entry is accepted.
//!
//! Owns the refusals of a start and the wiring of sequencer and publisher. Every entry is read,
//! hashed and applied to the ledger through the same code as at admission, so a start is a full
//! check of the log. Nothing is repaired: a log in doubt stays down.
//!
//! Source: the project's ARCHITECTURE.md, "Storage", start-up refusals.

mod replay;
mod start;
mod state;

pub use replay::{ReplayError, Replayed, Signatures, replay};
pub use start::{Parts, RunSequencer, StartError, Surroundings, start, start_in};
pub use state::{Found, StateError, examine};
