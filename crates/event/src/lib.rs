//! What Cairn logs: the exact entry bytes, their signature, disclosures and redactions.
//!
//! An entry is a compact JWS (RFC 7515) whose payload is the body of an SD-JWT (RFC 9901) in the
//! canonical form of RFC 8785. Its bytes are frozen once by the writer and never re-serialised.
//! In scope: parsing, freezing, signing and verifying entries. Out of scope: who may sign what
//! (`cairn-identity`), what a decision should be (`cairn-policy`), trees and receipts
//! (`cairn-tlog`). Pure: no clock, no randomness, no files, no network.
//!
//! Source: `docs/formats/entry.md`, `docs/formats/frame.md`, `docs/formats/administrative.md`.

pub mod limits;

mod canonical;
pub mod encoding;
pub mod json;
pub mod key;
pub mod posture;
pub mod vocabulary;

pub mod disclosure;
pub mod redact;
pub mod terminal;

pub mod administrative;
pub mod body;
pub mod payload;

pub mod approval;
pub mod entry;
pub mod frame;

pub use disclosure::Disclosure;
pub use encoding::Sha256;
pub use entry::{Entry, EntryError, Frozen, Integrity, freeze};
pub use frame::Frame;
pub use key::{EntrySigner, Kid, PublicKey, SoftwareKey};
pub use payload::{Context, Link, Payload};
pub use posture::{Posture, PostureValue};
pub use vocabulary::{
    ActionClass, DecisionMode, Effect, Isolation, KeyProtection, OutcomeState, PersonRole, Rank,
    Redaction, RuleRef,
};
