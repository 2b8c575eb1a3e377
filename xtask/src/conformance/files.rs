//! Fresh rules and calls about files.
//!
//! It owns which files and links exist, how rules anchor a path (`//`, `~/`, `/`, `./`, nothing), and calls that
//! read and write inside the project, in the home, through links and behind `..`.
//!
//! Source: the path rules of Claude Code 2.1.330, as observed.

use serde_json::{Value, json};

use super::random::Random;

/// Stands in a rule for the project's path.
pub const PROJECT: &str = "@project";

/// Files that exist, so that reading them is decided and not merely impossible; `~/` is the home.
pub const FIXTURES: &[&str] = &[
    ".env",
    "src/.env",
    "src/a.ts",
    "secrets/k",
    "src/secrets/k",
    "README.md",
    "keys/id_rsa",
    "docs/n.md",
    "x.pem",
    "src/x.pem",
    ".github/workflows/d.yml",
    "src/[x].ts",
    "a b/c.ts",
    "~/.ssh/id_rsa",
    "~/notes.md",
    "~/keys/k",
];

/// Links and where they lead: a file outside, folders inside and outside, a file inside.
pub const LINKS: &[(&str, &str)] = &[
    ("key", "~/.ssh/id_rsa"),
    ("lib", "src"),
    ("out", "~/.ssh"),
    ("near.ts", "src/a.ts"),
];

/// Files that calls name.
const NAMED: &[&str] = &[
    "src/[x].ts",
    "a b/c.ts",
    "~/.ssh/id_rsa",
    "~/notes.md",
    "~/keys/k",
    "key",
    "lib/a.ts",
    "lib/secrets/k",
    "out/id_rsa",
    "near.ts",
    "src/../.env",
    "./src/a.ts",
    "src//a.ts",
    "../home/notes.md",
    "/etc/hostname",
    "SRC/a.ts",
    "nothing.ts",
];

/// Files that a call may add a name to: nothing outside the scene is ever written.
const FOLDERS: &[&str] = &[
    "",
    "src/",
    "secrets/",
    "src/secrets/",
    "docs/",
    ".github/workflows/",
    "lib/",
    "lib/secrets/",
    "out/",
    "~/",
    "~/.ssh/",
    "~/keys/",
    "src/../",
    "a b/",
    ".claude/",
    "src/.git/",
];

const NAMES: &[&str] = &["a.ts", ".env", "k", "x.pem", "[x].ts", "id_rsa", "n.md"];

/// What path rules begin with.
const ANCHORS: &[&str] = &[
    "",
    "",
    "",
    "./",
    "/",
    "~/",
    "//",
    "/@project/",
    "../",
    "**/",
];

const PATHS: &[&str] = &[
    ".env",
    "**/.env",
    "src/**",
    "secrets/**",
    "*.pem",
    "**/*.pem",
    "docs/**",
    "keys/**",
    "**",
    "*",
    "README.MD",
    "src/*.ts",
    "src",
    "src/",
    "docs/",
    "**/.github/workflows/**",
    "key",
    "s?c/**",
    "[sd]*/**",
    "src/**/k",
    "lib/**",
    "lib",
    "out/**",
    "near.ts",
    "src/a.ts",
    ".ssh/**",
    ".ssh/id_rsa",
    "notes.md",
    "home/**",
    "src/[x].ts",
    "a b/*",
    "src/\\[x\\].ts",
    "etc/**",
    "etc/hostname",
    "**/secrets",
    "*/k",
    "src/**/*",
    "{src,docs}/**",
    "*.{ts,md}",
];

/// A rule about files.
pub fn rule(random: &mut Random) -> String {
    let tool = random.pick(&["Read", "Read", "Edit", "Edit", "Write"]);
    format!("{tool}({}{})", random.pick(ANCHORS), random.pick(PATHS))
}

/// A call that reads a file or makes a new one.
pub fn call(random: &mut Random) -> (String, Value) {
    if random.chance(60) {
        let all: Vec<&str> = FIXTURES.iter().chain(NAMED).copied().collect();
        return ("Read".to_owned(), json!({ "file_path": random.pick(&all) }));
    }
    // A new file each time: an existing one would have to be read first.
    let (folder, name) = (random.pick(FOLDERS), random.pick(NAMES));
    let path = format!("{folder}{}{name}", random.below(1_000_000));
    (
        "Write".to_owned(),
        json!({ "file_path": path, "content": "x" }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anchor_is_used_and_nothing_outside_is_written() {
        let mut random = Random::new(1, 1);
        let rules: Vec<String> = (0..2_000).map(|_| rule(&mut random)).collect();
        for anchor in ANCHORS {
            let begins = |rule: &String| rule.contains(&format!("({anchor}src/**)"));
            assert!(rules.iter().any(begins), "{anchor}");
        }
        let calls: Vec<(String, Value)> = (0..500).map(|_| call(&mut random)).collect();
        let written: Vec<&str> = calls
            .iter()
            .filter(|(tool, _)| tool == "Write")
            .filter_map(|(_, input)| input["file_path"].as_str())
            .collect();
        assert!(written.len() > 100);
        assert!(written.iter().all(|path| !path.starts_with(['/', '.'])
            || path.starts_with(".github/")
            || path.starts_with(".claude/")));
    }
}
