//! No test is ignored or expected to panic: a test that does not run protects nothing.

use super::{Fault, Tree};

pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (file, source) in tree.rust() {
        for (line, text) in source.lines() {
            let text = text.trim();
            if let Some(name) = ["ignore", "should_panic"].iter().find(|name| {
                text.strip_prefix("#[")
                    .is_some_and(|rest| rest.trim_start().starts_with(**name))
            }) {
                faults.push(Fault::new(
                    &file.path,
                    line,
                    format!("a test is marked `{name}`"),
                ));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_and_panicking_tests_are_faults() {
        for mark in ["#[ignore]", "#[ignore = \"slow\"]", "#[should_panic]"] {
            assert_eq!(
                check(&Tree::of(&[("a.rs", &format!("    {mark}\n"))])).len(),
                1,
                "{mark}"
            );
        }
        assert!(check(&Tree::of(&[("a.rs", "// #[ignore]\n#[test]\n")])).is_empty());
    }
}
