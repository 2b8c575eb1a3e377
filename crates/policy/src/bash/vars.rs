//! Variables whose value can be read off the line itself.
//!
//! Owns the small environment that lets `RM=rm; $RM x` be seen as `rm x`. A variable that is set
//! twice, or to something unknown, is unknown.
//! Source: Claude Code findings 2.3.

use std::collections::BTreeMap;

/// Most variables that are followed: a line of 10,000 bytes has few; what is beyond is unknown.
const MAX_VARIABLES: usize = 256;

/// Longest value that is followed, in bytes: `A=aa…; B=$A$A…` must not grow without bound.
const MAX_VALUE_BYTES: usize = 1_024;

/// What is known of the variables at one point of a line.
#[derive(Clone, Debug)]
pub(crate) struct Variables {
    home: String,
    values: BTreeMap<String, Option<String>>,
}

impl Variables {
    /// The environment at the start: only the home directory is known.
    pub(crate) fn new(home: &str) -> Self {
        let values = BTreeMap::from([("HOME".to_owned(), Some(home.to_owned()))]);
        Self {
            home: home.to_owned(),
            values,
        }
    }

    /// The user's home directory.
    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    /// The value, if it is known.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned().flatten()
    }

    /// Records an assignment; `None` for a value that is not known.
    pub(crate) fn assign(&mut self, name: &str, value: Option<String>) {
        let value = value.filter(|value| value.len() <= MAX_VALUE_BYTES);
        let known = match self.values.get(name) {
            // A second assignment may or may not run; either value is possible from here on.
            Some(earlier) if *earlier != value => None,
            _ => value,
        };
        if self.values.len() < MAX_VARIABLES || self.values.contains_key(name) {
            self.values.insert(name.to_owned(), known);
        }
    }
}
