//! Tests of family T-IDN, and those about signing keys.

use super::{Outcome, US_PER_S, Verdicts, parameter};
use crate::evidence::Tables;
use crate::evidence::tables::{DeviceKeyRow, RosterRow};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Seconds in a day.
const DAY_S: i64 = 86_400;

/// Algorithms that protect the log's integrity.
const APPROVED: [&str; 4] = [
    "ECDSA-P256-SHA256",
    "ECDSA-P384-SHA384",
    "Ed25519",
    "ML-DSA-65",
];

/// T-INT-06: the signing key was enrolled, unrevoked and bound to its device at the entry's index.
pub fn signing_keys_were_good(tables: &Tables, _: &Verdicts) -> Outcome {
    let mut keys: HashMap<(&str, &str), &DeviceKeyRow> = HashMap::new();
    for key in &tables.device_keys {
        keys.insert((&key.device_key_id, &key.device_id), key);
    }
    let of_devices = || tables.events.iter().filter(|row| row.device_id.is_some());
    let bad = of_devices().filter(|row| {
        let place = row.device_key_id.as_deref().zip(row.device_id.as_deref());
        let key = place.and_then(|place| keys.get(&place));
        !key.is_some_and(|key| {
            row.leaf_index >= key.valid_from_index
                && key
                    .revoked_index
                    .is_none_or(|revoked| row.leaf_index < revoked)
        })
    });
    let bad: Vec<i64> = bad.map(|row| row.leaf_index).collect();
    Outcome::new(of_devices().count(), bad)
}

/// T-IDN-01: every actor is one person of the roster who had not left.
pub fn actors_are_on_the_roster(tables: &Tables, _: &Verdicts) -> Outcome {
    let roster = roster(tables);
    let mut actors = BTreeSet::new();
    let mut strangers: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &tables.events {
        let Some(person) = &row.human_id else {
            continue;
        };
        actors.insert(person.as_str());
        let known = roster
            .get(person.as_str())
            .is_some_and(|known| known.end_index.is_none_or(|left| row.leaf_index < left));
        if !known {
            strangers.entry(person).or_insert(row.leaf_index);
        }
    }
    Outcome::new(actors.len(), strangers.into_values())
}

/// T-IDN-03: leavers do nothing later than `leaver_grace_s` after they left.
pub fn leavers_lose_access(tables: &Tables, _: &Verdicts) -> Outcome {
    let grace = parameter(tables, "leaver_grace_s", DAY_S).saturating_mul(US_PER_S);
    let left = roster(tables);
    let mut late: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &tables.events {
        let Some((person, event)) = row.human_id.as_deref().zip(row.event_time) else {
            continue;
        };
        let end = left.get(person).and_then(|known| known.end_date);
        if end.is_some_and(|end| event > end.saturating_add(grace)) {
            late.entry(person).or_insert(row.leaf_index);
        }
    }
    let leavers = tables.roster.iter().filter(|row| row.end_date.is_some());
    Outcome::new(leavers.count(), late.into_values())
}

/// T-IDN-05: device keys live in hardware that was shown to be genuine.
pub fn keys_live_in_hardware(tables: &Tables, _: &Verdicts) -> Outcome {
    let of_devices = || tables.events.iter().filter(|row| row.device_id.is_some());
    let soft = of_devices().filter(|row| row.key_protection.as_deref() != Some("tpm-attested"));
    let soft: Vec<i64> = soft.map(|row| row.leaf_index).collect();
    Outcome::new(of_devices().count(), soft)
}

/// T-IDN-06: device keys are attested and at most `key_max_age_days` old.
pub fn device_keys_are_attested(tables: &Tables, _: &Verdicts) -> Outcome {
    let age = parameter(tables, "key_max_age_days", 730).saturating_mul(DAY_S * US_PER_S);
    let end = tables.period.first().and_then(|period| period.end_ts);
    let keys = || tables.device_keys.iter().filter(|key| key.kind == "device");
    let bad = keys().filter(|key| {
        let old = end
            .zip(key.valid_from)
            .is_some_and(|(end, from)| from < end.saturating_sub(age));
        !key.attested || (old && key.revoked_index.is_none())
    });
    let bad: Vec<i64> = bad.map(|key| key.valid_from_index).collect();
    Outcome::new(keys().count(), bad)
}

/// T-IDN-07: a session belongs to one person, one device and one operating-system user. The last is
/// confidential: a session of which no entry shows it was not looked at.
pub fn sessions_have_one_person(tables: &Tables, _: &Verdicts) -> Outcome {
    #[derive(Default)]
    struct Seen<'a> {
        first: i64,
        people: BTreeSet<&'a str>,
        devices: BTreeSet<&'a str>,
        users: BTreeSet<&'a str>,
    }
    let mut sessions: BTreeMap<&str, Seen<'_>> = BTreeMap::new();
    for row in &tables.events {
        let Some(session) = &row.session_id else {
            continue;
        };
        let fresh = Seen {
            first: row.leaf_index,
            ..Seen::default()
        };
        let seen = sessions.entry(session).or_insert(fresh);
        seen.people.extend(row.human_id.as_deref());
        seen.devices.extend(row.device_id.as_deref());
        seen.users.extend(row.os_user.as_deref());
    }
    let several =
        |seen: &&Seen<'_>| seen.people.len() > 1 || seen.devices.len() > 1 || seen.users.len() > 1;
    let shared: Vec<i64> = sessions
        .values()
        .filter(several)
        .map(|seen| seen.first)
        .collect();
    let unseen = sessions.values().filter(|seen| seen.users.is_empty());
    Outcome::new(sessions.len(), shared).without(unseen.count())
}

/// T-CRY-01: approved algorithms protect the log's integrity.
pub fn algorithms_are_approved(tables: &Tables, _: &Verdicts) -> Outcome {
    let other = tables
        .device_keys
        .iter()
        .filter(|key| !APPROVED.contains(&key.algorithm.as_str()));
    Outcome::new(
        tables.device_keys.len(),
        other.map(|key| key.valid_from_index),
    )
}

fn roster(tables: &Tables) -> HashMap<&str, &RosterRow> {
    tables
        .roster
        .iter()
        .map(|row| (row.human_id.as_str(), row))
        .collect()
}
