//! Conformance and property tests of `cairn-tlog`, one module for each part of the crate.
//!
//! Tests named `<spec>_must_…` pin one requirement of a C2SP document or of RFC 6962; the table in
//! `docs/specs.md` maps requirements to them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod add_checkpoint;
mod bundles;
mod checkpoints;
mod cosignatures;
mod golden;
mod keys;
mod merkle;
mod ml_dsa;
mod notes;
mod oracle;
mod properties;
mod receipts;
mod sample;
mod tiles;
mod times;
mod trust;
mod trust_text;
