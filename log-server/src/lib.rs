//! The transparency log of Cairn: admit, sequence, integrate, sign, cosign, publish.
//!
//! Owns one log of one organisation: its pool, its single sequencer, its store, its checkpoints,
//! the sealed disclosures and the HTTP surface over them. Identity and policy services live in
//! `services` and speak to the log only through [`Log`]. Who may say what is decided in
//! `cairn-identity`, tree mathematics in `cairn-tlog`, entry bytes in `cairn-event`.
//!
//! # The order of one round, and what a crash beside each step means
//!
//! ```text
//! admit     parse, find key, verify_strict        nothing written
//! sequence  dedup, ledger, index                  nothing written
//! stage     bundles, tiles, root (pure)           nothing written
//! commit    one synced atomic batch               before: nothing happened; after: all is there
//! ack       `sequenced` to the waiters            the entry is durable at its index
//! HEAD      size and root, own file, fsynced      a store older than this refuses to start
//! sign      entries re-read, root recomputed      the note is in memory only
//! cosign    witnesses persist, then answer        a crash here: they know a size we hold durably
//! publish   note stored (synced), then visible    before: signed again later, same root
//! receipt   `published` or `witnessed`            proof against the newest published checkpoint
//! ```
//!
//! Every error after the start of `commit` is fatal: the store is poisoned, the process ends and
//! the next start reads what is there.
//!
//! Source: the project's ARCHITECTURE.md, "Storage" and "Invariants".

mod answers;
mod arrival;
mod blocking;
pub mod clock;
pub mod config;
pub mod keys;
pub mod problem;

pub mod store;

pub mod blobs;
pub mod disclosures;

pub mod admit;
pub mod outcome;
pub mod pool;
pub mod sequence;
pub mod stage;

pub mod publish;
pub mod receipts;
mod recent;
pub mod witnesses;

pub mod log;
pub mod recover;
pub mod retention;

pub mod chain_starts;
pub mod metrics;
pub mod quota;
pub mod reads;
pub mod submit;

pub mod services;

pub mod gateway;
pub mod listener;

pub mod tls;
pub mod traces;

pub mod app;
pub mod backup;
pub mod check;
pub mod init;
pub mod mirror;
pub mod snapshot;

pub use app::router;
pub use log::Log;
pub use outcome::{Level, SubmitError, SubmitResult, Wait};
pub use problem::Problem;
