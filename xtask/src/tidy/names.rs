//! Modules are called by nouns of the field; names that say nothing are refused.

use super::{Fault, Tree};

const EMPTY_NAMES: [&str; 8] = [
    "manager", "managers", "helper", "helpers", "util", "utils", "common", "misc",
];

pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (file, source) in tree.rust() {
        for part in file
            .path
            .trim_end_matches(".rs")
            .split('/')
            .filter(|part| is_empty_name(part))
        {
            faults.push(Fault::new(
                &file.path,
                0,
                format!("`{part}` says nothing: name the thing"),
            ));
        }
        for (line, text) in source.lines() {
            let name = text
                .split_once("mod ")
                .map(|(_, rest)| rest.trim_end_matches([';', '{', ' ']));
            if let Some(name) = name.filter(|name| is_empty_name(name)) {
                faults.push(Fault::new(
                    &file.path,
                    line,
                    format!("`mod {name}` says nothing"),
                ));
            }
        }
    }
    faults
}

fn is_empty_name(name: &str) -> bool {
    name.split(['_', '-'])
        .any(|word| EMPTY_NAMES.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_are_faults_as_files_folders_and_modules() {
        let header = "//! x\n";
        for path in [
            "a/src/utils.rs",
            "a/src/key_manager.rs",
            "a/tests/common/mod.rs",
        ] {
            assert_eq!(check(&Tree::of(&[(path, header)])).len(), 1, "{path}");
        }
        assert_eq!(check(&Tree::of(&[("a.rs", "pub mod misc;\n")])).len(), 1);
        let good = [
            ("a/src/commons.rs", header),
            ("b.rs", "// mod util\nmod utility;\n"),
        ];
        assert!(check(&Tree::of(&good)).is_empty());
    }
}
