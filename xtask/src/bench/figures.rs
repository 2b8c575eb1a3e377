//! Figures: a name, a value, a unit, and the ratio to a primitive of the same run.
//!
//! It owns how figures are kept and printed. It measures nothing.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
struct Figure {
    name: String,
    value: f64,
    unit: String,
    baseline: Option<(String, f64)>,
}

/// All values of a run, in the order of measurement.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<Figure>);

impl Figures {
    /// Adds a value.
    pub fn add(&mut self, name: &str, value: f64, unit: &str) {
        self.0.push(Figure {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            baseline: None,
        });
    }

    /// Adds a value in place of an earlier one of its name.
    pub fn replace(&mut self, name: &str, value: f64, unit: &str) {
        self.0.retain(|figure| figure.name != name);
        self.add(name, value, unit);
    }

    /// Adds the percentiles 50 and 99 of `times`, in milliseconds; sorts them.
    pub fn add_times(&mut self, name: &str, times: &mut [Duration]) {
        times.sort_unstable();
        for percent in [50, 99] {
            let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            let at = times.get(index).copied().unwrap_or_default();
            self.add(&format!("{name}.p{percent}"), millis(at), "ms");
        }
    }

    /// Adds what a program printed: `{"name","value","unit"}` on each line.
    ///
    /// # Errors
    /// A line is something else.
    pub fn add_lines(&mut self, lines: &str) -> Result<()> {
        for line in lines.lines() {
            let read: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
            let name = read["name"].as_str().context("a figure has no name")?;
            let value = read["value"].as_f64().context("a figure has no value")?;
            let unit = read["unit"].as_str().context("a figure has no unit")?;
            self.add(name, value, unit);
        }
        Ok(())
    }

    /// The value of that name.
    ///
    /// # Errors
    /// It was not measured.
    pub fn value(&self, name: &str) -> Result<f64> {
        let found = self.0.iter().find(|figure| figure.name == name);
        found
            .map(|figure| figure.value)
            .with_context(|| format!("`{name}` was not measured"))
    }

    /// Relates a value to another of this run.
    ///
    /// # Errors
    /// One of them was not measured.
    pub fn compare(&mut self, name: &str, baseline: &str) -> Result<()> {
        let ratio = self.value(name)? / self.value(baseline)?;
        for figure in self.0.iter_mut().filter(|figure| figure.name == name) {
            figure.baseline = Some((baseline.to_owned(), ratio));
        }
        Ok(())
    }

    /// Adds how many times `other` the value of `name` is, where both were measured.
    ///
    /// # Errors
    /// None that a caller could meet: what was measured has a value.
    pub fn add_times_of(&mut self, name: &str, other: &str) -> Result<()> {
        let both = [name, other].map(|one| self.0.iter().any(|figure| figure.name == one));
        if both != [true, true] {
            return Ok(());
        }
        let figure = format!("{name}.against.{other}");
        self.add(&figure, self.value(name)?, "");
        self.compare(&figure, other)
    }

    /// Prints all values: as a table, or one JSON object a line.
    pub fn print(&self, json: bool) {
        for figure in &self.0 {
            if json {
                println!("{}", figure.json());
            } else {
                println!("{}", figure.row());
            }
        }
    }
}

impl Figure {
    fn json(&self) -> Value {
        let (baseline, ratio) = self.baseline.clone().unzip();
        json!({ "name": self.name, "value": self.value, "unit": self.unit,
                "baseline": baseline, "ratio": ratio })
    }

    fn row(&self) -> String {
        let digits = if self.value.abs() < 100.0 { 3 } else { 0 };
        let row = format!(
            "{:<38} {:>12.digits$} {:<14}",
            self.name, self.value, self.unit
        );
        match &self.baseline {
            Some((baseline, ratio)) => format!("{row} {ratio:>8.3} x {baseline}"),
            None => row.trim_end().to_owned(),
        }
    }
}

/// Milliseconds with their fraction.
#[must_use]
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_related_to_another_of_the_run() {
        let mut figures = Figures::default();
        let lines = "{\"name\":\"a\",\"value\":10.0,\"unit\":\"ms\"}\n\
                     {\"name\":\"b\",\"value\":4.0,\"unit\":\"ms\"}\n";
        figures.add_lines(lines).unwrap();
        figures.compare("a", "b").unwrap();
        assert!(figures.compare("a", "c").is_err());
        assert!(figures.add_lines("not a figure").is_err());
        let shown = figures.0[0].json();
        assert_eq!(
            (&shown["baseline"], &shown["ratio"]),
            (&json!("b"), &json!(2.5))
        );
        assert!(figures.0[0].row().ends_with("2.500 x b"));
        assert_eq!(figures.0[1].json()["ratio"], Value::Null);
    }

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let mut figures = Figures::default();
        let mut times: Vec<_> = (0..100).rev().map(Duration::from_millis).collect();
        figures.add_times("t", &mut times);
        assert!((figures.value("t.p50").unwrap() - 50.0).abs() < 1e-9);
        assert!((figures.value("t.p99").unwrap() - 99.0).abs() < 1e-9);
    }
}
