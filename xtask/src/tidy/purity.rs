//! Pure crates: no files, no clock, no randomness, no runtime in their sources.
//!
//! It reads the code; `arrows` reads the dependencies. Time and randomness are arguments there, so that
//! a decision or a proof made today can be made again, bit by bit, in ten years.
//!
//! Source: ARCHITECTURE.md, "programs and crates".

use super::functions::is_test_file;
use super::{Fault, Tree};

/// The sources of the pure crates.
const PURE: [&str; 4] = [
    "crates/tlog/src/",
    "crates/event/src/",
    "crates/policy/src/",
    "crates/identity/src/",
];

const IMPURE: [&str; 10] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "SystemTime::now",
    "Instant::now",
    "tokio::",
    "getrandom",
    "rand::",
    "OsRng",
];

pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (file, source) in tree.rust() {
        if !PURE.iter().any(|place| file.path.starts_with(place)) || is_test_file(&file.path) {
            continue;
        }
        for (line, text) in source.lines_outside_tests() {
            for word in IMPURE.iter().filter(|word| has_word(&text, word)) {
                faults.push(Fault::new(
                    &file.path,
                    line,
                    format!("`{word}` in a pure crate"),
                ));
            }
        }
    }
    faults
}

/// Whether `word` occurs and is not the end of a longer name, as in `operand::`.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impure_code_is_a_fault_in_pure_crates_only() {
        let bad = "fn f() { let t = std::time::SystemTime::now(); }\n";
        let found = check(&Tree::of(&[
            ("crates/tlog/src/a.rs", bad),
            ("witness/src/a.rs", bad),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 1);
        for bad in [
            "use std::fs;",
            "tokio::spawn(x);",
            "rand::random()",
            "getrandom(&mut x)",
        ] {
            assert_eq!(
                check(&Tree::of(&[("crates/policy/src/a.rs", bad)])).len(),
                1,
                "{bad}"
            );
        }
    }

    #[test]
    fn comments_tests_and_longer_names_are_no_fault() {
        let text =
            "// std::fs is not used\noperand::x();\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        assert!(check(&Tree::of(&[("crates/event/src/a.rs", text)])).is_empty());
        assert!(check(&Tree::of(&[("crates/event/tests/a.rs", "use std::fs;")])).is_empty());
    }
}
