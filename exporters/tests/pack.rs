//! Packs of a synthetic log: verified whole, byte-identical twice, and every kind of damage named.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../auditor/tests/world/mod.rs"]
mod world;

use cairn_audit::Report;
use cairn_audit::controls::TestResult;
use cairn_audit::pack::folder::digest;
use cairn_audit::pack::manifest::{FileDigest, Manifest};
use cairn_audit::pack::results::Results;
use cairn_audit::source::folder::Folder;
use cairn_event::json::to_canonical;
use cairn_export::catalogue::Framework;
use cairn_export::pack::{ExportError, Options, Summary, export};
use cairn_export::period::Bound;
use cairn_tlog::TrustPolicy;
use std::fs;
use std::path::{Path, PathBuf};
use world::World;

struct Bench {
    dir: tempfile::TempDir,
    policy: TrustPolicy,
    world: World,
}

impl Bench {
    fn new(world: World) -> Self {
        let dir = tempfile::tempdir().unwrap();
        world.write(&dir.path().join("log"));
        let policy = TrustPolicy::parse(&world.trust_policy()).unwrap();
        Self { dir, policy, world }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn pack_of(&self, name: &str, from: Bound, to: Bound) -> Result<Summary, ExportError> {
        let source = Folder::open(&self.out("log")).unwrap();
        export(
            &source,
            &Options {
                policy: &self.policy,
                genesis: self.world.genesis_hash(),
                from,
                to,
                proven_by_newest: false,
                framework: Framework::All,
                params: vec![],
                purpose: "a test",
                out: self.out(name),
                progress: &|_, _| {},
            },
        )
    }

    fn pack(&self, name: &str) -> Summary {
        self.pack_of(name, Bound::Index(0), Bound::Index(self.last()))
            .unwrap()
    }

    fn last(&self) -> u64 {
        *self.world.checkpoints.last_key_value().unwrap().0
    }

    fn verify(&self, name: &str) -> Report {
        let genesis = self.world.genesis_hash();
        cairn_audit::pack::verify(&self.out(name), &self.policy, &genesis)
    }

    /// Rewrites the manifest so that only deeper checks can notice a change.
    fn reseal(&self, name: &str) {
        let path = self.out(name).join("manifest.json");
        let mut manifest = Manifest::parse(&fs::read(&path).unwrap()).unwrap();
        for file in &mut manifest.files {
            let (bytes, sha256) = digest(&self.out(name).join(&file.path)).unwrap();
            (file.bytes, file.sha256) = (bytes, sha256);
        }
        fs::write(&path, manifest.to_bytes().unwrap()).unwrap();
    }
}

fn assert_named(report: &Report, check: &str, reason: &str) {
    let found = report
        .check(check)
        .unwrap_or_else(|| panic!("no check {check}\n{report}"));
    let named = found
        .failures
        .iter()
        .any(|failure| failure.to_string().contains(reason));
    assert!(named, "{check} does not say `{reason}`\n{report}");
    assert!(!report.is_good());
}

fn results(path: &Path) -> Results {
    serde_json::from_slice(&fs::read(path.join("controls/results.json")).unwrap()).unwrap()
}

#[test]
fn a_pack_of_everything_verifies_and_answers_its_controls() {
    let bench = Bench::new(world::busy(400));
    let summary = bench.pack("pack");
    let report = bench.verify("pack");
    assert!(report.is_good(), "{report}");
    assert_eq!(summary.manifest.totals.rows, bench.last());
    assert_eq!(report.counts["decisions reproduced"], 401);
    assert!(
        report
            .check("range-proof-rs-merkle")
            .is_some_and(|check| check.examined == 1)
    );
    let results = results(&bench.out("pack"));
    let of = |id: &str| results.tests.iter().find(|test| test.id == id).unwrap();
    for id in [
        "T-INT-01", "T-INT-02", "T-INT-03", "T-CMP-01", "T-CMP-02", "T-ENF-01", "T-ENF-04",
    ] {
        assert_eq!(of(id).result, TestResult::Pass, "{id}");
    }
    assert_eq!(
        of("T-IDN-05").result,
        TestResult::Fail,
        "software keys are not hardware"
    );
    assert_eq!(of("T-REV-01").result, TestResult::Unanswered);
    assert!(results.controls.iter().all(|control| {
        control.result != TestResult::Pass
            || control
                .tests
                .iter()
                .all(|id| matches!(of(id).result, TestResult::Pass | TestResult::DidNotOccur))
    }));
}

#[test]
fn a_period_in_the_middle_carries_its_context() {
    let bench = Bench::new(world::busy(120));
    let sizes: Vec<u64> = bench.world.checkpoints.keys().copied().collect();
    let (from, to) = (sizes[4], sizes[9]);
    let summary = bench
        .pack_of("pack", Bound::Index(from), Bound::Index(to))
        .unwrap();
    assert_eq!(
        (summary.manifest.range.start, summary.manifest.range.end),
        (from, to)
    );
    let report = bench.verify("pack");
    assert!(report.is_good(), "{report}");
    assert!(report.check("context-entries").unwrap().examined >= 6);
    let by_time = bench.pack_of(
        "timed",
        Bound::Time(bench.world.now_ms as i64 * 1_000 - 60_000_000),
        Bound::Time(i64::MAX),
    );
    assert!(by_time.unwrap().manifest.range.start > 0);
    assert!(bench.verify("timed").is_good());
}

#[test]
fn the_same_export_twice_gives_the_same_bytes() {
    let bench = Bench::new(world::busy(60));
    let (one, two) = (bench.pack("one"), bench.pack("two"));
    assert_eq!(one.pack_root, two.pack_root);
    for file in one.manifest.files {
        let read = |pack: &str| fs::read(bench.out(pack).join(&file.path)).unwrap();
        assert_eq!(read("one"), read("two"), "{}", file.path);
    }
}

#[test]
fn golden_bytes_of_the_tiny_world() {
    // `world::busy(3)` is made from fixed seeds. Another digest means that the bytes of packs changed:
    // a new text, catalogue, format or writer version, or a mistake. `sample_pack FOLDER 3` makes the
    // same pack to look at.
    let bench = Bench::new(world::busy(3));
    let files = bench.pack("pack").manifest.files;
    let made: String = files
        .iter()
        .map(|file| format!("{} {}\n", file.sha256, file.path))
        .collect();
    assert_eq!(made, include_str!("../testdata/tiny_pack.txt"));
}

#[test]
fn withheld_and_erased_members_are_counted() {
    let mut world = world::busy(20);
    let decisions: Vec<u64> = (0..world.size())
        .filter(|index| world.items[*index as usize].disclosures.len() == 4)
        .collect();
    world.erase(decisions[0], "request");
    world.items[decisions[1] as usize].disclosures.remove(0);
    world.publish();
    let bench = Bench::new(world);
    let summary = bench.pack("pack");
    assert_eq!(summary.manifest.totals.disclosures["erased"], 1);
    assert_eq!(summary.manifest.totals.disclosures["withheld"], 1);
    let report = bench.verify("pack");
    assert!(report.is_good(), "{report}");
    assert_eq!(report.counts["decisions not replayable: input erased"], 1);
    assert_eq!(report.counts["decisions not replayable: input withheld"], 1);
    // What nobody can look at is not passed.
    let results = fs::read(bench.out("pack").join("controls/results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_slice(&results).unwrap();
    let tests = results["tests"].as_array().unwrap();
    let replay = tests.iter().find(|test| test["id"] == "T-ENF-04").unwrap();
    assert_eq!(replay["result"], "unanswered");
    assert_eq!(replay["outcome"]["unexamined"], 2);
    assert_eq!(replay["outcome"]["exceptions"], 0);
}

#[test]
fn every_altered_file_is_named() {
    let bench = Bench::new(world::busy(12));
    let summary = bench.pack("pack");
    for file in &summary.manifest.files {
        let path = bench.out("pack").join(&file.path);
        let honest = fs::read(&path).unwrap();
        if honest.is_empty() {
            continue;
        }
        let mut bent = honest.clone();
        let middle = bent.len() / 2;
        bent[middle] ^= 1;
        fs::write(&path, &bent).unwrap();
        assert_named(&bench.verify("pack"), "files", &file.path);
        fs::write(&path, &honest).unwrap();
    }
    assert!(bench.verify("pack").is_good());
    fs::write(bench.out("pack").join("notes.txt"), b"x").unwrap();
    assert_named(&bench.verify("pack"), "files", "not in the manifest");
}

#[test]
fn an_edited_manifest_does_not_help_a_forger() {
    let bench = Bench::new(world::busy(40));
    bench.pack("pack");
    let path = |name: &str| bench.out("pack").join(name);
    let edit = |name: &str, from: &str, to: &str| {
        let honest = fs::read_to_string(path(name)).unwrap();
        let bent = honest.replacen(from, to, 1);
        assert_ne!(bent, honest, "{name} does not hold `{from}`");
        fs::write(path(name), bent).unwrap();
        bench.reseal("pack");
        let report = bench.verify("pack");
        fs::write(path(name), honest).unwrap();
        report
    };
    let report = edit(
        "controls/results.json",
        "\"result\":\"fail\"",
        "\"result\":\"pass\"",
    );
    assert_named(&report, "controls", "its tests give Fail");
    let report = edit(
        "controls/results.json",
        "\"exceptions\":0",
        "\"exceptions\":1",
    );
    assert_named(&report, "controls", "other counts than recomputed");
    let report = edit("proofs/range.json", "\"left\":[]", "\"left\":[\"AAAA\"]");
    assert!(!report.is_good(), "{report}");
    let report = edit("proofs/genesis.json", "\"index\":0", "\"index\":1");
    assert_named(&report, "genesis", "");
    let report = edit("proofs/checkpoint.txt", "\u{2014} w1", "\u{2014} w9");
    assert_named(&report, "checkpoint", "quorum");
    let bundle = fs::read_dir(path("policy"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .file_name();
    let bundle = format!("policy/{}", bundle.to_string_lossy());
    let report = edit(&bundle, "deny", "Deny");
    assert_named(&report, "policy-blobs", "another SHA-256");
    bench.reseal("pack");
    assert!(bench.verify("pack").is_good());
}

#[test]
fn no_control_result_is_left_out_or_added() {
    let bench = Bench::new(world::busy(40));
    bench.pack("pack");
    let path = bench.out("pack").join("controls/results.json");
    let honest = fs::read(&path).unwrap();
    let forged = |change: &dyn Fn(&mut Results)| {
        let mut bent = results(&bench.out("pack"));
        change(&mut bent);
        let bytes = to_canonical(&serde_json::to_value(&bent).unwrap());
        assert_ne!(bytes, honest);
        fs::write(&path, bytes).unwrap();
        bench.reseal("pack");
        let report = bench.verify("pack");
        fs::write(&path, &honest).unwrap();
        report
    };
    // A failed test goes, and with it every control that rests on it.
    let report = forged(&|results| {
        results.tests.retain(|test| test.result != TestResult::Fail);
        let left: Vec<String> = results.tests.iter().map(|test| test.id.clone()).collect();
        let whole = |id: &String| left.contains(id);
        results
            .controls
            .retain(|control| control.tests.iter().all(whole));
        assert!(
            !results.controls.is_empty(),
            "some controls do not rest on it"
        );
    });
    assert_named(
        &report,
        "controls",
        "test T-IDN-05 of the catalogue is left out",
    );
    assert_named(&report, "controls", "control ");
    let report = forged(&|results| {
        let control = results.controls.pop().unwrap();
        results.controls.insert(0, control);
    });
    assert_named(&report, "controls", "not in the order of the catalogue");
    let report = forged(&|results| {
        let control = results.controls.first_mut().unwrap();
        control.tests.retain(|id| id == "T-INT-01");
        control.tests.push("T-INT-01".into());
        control.result = TestResult::Pass;
    });
    assert!(!report.is_good(), "a control on other tests\n{report}");
    let report = forged(&|results| {
        let mut made_up = results.tests.first().unwrap().clone();
        (made_up.id, made_up.result) = ("T-ZZZ-01".into(), TestResult::Unanswered);
        made_up.outcome = None;
        results.tests.push(made_up);
    });
    assert_named(&report, "controls", "T-ZZZ-01 is listed twice or is none");
    let report = forged(&|results| results.note = "Every control is certified.".into());
    assert_named(
        &report,
        "controls",
        "not the bytes that follow from the evidence",
    );
    bench.reseal("pack");
    assert!(bench.verify("pack").is_good());
}

#[test]
fn sheet_catalogue_and_texts_are_derived_again() {
    let bench = Bench::new(world::busy(12));
    bench.pack("pack");
    let manifest = bench.out("pack").join("manifest.json");
    for (name, from, to) in [
        ("controls/results.csv", "\"fail\"", "\"pass\""),
        (
            "controls/controls.yaml",
            "on_empty: fail",
            "on_empty: did-not-occur",
        ),
        ("verify.sql", "count(*) FILTER (bad) = 0", "true"),
        (
            "VERIFY.md",
            "cairn-audit verify PACK",
            "curl https://evil.example",
        ),
    ] {
        let path = bench.out("pack").join(name);
        let honest = fs::read_to_string(&path).unwrap();
        assert!(honest.contains(from), "{name}");
        fs::write(&path, honest.replacen(from, to, 1)).unwrap();
        bench.reseal("pack");
        assert_named(&bench.verify("pack"), "controls", name);
        // Naming another version explains the difference and excuses nothing.
        let sealed = fs::read_to_string(&manifest).unwrap();
        let version = format!("\"cairn-export\":\"{}\"", env!("CARGO_PKG_VERSION"));
        let other = sealed.replace(&version, "\"cairn-export\":\"9.9.9\"");
        assert_ne!(other, sealed);
        fs::write(&manifest, other).unwrap();
        assert_named(
            &bench.verify("pack"),
            "controls",
            "cairn-audit of that version",
        );
        fs::write(&manifest, sealed).unwrap();
        fs::write(&path, honest).unwrap();
    }
    bench.reseal("pack");
    assert!(bench.verify("pack").is_good());
}

#[test]
fn a_pack_has_the_files_of_a_pack_and_no_other() {
    let bench = Bench::new(world::busy(12));
    let summary = bench.pack("pack");
    let path = |name: &str| bench.out("pack").join(name);
    let seal = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = summary.manifest.clone();
        change(&mut manifest);
        manifest.files.sort_unstable();
        fs::write(path("manifest.json"), manifest.to_bytes().unwrap()).unwrap();
        bench.verify("pack")
    };
    fs::write(path("CERTIFIED.txt"), b"").unwrap();
    let (bytes, sha256) = digest(&path("CERTIFIED.txt")).unwrap();
    let named = "CERTIFIED.txt".to_owned();
    let more = FileDigest {
        path: named,
        bytes,
        sha256,
    };
    let report = seal(&|manifest| manifest.files.push(more.clone()));
    assert_named(&report, "file-names", "a pack has no such file");
    fs::remove_file(path("CERTIFIED.txt")).unwrap();
    let report = seal(&|manifest| manifest.frameworks.clear());
    assert_named(&report, "controls", "none of the choices");
    let report = seal(&|manifest| manifest.frameworks = vec!["HIPAA".into()]);
    assert_named(&report, "controls", "none of the catalogue");
    let sheet = fs::read(path("controls/results.csv")).unwrap();
    fs::remove_file(path("controls/results.csv")).unwrap();
    let report = seal(&|manifest| manifest.files.retain(|file| !file.path.ends_with(".csv")));
    assert_named(
        &report,
        "file-names",
        "controls/results.csv: the file is not there",
    );
    fs::write(path("controls/results.csv"), sheet).unwrap();
    assert!(seal(&|_| ()).is_good());
}

#[test]
fn rows_of_another_pack_are_refused() {
    let (bench, other) = (Bench::new(world::busy(40)), Bench::new(world::busy(30)));
    bench.pack("pack");
    other.pack("pack");
    for table in ["events", "checkpoints", "heartbeats", "period"] {
        let name = format!("data/{table}.parquet");
        let path = bench.out("pack").join(&name);
        let honest = fs::read(&path).unwrap();
        fs::copy(other.out("pack").join(&name), &path).unwrap();
        bench.reseal("pack");
        let report = bench.verify("pack");
        assert!(!report.is_good(), "{table}: {report}");
        fs::write(&path, honest).unwrap();
    }
    bench.reseal("pack");
    assert!(bench.verify("pack").is_good());
}

#[test]
fn damaged_parquet_is_a_failure_and_not_a_panic() {
    let bench = Bench::new(world::busy(6));
    bench.pack("pack");
    let path = bench.out("pack").join("data/events.parquet");
    let honest = fs::read(&path).unwrap();
    for place in (0..honest.len()).step_by(honest.len() / 60 + 1) {
        let mut bent = honest.clone();
        bent[place] ^= 0x55;
        fs::write(&path, &bent).unwrap();
        bench.reseal("pack");
        // Bytes between pages belong to no value, so some changes alter nothing that is read; what
        // counts is that the verdict comes.
        let _verdict = bench.verify("pack").is_good();
    }
    fs::write(&path, &honest[..honest.len() / 2]).unwrap();
    bench.reseal("pack");
    assert_named(&bench.verify("pack"), "readable", "events.parquet");
}

#[test]
fn another_trust_policy_or_genesis_is_refused() {
    let bench = Bench::new(world::busy(6));
    bench.pack("pack");
    let mut text = bench.world.trust_policy();
    text = text.replace("group witnesses 2 w1 w2 w3", "group witnesses 3 w1 w2 w3");
    let strict = TrustPolicy::parse(&text).unwrap();
    let genesis = bench.world.genesis_hash();
    let report = cairn_audit::pack::verify(&bench.out("pack"), &strict, &genesis);
    assert_named(&report, "checkpoint", "quorum");
    let other = cairn_tlog::leaf_hash(b"another log");
    let report = cairn_audit::pack::verify(&bench.out("pack"), &bench.policy, &other);
    assert_named(&report, "genesis", "pinned is");
}

#[test]
fn what_does_not_verify_is_not_exported() {
    let mut world = World::new();
    let mut one = world.device(1);
    world.session(&mut one, "session-1");
    world.heartbeat(&mut one);
    world.items.pop();
    world.heartbeat(&mut one);
    world.publish();
    let bench = Bench::new(world);
    let refused = bench.pack_of("pack", Bound::Index(0), Bound::Index(bench.last()));
    assert!(
        matches!(refused, Err(ExportError::NotVerified(_))),
        "{refused:?}"
    );
    assert!(
        !bench.out("pack").exists(),
        "there must be no pack under the final name"
    );
}

#[test]
fn a_log_that_showed_a_device_another_tree_is_not_exported() {
    let (mut world, mut one) = world::quiet();
    let beat = cairn_event::body::Body::Heartbeat(cairn_event::body::Heartbeat {
        sessions: 1,
        spool_bytes: 0,
        spool_records: 0,
    });
    let index = world.edited(&mut one, beat, None, vec![], |payload| {
        payload.context.beacon.as_mut().unwrap().root = cairn_event::Sha256([9; 32]);
    });
    world.publish();
    let bench = Bench::new(world);
    let refused = bench.pack_of("pack", Bound::Index(0), Bound::Index(bench.last()));
    let Err(ExportError::NotVerified(report)) = refused else {
        panic!("{refused:?}");
    };
    assert_named(&report, "beacons", "another view of the log");
    assert_named(&report, "beacons", &format!("index {index}"));
}

#[test]
fn every_beacon_of_a_period_is_compared_or_counted() {
    let bench = Bench::new(world::busy(60));
    let sizes: Vec<u64> = bench.world.checkpoints.keys().copied().collect();
    let mut uncertain = 0;
    for from in &sizes[..sizes.len() - 1] {
        let name = format!("pack-{from}");
        let whole = bench.last();
        bench
            .pack_of(&name, Bound::Index(*from), Bound::Index(whole))
            .unwrap();
        let report = bench.verify(&name);
        assert!(report.is_good(), "{report}");
        let beacons = (*from..whole).filter(|index| {
            let item = &bench.world.items[*index as usize];
            let entry = cairn_event::Entry::parse(&item.bytes).unwrap();
            entry.payload().context.beacon.is_some()
        });
        let context = fs::read_to_string(bench.out(&name).join("entries/context.jsonl")).unwrap();
        let starts = context.lines().filter(|line| {
            let proven: cairn_audit::pack::proofs::ProvenEntry =
                serde_json::from_str(line).unwrap();
            let entry = cairn_event::Entry::parse(proven.entry.as_bytes()).unwrap();
            entry.payload().context.beacon.is_some()
        });
        let told = report
            .counts
            .get("beacons not checkable with what is at hand");
        let told = told.copied().unwrap_or_default();
        uncertain += told;
        let all = beacons.count() + starts.count();
        let compared = report.check("beacons").unwrap().examined;
        assert_eq!(compared + told, all as u64, "{from}\n{report}");
    }
    assert!(
        uncertain > 0,
        "some period must have beacons from before it"
    );
}
