//! Printing figures: one JSON object a line, `{"name","value","unit"}`.

use std::time::Duration;

use serde_json::json;

/// Prints one figure.
pub fn print(name: &str, value: f64, unit: &str) {
    println!("{}", json!({ "name": name, "value": value, "unit": unit }));
}

/// A percentile of sorted times, in milliseconds.
pub fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    let at = sorted.get(index).copied().unwrap_or_default();
    at.as_secs_f64() * 1_000.0
}

/// Prints the percentiles 50 and 99 of times, in milliseconds.
pub fn print_times(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    for percent in [50, 99] {
        print(
            &format!("{name}.p{percent}"),
            percentile(times, percent),
            "ms",
        );
    }
}
