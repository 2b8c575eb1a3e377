//! `cargo xtask test`: every step in order, a table of how each ended, and one closing line.
//!
//! It owns the order of the output. What a step does is in `steps`.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;

use crate::context::Context;
use crate::counts::Counts;
use crate::steps::{Outcome, Step};
use crate::suites::SUITES;
use crate::tools::Toolbox;

/// One line of the table.
struct Row {
    step: Step,
    outcome: Outcome,
    took: Duration,
}

/// Prints the steps and the suites.
#[must_use]
pub fn list() -> bool {
    for step in Step::value_variants() {
        let value = step.to_possible_value();
        let help = value
            .as_ref()
            .and_then(|value| value.get_help())
            .map(ToString::to_string);
        println!("{:<10}{}", step.name(), help.unwrap_or_default());
    }
    for suite in SUITES {
        let needs: Vec<&str> = suite.needs.iter().map(|need| need.name()).collect();
        println!("  suite {} (needs {})", suite.name, needs.join(", "));
    }
    true
}

/// Runs all steps, or `only` these, and says whether everything held.
///
/// A failed step does not stop the later ones, so that one run shows everything; only missing build
/// packages do, because nothing after them could be compiled.
///
/// # Errors
/// The packages that the build needs are missing.
pub fn run(context: &Context, only: &[Step]) -> Result<bool> {
    let toolbox = Toolbox::new(context);
    let mut rows = Vec::new();
    let chosen = |step: &Step| only.is_empty() || only.contains(step);
    let steps: Vec<Step> = Step::value_variants()
        .iter()
        .copied()
        .filter(chosen)
        .collect();
    for (position, step) in steps.iter().copied().enumerate() {
        println!(
            "\n======== {} of {}: {} ========",
            position + 1,
            steps.len(),
            step.name()
        );
        let begun = Instant::now();
        let outcome = match step.run(context, &toolbox) {
            Ok(outcome) => outcome,
            Err(error) if step == Step::Tools => return Err(error),
            Err(error) => Outcome::failed(format!("{error:#}")),
        };
        println!("{}: {outcome}", step.name());
        rows.push(Row {
            step,
            outcome,
            took: begun.elapsed(),
        });
    }
    print!("\n{}", table(&rows));
    let mut sum = Counts::default();
    rows.iter().for_each(|row| sum += row.outcome.counts());
    println!("{sum}");
    Ok(!rows.iter().any(|row| row.outcome.is_failure()))
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<10}{:>9}  result\n", "step", "seconds");
    for row in rows {
        let seconds = row.took.as_secs_f64();
        text.push_str(&format!(
            "{:<10}{seconds:>9.1}  {}\n",
            row.step.name(),
            row.outcome
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_every_step() {
        let row = |step, outcome| Row {
            step,
            outcome,
            took: Duration::from_millis(1500),
        };
        let rows = [
            row(Step::Fmt, Outcome::Passed),
            row(Step::Deny, Outcome::failed("licence")),
        ];
        let text = table(&rows);
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("fmt             1.5  ok"));
        assert!(text.contains("deny            1.5  FAILED: licence"));
    }

    #[test]
    fn failures_reach_the_closing_line() {
        assert!(Outcome::failed("x").is_failure());
        assert_eq!(Outcome::failed("x").counts(), Counts::one(false));
        assert!(Outcome::Counted(Counts::one(false)).is_failure());
        assert!(!Outcome::skipped("x").is_failure());
        assert_eq!(Outcome::Passed.counts(), Counts::default());
    }
}
