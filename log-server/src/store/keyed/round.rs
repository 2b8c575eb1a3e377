//! What one round changes, row by row.
//!
//! Owns which tables a round and a change to disclosures touch. Source: `docs/formats/store.md`, "Tables".

use super::super::engine::{Change, Table};
use super::super::{DisclosureWrite, Staged};
use super::keys::{key, place_key, sealed_key, tile_key};
use super::values::encode_head;
use super::{HEAD_KEY, LAYOUT};
use cairn_tlog::TILE_WIDTH;
use std::collections::BTreeSet;

/// All changes of one round. The order inside a batch has no meaning: it is atomic.
pub(super) fn round_changes(staged: &Staged) -> Vec<Change> {
    let width = u64::from(TILE_WIDTH);
    let mut changes = vec![Change::Put(
        Table::Meta,
        HEAD_KEY.to_vec(),
        encode_head(&staged.head),
    )];
    let first_of_edge = staged.head.size() / width * width;
    for entry in &staged.entries {
        let index = key(entry.index);
        if entry.index >= first_of_edge {
            changes.push(Change::Put(Table::Edge, index.clone(), entry.bytes.clone()));
        }
        changes.push(Change::Put(
            Table::Leaf,
            entry.leaf.0.to_vec(),
            index.clone(),
        ));
        if let Some((chain, seq)) = &entry.place {
            changes.push(Change::Put(Table::Place, place_key(chain, *seq), index));
        }
    }
    for (number, bytes) in &staged.bundles {
        changes.push(Change::Put(Table::Bundle, key(*number), bytes.clone()));
        let first = number.saturating_mul(width);
        let singles = first..staged.from.min(first.saturating_add(width));
        changes.extend(singles.map(|index| Change::Delete(Table::Edge, key(index))));
    }
    for (id, bytes) in &staged.tiles {
        changes.push(Change::Put(
            Table::Tile,
            tile_key(id.level, id.index),
            bytes.clone(),
        ));
    }
    for (chain, seq) in &staged.forks {
        changes.push(Change::Put(
            Table::Fork,
            place_key(chain, *seq),
            vec![LAYOUT],
        ));
    }
    changes.extend(staged.disclosures.iter().map(disclosure_change));
    changes
}

pub(super) fn disclosure_change(write: &DisclosureWrite) -> Change {
    match write {
        DisclosureWrite::Record {
            index,
            digest,
            value,
        } => {
            let mut at = key(*index);
            at.extend_from_slice(digest);
            Change::Put(Table::Disclosure, at, value.clone())
        }
        DisclosureWrite::Drop { index, digest } => {
            let mut at = key(*index);
            at.extend_from_slice(digest);
            Change::Delete(Table::Disclosure, at)
        }
        DisclosureWrite::Sealed { name, places } => {
            let indices: BTreeSet<u64> = places.iter().map(|(index, _)| *index).collect();
            let value = indices.iter().flat_map(|index| index.to_be_bytes());
            let at = sealed_key(name, places.first());
            Change::Put(Table::Sealed, at, value.collect())
        }
        DisclosureWrite::Key { name, value } => {
            Change::Put(Table::PersonKey, name.clone().into_bytes(), value.clone())
        }
        DisclosureWrite::DropKey { name } => {
            Change::Delete(Table::PersonKey, name.clone().into_bytes())
        }
    }
}
