//! Tests of the log: its invariants on a store that can be broken, and the real program under
//! load, kill and a full disk.
//!
//! Each invariant of ARCHITECTURE.md that the log itself must hold has a test of its number.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests: a panic is how one fails"
)]

mod clocks;
mod closing;
mod cosigning;
mod crash;
mod disclosures;
mod faults;
mod foreign;
mod histories;
mod invariants;
mod kept;
mod moving;
mod program;
mod reference;
mod refusals;
mod retention;
mod sealing;
mod witness;
mod world;
