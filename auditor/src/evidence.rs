//! The tables of an evidence pack: what each typed column must say, given the entries.
//!
//! Owns the schemas and the derivation of rows from entries. The exporter writes what this module
//! derives and the auditor derives it again from the pack's own bytes, so a column can never say
//! something that its entry does not. It writes no file.
//! Source: `docs/formats/pack.md`.

pub mod column;
pub mod context;
pub mod derive;
pub mod event;
pub mod tables;

pub use context::{CheckpointRecord, Context};
pub use derive::{event_row, frame_disclosures};
pub use event::EventRow;
pub use tables::Tables;
