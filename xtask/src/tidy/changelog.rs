//! CHANGELOG.md keeps the form of Keep a Changelog 1.1: versions with dates, newest first, and only the
//! six kinds of change.

use super::{Fault, Tree};

const FILE: &str = "CHANGELOG.md";
const KINDS: [&str; 6] = [
    "Added",
    "Changed",
    "Deprecated",
    "Removed",
    "Fixed",
    "Security",
];

pub fn check(tree: &Tree) -> Vec<Fault> {
    let Some(file) = tree.file(FILE) else {
        return vec![Fault::new(FILE, 0, "the changelog is missing")];
    };
    let mut faults = Vec::new();
    let mut versions = 0_usize;
    let mut kind_seen = false;
    for (number, line) in file.text.lines().enumerate() {
        let mut fault = |what: &str| faults.push(Fault::new(FILE, number + 1, what));
        if number == 0 && line != "# Changelog" {
            fault("the first line is `# Changelog`");
        } else if let Some(kind) = line.strip_prefix("### ") {
            kind_seen = true;
            if !KINDS.contains(&kind) {
                fault("a kind of change is Added, Changed, Deprecated, Removed, Fixed or Security");
            }
        } else if let Some(version) = line.strip_prefix("## ") {
            if versions == 0 && version != "[Unreleased]" {
                fault("the first section is `## [Unreleased]`");
            } else if versions > 0 && !is_release(version) {
                fault("a release is `## [1.2.3] - 2026-01-31`");
            }
            versions += 1;
            kind_seen = false;
        } else if line.starts_with("- ") && !kind_seen {
            fault("a change stands under its kind, such as `### Added`");
        }
    }
    if versions == 0 {
        faults.push(Fault::new(FILE, 0, "there is no `## [Unreleased]`"));
    }
    faults
}

fn is_release(text: &str) -> bool {
    let Some((version, date)) = text.split_once(" - ") else {
        return false;
    };
    let version = version
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let numbers = |text: &str, separator: char, lengths: &[usize]| {
        let parts: Vec<&str> = text.split(separator).collect();
        let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let fits = lengths
            .iter()
            .zip(&parts)
            .all(|(length, part)| *length == 0 || part.len() == *length);
        parts.len() == lengths.len() && parts.iter().all(digits) && fits
    };
    version.is_some_and(|v| numbers(v, '.', &[0, 0, 0])) && numbers(date, '-', &[4, 2, 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> usize {
        check(&Tree::of(&[(FILE, text)])).len()
    }

    #[test]
    fn the_form_is_accepted() {
        let text = "# Changelog\n\nIntroduction.\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-31\n\n### Fixed\n\n- B.\n";
        assert_eq!(faults(text), 0);
    }

    #[test]
    fn each_departure_is_a_fault() {
        assert_eq!(check(&Tree::of(&[])).len(), 1);
        assert_eq!(faults("# Changes\n\n## [Unreleased]\n"), 1);
        assert_eq!(faults("# Changelog\n"), 1);
        assert_eq!(faults("# Changelog\n\n## [0.1.0] - 2026-01-31\n"), 1);
        assert_eq!(faults("# Changelog\n\n## [Unreleased]\n\n### New\n"), 1);
        assert_eq!(faults("# Changelog\n\n## [Unreleased]\n\n- A.\n"), 1);
        assert_eq!(
            faults("# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 31.1.2026\n"),
            1
        );
        assert_eq!(
            faults("# Changelog\n\n## [Unreleased]\n\n## 0.1.0 - 2026-01-31\n"),
            1
        );
    }
}
