//! The form of a state: a head, a line for each chain, a check sum; read a line at a time and believed as a whole.

use super::resume::{Asked, Memory, parsed, summed};
use super::world;
use super::written;
use cairn_audit::log::audit_on;
use cairn_audit::log::resume::{Ended, Resume};
use cairn_audit::log::state::{State, StateError};
use cairn_audit::source::folder::Folder;
use cairn_event::Sha256;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// What becomes of an audit that goes on from these bytes.
fn resumed(asked: &Asked, dir: &Path, state: State) -> Result<cairn_audit::Report, Ended> {
    let keeper = Memory::default();
    let resume = Some(Resume {
        from: Some(state),
        keeper: &keeper,
    });
    audit_on(&Folder::open(dir).unwrap(), None, &asked.options(), resume)
}

#[test]
fn a_state_has_a_head_a_line_for_each_chain_and_a_check_sum() {
    let world = world::busy(10);
    let (asked, dir) = (Asked::of(&world), written(&world));
    let state = String::from_utf8(asked.finished(dir.path())).unwrap();
    let lines: Vec<&str> = state.split_terminator('\n').collect();
    let (sum, rest) = lines.split_last().unwrap();
    assert_eq!(Sha256::of(rest.join("\n").as_bytes()).to_string(), *sum);
    let (head, chains) = rest.split_first().unwrap();
    let head: serde_json::Value = serde_json::from_str(head).unwrap();
    let members: Vec<&String> = head.as_object().unwrap().keys().collect();
    let documented = [
        "administrative",
        "disclosures",
        "frontier",
        "genesis",
        "origin",
        "published",
        "semantics",
        "size",
        "tiles",
        "trust_policy",
        "v",
        "walk",
    ];
    assert_eq!(members, documented);
    assert_eq!(head["v"], 2);
    assert_eq!(head["size"], world.size());
    let chains: Vec<serde_json::Value> = chains
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(chains.len(), 3);
    assert!(chains.is_sorted_by_key(|chain| chain["chain"].as_str().unwrap().to_owned()));
    let newest = chains.iter().filter(|chain| chain["latest"] == true);
    assert_eq!(newest.count(), 2, "of two devices");
}

#[test]
fn a_state_of_the_form_before_is_told_by_its_version() {
    let world = world::busy(10);
    let (asked, dir) = (Asked::of(&world), written(&world));
    let state = asked.finished(dir.path());
    let before = summed(&state, |_| r#"{"chains":[],"v":1}"#.to_owned());
    let refused = parsed(before, &asked.options()).err().unwrap();
    assert!(matches!(refused, StateError::Version(1)), "{refused}");
}

#[test]
fn chains_that_come_twice_or_in_no_order_are_damage() {
    let world = world::busy(10);
    let (asked, dir) = (Asked::of(&world), written(&world));
    let state = asked.finished(dir.path());
    let with = |change: fn(&mut Vec<&str>)| {
        let changed = summed(&state, |body| {
            let mut lines: Vec<&str> = body.split('\n').collect();
            change(&mut lines);
            lines.join("\n")
        });
        let state = parsed(changed, &asked.options()).unwrap();
        resumed(&asked, dir.path(), state)
    };
    for (what, change) in [
        ("swapped", (|lines| lines.swap(1, 2)) as fn(&mut Vec<&str>)),
        ("twice", |lines| lines.insert(1, lines[1])),
        ("twice, apart", |lines| lines.push(lines[1])),
        ("empty", |lines| lines.insert(2, "")),
        ("no chain", |lines| lines.push("{}")),
    ] {
        let refused = with(change);
        let is_damaged = matches!(refused, Err(Ended::State(StateError::Damaged)));
        assert!(is_damaged, "{what}: {refused:?}");
    }
}

/// A file that somebody writes to after it was looked through.
struct Changing {
    file: Cursor<Vec<u8>>,
    then: Vec<u8>,
    rewinds: u32,
}

impl Read for Changing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for Changing {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        if to == SeekFrom::Start(0) {
            self.rewinds += 1;
            if self.rewinds == 2 {
                *self.file.get_mut() = self.then.clone();
            }
        }
        self.file.seek(to)
    }
}

#[test]
fn a_state_that_is_changed_while_it_is_read_is_damage() {
    let world = world::busy(10);
    let (asked, dir) = (Asked::of(&world), written(&world));
    let state = asked.finished(dir.path());
    let text = String::from_utf8(state.clone()).unwrap();
    let then = text.replacen("\"ended\":false", "\"ended\":true ", 1);
    assert_eq!((then.len(), then == text), (text.len(), false));
    for (then, is_read) in [(text, true), (then, false)] {
        let changing = Changing {
            file: Cursor::new(state.clone()),
            then: then.into_bytes(),
            rewinds: 0,
        };
        let read = State::read(changing, &asked.options()).unwrap();
        match resumed(&asked, dir.path(), read) {
            Ok(report) => assert!(is_read && report.is_good(), "{report}"),
            Err(Ended::State(StateError::Damaged)) => assert!(!is_read),
            Err(other) => panic!("{other}"),
        }
    }
}
