//! Spellings of mentions, as they were observed with Claude Code 2.1.330 (`tests/claude/mentions.py`).

use super::*;

/// A home with a project in it.
fn scene() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("app");
    for name in ["src", "sub dir", ".ssh"] {
        std::fs::create_dir_all(project.join(name)).unwrap();
    }
    for name in [
        "key",
        "src/a.rs",
        "my file.txt",
        "sub dir/b c.txt",
        "a,b",
        "hash#x",
        "par(en)",
        "col:on",
        "ünï",
        "文件",
        "at@x",
        "q\"uote",
        "dot.txt",
        ".env",
    ] {
        std::fs::write(project.join(name), "x").unwrap();
    }
    std::fs::create_dir_all(folder.path().join(".ssh")).unwrap();
    std::fs::write(folder.path().join(".ssh/id"), "x").unwrap();
    let cwd = project.to_string_lossy().into_owned();
    (folder, cwd)
}

/// The names found, relative to the project; those outside it in full below `~`.
fn found(prompt: &str) -> Vec<String> {
    let (folder, cwd) = scene();
    let home = folder.path().to_string_lossy().into_owned();
    let found = find(&prompt.replace("$P", &cwd), &cwd, folder.path(), Some(&[])).unwrap();
    let short = |path: &String| match path.strip_prefix(&format!("{cwd}/")) {
        Some(name) => name.to_owned(),
        None => path.replacen(&home, "~", 1),
    };
    found.files.iter().map(short).collect()
}

#[test]
fn every_spelling_that_reads_a_file_is_found() {
    for prompt in [
        "@key",
        "see @key",
        "see\n@key\n",
        "see\t@key",
        "see\r@key",
        "see\u{2028}@key",
        "see\u{a0}@key",
        "see\u{3000}@key",
        "看。@key",
        "see\u{feff}@key",
        "see @key\u{a0}x",
        "see @key\u{200b}",
        "see @key.",
        "see @key..",
        "see @key,",
        "see @key;",
        "see @key:",
        "see @key!",
        "see @key?",
        "see @key'",
        "see @key`",
        "see @key\"",
        "see @key)",
        "see @key]",
        "see @key}",
        "see @key>",
        "see @key。",
        "see @key/",
        "see @key/.",
        "see @key\\",
        "see @key\\ x",
        "see @key#L1-3",
        "see @key#L1#L2",
        "see @key#L2,4",
        "see @key#2",
        "see @key#foo",
        "see @key#",
        "see @\"key\"",
        "see @\"key\"#L1",
        "see @\"key#L1\"",
        "see @\"key\"x",
        "see @\"key \"",
        "see @\" key\"",
        "see @./././key",
        "see @src/../key",
        "see @src//../key",
        "see @nosuch/../key",
        "see @~/app/key",
        "see @$P/key",
        "see @$P//key",
        "/command @key",
        "/nosuch @key",
        "see @\"$P/key\"",
    ] {
        assert_eq!(found(prompt), ["key"], "{prompt:?}");
    }
}

#[test]
fn names_with_special_letters_are_found_whole() {
    for name in [
        "src/a.rs", "a,b", "hash#x", "par(en)", "col:on", "ünï", "文件", "at@x", "q\"uote",
        "dot.txt", ".env",
    ] {
        assert!(
            found(&format!("see @{name}, please")).contains(&name.to_owned()),
            "{name}"
        );
    }
    assert_eq!(
        found("@\"my file.txt\" @\"sub dir/b c.txt\""),
        ["my file.txt", "sub dir/b c.txt"]
    );
    assert_eq!(found("@~/.ssh/id and @../.ssh/id"), ["~/.ssh/id"]);
    assert_eq!(found("@src @~"), ["src", "~"]);
}

#[test]
fn what_names_nothing_brings_nothing_in() {
    assert!(found("ask @ann or mail ann@example.com about @nosuch/file @ key").is_empty());
    assert_eq!(
        found("see @src/a.rs and @src/a.rs"),
        ["src/a.rs"],
        "the folder is not meant"
    );
}

#[test]
fn resources_of_known_servers_are_found() {
    let servers = ["docs".to_owned(), "db.corp".to_owned()];
    let found = find(
        "@docs:file:///a, @db.corp:x @other:y @docs:",
        "/",
        Path::new("/nohome"),
        Some(&servers),
    );
    let expected = [
        ("docs".to_owned(), "file:///a,".to_owned()),
        ("db.corp".to_owned(), "x".to_owned()),
    ];
    assert_eq!(found.unwrap().resources, expected);
}

#[test]
fn without_a_known_launch_every_word_with_a_colon_may_be_a_resource() {
    let prompt = "@docs:file:///a @ann: hello @:x @word";
    let found = find(prompt, "/", Path::new("/nohome"), None).unwrap();
    let expected = [("docs".to_owned(), "file:///a".to_owned())];
    assert_eq!(found.resources, expected);
}

#[test]
fn a_prompt_with_more_files_than_are_judged_is_not_judged_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let cwd = folder.path().to_string_lossy().into_owned();
    let mut prompt = String::new();
    for number in 0..=FILES_MAX {
        assert!(find(&prompt, &cwd, folder.path(), Some(&[])).is_ok());
        std::fs::write(folder.path().join(format!("f{number}")), "x").unwrap();
        prompt.push_str(&format!("@f{number} "));
    }
    let found = find(&prompt, &cwd, folder.path(), Some(&[]));
    assert_eq!(found, Err(MentionsError::TooMany));
}

#[test]
fn a_wall_of_mentions_ends_the_search() {
    let prompt = "@.".repeat(PROBES_MAX);
    let found = find(&prompt, "/", Path::new("/nohome"), Some(&[]));
    assert_eq!(found, Err(MentionsError::TooManyNames));
}

#[test]
fn a_prompt_of_one_word_is_read_as_any_other() {
    let (folder, cwd) = scene();
    let part = format!("@{}", "a".repeat(NAME_BYTES_MAX));
    let prompt = format!("{} @key", part.repeat(2_000));
    for servers in [None, Some(&[][..])] {
        let found = find(&prompt, &cwd, folder.path(), servers).unwrap();
        assert_eq!(found.files, [format!("{cwd}/key")]);
    }
}

#[test]
fn an_address_of_which_only_the_beginning_was_read_is_not_judged() {
    let servers = ["docs".to_owned()];
    let found = |address: usize| {
        let prompt = format!("@docs:{} @docs:x", "é".repeat(address));
        let known = find(&prompt, "/", Path::new("/nohome"), Some(&servers));
        let open = find(&prompt, "/", Path::new("/nohome"), None);
        assert_eq!(known, open);
        known.map(|found| found.resources.len())
    };
    assert_eq!(found((NAME_BYTES_MAX - 5) / 2), Ok(2));
    assert_eq!(found(NAME_BYTES_MAX), Err(MentionsError::LongName));
}

/// The program shortens a name before it looks for the file.
#[test]
fn a_long_name_with_folders_in_it_refuses_the_prompt() {
    let (folder, cwd) = scene();
    let found = |prompt: &str| {
        let found = find(prompt, &cwd, folder.path(), Some(&[]));
        found.map(|found| found.files.len())
    };
    let long = "x".repeat(NAME_BYTES_MAX);
    for prompt in [
        format!("see @{}key", "./".repeat(NAME_BYTES_MAX)),
        format!("see @{}key", "src/../".repeat(NAME_BYTES_MAX)),
        format!("see @{long}/../key and more"),
        format!("see @a@{long}/../key"),
        format!("see @\"{}key\"", "./".repeat(NAME_BYTES_MAX)),
        format!("@key @{}.ssh/id#L1", "./".repeat(NAME_BYTES_MAX)),
    ] {
        assert_eq!(
            found(&prompt),
            Err(MentionsError::LongName),
            "{}",
            &prompt[..60]
        );
    }
    let whole = format!("see @{}key", "./".repeat((NAME_BYTES_MAX - 4) / 2));
    assert_eq!(found(&whole), Ok(1));
    for harmless in [
        format!("see @{long}{long} and/or @key"),
        format!("a/b{long}{long}@c @key"),
        format!("see @key and {}", "./".repeat(NAME_BYTES_MAX)),
        format!(
            "see @key, @\"never closed {}",
            "and/or ".repeat(NAME_BYTES_MAX)
        ),
    ] {
        assert_eq!(found(&harmless), Ok(1), "{}", &harmless[..60]);
    }
}
