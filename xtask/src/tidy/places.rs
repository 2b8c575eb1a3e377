//! Functions that the documents name by file exist there.
//!
//! A place is written in backticks as `path/to/file.rs::name`, with a path from the root. The walk
//! through the code in `docs/life-of-an-event.md` must name some; any other document may.

use super::{Fault, Tree};

const WALK: &str = "docs/life-of-an-event.md";

pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut in_walk = 0_usize;
    for file in tree.ending(&[".md"]) {
        for (number, line) in file.text.lines().enumerate() {
            for (path, name) in places(line) {
                in_walk += usize::from(file.path == WALK);
                if !is_defined(tree, path, name) {
                    let what = format!("there is no `{name}` in `{path}`");
                    faults.push(Fault::new(&file.path, number + 1, what));
                }
            }
        }
    }
    if in_walk == 0 {
        faults.push(Fault::new(
            WALK,
            0,
            "the walk through the code names no function",
        ));
    }
    faults
}

/// Every `file.rs::name` in a line: every second piece between backticks is code.
fn places(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let code = line.split('`').skip(1).step_by(2);
    code.filter_map(|word| {
        let (path, name) = word.split_once(".rs::")?;
        let path = word.get(..path.len() + ".rs".len())?;
        Some((path, name.trim_end_matches("()")))
    })
}

fn is_defined(tree: &Tree, path: &str, name: &str) -> bool {
    let Some(file) = tree.file(path) else {
        return false;
    };
    // `Type::function` is a function of the file that defines it or its methods.
    let function = name.rsplit("::").next().unwrap_or(name);
    let words: Vec<&str> = file
        .text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(2).any(|pair| {
        matches!(pair, [keyword, found]
            if ["fn", "struct", "enum", "trait", "const"].contains(keyword) && *found == function)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: (&str, &str) = ("a/src/a.rs", "//! x\nimpl A { pub fn begin(&self) {} }\n");

    #[test]
    fn a_function_that_is_not_there_is_a_fault() {
        let text = "1. `a/src/a.rs::A::begin` and `a/src/a.rs::end`\n2. `a/src/b.rs::begin`\n";
        let found = check(&Tree::of(&[(WALK, text), SOURCE]));
        let lines: Vec<usize> = found.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 2]);
        assert_eq!(found[0].what, "there is no `end` in `a/src/a.rs`");
    }

    #[test]
    fn a_walk_that_names_nothing_is_a_fault() {
        assert_eq!(
            check(&Tree::of(&[(WALK, "`begin` somewhere\n"), SOURCE])).len(),
            1
        );
        assert!(check(&Tree::of(&[(WALK, "`a/src/a.rs::begin()`\n"), SOURCE])).is_empty());
    }
}
