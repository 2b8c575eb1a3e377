//! Replaying recorded decisions: the same inputs, the same policy, the same engine semantics.
//!
//! Owns the gathering of inputs and the three answers. A decision is replayed against the policy and
//! roster entries it names, not against those at its own index: events arrive late. Whether those
//! were fresh enough is another question. Source: architecture section 5.

use cairn_event::body::{Body, ToolDecision};
use cairn_event::{Disclosure, Entry, Posture, Sha256};
use cairn_identity::Roster;
pub use cairn_policy::Obstacle;
use cairn_policy::recorded::{difference, is_by_engine};
use cairn_policy::{
    Bundle, CompiledBundle, ENGINE_SEMANTICS, Subject, compile, decide, recorded_request,
};
use std::collections::BTreeMap;

/// What a replay gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The same effect, rule, losing rules and mode.
    Reproduced,
    /// Another answer.
    Mismatch(String),
    /// No answer is possible.
    NotReplayable(Obstacle),
}

/// Replays decisions with compiled bundles by digest.
#[derive(Default)]
pub struct Replayer {
    bundles: BTreeMap<Sha256, Option<CompiledBundle>>,
}

impl Replayer {
    /// Adds a bundle whose digest has been checked.
    pub fn add_bundle(&mut self, digest: Sha256, bytes: &[u8]) {
        let compiled = Bundle::parse(bytes)
            .ok()
            .and_then(|bundle| compile(&bundle).ok());
        self.bundles.insert(digest, compiled);
    }

    /// Replays the decision in `entry`; `None` for any other entry. `bundle` is that of the policy
    /// entry it names, `is_erased` says whether an erasure entry names a digest.
    pub fn replay(
        &self,
        entry: &Entry,
        disclosures: &[Disclosure],
        bundle: Option<Sha256>,
        roster: &Roster,
        is_erased: impl Fn(&str) -> bool,
    ) -> Option<Replay> {
        let Body::ToolDecision(decision) = &entry.payload().body else {
            return None;
        };
        let answer = self.try_replay(entry, decision, disclosures, bundle, roster);
        let erased = || {
            let mut missing = entry.payload().sd.iter().filter(|digest| is_erased(digest));
            missing.next().is_some()
        };
        Some(match answer {
            Err(Obstacle::Withheld) if erased() => Replay::NotReplayable(Obstacle::Erased),
            Err(obstacle) => Replay::NotReplayable(obstacle),
            Ok(replay) => replay,
        })
    }

    fn try_replay(
        &self,
        entry: &Entry,
        decision: &ToolDecision,
        disclosures: &[Disclosure],
        bundle: Option<Sha256>,
        roster: &Roster,
    ) -> Result<Replay, Obstacle> {
        let payload = entry.payload();
        if !is_by_engine(decision) {
            return Err(Obstacle::NoEngine);
        }
        if decision.semantics != ENGINE_SEMANTICS {
            return Err(Obstacle::Semantics);
        }
        let request = recorded_request(entry, disclosures)?;
        let compiled = bundle.and_then(|digest| self.bundles.get(&digest));
        let compiled = compiled
            .ok_or(Obstacle::NoPolicy)?
            .as_ref()
            .ok_or(Obstacle::BadPolicy)?;
        let subject = subject_of(entry, roster)?;
        let none = Posture::default();
        let posture = payload.context.posture.as_ref().unwrap_or(&none);
        let at_age = compiled.at_age(payload.context.policy_age_ms.unwrap_or(0));
        let again = decide(&request, at_age, &subject, posture, payload.time_ms);
        Ok(difference(decision, &again).map_or(Replay::Reproduced, Replay::Mismatch))
    }
}

/// The person under the roster entry that the decision names.
fn subject_of(entry: &Entry, roster: &Roster) -> Result<Subject, Obstacle> {
    let context = &entry.payload().context;
    let (Some(id), Some(index)) = (&context.person, context.roster) else {
        return Err(Obstacle::NoPerson);
    };
    let person = roster.people.get(id).ok_or(Obstacle::NoPerson)?;
    let membership = person.membership_at(index).ok_or(Obstacle::NoPerson)?;
    Ok(Subject {
        person: id.clone(),
        teams: membership.teams.clone(),
        roles: membership
            .roles
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect(),
    })
}
