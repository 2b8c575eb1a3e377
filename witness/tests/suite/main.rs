//! The witness against the specification: every status over HTTP with the real router, races on
//! the real store, and the real program under SIGKILL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod full;
mod kills;
mod log;
mod ml_dsa;
mod process;
mod program;
mod race;
mod restart;
mod sigsum;
mod statuses;
