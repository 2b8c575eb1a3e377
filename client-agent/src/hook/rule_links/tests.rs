//! Links on the paths of rules, on a real file system.

use super::survey::Tree;
use super::*;
use cairn_event::{Effect, Sha256};
use cairn_policy::{Bundle, Dialect, Rule, Scope, compile};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

fn active(patterns: &[&str]) -> Arc<Active> {
    let mut bundle = Bundle::empty("test.example/log", "security@example.com");
    let rules = patterns.iter().enumerate().map(|(number, pattern)| Rule {
        id: number.to_string(),
        effect: Effect::Deny,
        pattern: (*pattern).to_owned(),
        scope: Scope::Global,
        when: None,
        mandatory: false,
        dialect: Dialect::Cairn,
        mode: None,
        expires_ms: None,
        anchor: None,
        approver: None,
        note: None,
    });
    bundle.rules = rules.collect();
    Arc::new(Active {
        compiled: compile(&bundle).unwrap(),
        index: 1,
        revision: 1,
        bundle: Sha256::of(b""),
    })
}

/// A project with a folder, a link to it, links to nothing yet, and one to itself.
fn project() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("src/inner")).unwrap();
    symlink("src", root.join("lib")).unwrap();
    symlink("nowhere", root.join("later")).unwrap();
    symlink("later", root.join("twice")).unwrap();
    symlink("lost", root.join("lost")).unwrap();
    (folder, root.to_str().unwrap().to_owned())
}

fn pairs(links: &[RuleLink], root: &str) -> Vec<(String, String)> {
    let short = |path: &str| path.strip_prefix(root).unwrap_or(path).to_owned();
    let mut pairs: Vec<_> = links
        .iter()
        .map(|link| (short(&link.path), short(&link.target)))
        .collect();
    pairs.sort();
    pairs
}

fn pair(link: &str, target: &str) -> (String, String) {
    (link.to_owned(), target.to_owned())
}

#[test]
fn links_are_found_on_the_way_and_at_the_end_and_nowhere_else() {
    let (_folder, root) = project();
    symlink("../lib", Path::new(&root).join("src/back")).unwrap();
    let paths = [
        "lib/inner",
        "lib",
        "src/back/x",
        "lost/x",
        "nothing/x",
        "src",
        "twice/x",
    ];
    let paths = paths.map(|path| format!("{root}/{path}"));
    let found = Tree::of(&paths).survey();
    let expected = [
        pair("/lib", "/src"),
        pair("/src/back", "/src"),
        pair("/twice", "/nowhere"),
    ];
    assert_eq!(pairs(&found.links, &root), expected);
}

#[test]
fn what_a_link_on_the_way_to_a_link_is_called_is_what_the_rule_calls_it() {
    let (_folder, root) = project();
    fs::create_dir(Path::new(&root).join("docs")).unwrap();
    symlink("../../docs", Path::new(&root).join("src/inner/deep")).unwrap();
    let found = Tree::of(&[format!("{root}/lib/inner/deep")]).survey();
    let expected = [pair("/lib", "/src"), pair("/lib/inner/deep", "/docs")];
    assert_eq!(pairs(&found.links, &root), expected);
}

#[test]
fn every_change_of_a_link_is_seen_by_the_next_call() {
    let (_folder, root) = project();
    let at = |name: &str| Path::new(&root).join(name);
    let active = active(&["Edit(lib/**)", "Edit(lost/a)", "Edit(new/x/**)"]);
    let links = RuleLinks::default();
    let now = || pairs(&links.of(&active, &root, "/nonexistent"), &root);
    let lib = pair("/lib", "/src");
    assert_eq!(now(), std::slice::from_ref(&lib));
    fs::create_dir(at("new")).unwrap();
    symlink(at("src"), at("new/x")).unwrap();
    assert_eq!(now(), [lib.clone(), pair("/new/x", "/src")]);
    fs::remove_file(at("new/x")).unwrap();
    assert_eq!(now(), std::slice::from_ref(&lib));
    fs::remove_file(at("lost")).unwrap();
    symlink("new", at("lost")).unwrap();
    assert_eq!(now(), [lib.clone(), pair("/lost", "/new")]);
    fs::rename(at("src"), at("moved")).unwrap();
    assert_eq!(now(), [lib, pair("/lost", "/new")], "to what is gone");
    symlink("moved", at("src")).unwrap();
    assert_eq!(now(), [pair("/lib", "/moved"), pair("/lost", "/new")]);
}

#[test]
fn what_holds_is_not_looked_for_again() {
    let (_folder, root) = project();
    let old = std::time::SystemTime::now() - Duration::from_secs(60);
    let survey = Tree::of(&[format!("{root}/lib/x")]).survey();
    assert!(!survey.holds(), "its directory has just been made");
    let survey = survey.begun_later_by(Duration::from_secs(3_600));
    assert!(survey.holds());
    fs::write(Path::new(&root).join("new"), "").unwrap();
    assert!(!survey.holds(), "a name is new in one of the directories");
    fs::File::open(&root).unwrap().set_modified(old).unwrap();
    assert!(!survey.holds(), "nor does setting its time back help");
}

#[test]
fn a_policy_and_a_directory_have_links_of_their_own() {
    let (_folder, root) = project();
    let links = RuleLinks::default();
    let one = active(&["Edit(lib/**)"]);
    let other = active(&["Edit(src/**)", "Bash(lib *)"]);
    assert_eq!(links.of(&one, &root, "/nonexistent").len(), 1);
    assert_eq!(links.of(&other, &root, "/nonexistent"), []);
    assert_eq!(links.of(&one, &format!("{root}/src"), "/nonexistent"), []);
    assert_eq!(links.of(&one, &root, "/nonexistent").len(), 1);
    assert_eq!(links.lock().known.len(), 2, "one for each directory");
    assert_eq!(links.lock().looking.len(), 0);
}

#[test]
fn a_look_that_does_not_end_holds_up_no_other_call() {
    let (_folder, root) = project();
    let (links, active) = (RuleLinks::default(), active(&["Edit(lib/**)"]));
    let found = links.of(&active, &root, "/nonexistent");
    let began = Instant::now().checked_sub(PATIENCE * 2).unwrap();
    links.lock().looking.push(began);
    fs::remove_file(Path::new(&root).join("lib")).unwrap();
    let meanwhile = links.of(&active, &root, "/nonexistent");
    assert_eq!(meanwhile, found, "what was known last");
    links.lock().looking.clear();
    assert_eq!(links.of(&active, &root, "/nonexistent"), []);
}
