//! What every entry of this device says about its circumstances, kept current in one place.
//!
//! Owns the values that change during a run: teams, indices of the policy and roster in force, the
//! newest verified checkpoint. Does not own posture or the agent, which belong to one entry.

use crate::enrolment::Identity;
use cairn_event::Context;
use cairn_event::payload::Beacon;
use std::sync::{PoisonError, RwLock};

/// The current circumstances; shared between threads.
#[derive(Debug)]
pub struct Circumstances(RwLock<Context>);

impl Circumstances {
    /// The circumstances right after enrolment.
    pub fn new(identity: &Identity) -> Self {
        Self(RwLock::new(Context {
            isolation: Some(identity.isolation),
            person: Some(identity.person.clone()),
            protection: Some(identity.protection),
            roster: Some(identity.roster_index),
            ..Context::default()
        }))
    }

    /// A copy as of now.
    pub fn now(&self) -> Context {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes over a verified roster: its index and the person's teams, sorted.
    pub fn set_roster(&self, index: u64, teams: Vec<String>) {
        let mut context = self.0.write().unwrap_or_else(PoisonError::into_inner);
        context.roster = Some(index);
        context.teams = teams;
    }

    /// Takes over a verified policy entry.
    pub fn set_policy(&self, index: u64) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .policy = Some(index);
    }

    /// Takes over a verified checkpoint if it is newer than the one known.
    pub fn saw(&self, beacon: Beacon) {
        let mut context = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if context
            .beacon
            .as_ref()
            .is_none_or(|known| known.size < beacon.size)
        {
            context.beacon = Some(beacon);
        }
    }
}
