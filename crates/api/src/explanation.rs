//! A recorded decision explained, and whose decision it was.

use cairn_event::Entry;
use cairn_identity::Roster;
use cairn_policy::{Explanation, Obstacle, Subject};
use serde::{Deserialize, Serialize};

/// `GET /v1/events/{index}/explanation`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventExplanation {
    /// Index of the decision.
    pub index: u64,
    /// What decided it, what lost, and what would change it.
    #[serde(flatten)]
    pub explanation: Explanation,
}

/// The person of an entry, with the teams and roles they had under the roster entry that it names.
///
/// Errors: [`Obstacle::NoPerson`] where the entry names none or the roster does not know them.
pub fn recorded_subject(entry: &Entry, roster: &Roster) -> Result<Subject, Obstacle> {
    let context = &entry.payload().context;
    let (Some(id), Some(index)) = (&context.person, context.roster) else {
        return Err(Obstacle::NoPerson);
    };
    let person = roster.people.get(id).ok_or(Obstacle::NoPerson)?;
    let membership = person.membership_at(index).ok_or(Obstacle::NoPerson)?;
    let roles = membership.roles.iter();
    Ok(Subject {
        person: id.clone(),
        teams: membership.teams.clone(),
        roles: roles.map(|role| role.as_str().to_owned()).collect(),
    })
}
