//! Counters and gauges in Prometheus text.
//!
//! Owns the numbers and their names. Numbers are totals since the start; nothing depends on them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// One number.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    /// Adds to a counter.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Sets a gauge.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All numbers of the log.
#[derive(Debug, Default)]
pub struct Metrics {
    /// New entries.
    pub sequenced: Number,
    /// Submissions of bytes that the log already held.
    pub duplicates: Number,
    /// Rounds committed.
    pub rounds: Number,
    /// Microseconds spent in commits.
    pub commit_us: Number,
    /// Fork entries written.
    pub forks: Number,
    /// Gap entries written by the observer.
    pub gaps: Number,
    /// Checkpoints published.
    pub published: Number,
    /// Rounds in which the quorum was not reached.
    pub quorum_missed: Number,
    /// Witness answers that contradict this log.
    pub witness_alarms: Number,
    /// Refused entries by problem code.
    refused: Mutex<BTreeMap<String, u64>>,
}

impl Metrics {
    /// Counts refused entries.
    pub fn refused<'a>(&self, codes: impl Iterator<Item = &'a str>) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for code in codes {
            *refused.entry(code.to_owned()).or_default() += 1;
        }
    }

    /// Prometheus text of the counters and of the gauges given.
    #[must_use]
    pub fn render(&self, gauges: &[(&str, u64)]) -> String {
        let mut text = String::new();
        let counters = [
            ("cairn_entries_sequenced_total", &self.sequenced),
            ("cairn_entries_duplicate_total", &self.duplicates),
            ("cairn_rounds_total", &self.rounds),
            ("cairn_commit_microseconds_total", &self.commit_us),
            ("cairn_forks_total", &self.forks),
            ("cairn_observed_gaps_total", &self.gaps),
            ("cairn_checkpoints_published_total", &self.published),
            ("cairn_quorum_missed_total", &self.quorum_missed),
            ("cairn_witness_alarms_total", &self.witness_alarms),
        ];
        for (name, number) in counters {
            push(&mut text, name, "counter", &[(String::new(), number.get())]);
        }
        for (name, value) in gauges {
            push(&mut text, name, "gauge", &[(String::new(), *value)]);
        }
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let labelled: Vec<_> = refused
            .iter()
            .map(|(code, count)| (format!("{{code=\"{code}\"}}"), *count))
            .collect();
        push(
            &mut text,
            "cairn_entries_refused_total",
            "counter",
            &labelled,
        );
        text
    }
}

fn push(text: &mut String, name: &str, kind: &str, values: &[(String, u64)]) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# TYPE {name} {kind}");
    for (labels, value) in values {
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}
