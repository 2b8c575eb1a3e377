//! Golden bytes of version 1: every entry type, its frame, its approval. Never change them.
//!
//! Generator: this file. Seeds: device key `[1; 32]`, chain key `[2; 32]`, administrators `[3; 32]`
//! and `[4; 32]`, authority `[5; 32]`, observer `[6; 32]`; salts count up from `[0x10; 16]`.
//! `CAIRN_WRITE_GOLDEN=1` writes the files for a type that is new; an existing file is never
//! overwritten.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and helpers of tests are not recognised as tests"
)]

use cairn_event::administrative::*;
use cairn_event::approval::approve;
use cairn_event::body::*;
use cairn_event::disclosure::names;
use cairn_event::encoding::to_base64url;
use cairn_event::frame::present;
use cairn_event::payload::{Agent, Beacon, possession_message};
use cairn_event::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

const LOG: &str = "log.example.com/acme";
const TIME_MS: u64 = 1_795_000_000_000;

fn key(seed: u8) -> SoftwareKey {
    SoftwareKey::from_seed(&[seed; 32])
}

fn public(seed: u8) -> PublicKey {
    key(seed).public_key()
}

fn device_id() -> String {
    format!("d_{}", "1".repeat(32))
}

fn person_id() -> String {
    format!("p_{}", "2".repeat(32))
}

fn posture() -> Posture {
    let field = |value: &str, source: &str, evidence| PostureValue {
        age_ms: 1200,
        evidence,
        source: source.into(),
        value: value.into(),
    };
    Posture(BTreeMap::from([
        ("disk_encryption".into(), field("on", "sysfs", 3)),
        (
            "endpoint_protection".into(),
            field("unknown", "no product found", 0),
        ),
        ("os".into(), field("debian 12", "os-release", 1)),
    ]))
}

fn chained(body: Body, seq: u64, sd: Vec<String>) -> Payload {
    let link = Link {
        device: device_id(),
        chain: public(2).kid(),
        seq,
        prev: (seq > 0).then_some(Sha256([7; 32])),
    };
    let context = Context {
        agent: Some(Agent {
            name: "claude-code".into(),
            sha256: Some(Sha256([8; 32])),
            version: Some("2.1.330".into()),
        }),
        beacon: Some(Beacon {
            root: Sha256([9; 32]),
            size: 12,
        }),
        isolation: Some(Isolation::SelfAsserted),
        person: Some(person_id()),
        policy: Some(5),
        policy_age_ms: None,
        posture: Some(posture()),
        protection: Some(KeyProtection::Software),
        redactions: Vec::new(),
        roster: Some(4),
        session: Some("6a805ccc-9643-469b-9cf2-125ad8c1965b".into()),
        teams: vec!["infrastructure".into()],
    };
    Payload {
        log: LOG.into(),
        time_ms: TIME_MS,
        link: Some(link),
        context,
        body,
        approvals: Vec::new(),
        sd,
        ext: None,
    }
}

fn administrative(body: Body) -> Payload {
    Payload {
        log: LOG.into(),
        time_ms: TIME_MS,
        link: None,
        context: Context::default(),
        body,
        approvals: Vec::new(),
        sd: Vec::new(),
        ext: None,
    }
}

fn rule(id: &str, effect: Effect, rank: Rank) -> RuleRef {
    RuleRef {
        effect,
        id: id.into(),
        rank,
    }
}

fn golden(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/golden")
        .join(name);
    if !path.exists() && std::env::var_os("CAIRN_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, bytes).unwrap();
    }
    let kept = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(kept == bytes, "{name} differs from its golden bytes");
}

fn check(payload: &Payload, signer: &SoftwareKey) {
    check_as(payload.body.kind(), payload, signer);
}

fn check_as(name: &str, payload: &Payload, signer: &SoftwareKey) {
    let frozen = freeze(payload, signer).unwrap();
    let entry = Entry::parse(frozen.entry.as_bytes()).unwrap();
    entry.verify(&signer.public_key()).unwrap();
    assert_eq!(entry.payload(), payload);
    assert_eq!(entry.leaf(), frozen.leaf);
    golden(&format!("{name}.entry"), frozen.entry.as_bytes());
    golden(
        &format!("{name}.payload.json"),
        &payload.to_bytes().unwrap(),
    );
}

fn device_bodies() -> Vec<Body> {
    let pop = key(2)
        .sign(&possession_message(&device_id(), &public(2).kid(), LOG))
        .unwrap();
    vec![
        Body::ChainStart(ChainStart {
            daemon_version: "0.1.0".into(),
            daemon_sha256: Sha256([10; 32]),
            key: public(2),
            pop: to_base64url(&pop),
            previous: Some(PreviousChain {
                chain: public(9).kid(),
                head: Sha256([11; 32]),
                seq: 41,
            }),
        }),
        Body::ChainHead(ChainHead {}),
        Body::ChainEnd(ChainEnd {
            reason: "shutdown".into(),
        }),
    ]
}

fn chain_bodies() -> Vec<Body> {
    vec![
        Body::SessionStart(SessionStart {
            adoption: "wrapper".into(),
            source: "startup".into(),
        }),
        Body::SessionEnd(SessionEnd {
            reason: "other".into(),
        }),
        Body::SessionRefused(SessionRefused {
            gate: "disk-encrypted".into(),
        }),
        Body::Prompt(Prompt {
            bytes: 31,
            prompt_id: Some("b4c1".into()),
        }),
        Body::ToolOutcome(ToolOutcome {
            duration_ms: Some(17),
            state: OutcomeState::Ran,
            tool: "Bash".into(),
            use_id: "toolu_01".into(),
        }),
        Body::McpSeen(McpSeen {
            effect: Effect::Deny,
            fingerprint: Sha256([12; 32]),
            mode: None,
            name: "files".into(),
            rule: None,
            source: "project".into(),
            transport: "stdio".into(),
        }),
        Body::PostureChanged(PostureChanged {
            after: Sha256([13; 32]),
            before: Sha256([14; 32]),
            fields: vec!["disk_encryption".into()],
        }),
        Body::PolicyActivated(PolicyActivated {
            bundle: Sha256([15; 32]),
            version: 3,
        }),
        Body::Heartbeat(Heartbeat {
            sessions: 1,
            spool_bytes: 2048,
            spool_records: 2,
        }),
        Body::Gap(Gap {
            chain: public(2).kid(),
            count: None,
            from: 3,
            reason: "spool-damaged".into(),
            to: 4,
        }),
        Body::TurnEnd(TurnEnd {
            prompt_id: Some("b4c1".into()),
            state: OutcomeState::Ran,
            subagent: Some("aeb5e543fd39bbf20".into()),
            subagent_type: Some("general-purpose".into()),
        }),
    ]
}

#[test]
fn chained_entries_keep_their_bytes() {
    for (place, body) in device_bodies().into_iter().enumerate() {
        check(&chained(body, place as u64, Vec::new()), &key(1));
    }
    for (place, body) in chain_bodies().into_iter().enumerate() {
        check(&chained(body, place as u64 + 3, Vec::new()), &key(2));
    }
}

#[test]
fn a_decision_and_its_frame_keep_their_bytes() {
    let request = json!({
        "cwd": "/home/ann/app", "tool": "Bash", "input": { "command": "kubectl get pods" }
    });
    let disclosures = [
        Disclosure::new([0x10; 16], names::REQUEST, request).unwrap(),
        Disclosure::new([0x11; 16], names::EMAIL, json!("ann@example.com")).unwrap(),
        Disclosure::new(
            [0x12; 16],
            names::OS_USER,
            json!({ "name": "ann", "uid": 1000 }),
        )
        .unwrap(),
    ];
    let mut sd: Vec<String> = disclosures.iter().map(Disclosure::digest).collect();
    sd.sort();
    let decision = ToolDecision {
        class: ActionClass::Exec,
        effect: Effect::Allow,
        latency_us: 180,
        lost: vec![rule("kubectl-global", Effect::Deny, Rank::Global)],
        mcp: None,
        mode: DecisionMode::Enforce,
        rule: Some(rule("kubectl-infra", Effect::Allow, Rank::Team)),
        semantics: 1,
        subagent: None,
        tool: "Bash".into(),
        use_id: "toolu_01".into(),
        why: "rule".into(),
    };
    let payload = chained(Body::ToolDecision(decision), 5, sd);
    check(&payload, &key(2));

    let frozen = freeze(&payload, &key(2)).unwrap();
    let line = present(&frozen.entry, disclosures.iter().map(Disclosure::encoded));
    golden("tool.decision.frame", line.as_bytes());
    let frame = Frame::parse(&line).unwrap();
    assert_eq!(
        frame.disclosed(names::EMAIL),
        Some(&json!("ann@example.com"))
    );
}

#[test]
fn administrative_entries_keep_their_bytes() {
    let genesis = Genesis {
        administrators: Administrators {
            keys: vec![public(3), public(4)],
            threshold: 2,
        },
        delegations: vec![Delegation {
            key: public(5),
            label: "authority".into(),
            may: vec![
                Right::AdmitDevice,
                Right::EnrolDeveloper,
                Right::RecordActions,
            ],
        }],
        log_key: "log.example.com/acme+00000000+AQ==".into(),
        observer: public(6),
        organisation: "Acme".into(),
    };
    let roster = RosterStatement {
        changes: vec![
            RosterChange::AddTeam {
                name: "Infrastructure".into(),
                team: "infrastructure".into(),
            },
            RosterChange::AddPerson {
                person: person_id(),
                roles: vec![PersonRole::Developer],
                teams: vec!["infrastructure".into()],
            },
            RosterChange::AdmitDevice {
                device: device_id(),
                isolation: Isolation::SelfAsserted,
                key: public(1),
                methods: vec!["email-otp".into()],
                person: person_id(),
                protection: KeyProtection::Software,
            },
        ],
        revision: 1,
    };
    let policy = PolicyStatement {
        bundle: Sha256([15; 32]),
        bytes: 1234,
        revision: 1,
        version: 3,
    };
    for body in [
        Body::Genesis(genesis),
        Body::Roster(roster),
        Body::Policy(policy),
    ] {
        let mut payload = administrative(body);
        payload.approvals = vec![approve(&payload, &key(4)).unwrap()];
        assert!(payload.approvals[0].is_valid(&payload, &public(4)));
        assert!(!payload.approvals[0].is_valid(&payload, &public(3)));
        check(&payload, &key(3));
    }
}

#[test]
fn recorded_actions_keep_their_bytes() {
    let erasure = Erasure {
        digests: vec!["uutlBuYeMDyjLLTpf6Jxi7yNkEF35jdyWMn9U7b_RYY".into()],
        index: 9,
        leaf: Sha256([16; 32]),
        ordered_by: person_id(),
        reason: "request of the person".into(),
    };
    let action = AdminAction {
        action: "disclosure.read".into(),
        object: "9".into(),
        person: person_id(),
    };
    check(&administrative(Body::Erasure(erasure)), &key(5));
    check(&administrative(Body::AdminAction(action)), &key(5));
    let mut range = administrative(Body::AdminAction(AdminAction {
        action: "disclosure.read".into(),
        object: "range:0-512".into(),
        person: person_id(),
    }));
    range.ext = Some(json!({ "reading": { "disclosures": 40, "purpose": "evidence pack" } }));
    check_as("admin.action.range", &range, &key(5));
    let fork = Fork {
        chain: public(2).kid(),
        admitted: Sha256([17; 32]),
        admitted_entry: None,
        refused_entry: Some("e30.e30.AA".into()),
        refused: Sha256([18; 32]),
        seq: 5,
    };
    let gap = ObservedGap {
        chain: public(2).kid(),
        from: 6,
        shown_by: "next-chain-names-later-head".into(),
        to: 7,
    };
    check(&administrative(Body::Fork(fork)), &key(6));
    check(&administrative(Body::ObservedGap(gap)), &key(6));
}

#[test]
fn a_pruning_keeps_its_bytes() {
    let prune = LogPrune {
        days: 365,
        from: 256,
        kept: Sha256([22; 32]),
        reason: "a year is what we promise".into(),
        to: 1024,
    };
    let mut payload = administrative(Body::LogPrune(prune));
    payload.approvals = vec![approve(&payload, &key(4)).unwrap()];
    check(&payload, &key(3));
}

#[test]
fn the_end_of_a_log_and_its_successor_keep_their_bytes() {
    let close = LogClose {
        reason: "a new log key".into(),
        successor: Some("log.example.com/acme-2+00000000+AQ==".into()),
    };
    let mut payload = administrative(Body::LogClose(close));
    payload.approvals = vec![approve(&payload, &key(4)).unwrap()];
    check(&payload, &key(3));
    let named = Predecessor {
        closing: Sha256([19; 32]),
        genesis: Sha256([20; 32]),
        log_key: "log.example.com/acme+00000000+AQ==".into(),
        origin: LOG.into(),
        root: Sha256([21; 32]),
        size: 262,
    };
    let mut payload = administrative(Body::Genesis(Genesis {
        administrators: Administrators {
            keys: vec![public(3)],
            threshold: 1,
        },
        delegations: vec![],
        log_key: "log.example.com/acme-2+00000000+AQ==".into(),
        observer: public(6),
        organisation: "Acme".into(),
    }));
    payload.log = "log.example.com/acme-2".into();
    payload.ext = Some(json!({ "succeeds": named }));
    check_as("genesis.succeeds", &payload, &key(3));
    assert_eq!(Predecessor::of(&payload).unwrap().unwrap(), named);
}

#[test]
fn every_type_has_golden_bytes() {
    for kind in KINDS {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("testdata/golden")
            .join(format!("{kind}.entry"));
        assert!(path.exists(), "{kind} has no golden entry");
    }
}
