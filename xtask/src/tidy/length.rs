//! No file that a person writes is longer than one sitting.

use super::{Fault, Tree};

/// Past this a reader no longer holds the file in mind; tests count, and can move to a file of theirs.
const LINES_MAX: usize = 600;

const WRITTEN: [&str; 7] = [".rs", ".ts", ".tsx", ".js", ".py", ".go", ".sh"];

pub fn check(tree: &Tree) -> Vec<Fault> {
    let lengths = tree
        .ending(&WRITTEN)
        .map(|file| (file, file.text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > LINES_MAX);
    long.map(|(file, lines)| {
        Fault::new(
            &file.path,
            0,
            format!("{lines} lines, at most {LINES_MAX}: split it"),
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_after_the_last_allowed_one_is_a_fault() {
        let (fits, long) = ("x\n".repeat(LINES_MAX), "x\n".repeat(LINES_MAX + 1));
        assert!(check(&Tree::of(&[("a.rs", &fits), ("a.jsonl", &long)])).is_empty());
        assert_eq!(check(&Tree::of(&[("a.rs", &long)])).len(), 1);
        assert_eq!(check(&Tree::of(&[("a.tsx", &long)])).len(), 1);
    }
}
