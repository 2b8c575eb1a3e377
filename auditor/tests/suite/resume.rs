//! Audits that go on from a state: wherever they were ended, and over a log that grew, the report is that
//! of a whole audit; what does not fit is refused, and a log that went back is evidence.

use super::world::{self, DeviceRun, World, default_bundle, person_id};
use super::{assert_named, written};
use cairn_audit::Report;
use cairn_audit::log::cold::Room;
use cairn_audit::log::resume::{Due, Ended, Keeper, Resume};
use cairn_audit::log::state::{Settled, State, StateError};
use cairn_audit::log::{Options, audit, audit_on};
use cairn_audit::source::folder::Folder;
use cairn_event::PersonRole;
use cairn_event::Sha256;
use cairn_event::administrative::RosterChange;
use cairn_event::body::{Body, Gap};
use cairn_event::disclosure::names;
use cairn_tlog::TrustPolicy;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::sync::Mutex;

/// Reads a state that lies in memory.
pub fn parsed(state: Vec<u8>, options: &Options<'_>) -> Result<State, StateError> {
    State::read(Cursor::new(state), options)
}

/// Keeps states in memory, and ends the audit at a size.
#[derive(Default)]
pub struct Memory {
    end_at: Option<u64>,
    /// Whether a state is kept after every bundle.
    always: bool,
    kept: Mutex<Vec<Vec<u8>>>,
}

impl Keeper for Memory {
    fn due(&self, done: u64) -> Due {
        match self.end_at {
            Some(end) if done >= end => Due::End,
            _ if self.always => Due::State,
            _ => Due::Nothing,
        }
    }

    fn keep(&self, state: &Settled<'_>) {
        let mut written = Vec::new();
        state.write_to(&mut written).unwrap();
        self.kept.lock().unwrap().push(written);
    }
}

impl Memory {
    fn ending(end_at: u64) -> Self {
        let end_at = Some(end_at);
        Self {
            end_at,
            ..Self::default()
        }
    }

    pub fn last(&self) -> Option<Vec<u8>> {
        self.kept.lock().unwrap().last().cloned()
    }
}

/// What an audit is asked about a world.
pub struct Asked {
    policy: TrustPolicy,
    genesis: cairn_tlog::Hash,
    /// Chains in memory.
    pub chains: usize,
}

impl Asked {
    pub fn of(world: &World) -> Self {
        Self {
            chains: Room::default().most,
            policy: TrustPolicy::parse(&world.trust_policy()).unwrap(),
            genesis: world.genesis_hash(),
        }
    }

    pub fn options(&self) -> Options<'_> {
        Options {
            policy: &self.policy,
            genesis: self.genesis,
            disclosures: true,
            max_age: None,
            since: None,
            chains: Room {
                most: self.chains,
                folder: None,
            },
            progress: &|_, _| {},
        }
    }

    pub fn whole(&self, dir: &Path) -> Report {
        audit(&Folder::open(dir).unwrap(), &self.options())
    }

    pub fn on(&self, dir: &Path, state: Option<&[u8]>, keeper: &Memory) -> Result<Report, Ended> {
        let options = self.options();
        let from = state.map(|state| parsed(state.to_vec(), &options).unwrap());
        let resume = Some(Resume { from, keeper });
        audit_on(&Folder::open(dir).unwrap(), None, &options, resume)
    }

    /// The state of an audit that was ended at a size; `None` where it came to its end first.
    pub fn ended(&self, dir: &Path, state: Option<&[u8]>, end_at: u64) -> Option<Vec<u8>> {
        let keeper = Memory::ending(end_at);
        match self.on(dir, state, &keeper) {
            Err(Ended::Asked { kept: true, .. }) => keeper.last(),
            Err(other) => panic!("{other}"),
            Ok(report) => {
                assert!(report.is_good(), "{report}");
                None
            }
        }
    }

    /// The state that a finished audit leaves.
    pub fn finished(&self, dir: &Path) -> Vec<u8> {
        let keeper = Memory::default();
        let report = self.on(dir, None, &keeper).unwrap();
        assert!(report.is_good(), "{report}");
        keeper.last().unwrap()
    }
}

/// A device of a third person, who comes under a second policy; its calls, one of them erased much later,
/// one withheld, a gap, an entry of another version, and then a session of another chain.
fn growth(world: &mut World, calls: u32) -> DeviceRun {
    world.roster(vec![RosterChange::AddPerson {
        person: person_id(3),
        roles: vec![PersonRole::Developer],
        teams: vec![],
    }]);
    world.policy(default_bundle(2));
    let mut three = world.device(3);
    world.session(&mut three, "session-9");
    let erased = world.bash(&mut three, "session-9", "git status");
    let withheld = world.bash(&mut three, "session-9", "git status");
    world.items[withheld as usize].disclosures.remove(0);
    three.next_seq += 2;
    let (from, to) = (three.next_seq - 2, three.next_seq - 1);
    let chain = cairn_event::EntrySigner::public_key(&three.chain).kid();
    let gap = Gap {
        count: Some(2),
        chain,
        from,
        to,
        reason: "spool-full".into(),
    };
    world.chained(&mut three, Body::Gap(gap), None, vec![]);
    world.publish();
    for call in 0..calls {
        world.bash(&mut three, "session-9", "make test");
        if call % 25 == 24 {
            world.publish();
        }
    }
    world.foreign();
    world.erase(erased, names::REQUEST);
    world.start_chain(&mut three, 210);
    world.session(&mut three, "session-10");
    world.publish();
    three
}

#[test]
fn an_audit_ended_anywhere_reports_as_a_whole_one() {
    let mut world = world::busy(20);
    growth(&mut world, 260);
    let (asked, dir) = (Asked::of(&world), written(&world));
    let whole = asked.whole(dir.path());
    assert!(whole.is_good(), "{whole}");
    for counted in [
        "decisions not replayable: input erased",
        "decisions not replayable: input withheld",
        "entries of unknown version (integrity only)",
        "chain records missing from the log",
    ] {
        assert!(whole.counts.contains_key(counted), "{counted}\n{whole}");
    }
    let mut states = 0;
    for end_at in (0..world.size()).step_by(256) {
        let Some(state) = asked.ended(dir.path(), None, end_at) else {
            continue;
        };
        states += 1;
        let keeper = Memory::default();
        let resumed = asked.on(dir.path(), Some(&state), &keeper).unwrap();
        assert_eq!(resumed, whole, "ended at {end_at}");
        assert_eq!(keeper.last().unwrap(), asked.finished(dir.path()));
    }
    assert!(states >= 2, "the world fills {states} bundles");
    // Ended after every bundle: each run gets one bundle further.
    let mut state = asked.ended(dir.path(), None, 0).unwrap();
    while let Some(next) = asked.ended(dir.path(), Some(&state), 0) {
        assert_ne!(next, state);
        state = next;
    }
    let keeper = Memory::default();
    let resumed = asked.on(dir.path(), Some(&state), &keeper).unwrap();
    assert_eq!(resumed, whole);
}

#[test]
fn an_audit_of_a_grown_log_reads_only_what_is_new_and_reports_as_a_whole_one() {
    let mut world = world::busy(170);
    let asked = Asked::of(&world);
    let early = written(&world);
    let before = world.size();
    assert!(before > 256 && !before.is_multiple_of(256), "{before}");
    let finished = asked.finished(early.path());
    let ended = asked.ended(early.path(), None, 0).unwrap();
    growth(&mut world, 60);
    let late = written(&world);
    let whole = asked.whole(late.path());
    assert!(whole.is_good(), "{whole}");
    // What was audited is not read again: it is not even there.
    std::fs::remove_file(late.path().join("tile/entries/000")).unwrap();
    for state in [finished, ended] {
        let keeper = Memory::default();
        let resumed = asked.on(late.path(), Some(&state), &keeper).unwrap();
        assert_eq!(resumed, whole);
        // And so on: nothing is new, and the state stays as it is.
        let state = keeper.last().unwrap();
        let again = asked.on(late.path(), Some(&state), &keeper).unwrap();
        assert_eq!(again, whole);
        assert_eq!(keeper.last().unwrap(), state);
    }
}

#[test]
fn an_earlier_checkpoint_before_the_state_is_compared_by_proof() {
    let mut world = world::busy(50);
    let asked = Asked::of(&world);
    let note = world.checkpoints.values().nth(3).unwrap().clone();
    let state = asked.finished(written(&world).path());
    growth(&mut world, 5);
    let dir = written(&world);
    let source = Folder::open(dir.path()).unwrap();
    let options = Options {
        since: Some(&note),
        ..asked.options()
    };
    let whole = audit(&source, &options);
    assert_eq!(whole.check("since").unwrap().examined, 2, "{whole}");
    let from = parsed(state.to_vec(), &options).ok();
    assert!(from.is_some());
    let keeper = Memory::default();
    let keeper = &keeper;
    let resume = Some(Resume { from, keeper });
    let resumed = audit_on(&source, None, &options, resume).unwrap();
    assert_eq!(resumed, whole);
}

#[test]
fn a_log_that_went_back_or_is_another_one_is_evidence_and_the_state_stays() {
    let mut world = world::busy(100);
    let asked = Asked::of(&world);
    let early = written(&world);
    let old_root = world.tree().root(world.size()).unwrap();
    growth(&mut world, 10);
    let late = written(&world);
    let new_root = world.tree().root(world.size()).unwrap();
    let state = asked.finished(late.path());
    let keeper = Memory {
        always: true,
        ..Memory::default()
    };
    let report = asked.on(early.path(), Some(&state), &keeper).unwrap();
    assert_named(&report, "resume", "the log went back");
    assert_named(&report, "resume", &old_root.to_string());
    assert_named(&report, "resume", &new_root.to_string());
    assert_eq!(keeper.last(), None);

    // The same keys and more entries, and another history.
    let mut other = world::busy(101);
    growth(&mut other, 40);
    let rewritten = written(&other);
    let report = asked.on(rewritten.path(), Some(&state), &keeper).unwrap();
    let other_root = other.tree().root(other.size()).unwrap();
    assert_named(&report, "resume", "another history");
    assert_named(&report, "resume", &new_root.to_string());
    assert_named(&report, "resume", &other_root.to_string());
    assert_eq!(keeper.last(), None);
    assert!(asked.whole(rewritten.path()).is_good());
}

#[test]
fn nothing_is_kept_after_a_failure_and_it_is_found_again() {
    let mut world = world::busy(200);
    world.checkpoints.clear();
    let damage = |world: &mut World, index: usize| {
        let last = world.items[index].bytes.len() - 1;
        world.items[index].bytes[last] ^= 1;
        world.publish();
    };
    damage(&mut world, 300);
    let (asked, dir) = (Asked::of(&world), written(&world));
    let keeper = Memory {
        always: true,
        ..Memory::default()
    };
    let whole = asked.on(dir.path(), None, &keeper).unwrap();
    assert_named(&whole, "signatures", "index 300");
    let kept = keeper.kept.lock().unwrap().clone();
    assert_eq!(kept.len(), 1, "the first bundle only");
    let again = asked.on(dir.path(), Some(&kept[0]), &keeper).unwrap();
    assert_eq!(again, whole);
    assert_eq!(keeper.kept.lock().unwrap().len(), 1);

    damage(&mut world, 100);
    let dir = written(&world);
    let ended = Memory::ending(256);
    match asked.on(dir.path(), None, &ended) {
        Err(Ended::Asked { kept: false, .. }) => assert_eq!(ended.last(), None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_before_a_line_that_broke_are_kept() {
    let world = world::busy(170);
    let (asked, dir) = (Asked::of(&world), written(&world));
    let whole = asked.whole(dir.path());
    let name = format!("tile/entries/001.p/{}", world.size() % 256);
    let bundle = dir.path().join(name);
    let bytes = std::fs::read(&bundle).unwrap();
    std::fs::remove_file(&bundle).unwrap();
    let keeper = Memory::default();
    let cut = asked.on(dir.path(), None, &keeper).unwrap();
    assert_named(&cut, "readable", "tile/entries/001");
    std::fs::write(&bundle, bytes).unwrap();
    let state = keeper.last().unwrap();
    let resumed = asked.on(dir.path(), Some(&state), &keeper).unwrap();
    assert_eq!(resumed, whole);
}

#[test]
fn a_state_is_bound_to_what_was_asked() {
    let world = world::busy(30);
    let (asked, dir) = (Asked::of(&world), written(&world));
    let state = asked.finished(dir.path());
    let with = |change: &dyn Fn(&mut Options<'_>)| {
        let mut options = asked.options();
        change(&mut options);
        parsed(state.to_vec(), &options).err().unwrap()
    };
    let genesis = with(&|options| options.genesis = cairn_tlog::Hash([7; 32]));
    assert!(matches!(genesis, StateError::Genesis { .. }), "{genesis}");
    let disclosures = with(&|options| options.disclosures = false);
    assert!(matches!(disclosures, StateError::Disclosures(true)));
    let told = disclosures.to_string();
    assert!(
        told.contains("were read for it, and not read now"),
        "{told}"
    );
    let text = world.trust_policy().replace("witnesses 2 ", "witnesses 1 ");
    let weaker = TrustPolicy::parse(&text).unwrap();
    let options = Options {
        policy: &weaker,
        ..asked.options()
    };
    let policy = parsed(state.to_vec(), &options).err().unwrap();
    assert!(matches!(policy, StateError::TrustPolicy), "{policy}");
    let semantics = format!("\"semantics\":{}", cairn_policy::ENGINE_SEMANTICS);
    for (from, to, refusal) in [
        ("\"v\":2", "\"v\":1", "version 1"),
        (
            semantics.as_str(),
            "\"semantics\":900",
            "engine semantics 900",
        ),
        (
            "\"origin\":\"log.example/cairn\"",
            "\"origin\":\"x\"",
            "log `x`",
        ),
        ("\"entry\":\"e", "\"entry\":\"f", "entry 0 is refused"),
    ] {
        let changed = summed(&state, |text| text.replacen(from, to, 1));
        let options = asked.options();
        let refused = match parsed(changed.to_vec(), &options) {
            Err(error) => error.to_string(),
            Ok(from) => {
                let keeper = Memory::default();
                let (source, from) = (Folder::open(dir.path()).unwrap(), Some(from));
                let keeper = &keeper;
                let resume = Some(Resume { from, keeper });
                audit_on(&source, None, &options, resume)
                    .unwrap_err()
                    .to_string()
            }
        };
        assert!(refused.contains(refusal), "{refused}");
    }
}

/// The state with its text changed and its check sum right.
pub fn summed(state: &[u8], change: impl FnOnce(&str) -> String) -> Vec<u8> {
    let text = std::str::from_utf8(state).unwrap();
    let (body, _) = text.trim_end().rsplit_once('\n').unwrap();
    let changed = change(body);
    assert_ne!(changed, body);
    let sum = Sha256::of(changed.as_bytes());
    format!("{changed}\n{sum}\n").into_bytes()
}

#[test]
fn a_damaged_state_is_refused_wherever_it_is_cut_or_changed() {
    let world = world::busy(10);
    let (asked, dir) = (Asked::of(&world), written(&world));
    let state = asked.finished(dir.path());
    let options = asked.options();
    assert!(parsed(state.to_vec(), &options).is_ok());
    let damaged = |bytes: &[u8], what: &str| match parsed(bytes.to_vec(), &options) {
        Err(StateError::Damaged) => {}
        Err(other) => panic!("{what}: {other}"),
        Ok(_) => panic!("{what}: taken"),
    };
    for length in (0..state.len()).step_by(97).chain([state.len() - 1]) {
        damaged(&state[..length], &format!("cut to {length}"));
    }
    for at in (0..state.len()).step_by(89) {
        let mut changed = state.clone();
        changed[at] ^= 1;
        damaged(&changed, &format!("changed at {at}"));
    }
    // With a right check sum, what does not fit together is refused as well.
    for (from, to) in [
        ("\"open\":[\"", "\"open\":[\"00"),
        ("\"size\":", "\"size\":1"),
        ("\"anchored_seq\":", "\"anchored_seq\":900"),
        ("\"device\":\"", "\"device\":\"x"),
        ("\"gaps\":[", "\"gaps\":[[0,99]"),
    ] {
        let changed = summed(&state, |text| text.replacen(from, to, 1));
        let Ok(state) = parsed(changed.to_vec(), &options) else {
            continue;
        };
        let (source, from) = (Folder::open(dir.path()).unwrap(), Some(state));
        let keeper = &Memory::default();
        let resume = Some(Resume { from, keeper });
        let refused = audit_on(&source, None, &options, resume);
        assert!(
            matches!(refused, Err(Ended::State(StateError::Damaged))),
            "{refused:?}"
        );
    }
}

#[test]
fn the_state_grows_with_chains_and_not_with_entries() {
    let size_at = |calls: u32| {
        let world = world::busy(calls);
        let (asked, dir) = (Asked::of(&world), written(&world));
        asked.finished(dir.path()).len()
    };
    let sizes: BTreeMap<u32, usize> = [30, 200].map(|calls| (calls, size_at(calls))).into();
    // The open tiles of two levels hold at most 255 hashes each.
    let tiles = 2 * 255 * 64;
    assert!(sizes[&200] < sizes[&30] + tiles, "{sizes:?}");
}
