//! Relative links in documents lead to a file or folder of the repository.
//!
//! Links to the web are not followed: the check works offline.

use super::{Fault, Tree};

pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in tree.ending(&[".md"]) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, target) in links(&file.text) {
            let place = target.split(['#', '?']).next().unwrap_or_default();
            let local = !place.is_empty() && !place.contains(':');
            if local && !resolve(folder, place).is_some_and(|path| exists(tree, &path)) {
                faults.push(Fault::new(
                    &file.path,
                    line,
                    format!("`{target}` leads nowhere"),
                ));
            }
        }
    }
    faults
}

/// Targets of inline links and images with their lines, outside code.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second piece between backticks is code; what is left is prose.
        let prose: String = line.split('`').step_by(2).collect();
        for rest in prose.split("](").skip(1) {
            if let Some((target, _)) = rest.split_once(')') {
                let target = target.split_whitespace().next().unwrap_or_default();
                found.push((number + 1, target.trim_matches(['<', '>']).to_owned()));
            }
        }
    }
    found
}

/// The path from the root; `None` where it leaves the repository.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let start = if target.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn exists(tree: &Tree, path: &str) -> bool {
    let folder = format!("{path}/");
    path.is_empty()
        || tree
            .paths
            .iter()
            .any(|known| known == path || known.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_link_is_a_fault() {
        let text = "see [a](../src/lib.rs) and\n[b](missing.md#part)\n[c](../../outside.md)\n";
        let found = check(&Tree::of(&[("docs/a.md", text), ("src/lib.rs", "")]));
        assert_eq!(
            found.iter().map(|fault| fault.line).collect::<Vec<_>>(),
            [2, 3]
        );
    }

    #[test]
    fn folders_anchors_code_and_the_web_are_no_fault() {
        let text = "[a](docs/) [b](#part) [c](https://example.com/x) `[d](e)`\n```\n[f](g)\n```\n[h](docs/a.md#x)\n";
        assert!(check(&Tree::of(&[("README.md", text), ("docs/a.md", "")])).is_empty());
    }
}
