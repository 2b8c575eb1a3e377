//! The HTTP surface in one place: paths, wire types, problem bodies and the one typed client.
//!
//! In scope: what travels between `cairn-server` and everybody else. Out of scope: what the bytes
//! inside mean (`cairn-event`, `cairn-tlog`) and who may call what (`cairn-server`).
//! Source: `docs/openapi.json`; RFC 9457 for problem bodies.

pub mod paths;
pub mod problem;

pub mod access;
pub mod browse;
pub mod distribution;
pub mod explanation;
pub mod newest;
pub mod reading;
pub mod submission;

pub mod client;
pub mod event_stream;
pub mod tls_trust;

pub use client::{Client, ClientError};
pub use problem::{Family, Problem};
pub use submission::Wait;
pub use tls_trust::TlsTrust;
