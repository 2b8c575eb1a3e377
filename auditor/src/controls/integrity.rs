//! Tests of family T-INT, T-TIM and T-IPE: the rows are what the log holds, all of it, in its order.

use super::{Outcome, US_PER_S, Verdicts, parameter};
use crate::evidence::Tables;

/// T-INT-01: leaf hashes recompute from the exact bytes.
pub fn leaves_recompute(tables: &Tables, verdicts: &Verdicts) -> Outcome {
    Outcome::new(tables.events.len(), verdicts.bad_leaves.iter().copied())
}

/// T-INT-02: indices are contiguous over the declared range.
pub fn indices_are_contiguous(tables: &Tables, _: &Verdicts) -> Outcome {
    let Some(period) = tables.period.first() else {
        return Outcome::default();
    };
    let mut expected = period.range_start;
    let mut broken = Vec::new();
    for row in &tables.events {
        if row.leaf_index != expected {
            broken.push(row.leaf_index);
        }
        expected = row.leaf_index.saturating_add(1);
    }
    let width = usize::try_from(period.range_end - period.range_start).unwrap_or_default();
    if tables.events.len() != width {
        broken.push(-1);
    }
    Outcome::new(width, broken)
}

/// T-INT-03: one range proof binds all rows to a checkpoint that the trust policy believes.
pub fn range_is_proven(tables: &Tables, verdicts: &Verdicts) -> Outcome {
    Outcome::new(
        tables.checkpoints.len(),
        (!verdicts.range_proven).then_some(-1),
    )
}

/// T-INT-04: every checkpoint of the period extends the one before it.
pub fn checkpoints_are_consistent(tables: &Tables, verdicts: &Verdicts) -> Outcome {
    Outcome::new(
        tables.checkpoints.len(),
        verdicts.inconsistent.iter().copied(),
    )
}

/// T-INT-05: signatures verify.
pub fn signatures_verify(tables: &Tables, verdicts: &Verdicts) -> Outcome {
    Outcome::new(tables.events.len(), verdicts.bad_signatures.iter().copied())
}

/// T-INT-07: no interval without a cosigned checkpoint longer than `checkpoint_max_gap_s`.
pub fn checkpoints_are_frequent(tables: &Tables, _: &Verdicts) -> Outcome {
    let limit = parameter(tables, "checkpoint_max_gap_s", 3_600).saturating_mul(US_PER_S);
    let mut times: Vec<(i64, i64)> = tables
        .checkpoints
        .iter()
        .filter_map(|row| Some((row.checkpoint_time?, row.tree_size)))
        .collect();
    times.sort_unstable();
    let pairs = times.iter().zip(times.iter().skip(1));
    let late = pairs.filter(|(before, after)| after.0 - before.0 > limit);
    Outcome::new(tables.checkpoints.len(), late.map(|(_, after)| after.1))
}

/// T-INT-08: the range begins and ends at believed checkpoints.
pub fn range_ends_at_checkpoints(_: &Tables, verdicts: &Verdicts) -> Outcome {
    let whole = verdicts.begins_at_checkpoint && verdicts.ends_at_checkpoint;
    Outcome::new(1, (!whole).then_some(-1))
}

/// T-INT-09: no row is withheld; confidential members are counted elsewhere.
pub fn no_row_is_withheld(tables: &Tables, _: &Verdicts) -> Outcome {
    let withheld = tables
        .events
        .iter()
        .filter(|row| matches!(row.redaction_level.as_str(), "hash-only" | "header"));
    Outcome::new(tables.events.len(), withheld.map(|row| row.leaf_index))
}

/// T-TIM-03: the writer's clock is not ahead of the witnesses', and the lag is bounded.
pub fn times_are_bounded(tables: &Tables, _: &Verdicts) -> Outcome {
    let ahead = parameter(tables, "future_tolerance_s", 2).saturating_mul(US_PER_S);
    let lag = parameter(tables, "max_ingest_lag_s", 86_400).saturating_mul(US_PER_S);
    let outside = tables
        .events
        .iter()
        .filter(|row| match (row.event_time, row.integrated_time) {
            (Some(event), Some(integrated)) => {
                event > integrated.saturating_add(ahead) || integrated.saturating_sub(event) > lag
            }
            _ => false,
        });
    Outcome::new(tables.events.len(), outside.map(|row| row.leaf_index))
}

/// T-IPE-02: the manifest's control totals are those of the tables.
pub fn totals_agree(tables: &Tables, verdicts: &Verdicts) -> Outcome {
    Outcome::new(tables.events.len(), (!verdicts.totals_agree).then_some(-1))
}
