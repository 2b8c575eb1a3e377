//! Whose rules apply: the person, their teams and their roles at the moment of the decision.
//!
//! Owns the type only; who is in which team is the identity service's business.
//! Source: architecture section 4, item 4.

use serde::{Deserialize, Serialize};

/// The verified human a decision is made for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The random person id (`p_…`).
    pub person: String,
    /// Ids of every team the person is in; order carries no meaning.
    pub teams: Vec<String>,
    /// Role names such as `developer`; order carries no meaning.
    pub roles: Vec<String>,
}
