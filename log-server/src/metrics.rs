//! Counters and gauges in Prometheus text.
//!
//! Owns the numbers and their names. Numbers are totals since the start; nothing depends on them.
//! `docs/operating/metrics.md` lists every name; a test compares the two.

mod requests;

pub use requests::Requests;

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
    /// Of these, answers that claim a larger size than this log holds.
    pub witness_ahead: Number,
    /// Calls to a witness that brought no cosignature, alarms included.
    pub witness_failures: Number,
    /// Submissions turned away for lack of room, disk or quota.
    pub turned_away: Number,
    /// Times the projection of published entries ended for good.
    pub index_failures: Number,
    /// Connections now open.
    pub connections: Number,
    /// Connections closed as they came because all places were taken.
    pub connections_refused: Number,
    /// TLS handshakes that failed or took too long.
    pub handshakes_failed: Number,
    /// Requests by route.
    pub requests: Requests,
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

    /// Prometheus text of the counters and of the gauges given as name, what it is, and value.
    #[must_use]
    pub fn render(&self, gauges: &[(&str, &str, u64)]) -> String {
        let mut text = String::new();
        for (name, help, number) in self.counters() {
            let value = [(String::new(), number.get())];
            push(&mut text, name, "counter", help, &value);
        }
        for (name, help, value) in gauges {
            push(&mut text, name, "gauge", help, &[(String::new(), *value)]);
        }
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let labelled: Vec<_> = refused
            .iter()
            .map(|(code, count)| (format!("{{code=\"{code}\"}}"), *count))
            .collect();
        drop(refused);
        let (name, help) = (
            "cairn_entries_refused_total",
            "Entries refused, by problem.",
        );
        push(&mut text, name, "counter", help, &labelled);
        self.requests.render(&mut text);
        text
    }

    fn counters(&self) -> [(&'static str, &'static str, &Number); 13] {
        [
            (
                "cairn_entries_sequenced_total",
                "New entries.",
                &self.sequenced,
            ),
            (
                "cairn_entries_duplicate_total",
                "Submissions of bytes that the log already held.",
                &self.duplicates,
            ),
            (
                "cairn_submissions_turned_away_total",
                "Submissions answered 429 or 503 for lack of room, disk or quota.",
                &self.turned_away,
            ),
            ("cairn_rounds_total", "Rounds committed.", &self.rounds),
            (
                "cairn_commit_microseconds_total",
                "Time spent in commits.",
                &self.commit_us,
            ),
            ("cairn_forks_total", "Fork entries written.", &self.forks),
            (
                "cairn_observed_gaps_total",
                "Gap entries written by the observer.",
                &self.gaps,
            ),
            (
                "cairn_checkpoints_published_total",
                "Checkpoints published.",
                &self.published,
            ),
            (
                "cairn_quorum_missed_total",
                "Rounds of publication without the quorum of witnesses.",
                &self.quorum_missed,
            ),
            (
                "cairn_witness_alarms_total",
                "Witness answers that contradict this log.",
                &self.witness_alarms,
            ),
            (
                "cairn_index_failures_total",
                "Times the services lost their index and refuse until a restart.",
                &self.index_failures,
            ),
            (
                "cairn_connections_refused_total",
                "Connections closed because all places were taken.",
                &self.connections_refused,
            ),
            (
                "cairn_tls_handshakes_failed_total",
                "TLS handshakes that failed or took too long.",
                &self.handshakes_failed,
            ),
        ]
    }
}

fn push_head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}");
    let _ = writeln!(text, "# TYPE {name} {kind}");
}

fn push(text: &mut String, name: &str, kind: &str, help: &str, values: &[(String, u64)]) {
    push_head(text, name, kind, help);
    for (labels, value) in values {
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}
