//! Keys that are found, and keys that are not.

use super::*;

const GLOBAL: u32 = 0;

fn entry(key: &str, runs: &[&str], scope: u32, rule: usize) -> Entry {
    Entry {
        key: key.to_owned(),
        runs: runs.iter().map(|run| (*run).to_owned()).collect(),
        scope,
        ending: None,
        rule,
    }
}

#[test]
fn keys_that_begin_with_one_another_are_all_found() {
    let keys = ["", "a", "ab", "abc", "abd", "b", "ba"];
    let numbered = keys.iter().enumerate();
    let entries =
        numbered.flat_map(|(number, key)| [entry(key, &[], 1, 99), entry(key, &[], 0, number)]);
    let shelf = Shelf::of(entries.collect());
    for text in ["", "a", "ab", "aba", "abcx", "abe", "b", "bb", "c", "abz"] {
        for wanted in [
            Wanted::text(Topic::Command, text),
            Wanted::beginning(Topic::Command, text),
        ] {
            let mut found = Found::default();
            shelf.find(&wanted, &[GLOBAL], &mut found);
            let Found {
                rules: mut found, ..
            } = found;
            found.sort_unstable();
            let open = wanted.goes_on();
            let expected: Vec<usize> = (0..keys.len())
                .filter(|at| text.starts_with(keys[*at]) || (open && keys[*at].starts_with(text)))
                .collect();
            assert_eq!(found, expected, "{wanted:?}");
        }
    }
}

#[test]
fn keys_that_differ_late_or_early_or_not_in_their_head_are_found_in_order() {
    let keys = [
        "a",
        "git push a",
        "git push b",
        "git pushes",
        "git\0",
        "gitlab",
        "\u{e9}t\u{e9}",
    ];
    let entries = keys.iter().map(|key| entry(key, &[], GLOBAL, 0));
    let shelf = Shelf::of(entries.collect());
    let mut sorted = keys;
    sorted.sort_unstable();
    for text in [
        "",
        "git",
        "git\0",
        "git push",
        "git push a",
        "git push az",
        "git pushes x",
        "z",
        "\u{e9}",
    ] {
        let expected = sorted.iter().filter(|key| **key <= text).count();
        assert_eq!(shelf.keys.until(text), expected, "{text:?}");
    }
}

#[test]
fn of_many_rules_with_one_key_only_those_are_found_that_the_text_has_more_of() {
    let number = |rule: usize| format!("tool{rule:04}");
    let numbered = (0..200).map(|rule| entry("", &[" -x", &number(rule)], GLOBAL, rule));
    let short = [
        entry("", &["abc"], GLOBAL, 500),
        entry("git ", &["tool0007"], GLOBAL, 501),
    ];
    let shelf = Shelf::of(numbered.chain(short).collect());
    let find = |text: &str, rest: Rest| {
        let known = Wanted::text(Topic::Command, text);
        let mut found = Found::default();
        shelf.find(&Wanted { rest, ..known }, &[GLOBAL], &mut found);
        found.rules.sort_unstable();
        found.rules.dedup();
        found
    };
    let found = |text: &str, open: bool| {
        let rest = if open { Rest::Unknown } else { Rest::Nothing };
        find(text, rest).rules
    };
    assert_eq!(found("run tool0007 -x", false), [7, 500]);
    assert_eq!(found("tool0008 and tool0009", false), [8, 9, 500]);
    assert_eq!(found("", false), [500]);
    assert_eq!(found("git x", false), [500, 501], "few share its key");
    assert_eq!(
        found("run", true).len(),
        201,
        "what is not known may be any of them"
    );
    let anything = |text: &str| {
        let ending = String::new();
        find(text, Rest::Anything { ending })
    };
    let some = anything("run tool0007 ");
    assert_eq!((some.rules, some.crowds.len()), (vec![7, 500], 1));
    let members = |found: Found| -> usize {
        let crowds = found.crowds.into_iter();
        crowds
            .map(|crowd| shelf.members(crowd, &[GLOBAL]).len())
            .sum()
    };
    assert_eq!(members(anything("run ")), 200);
    assert_eq!(members(find("", Rest::Everything)), 202);
    assert_eq!(find("tool0009 x", Rest::Around).rules, [9]);
}

#[test]
fn rules_that_say_how_a_text_ends_are_a_crowd_where_nothing_is_known_of_its_end() {
    let ended = (0..100).map(|rule| {
        let ending: String = format!("end{}", rule % 10).chars().rev().collect();
        Entry {
            ending: (rule >= 40).then_some(ending),
            ..entry("", &["some"], GLOBAL, rule)
        }
    });
    let shelf = Shelf::of(ended.collect());
    let find = |ending: &str| {
        let text = Wanted::text(Topic::Command, "run ");
        let ending = ending.chars().rev().collect();
        let rest = Rest::Anything { ending };
        let mut found = Found::default();
        shelf.find(&Wanted { rest, ..text }, &[GLOBAL], &mut found);
        let crowds = found.crowds.iter();
        let members = crowds.map(|crowd| shelf.members(*crowd, &[GLOBAL]).len());
        (found.rules.len(), members.collect::<Vec<_>>())
    };
    assert_eq!(find(""), (0, vec![40, 60]));
    assert_eq!(find(" the end3"), (6, vec![40]));
    assert_eq!(find("3"), (6, vec![40]));
    assert_eq!(find("d"), (0, vec![40]));
}
