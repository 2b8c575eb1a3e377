//! Nothing that is tracked names one person's machine or a registry's host.
//!
//! A path of one machine means nothing on the next, and a host name in a lock or a script takes the
//! choice of mirror away from whoever builds.

use super::{Fault, Tree};

// Each is written in two halves, so that this file is not a fault itself.
const PATHS: [&str; 8] = [
    concat!("/wo", "rk/main"),
    concat!("/wo", "rk/shared"),
    concat!("/wo", "rk/."),
    concat!("/ro", "ot/.cargo"),
    concat!("/ro", "ot/.cache"),
    concat!("/ro", "ot/.rustup"),
    concat!("/ro", "ot/.pyenv"),
    concat!("/ro", "ot/go/"),
];

const HOSTS: [&str; 11] = [
    concat!("://crat", "es.io"),
    concat!("static.crat", "es.io"),
    concat!("index.crat", "es.io"),
    concat!("crat", "es.io-index"),
    concat!("np", "mjs.org"),
    concat!("np", "mjs.com"),
    concat!("py", "pi.org"),
    concat!("python", "hosted.org"),
    concat!("proxy.gol", "ang.org"),
    concat!("sum.gol", "ang.org"),
    concat!(".deb", "ian.org"),
];

pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in &tree.files {
        for (number, line) in file.text.lines().enumerate() {
            let path = PATHS.iter().find(|path| starts_in(line, path));
            let host = HOSTS.iter().find(|host| line.contains(**host));
            faults.extend(path.map(|found| {
                Fault::new(
                    &file.path,
                    number + 1,
                    format!("`{found}` is a path of one machine"),
                )
            }));
            faults.extend(host.map(|found| {
                Fault::new(
                    &file.path,
                    number + 1,
                    format!("`{found}` is a registry's host"),
                )
            }));
        }
    }
    faults
}

/// Whether an absolute path begins in the line, and is not the end of a longer one.
fn starts_in(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~}".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_path_and_host_is_a_fault() {
        for word in PATHS.iter().chain(&HOSTS) {
            let text = format!("first line\nsee {word}/x\n");
            let found = check(&Tree::of(&[("docs/a.md", &text)]));
            assert_eq!(found.len(), 1, "{word}");
            assert_eq!(found[0].line, 2);
        }
    }

    #[test]
    fn ordinary_paths_are_no_fault() {
        let longer = format!("/etc/cairn, ~/.cache/cairn and /home/alice{}\n", PATHS[0]);
        assert!(check(&Tree::of(&[("a.md", &longer)])).is_empty());
    }
}
