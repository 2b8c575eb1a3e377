//! Which files are found, and what stops the search.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn find(&self) -> Result<Vec<String>, InstructionsError> {
        find(&Places {
            managed: self.path("etc"),
            user: self.path("config"),
            home: self.path("home"),
            folders: vec![self.path("work/app")],
            added: vec![self.path("added")],
        })
    }

    /// What was found, by names below the home.
    fn found(&self) -> Vec<String> {
        let root = format!("{}/", self.path("").display());
        let root = root.replace("//", "/");
        let found = self.find().unwrap();
        found.iter().map(|file| file.replace(&root, "")).collect()
    }
}

#[test]
fn every_place_is_looked_at_in_the_order_of_the_program() {
    let home = Home::new();
    let places = [
        "etc/CLAUDE.md",
        "etc/.claude/rules/a.md",
        "config/CLAUDE.md",
        "config/rules/a.md",
        "work/CLAUDE.md",
        "work/.claude/rules/deep/a.md",
        "work/app/CLAUDE.md",
        "work/app/.claude/CLAUDE.md",
        "work/app/.claude/rules/a.md",
        "work/app/CLAUDE.local.md",
        "added/CLAUDE.md",
    ];
    for place in places {
        home.write(place, "text\n");
    }
    for elsewhere in [
        "work/app/.claude/rules/a.txt",
        "work/app/sub/CLAUDE.md",
        "CLAUDE.txt",
    ] {
        home.write(elsewhere, "text\n");
    }
    assert_eq!(home.found(), places);
}

#[test]
fn imports_are_followed_as_deep_as_the_program_does_and_each_once() {
    let home = Home::new();
    home.write(
        "work/app/CLAUDE.md",
        "see @./1.md, **@../two words.md** @../two\\ words.md @~/n @gone\n",
    );
    for depth in 1..7 {
        let text = format!("@{}.md @CLAUDE.md\n", depth + 1);
        home.write(&format!("work/app/{depth}.md"), &text);
    }
    home.write("work/two words.md", "x");
    home.write("home/n", "x");
    std::fs::create_dir_all(home.path("work/app/gone")).unwrap();
    assert_eq!(
        home.found(),
        [
            "work/app/CLAUDE.md",
            "work/app/1.md",
            "work/app/2.md",
            "work/app/3.md",
            "work/app/4.md",
            "work/two words.md",
            "home/n",
        ]
    );
}

#[test]
fn a_file_met_deep_and_then_near_is_followed_from_near() {
    let home = Home::new();
    home.write("work/CLAUDE.md", "@1.md\n");
    for depth in 1..4 {
        home.write(&format!("work/{depth}.md"), &format!("@{}.md\n", depth + 1));
    }
    home.write("work/4.md", "@5.md\n");
    home.write("work/5.md", "x\n");
    home.write("work/app/CLAUDE.md", "@../4.md\n");
    let found = home.found();
    assert_eq!(found.iter().filter(|file| *file == "work/4.md").count(), 1);
    assert!(found.contains(&"work/5.md".to_owned()), "{found:?}");
}

#[test]
fn links_lead_to_what_the_program_reads() {
    let home = Home::new();
    home.write("elsewhere/notes.md", "@beside.md\n");
    home.write("elsewhere/beside.md", "x");
    home.write("work/app/beside.md", "not meant");
    symlink(
        home.path("elsewhere/notes.md"),
        home.path("work/app/CLAUDE.md"),
    )
    .unwrap();
    std::fs::create_dir_all(home.path("work/app/.claude")).unwrap();
    symlink(home.path("rules"), home.path("work/app/.claude/rules")).unwrap();
    home.write("rules/r.md", "x");
    // A folder that contains itself ends.
    symlink(home.path("rules"), home.path("rules/again")).unwrap();
    assert_eq!(
        home.found(),
        ["work/app/CLAUDE.md", "elsewhere/beside.md", "rules/r.md"]
    );
}

#[test]
fn what_is_beyond_a_bound_or_cannot_be_read_is_an_error() {
    let home = Home::new();
    symlink("CLAUDE.md", home.path("CLAUDE.md")).unwrap();
    std::fs::create_dir_all(home.path("work/app")).unwrap();
    assert!(
        matches!(home.find(), Err(InstructionsError::Unreadable { .. })),
        "a loop"
    );
    std::fs::remove_file(home.path("CLAUDE.md")).unwrap();
    assert!(home.find().unwrap().is_empty());

    let large = home.write("work/app/large.md", "");
    let size = usize::try_from(FILE_BYTES_MAX).unwrap();
    std::fs::write(&large, "@CLAUDE.local.md ".repeat(size / 8)).unwrap();
    home.write("work/app/CLAUDE.md", "@large.md\n");
    assert_eq!(home.found(), ["work/app/CLAUDE.md", "work/app/large.md"]);

    for number in 0..=FILES_MAX {
        home.write(&format!("work/app/.claude/rules/{number}.md"), "x");
    }
    assert!(matches!(home.find(), Err(InstructionsError::TooManyFiles)));
    std::fs::remove_dir_all(home.path("work/app/.claude")).unwrap();

    home.write("work/app/CLAUDE.md", &"@a ".repeat(PROBES_MAX + 1));
    assert!(matches!(home.find(), Err(InstructionsError::TooManyNames)));

    for number in 0..5 {
        let text = "x".repeat(size - 16);
        home.write(&format!("work/app/{number}.md"), &text);
    }
    home.write("work/app/CLAUDE.md", "@0.md @1.md @2.md @3.md @4.md\n");
    assert!(matches!(home.find(), Err(InstructionsError::TooLong)));

    let deep = "d/".repeat(RULES_DEPTH_MAX + 2);
    home.write("work/app/CLAUDE.md", "x");
    home.write(&format!("work/app/.claude/rules/{deep}r.md"), "x");
    assert!(matches!(home.find(), Err(InstructionsError::TooDeep(_))));
}

#[test]
fn a_file_of_somebody_else_stops_the_search() {
    let home = Home::new();
    let file = home.write("work/app/CLAUDE.md", "x");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o0)).unwrap();
    // Whoever may read everything is not stopped by modes.
    match std::fs::read(&file) {
        Ok(_) => assert_eq!(home.found(), ["work/app/CLAUDE.md"]),
        Err(_) => assert!(matches!(home.find(), Err(InstructionsError::Read(_)))),
    }
}

#[test]
fn no_spelling_of_a_name_hides_a_file_or_costs_more_than_the_bound() {
    let home = Home::new();
    let long = format!("@{}secret.md", "./".repeat(imports::NAME_BYTES_MAX));
    home.write("work/app/CLAUDE.md", &long);
    assert!(matches!(home.find(), Err(InstructionsError::LongName(_))));
    // Every name is of a file that is known already.
    let again = format!("@CLAUDE.md{}", "@".repeat(4_000));
    home.write("work/app/CLAUDE.md", &again.repeat(100));
    assert!(matches!(
        home.find(),
        Err(InstructionsError::TooManyNames | InstructionsError::LongName(_))
    ));
    // What the last depth names is not followed, and costs nothing.
    let home = Home::new();
    for (file, next) in [("CLAUDE", "a"), ("a", "b"), ("b", "c"), ("c", "d")] {
        home.write(&format!("work/app/{file}.md"), &format!("@{next}.md"));
    }
    home.write("work/app/d.md", &"@".repeat(1_000_000));
    assert_eq!(home.found().len(), 5);
}

#[test]
fn a_rule_without_a_name_before_its_ending_is_a_rule() {
    let home = Home::new();
    home.write("work/app/.claude/rules/.md", "text\n");
    assert_eq!(home.found(), ["work/app/.claude/rules/.md"]);
}
