//! Requests by route, method and status, with the time they took.

use super::{push, push_head};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram in microseconds: from a cached tile to the longest wait.
const BOUNDS_US: [u64; 12] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// Route as in the table of routes, method, status.
type Key = (String, &'static str, u16);

/// Requests of one kind.
#[derive(Debug, Clone, Default)]
struct Row {
    count: u64,
    sum_us: u64,
    /// How many took at most as long as the bound of that place.
    within: [u64; BOUNDS_US.len()],
}

/// All requests since the start.
#[derive(Debug, Default)]
pub struct Requests(Mutex<BTreeMap<Key, Row>>);

impl Requests {
    /// Counts one answered request. Trap: `route` is a pattern from the code, never a path from
    /// outside, or the number of rows would have no bound.
    pub fn answered(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry((route.to_owned(), method, status)).or_default();
        row.count += 1;
        row.sum_us = row.sum_us.saturating_add(took_us);
        for (bound, within) in BOUNDS_US.iter().zip(&mut row.within) {
            *within += u64::from(took_us <= *bound);
        }
    }

    /// Appends Prometheus text.
    pub(super) fn render(&self, text: &mut String) {
        let rows = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let counts: Vec<_> = rows
            .iter()
            .map(|((route, method, status), row)| {
                let labels =
                    format!("{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}");
                (labels, row.count)
            })
            .collect();
        let name = "cairn_http_requests_total";
        push(text, name, "counter", "Requests answered.", &counts);
        let name = "cairn_http_request_seconds";
        push_head(
            text,
            name,
            "histogram",
            "Time until the head of the answer.",
        );
        for ((route, method, status), row) in &rows {
            let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
            for (bound, within) in BOUNDS_US.iter().zip(&row.within) {
                let le = seconds(*bound);
                let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{le}\"}} {within}");
            }
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", row.count);
            let _ = writeln!(text, "{name}_sum{{{labels}}} {}", seconds(row.sum_us));
            let _ = writeln!(text, "{name}_count{{{labels}}} {}", row.count);
        }
    }
}

/// Microseconds as decimal seconds without rounding.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    short.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_cumulative_and_adds_up() {
        let requests = Requests::default();
        for ms in [1, 3, 400] {
            requests.answered("/x", "GET", 200, Duration::from_millis(ms));
        }
        let mut text = String::new();
        requests.render(&mut text);
        let labels = "{route=\"/x\",method=\"GET\",status=\"200\"";
        for line in [
            format!("cairn_http_requests_total{labels}}} 3"),
            format!("cairn_http_request_seconds_bucket{labels},le=\"0.0005\"}} 0"),
            format!("cairn_http_request_seconds_bucket{labels},le=\"0.001\"}} 1"),
            format!("cairn_http_request_seconds_bucket{labels},le=\"0.25\"}} 2"),
            format!("cairn_http_request_seconds_bucket{labels},le=\"+Inf\"}} 3"),
            format!("cairn_http_request_seconds_sum{labels}}} 0.404"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
