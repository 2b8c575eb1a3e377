//! Every Rust file opens with `//!`: what it owns and what it does not.

use super::{Fault, Tree};

pub fn check(tree: &Tree) -> Vec<Fault> {
    let missing = tree.ending(&[".rs"]).filter(|file| {
        let first = file.text.lines().find(|line| !line.trim().is_empty());
        !first.is_some_and(|line| line.starts_with("//! ") && line.len() > 4)
    });
    let what = "the file does not open with `//!` and what it owns";
    missing
        .map(|file| Fault::new(&file.path, 1, what))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_header_is_a_fault() {
        let good = ("a.rs", "//! Owns a.\nfn a() {}\n");
        let bad = [
            ("b.rs", "fn b() {}\n"),
            ("c.rs", ""),
            ("d.rs", "//!\nfn d() {}\n"),
        ];
        assert!(check(&Tree::of(&[good])).is_empty());
        assert_eq!(check(&Tree::of(&bad)).len(), 3);
    }
}
