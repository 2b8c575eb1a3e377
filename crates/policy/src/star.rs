//! Patterns with wildcards against a known text: the one loop behind [`crate::glob`] and
//! [`crate::segment`].
//!
//! Owns going back to the last wildcard. What a token stands for is the caller's business.

use crate::work::Work;

/// One token of a pattern, over symbols of a text.
pub(crate) trait Token<S> {
    /// Whether it stands for any number of symbols, also none.
    fn is_star(&self) -> bool;

    /// Whether it stands for exactly this symbol.
    fn accepts(&self, symbol: &S) -> bool;
}

/// Whether a pattern covers a whole text. Says no once the budget is exhausted.
///
/// Tries each star with as little as possible, and goes back to the last one only: everything else
/// stands for exactly one symbol.
pub(crate) fn covers<S, T: Token<S>>(pattern: &[T], text: &[S], work: &Work) -> bool {
    let (mut at, mut token, mut steps) = (0, 0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    let most = work.left();
    let found = loop {
        steps += 1;
        if steps > most {
            break false;
        }
        match (pattern.get(token), text.get(at)) {
            (Some(one), _) if one.is_star() => {
                token += 1;
                if token == pattern.len() {
                    break true;
                }
                last_star = Some((token, at));
            }
            (Some(one), Some(symbol)) if one.accepts(symbol) => {
                token += 1;
                at += 1;
            }
            (None, None) => break true,
            (_, None) => break false,
            (_, Some(_)) => {
                let Some((after, from)) = last_star else {
                    break false;
                };
                last_star = Some((after, from + 1));
                token = after;
                at = from + 1;
            }
        }
    };
    work.spend(steps);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A character, or any number of them; counts how often it is asked.
    struct Counting<'a>(char, &'a Cell<u64>);

    impl Token<char> for Counting<'_> {
        fn is_star(&self) -> bool {
            self.0 == '*'
        }

        fn accepts(&self, symbol: &char) -> bool {
            self.1.set(self.1.get() + 1);
            self.0 == *symbol
        }
    }

    #[test]
    fn no_symbol_is_looked_at_without_a_step() {
        for (pattern, text) in [
            ("*a*a*a*a*b", "a".repeat(3_000)),
            ("*aaaaaaaaaaaaaaaaaaaab", "a".repeat(3_000)),
            ("*ab*ab*ab*c", "ab".repeat(2_000)),
            ("aaaa", "a".repeat(3_000)),
            ("b*", "a".repeat(3_000)),
            ("*", "a".repeat(3_000)),
            ("*a", String::new()),
        ] {
            let asked = Cell::new(0);
            let pattern: Vec<_> = pattern.chars().map(|c| Counting(c, &asked)).collect();
            let text: Vec<char> = text.chars().collect();
            let work = Work::unbounded();
            covers(&pattern, &text, &work);
            assert!(
                asked.get() <= work.spent(),
                "{} of {}",
                asked.get(),
                work.spent()
            );
            asked.set(0);
            let work = Work::comparing();
            let whole = work.left();
            work.spend(whole - 100);
            assert!(!covers(&pattern, &text, &work) || work.spent() <= 200 + whole as u64);
            assert!(
                asked.get() <= 101,
                "{} of 100 steps that are left",
                asked.get()
            );
        }
    }
}
