//! The rows: exact bytes to leaf hashes, leaf hashes to the root, and every typed column to its bytes.

use super::columns::{self, ColumnError, bytes, differences, text};
use super::folder::Folder;
use super::manifest::Totals;
use super::names;
use crate::evidence::column::Row;
use crate::evidence::{Context, EventRow};
use crate::report::{Check, Failure};
use crate::walk::{Item, Walk};
use arrow::record_batch::RecordBatch;
use cairn_event::Entry;
use cairn_event::body::Body;
use cairn_tlog::{Frontier, Hash, leaf_hash};
use std::collections::BTreeMap;

/// What reading the rows brought.
pub struct Rows {
    /// Rows without their bytes.
    pub events: Vec<EventRow>,
    /// Recomputed leaf hashes, in order.
    pub leaves: Vec<[u8; 32]>,
    /// Counts over the rows.
    pub totals: Totals,
    /// Recomputed tree heads at the sizes asked for.
    pub roots: BTreeMap<u64, Hash>,
    /// Indices whose written leaf hash is not the recomputed one.
    pub bad_leaves: Vec<i64>,
    /// Leaf hashes as checked.
    pub leaf_check: Check,
    /// Typed columns as compared.
    pub column_check: Check,
}

/// Finds the erasure entries among the rows, which later rows' counts depend on.
///
/// Errors: [`ColumnError`].
pub fn erasures(folder: &Folder, context: &mut Context) -> Result<(), ColumnError> {
    columns::read(&folder.path(names::EVENTS), |batch| {
        let canonical = bytes(&batch, "canonical")?;
        for entry in canonical.iter().flatten() {
            if let Some(entry) = erasure(entry)
                && let Body::Erasure(erasure) = &entry.payload().body
            {
                context.add_erasure(erasure);
            }
        }
        Ok(())
    })
}

/// Parses an entry if it says that it is an erasure.
pub fn erasure(bytes: &[u8]) -> Option<Entry> {
    crate::log::says(bytes, b"\"type\":\"erasure\"")
}

/// Reads, recomputes and compares every row, feeding `walk`.
///
/// `frontier` is the tree before the first row; `sizes` are the tree sizes whose heads are wanted.
///
/// Errors: [`ColumnError`]; what was read until then is lost.
pub fn read(
    folder: &Folder,
    walk: &mut Walk,
    mut frontier: Frontier,
    sizes: &[u64],
) -> Result<Rows, ColumnError> {
    let mut rows = Rows {
        events: Vec::new(),
        leaves: Vec::new(),
        totals: Totals::default(),
        roots: BTreeMap::new(),
        bad_leaves: Vec::new(),
        leaf_check: Check::new("leaf-hashes"),
        column_check: Check::new("typed-columns"),
    };
    note_root(&mut rows, &frontier, sizes);
    columns::read(&folder.path(names::EVENTS), |batch| {
        let items = items(&batch, frontier.size())?;
        for item in &items {
            let leaf = leaf_hash(&item.bytes);
            rows.leaves.push(leaf.0);
            frontier.push(leaf);
            note_root(&mut rows, &frontier, sizes);
        }
        let derived = walk.items(names::EVENTS, &items);
        compare(&batch, derived, &mut rows)
    })?;
    Ok(rows)
}

fn note_root(rows: &mut Rows, frontier: &Frontier, sizes: &[u64]) {
    if sizes.binary_search(&frontier.size()).is_ok() {
        rows.roots.insert(frontier.size(), frontier.root());
    }
}

fn items(batch: &RecordBatch, first: u64) -> Result<Vec<Item>, ColumnError> {
    let canonical = bytes(batch, "canonical")?;
    let disclosures = text(batch, "disclosures")?;
    let pairs = canonical.iter().zip(disclosures.iter()).zip(first..);
    Ok(pairs
        .map(|((entry, disclosures), index)| Item {
            index,
            bytes: entry.unwrap_or_default().to_vec(),
            disclosures: disclosures
                .unwrap_or_default()
                .split_terminator('~')
                .map(str::to_owned)
                .collect(),
            erased: false,
        })
        .collect())
}

/// Compares a batch with the rows its own bytes give.
fn compare(
    batch: &RecordBatch,
    derived: Vec<EventRow>,
    rows: &mut Rows,
) -> Result<(), ColumnError> {
    let wanted =
        EventRow::batch(&derived).map_err(|error| ColumnError::Parquet(error.to_string()))?;
    let before = rows.events.len() as u64;
    let mut wrong: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (row, reason) in differences(batch, &wanted) {
        wrong.entry(row).or_default().push(reason);
    }
    let leaf_wrong = "column `leaf_hash` differs from its entry";
    for (position, mut row) in derived.into_iter().enumerate() {
        let position = position as u64;
        let (line, index) = (before + position, row.leaf_index);
        let place = |reason: &str| {
            Failure::of_row(
                names::EVENTS,
                line,
                u64::try_from(index).unwrap_or_default(),
                reason,
            )
        };
        let reasons = wrong.remove(&position).unwrap_or_default();
        let (leaf, others): (Vec<&String>, Vec<&String>) = reasons
            .iter()
            .partition(|reason| reason.as_str() == leaf_wrong);
        if leaf.is_empty() {
            rows.leaf_check.pass();
        } else {
            rows.bad_leaves.push(index);
            rows.leaf_check
                .fail(place("the leaf hash is not that of the entry bytes"));
        }
        match others.first() {
            None => rows.column_check.pass(),
            Some(reason) => rows.column_check.fail(place(reason)),
        }
        rows.totals.add(&row);
        row.canonical = Vec::new();
        row.disclosures = String::new();
        rows.events.push(row);
    }
    Ok(())
}
