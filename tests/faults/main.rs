//! Crash, fault and clock campaigns over the log and its witnesses.
//!
//! Owns the fault matrix (`matrix`), the simulation in virtual time (`sim`) and the campaigns with the
//! real programs (`process`). After each, the oracle is the same (`oracle`): the auditor over the whole
//! log, and every acknowledged entry at its index with the same bytes. `docs/reliability.md` says what
//! each campaign covers and what an operator does in each outcome.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests: a panic is how one fails"
)]

mod disk;
mod matrix;
mod oracle;
mod orders;
mod process;

mod sim;
mod site;
mod witness;

#[path = "../../log-server/tests/log/world.rs"]
#[allow(
    dead_code,
    reason = "one organisation serves the log's own tests and these; each uses a part of it"
)]
mod world;
