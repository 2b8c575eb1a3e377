//! What an operator does with the real program: back it up and restore it, mirror it, give it
//! certificates, watch it, and put it before slow and many clients.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests: a panic is how one fails"
)]

mod backup;
mod caching;
mod certificates;
mod compression;
mod crowd;
mod metrics;
mod mirror;
mod programs;
mod quota;
mod readiness;
mod retention;
mod rotation;
mod succession;
mod tls;
mod traces;

#[expect(dead_code, reason = "the tests of the log use the rest of it")]
#[path = "../log/world.rs"]
mod world;
