//! Who may say what: authority from genesis, the roster, chain certificates, tokens, enrolment.
//!
//! The [`Ledger`] is a projection of the log's entries and of nothing else: the server builds it to
//! admit, an agent to know its own teams, an auditor to judge. Given the same entries all three get
//! the same answer. In scope: signatures and authority of entries, the order of chains, the state
//! machine of an enrolment, access tokens. Out of scope: mail, HTTP, storage. Pure: time and
//! randomness are arguments.
//!
//! Source: `docs/formats/administrative.md`, `docs/formats/entry.md`.

pub mod refusal;

pub mod authority;
pub mod chain;
pub mod ledger;
pub mod roster;

pub mod retention;
pub mod succession;

pub mod assertion;
pub mod enrolment;
pub mod token;

pub use authority::Authority;
pub use chain::{ChainState, Flag};
pub use ledger::{Admission, KeptChain, Ledger, PolicyHead};
pub use refusal::Refusal;
pub use roster::{Device, Membership, Person, Roster};
