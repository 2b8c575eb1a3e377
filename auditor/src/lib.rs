//! Says yes or exactly why not about a log, a receipt or an evidence pack; works offline.
//!
//! Owns verification: leaf hashes, tiles, roots, checkpoints, cosignatures, signatures, authority,
//! chains, replays, typed columns and control tests, each re-derived from exact bytes and from a trust
//! policy that the auditor got elsewhere. It holds no code that writes a log or a pack, and needs no
//! network except to read a log from a server.
//!
//! Source: architecture sections 2 (step 9) and 7; `docs/formats/pack.md`.

pub mod report;

pub mod source;

pub mod beacons;
pub mod judge;
pub mod replay;

pub mod evidence;
pub mod walk;

pub mod catalogue;
pub mod controls;

pub mod log;
pub mod pack;
pub mod receipt;

pub use report::{Check, Failure, Report};
pub use source::LogSource;
