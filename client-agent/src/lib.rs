//! The endpoint: posture, ancestry, keys, spool, receipts, enforcement, wrapper, administration.
//!
//! Owns what runs on a developer's device. Does not own what a rule means (`cairn-policy`), what an
//! entry looks like (`cairn-event`) or whose key is good (`cairn-identity`).
//!
//! Source: architecture of record, sections 2, 3 and 5.

pub mod ancestry;
pub mod posture;
