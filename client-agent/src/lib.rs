//! The endpoint: posture, ancestry, keys, spool, receipts, enforcement, wrapper, administration.
//!
//! Owns what runs on a developer's device. Does not own what a rule means (`cairn-policy`), what an
//! entry looks like (`cairn-event`) or whose key is good (`cairn-identity`).
//!
//! Source: architecture of record, sections 2, 3 and 5.

#[macro_use]
mod say;

pub mod ancestry;
pub mod posture;

pub mod backoff;
pub mod clock;
pub mod random;

pub mod enrolment;
pub mod key;
pub mod state;

pub mod chain;
pub mod circumstances;
pub mod device;
pub mod interference;
pub mod recorder;
pub mod servers;
pub mod steered;
pub mod telemetry;
pub mod unmanaged;
pub mod vigil;

pub mod access;
pub mod policy;
pub mod receipts;
pub mod refused;
pub mod upload;

pub mod cli;
pub mod daemon;
pub mod hook;
pub mod managed;
pub mod wrapper;
