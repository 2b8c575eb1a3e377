//! No function outside tests is longer than a screen.

use super::{Fault, Tree, rust::Function};

/// One screen: the parent holds control flow and state, its children compute.
const LINES_MAX: usize = 70;

pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (file, source) in tree.rust().filter(|(file, _)| !is_test_file(&file.path)) {
        let long = source
            .functions_outside_tests()
            .into_iter()
            .filter(|f| f.lines > LINES_MAX);
        faults.extend(long.map(|Function { name, line, lines }| {
            let what = format!("`{name}` has {lines} lines, at most {LINES_MAX}: split it");
            Fault::new(&file.path, line, what)
        }));
    }
    faults
}

/// Whether the whole file is test code, by its place.
pub fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_function_is_a_fault_outside_tests_only() {
        let function = |lines: usize| format!("fn f() {{\n{}}}\n", "    x();\n".repeat(lines - 2));
        let (fits, long) = (function(LINES_MAX), function(LINES_MAX + 1));
        let test = format!("#[cfg(test)]\nmod tests {{\n{long}}}\n");
        let good = [
            ("a/src/a.rs", &*fits),
            ("a/src/b.rs", &*test),
            ("a/tests/c.rs", &*long),
        ];
        assert!(check(&Tree::of(&good)).is_empty());
        let found = check(&Tree::of(&[("a/src/a.rs", &long)]));
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("`f` has 71 lines"));
    }
}
