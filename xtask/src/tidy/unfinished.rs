//! No marks of unfinished work: what is not built is said in the documents, not hidden in a comment.

use super::{Fault, Tree};

const TEXT: [&str; 14] = [
    ".rs", ".md", ".toml", ".ts", ".tsx", ".js", ".css", ".html", ".py", ".go", ".sh", ".yml",
    ".yaml", ".ci/run",
];

// Written in two halves, so that this file is not a fault itself.
const MARKS: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
];

pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in tree.ending(&TEXT) {
        for (number, line) in file.text.lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if let Some(mark) = words.find(|word| MARKS.contains(word)) {
                faults.push(Fault::new(
                    &file.path,
                    number + 1,
                    format!("`{mark}`: do it or document it"),
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
    fn each_mark_is_a_fault_as_a_word() {
        for mark in MARKS {
            assert_eq!(
                check(&Tree::of(&[("a.rs", &format!("// {mark}: later\n"))])).len(),
                1
            );
            assert_eq!(
                check(&Tree::of(&[("a.md", &format!("x {mark}(me)\n"))])).len(),
                1
            );
            assert!(
                check(&Tree::of(&[(
                    "a.rs",
                    &format!("let a = \"{mark}{mark}\";\n")
                )]))
                .is_empty()
            );
        }
    }
}
