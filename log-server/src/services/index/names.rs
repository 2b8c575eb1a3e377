//! Texts that many rows have, each held once.
//!
//! Owns finding a text again and forgetting those that no row has any more. Devices, people, sessions,
//! tools and rules are few beside the rows that name them: held by each row, they were larger than it.

use std::collections::HashSet;
use std::sync::Arc;

/// Texts held before unused ones are looked for: fewer are not worth a pass.
const SWEEP_MIN: usize = 4_096;

/// The texts of the rows.
#[derive(Debug, Default)]
pub(super) struct Names {
    held: HashSet<Arc<str>>,
    /// How many were in use after the last pass.
    used: usize,
}

impl Names {
    /// The one copy of a text.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.held.get(text) {
            return known.clone();
        }
        // At twice of what was in use a pass costs less than the insertions since the last.
        if self.held.len() >= self.used.saturating_mul(2).max(SWEEP_MIN) {
            self.held.retain(|text| Arc::strong_count(text) > 1);
            self.used = self.held.len();
        }
        let new = Arc::<str>::from(text);
        self.held.insert(new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_held_once_and_forgotten_when_no_row_has_it() {
        let mut names = Names::default();
        let kept = names.share("kept");
        assert!(Arc::ptr_eq(&kept, &names.share("kept")));
        for number in 0..10 * SWEEP_MIN {
            names.share(&number.to_string());
            assert!(names.held.len() <= SWEEP_MIN + 1);
        }
        assert!(Arc::ptr_eq(&kept, &names.share("kept")));
    }

    #[test]
    fn texts_in_use_stay_however_many() {
        let mut names = Names::default();
        let used: Vec<_> = (0..3 * SWEEP_MIN)
            .map(|number| names.share(&number.to_string()))
            .collect();
        for (number, text) in used.iter().enumerate() {
            assert!(Arc::ptr_eq(text, &names.share(&number.to_string())));
        }
    }
}
