//! Tests of family T-CMP and T-LOG: the devices' own records are whole.

use super::{Outcome, US_PER_S, Verdicts, parameter};
use crate::evidence::{EventRow, Tables};
use std::collections::BTreeMap;

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
    Outcome::new(chains.len(), gaps.map(|(_, after)| after.leaf_index))
}

/// T-CMP-02: each entry names the leaf hash of the one before it in its chain.
pub fn entries_name_their_predecessor(tables: &Tables, _: &Verdicts) -> Outcome {
    let chains = by_chain(tables);
    let broken = neighbours(&chains)
        .filter(|(before, after)| after.prev_event_hash != Some(before.leaf_hash));
    let population = chains.values().map(Vec::len).sum();
    Outcome::new(population, broken.map(|(_, after)| after.leaf_index))
}

/// T-LOG-02: while agents run, heartbeats come at most `heartbeat_max_gap_s` apart.
pub fn running_agents_are_heard(tables: &Tables, _: &Verdicts) -> Outcome {
    let limit = parameter(tables, "heartbeat_max_gap_s", 600).saturating_mul(US_PER_S);
    let mut beats: BTreeMap<&str, Vec<(i64, bool, i64)>> = BTreeMap::new();
    for row in &tables.heartbeats {
        if let Some(time) = row.hb_time {
            let own = beats.entry(&row.device_id).or_default();
            own.push((time, row.agent_running, row.leaf_index));
        }
    }
    let mut silent = Vec::new();
    for own in beats.values_mut() {
        own.sort_unstable();
        let pairs = own.iter().zip(own.iter().skip(1));
        silent.extend(
            pairs
                .filter(|(before, after)| before.1 && after.0 - before.0 > limit)
                .map(|(before, _)| before.2),
        );
    }
    Outcome::new(tables.heartbeats.len(), silent)
}
