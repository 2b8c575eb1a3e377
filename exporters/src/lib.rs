//! Evidence packs and SIEM streams, made from what the published log provably holds.
//!
//! Owns writing: Parquet tables, proofs, control results, OCSF records and their delivery. Everything
//! is read through checkpoint and tiles and judged by `cairn_audit` before it is written; what does
//! not verify is not exported. It never writes to the log.
//!
//! Source: architecture section 2 (step 9), `docs/formats/pack.md`, `docs/formats/ocsf.md`.

pub mod period;
pub mod scan;
pub mod verified;

pub mod pack;

pub use cairn_audit::catalogue;

pub mod cursor;
pub mod ocsf;
pub mod sink;
pub mod tail;
