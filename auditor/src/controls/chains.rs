//! Tests of family T-CMP and T-LOG: the devices' own records are whole.

use super::{Outcome, US_PER_S, Verdicts, parameter};
use crate::evidence::{EventRow, Tables};
use std::collections::{BTreeMap, BTreeSet};

/// Chained rows by chain, then place.
fn by_chain(tables: &Tables) -> BTreeMap<&str, Vec<&EventRow>> {
    let mut chains: BTreeMap<&str, Vec<&EventRow>> = BTreeMap::new();
    for row in &tables.events {
        if let (Some(chain), Some(_)) = (&row.chain_id, row.device_seq) {
            chains.entry(chain).or_default().push(row);
        }
    }
    for rows in chains.values_mut() {
        rows.sort_by_key(|row| row.device_seq);
    }
    chains
}

fn neighbours<'a>(
    chains: &'a BTreeMap<&str, Vec<&'a EventRow>>,
) -> impl Iterator<Item = (&'a EventRow, &'a EventRow)> {
    let pairs = chains
        .values()
        .flat_map(|rows| rows.iter().zip(rows.iter().skip(1)));
    pairs.map(|(before, after)| (*before, *after))
}

/// T-CMP-01: a chain's places have no gap and no duplicate. A declared gap is an exception too: the
/// records are missing whoever says so.
pub fn sequences_have_no_gap(tables: &Tables, _: &Verdicts) -> Outcome {
    let chains = by_chain(tables);
    let gaps = neighbours(&chains).filter(|(before, after)| {
        let step = after
            .device_seq
            .zip(before.device_seq)
            .map(|(after, before)| after - before);
        step != Some(1)
    });
    let declared = tables.events.iter();
    let declared = declared.filter(|row| row.event_type.as_deref() == Some("log.gap"));
    let mut missing: BTreeSet<i64> = gaps.map(|(_, after)| after.leaf_index).collect();
    missing.extend(declared.map(|row| row.leaf_index));
    Outcome::new(chains.len(), missing)
}

/// T-CMP-02: each entry names the leaf hash of the one before it in its chain.
pub fn entries_name_their_predecessor(tables: &Tables, _: &Verdicts) -> Outcome {
    let chains = by_chain(tables);
    let broken = neighbours(&chains)
        .filter(|(before, after)| after.prev_event_hash != Some(before.leaf_hash));
    let population = chains.values().map(Vec::len).sum();
    Outcome::new(population, broken.map(|(_, after)| after.leaf_index))
}

/// T-LOG-02: while agents run, heartbeats come at most `heartbeat_max_gap_s` apart, and the last one
/// not longer before the end of the period, unless the device's daemon said that it stops.
pub fn running_agents_are_heard(tables: &Tables, _: &Verdicts) -> Outcome {
    let limit = parameter(tables, "heartbeat_max_gap_s", 600).saturating_mul(US_PER_S);
    let mut beats: BTreeMap<&str, Vec<(i64, bool, i64)>> = BTreeMap::new();
    for row in &tables.heartbeats {
        if let Some(time) = row.hb_time {
            let own = beats.entry(&row.device_id).or_default();
            own.push((time, row.agent_running, row.leaf_index));
        }
    }
    let end = tables.period.first().and_then(|period| period.end_ts);
    let mut stopped: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &tables.events {
        if let (Some("log.stop"), Some(device), Some(time)) =
            (row.event_type.as_deref(), &row.device_id, row.event_time)
        {
            let last = stopped.entry(device).or_insert(time);
            *last = time.max(*last);
        }
    }
    let mut silent = Vec::new();
    for (device, own) in &mut beats {
        own.sort_unstable();
        if let (Some(end), Some((time, true, index))) = (end, own.last())
            && stopped.get(device).is_none_or(|stop| stop < time)
            && end - time > limit
        {
            silent.push(*index);
        }
        let pairs = own.iter().zip(own.iter().skip(1));
        silent.extend(
            pairs
                .filter(|(before, after)| before.1 && after.0 - before.0 > limit)
                .map(|(before, _)| before.2),
        );
    }
    Outcome::new(tables.heartbeats.len(), silent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tables::{HeartbeatRow, PeriodRow};

    const MINUTE_US: i64 = 60 * US_PER_S;

    fn event(index: i64, kind: &str, at: i64) -> EventRow {
        EventRow {
            leaf_index: index,
            device_id: Some("d".into()),
            chain_id: Some("c".into()),
            device_seq: Some(index),
            event_type: Some(kind.into()),
            event_time: Some(at),
            ..EventRow::default()
        }
    }

    #[test]
    fn a_declared_gap_is_an_exception_although_the_places_are_whole() {
        let mut tables = Tables {
            events: vec![event(0, "log.start", 0), event(1, "tool.decision", 1)],
            ..Tables::default()
        };
        let none = Verdicts::default();
        assert_eq!(sequences_have_no_gap(&tables, &none).exceptions, 0);
        tables.events.push(event(2, "log.gap", 2));
        assert_eq!(sequences_have_no_gap(&tables, &none).listed, [2]);
    }

    #[test]
    fn a_device_that_falls_silent_before_the_end_is_an_exception_unless_it_said_that_it_stops() {
        let period = PeriodRow {
            end_ts: Some(60 * MINUTE_US),
            ..PeriodRow::default()
        };
        let beat = |index: i64, minute: i64| HeartbeatRow {
            leaf_index: index,
            device_id: "d".into(),
            hb_time: Some(minute * MINUTE_US),
            agent_running: true,
            ..HeartbeatRow::default()
        };
        let mut tables = Tables {
            period: vec![period],
            heartbeats: vec![beat(1, 30), beat(2, 39)],
            ..Tables::default()
        };
        let none = Verdicts::default();
        assert_eq!(running_agents_are_heard(&tables, &none).listed, [2]);
        tables.events = vec![event(3, "log.stop", 40 * MINUTE_US)];
        assert_eq!(running_agents_are_heard(&tables, &none).exceptions, 0);
    }
}
