//! The conformance table in `docs/specs.md` names tests that exist.
//!
//! A row of a table whose last column is headed `Test` (or `Tests`) names tests in backticks in that
//! column: the function's name, with or without its module path.

use std::collections::HashSet;

use super::{Fault, Tree};

const TABLE: &str = "docs/specs.md";

pub fn check(tree: &Tree) -> Vec<Fault> {
    let Some(file) = tree.file(TABLE) else {
        return vec![Fault::new(TABLE, 0, "the conformance table is missing")];
    };
    let named = tests_named(&file.text);
    if named.is_empty() {
        return vec![Fault::new(
            TABLE,
            0,
            "no table with a last column `Test` names any test",
        )];
    }
    let known = functions(tree);
    let dead = named.into_iter().filter(|(_, name)| !known.contains(name));
    dead.map(|(line, name)| Fault::new(TABLE, line, format!("there is no test `{name}`")))
        .collect()
}

/// Names in the last column of the tables headed so, with their lines.
fn tests_named(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut names_tests = false;
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let Some(row) = line.trim().strip_prefix('|') else {
            inside = false;
            continue;
        };
        let last = row
            .trim_end_matches('|')
            .rsplit('|')
            .next()
            .unwrap_or_default()
            .trim();
        if !inside {
            inside = true;
            names_tests = ["test", "tests"].contains(&last.to_lowercase().as_str());
        } else if names_tests {
            let names = last.split('`').skip(1).step_by(2);
            let bare = names.map(|name| {
                name.rsplit("::")
                    .next()
                    .unwrap_or(name)
                    .trim_end_matches("()")
            });
            found.extend(bare.map(|name| (number + 1, name.to_owned())));
        }
    }
    found
}

/// Every name after `fn`, `func`, `def` or in a script's `test("…")`.
fn functions(tree: &Tree) -> HashSet<String> {
    let mut names = HashSet::new();
    for file in tree.ending(&[".rs", ".go", ".py", ".ts", ".tsx", ".js"]) {
        let words: Vec<&str> = file
            .text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(2) {
            if let [keyword, name] = pair
                && ["fn", "func", "def", "function", "test", "it"].contains(keyword)
            {
                names.insert((*name).to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: (&str, &str) = (
        "a/src/a.rs",
        "//! x\n#[test]\nfn unknown_origin_is_404() {}\n",
    );

    #[test]
    fn a_test_that_does_not_exist_is_a_fault() {
        let table =
            "| MUST | Test |\n|---|---|\n| a | `http::unknown_origin_is_404` |\n| b | `gone` |\n";
        let found = check(&Tree::of(&[("docs/specs.md", table), SOURCE]));
        assert_eq!(found, [Fault::new(TABLE, 4, "there is no test `gone`")]);
    }

    #[test]
    fn a_missing_or_empty_table_is_a_fault_and_other_tables_are_not_read() {
        assert_eq!(check(&Tree::of(&[SOURCE])).len(), 1);
        let other = "| Document | Revision |\n|---|---|\n| tlog | `5ba5ee8` |\n";
        assert_eq!(
            check(&Tree::of(&[("docs/specs.md", other), SOURCE])).len(),
            1
        );
        let both =
            format!("{other}\n| MUST | Tests |\n|---|---|\n| a | `unknown_origin_is_404` |\n");
        assert!(check(&Tree::of(&[("docs/specs.md", &both), SOURCE])).is_empty());
    }
}
