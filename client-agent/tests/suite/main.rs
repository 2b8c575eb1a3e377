//! The daemon as a process, with the real hook program, on a device enrolled in a log that the
//! tests sign themselves. No server runs: everything here must hold offline.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test builds on must be there; clippy sees only the test functions themselves"
)]

mod answers;
mod between;
mod brought;
mod closed;
mod codex;
mod crash;
mod device;
mod distribution;
mod documents;
mod encryption;
mod gates;
mod hooks;
mod hostile;
mod instructions;
mod lost_roster;
mod managed;
mod patience;
mod policy;
mod space;
mod staleness;
mod terminal;
mod why;
mod wrapper;
