//! The ledger admits what the organisation's keys and chains allow, and nothing else.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and helpers of tests are not recognised as tests"
)]

use cairn_event::administrative::*;
use cairn_event::approval::approve;
use cairn_event::body::*;
use cairn_event::encoding::to_base64url;
use cairn_event::payload::possession_message;
use cairn_event::*;
use cairn_identity::{Flag, Ledger, Refusal};

const LOG: &str = "log.example.com";
const ADMIN_A: u8 = 3;
const ADMIN_B: u8 = 4;
const AUTHORITY: u8 = 5;
const OBSERVER: u8 = 6;
const DEVICE: u8 = 1;
const CHAIN: u8 = 2;

fn key(seed: u8) -> SoftwareKey {
    SoftwareKey::from_seed(&[seed; 32])
}

fn public(seed: u8) -> PublicKey {
    key(seed).public_key()
}

fn device(n: u8) -> String {
    format!("d_{n:032x}")
}

fn person(n: u8) -> String {
    format!("p_{n:032x}")
}

fn payload(body: Body, link: Option<Link>) -> Payload {
    Payload {
        log: LOG.into(),
        time_ms: 1,
        link,
        context: Context::default(),
        body,
        approvals: vec![],
        sd: vec![],
        ext: None,
    }
}

fn entry(payload: &Payload, signer: u8) -> Entry {
    let frozen = freeze(payload, &key(signer)).unwrap();
    Entry::parse(frozen.entry.as_bytes()).unwrap()
}

fn approved(body: Body, signer: u8, others: &[u8]) -> Entry {
    let mut payload = payload(body, None);
    let approvals = others
        .iter()
        .map(|other| approve(&payload, &key(*other)).unwrap())
        .collect();
    payload.approvals = approvals;
    entry(&payload, signer)
}

fn genesis(threshold: u32) -> Body {
    let keys = vec![public(ADMIN_A), public(ADMIN_B)];
    Body::Genesis(Genesis {
        administrators: Administrators { keys, threshold },
        delegations: vec![Delegation {
            key: public(AUTHORITY),
            label: "authority".into(),
            may: vec![
                Right::AdmitDevice,
                Right::EnrolDeveloper,
                Right::RecordActions,
            ],
        }],
        log_key: "k".into(),
        observer: public(OBSERVER),
        organisation: "Acme".into(),
    })
}

fn roster(revision: u64, changes: Vec<RosterChange>) -> Body {
    Body::Roster(RosterStatement { changes, revision })
}

fn team(name: &str) -> RosterChange {
    RosterChange::AddTeam {
        name: name.into(),
        team: name.into(),
    }
}

fn policy(revision: u64, version: u64) -> Body {
    Body::Policy(PolicyStatement {
        bundle: Sha256([1; 32]),
        bytes: 1,
        revision,
        version,
    })
}

fn add_person(n: u8, roles: &[PersonRole], teams: &[&str]) -> RosterChange {
    let teams = teams.iter().map(|team| (*team).to_owned()).collect();
    RosterChange::AddPerson {
        person: person(n),
        roles: roles.to_vec(),
        teams,
    }
}

fn admit_device(n: u8, owner: u8) -> RosterChange {
    RosterChange::AdmitDevice {
        device: device(n),
        isolation: Isolation::SelfAsserted,
        key: public(DEVICE),
        methods: vec!["email-otp".into()],
        person: person(owner),
        protection: KeyProtection::Software,
    }
}

/// Does what the server does: finds the key, verifies, admits, applies.
fn submit(ledger: &mut Ledger, entry: &Entry) -> Result<Vec<Flag>, Refusal> {
    let key = ledger.key_for(entry, &[])?;
    entry.verify(&key)?;
    let admission = ledger.admit(entry)?;
    let flags = admission.flags.clone();
    ledger.apply(entry, admission);
    Ok(flags)
}

fn organisation() -> Ledger {
    let mut ledger = Ledger::new(LOG);
    submit(&mut ledger, &approved(genesis(1), ADMIN_A, &[])).unwrap();
    let changes = vec![
        add_person(1, &[PersonRole::Developer], &[]),
        admit_device(1, 1),
    ];
    submit(&mut ledger, &approved(roster(1, changes), AUTHORITY, &[])).unwrap();
    ledger
}

fn chain_start(chain: u8, holder: u8, previous: Option<PreviousChain>) -> Entry {
    let kid = public(chain).kid();
    let pop = key(holder)
        .sign(&possession_message(&device(1), &kid, LOG))
        .unwrap();
    let body = Body::ChainStart(ChainStart {
        daemon_version: "0.1.0".into(),
        daemon_sha256: Sha256([1; 32]),
        key: public(chain),
        pop: to_base64url(&pop),
        previous,
    });
    let link = Link {
        device: device(1),
        chain: kid,
        seq: 0,
        prev: None,
    };
    entry(&payload(body, Some(link)), DEVICE)
}

fn next(body: Body, seq: u64, prev: Sha256, signer: u8) -> Entry {
    let link = Link {
        device: device(1),
        chain: public(CHAIN).kid(),
        seq,
        prev: Some(prev),
    };
    entry(&payload(body, Some(link)), signer)
}

fn beat(n: u64) -> Body {
    Body::Heartbeat(Heartbeat {
        sessions: n,
        spool_bytes: 0,
        spool_records: 0,
    })
}

#[test]
fn genesis_needs_its_own_threshold_and_comes_first() {
    let mut ledger = Ledger::new(LOG);
    let early = submit(
        &mut ledger,
        &approved(roster(1, vec![team("a")]), ADMIN_A, &[]),
    );
    assert!(matches!(early, Err(Refusal::Genesis(_))));
    let below = Refusal::BelowThreshold {
        kind: "genesis",
        have: 1,
        need: 2,
    };
    let alone = submit(&mut ledger, &approved(genesis(2), ADMIN_A, &[]));
    assert_eq!(alone, Err(below));
    let twice = submit(&mut ledger, &approved(genesis(2), ADMIN_A, &[ADMIN_A]));
    assert_eq!(twice, Err(Refusal::BadApproval(public(ADMIN_A).kid())));
    let foreign = submit(&mut ledger, &approved(genesis(2), ADMIN_A, &[9]));
    assert_eq!(foreign, Err(Refusal::BadApproval(public(9).kid())));
    let stranger = submit(&mut ledger, &approved(genesis(1), 9, &[]));
    assert!(matches!(stranger, Err(Refusal::NotAuthorised { .. })));
    let entry = approved(genesis(2), ADMIN_A, &[ADMIN_B]);
    submit(&mut ledger, &entry).unwrap();
    assert_eq!(ledger.genesis_leaf(), Some(entry.leaf()));
    let again = submit(&mut ledger, &approved(genesis(1), ADMIN_A, &[]));
    assert!(matches!(again, Err(Refusal::Genesis(_))));
}

#[test]
fn delegations_do_only_what_they_may() {
    let mut ledger = organisation();
    let admin = roster(2, vec![add_person(2, &[PersonRole::Admin], &[])]);
    for body in [admin.clone(), policy(1, 1)] {
        let refused = submit(&mut ledger, &approved(body, AUTHORITY, &[]));
        assert!(matches!(refused, Err(Refusal::NotAuthorised { .. })));
    }
    submit(&mut ledger, &approved(admin, ADMIN_B, &[])).unwrap();
    submit(&mut ledger, &approved(policy(1, 1), ADMIN_A, &[])).unwrap();
    assert_eq!(ledger.policy().unwrap().index, 3);
    let gap = Body::ObservedGap(ObservedGap {
        chain: public(CHAIN).kid(),
        from: 1,
        shown_by: "x".into(),
        to: 2,
    });
    let refused = submit(&mut ledger, &approved(gap.clone(), ADMIN_A, &[]));
    assert!(matches!(refused, Err(Refusal::NotAuthorised { .. })));
    submit(&mut ledger, &approved(gap, OBSERVER, &[])).unwrap();
}

#[test]
fn revisions_and_versions_only_go_forward() {
    let mut ledger = organisation();
    let skipped = submit(
        &mut ledger,
        &approved(roster(3, vec![team("a")]), ADMIN_A, &[]),
    );
    let expected = Refusal::OutOfOrder {
        kind: "roster",
        what: "revision",
        got: 3,
        expected: 2,
    };
    assert_eq!(skipped, Err(expected));
    submit(&mut ledger, &approved(policy(1, 7), ADMIN_A, &[])).unwrap();
    let back = submit(&mut ledger, &approved(policy(2, 7), ADMIN_A, &[]));
    assert!(matches!(
        back,
        Err(Refusal::OutOfOrder {
            what: "version",
            ..
        })
    ));
}

#[test]
fn roster_changes_apply_whole_or_not_at_all() {
    let mut ledger = organisation();
    let add_team = RosterChange::AddTeam {
        name: "Infra".into(),
        team: "infra".into(),
    };
    let half = roster(2, vec![add_team.clone(), add_person(2, &[], &["other"])]);
    let refused = submit(&mut ledger, &approved(half, ADMIN_A, &[]));
    assert!(matches!(
        refused,
        Err(Refusal::RosterChange { position: 1, .. })
    ));
    assert!(ledger.roster().teams.is_empty());
    let whole = roster(
        2,
        vec![
            add_team,
            add_person(2, &[PersonRole::Developer], &["infra"]),
        ],
    );
    submit(&mut ledger, &approved(whole, ADMIN_A, &[])).unwrap();
    let roles = vec![PersonRole::Developer];
    let update = RosterChange::UpdatePerson {
        person: person(2),
        roles,
        teams: vec![],
    };
    submit(
        &mut ledger,
        &approved(roster(3, vec![update]), ADMIN_A, &[]),
    )
    .unwrap();
    let member = &ledger.roster().people[&person(2)];
    assert_eq!(member.membership_at(2).unwrap().teams, ["infra"]);
    assert!(member.membership_at(3).unwrap().teams.is_empty());
    assert!(member.membership_at(1).is_none());
    let same_key = roster(4, vec![admit_device(2, 2)]);
    let refused = submit(&mut ledger, &approved(same_key, AUTHORITY, &[]));
    assert!(matches!(
        refused,
        Err(Refusal::RosterChange { position: 0, .. })
    ));
}

#[test]
fn forks_and_gaps_are_seen() {
    let mut ledger = organisation();
    let chain = public(CHAIN).kid();
    let start = chain_start(CHAIN, CHAIN, None);
    submit(&mut ledger, &start).unwrap();
    let one = next(beat(1), 1, start.leaf(), CHAIN);
    submit(&mut ledger, &one).unwrap();
    let fork = submit(&mut ledger, &next(beat(9), 1, start.leaf(), CHAIN));
    assert_eq!(
        fork,
        Err(Refusal::Fork {
            chain: chain.clone(),
            seq: 1
        })
    );
    let skipped = submit(&mut ledger, &next(beat(3), 4, one.leaf(), CHAIN));
    let expected = Refusal::MissingBefore {
        chain: chain.clone(),
        expected: 2,
        got: 4,
    };
    assert_eq!(skipped, Err(expected));
    let broken = submit(&mut ledger, &next(beat(2), 2, Sha256([9; 32]), CHAIN));
    assert!(matches!(broken, Err(Refusal::BrokenLink { seq: 2, .. })));
    let reason = "spool-damaged".to_owned();
    let gap = Body::Gap(Gap {
        chain: chain.clone(),
        count: None,
        from: 2,
        reason,
        to: 3,
    });
    let declared = next(gap, 4, Sha256([9; 32]), CHAIN);
    let flags = submit(&mut ledger, &declared).unwrap();
    assert_eq!(
        flags,
        [Flag::Missing {
            chain: chain.clone(),
            from: 2,
            to: 3
        }]
    );
    // What the chain gave up is no fork when it comes; the places around it are.
    for (seq, inside) in [(1, false), (2, true), (3, true), (4, false)] {
        let refused = submit(&mut ledger, &next(beat(77), seq, one.leaf(), CHAIN)).err();
        let code = refused.map(|refused| refused.code());
        let expected = if inside {
            "chain-gap-declared"
        } else {
            "chain-fork"
        };
        assert_eq!(code, Some(expected), "seq {seq}");
    }
    let end = Body::ChainEnd(ChainEnd {
        reason: "shutdown".into(),
    });
    let end = next(end, 5, declared.leaf(), DEVICE);
    submit(&mut ledger, &end).unwrap();
    let after = submit(&mut ledger, &next(beat(5), 6, end.leaf(), CHAIN));
    assert_eq!(after, Err(Refusal::ChainEnded(chain.clone())));
    assert_eq!(ledger.chain(&chain).unwrap().anchored_seq, 5);
}

#[test]
fn a_chain_certificate_proves_possession_by_the_device() {
    let mut ledger = organisation();
    let refused = submit(&mut ledger, &chain_start(CHAIN, 9, None));
    assert_eq!(
        refused,
        Err(Refusal::ChainStart("the proof of possession is not valid"))
    );
    let start = chain_start(CHAIN, CHAIN, None);
    submit(&mut ledger, &start).unwrap();
    let by_chain_key = next(Body::ChainHead(ChainHead {}), 1, start.leaf(), CHAIN);
    let refused = submit(&mut ledger, &by_chain_key);
    assert!(matches!(
        refused,
        Err(Refusal::Entry(EntryError::OtherKey { .. }))
    ));
    let dropped = submit(&mut ledger, &chain_start(7, 7, None)).unwrap();
    assert_eq!(dropped, [Flag::HistoryDropped]);
    let previous = PreviousChain {
        chain: public(7).kid(),
        head: Sha256([1; 32]),
        seq: 5,
    };
    let missing = submit(&mut ledger, &chain_start(8, 8, Some(previous))).unwrap();
    assert_eq!(
        missing,
        [Flag::Missing {
            chain: public(7).kid(),
            from: 1,
            to: 5
        }]
    );
}

#[test]
fn revoked_devices_start_no_chain_and_their_entries_are_flagged() {
    let mut ledger = organisation();
    let start = chain_start(CHAIN, CHAIN, None);
    submit(&mut ledger, &start).unwrap();
    let revoke = RosterChange::RevokeDevice {
        device: device(1),
        reason: "lost".into(),
    };
    submit(
        &mut ledger,
        &approved(roster(2, vec![revoke]), ADMIN_A, &[]),
    )
    .unwrap();
    let late = submit(&mut ledger, &next(beat(1), 1, start.leaf(), CHAIN)).unwrap();
    assert_eq!(late, [Flag::DeviceRevoked]);
    let refused = submit(&mut ledger, &chain_start(7, 7, None));
    assert_eq!(
        refused,
        Err(Refusal::RevokedDevice {
            device: device(1),
            index: 3
        })
    );
}

#[test]
fn claims_that_the_roster_contradicts_are_refused() {
    let mut ledger = organisation();
    let start = chain_start(CHAIN, CHAIN, None);
    submit(&mut ledger, &start).unwrap();
    let claim = |edit: fn(&mut Context)| {
        let chain = public(CHAIN).kid();
        let link = Link {
            device: device(1),
            chain,
            seq: 1,
            prev: Some(start.leaf()),
        };
        let mut claimed = payload(beat(1), Some(link));
        edit(&mut claimed.context);
        entry(&claimed, CHAIN)
    };
    for (member, entry) in [
        (
            "person",
            claim(|context| context.person = Some("p_other".into())),
        ),
        (
            "protection",
            claim(|context| context.protection = Some(KeyProtection::TpmAttested)),
        ),
        (
            "isolation",
            claim(|context| context.isolation = Some(Isolation::SeparateUser)),
        ),
    ] {
        let refused = submit(&mut ledger, &entry);
        assert!(matches!(refused, Err(Refusal::Contradiction { member: m, .. }) if m == member));
    }
    let no_roster = submit(&mut ledger, &claim(|context| context.roster = Some(0)));
    assert_eq!(
        no_roster,
        Err(Refusal::NoSuchBasis {
            what: "roster",
            index: 0
        })
    );
    submit(&mut ledger, &claim(|context| context.roster = Some(1))).unwrap();
}

#[test]
fn entries_for_another_log_or_an_unknown_chain_are_refused() {
    let mut ledger = organisation();
    let mut other = payload(roster(2, vec![]), None);
    other.log = "other.example.com".into();
    let refused = submit(&mut ledger, &entry(&other, ADMIN_A));
    assert!(matches!(refused, Err(Refusal::OtherLog { .. })));
    let orphan = submit(&mut ledger, &next(beat(1), 1, Sha256([1; 32]), CHAIN));
    assert_eq!(orphan, Err(Refusal::UnknownChain(public(CHAIN).kid())));
    assert!(orphan.unwrap_err().may_pass_later());
}

#[test]
fn every_entry_that_a_kept_ledger_is_made_from_is_known_by_its_index() {
    let mut ledger = Ledger::new(LOG);
    submit(&mut ledger, &approved(genesis(2), ADMIN_A, &[ADMIN_B])).unwrap();
    ledger.count_to(300);
    let order = Body::LogPrune(LogPrune {
        days: 400,
        from: 0,
        kept: Sha256([7; 32]),
        reason: "the retention period is over".into(),
        to: LogPrune::STEP,
    });
    submit(&mut ledger, &approved(order, ADMIN_A, &[ADMIN_B])).unwrap();
    submit(&mut ledger, &approved(close(), ADMIN_A, &[ADMIN_B])).unwrap();
    let listed = ledger.administrative_entries();
    assert_eq!(listed, [0, 300, 301]);
    let known = (0..ledger.size()).filter(|index| ledger.is_administrative(*index));
    assert_eq!(known.collect::<Vec<u64>>(), listed);
}

fn close() -> Body {
    Body::LogClose(LogClose {
        reason: "a new log key".into(),
        successor: None,
    })
}

#[test]
fn only_administrators_close_a_log_and_nothing_is_admitted_after_it() {
    let mut ledger = Ledger::new(LOG);
    submit(&mut ledger, &approved(genesis(2), ADMIN_A, &[ADMIN_B])).unwrap();
    let refused = ledger.admit(&entry(&payload(close(), None), AUTHORITY));
    assert!(matches!(refused, Err(Refusal::NotAuthorised { .. })));
    let refused = ledger.admit(&approved(close(), ADMIN_A, &[]));
    assert!(matches!(refused, Err(Refusal::BelowThreshold { .. })));
    let closed = approved(close(), ADMIN_A, &[ADMIN_B]);
    submit(&mut ledger, &closed).unwrap();
    assert_eq!(ledger.closed_at(), Some(1));
    assert_eq!(ledger.administrative_entries(), [0, 1]);
    let gap = Body::ObservedGap(ObservedGap {
        chain: public(CHAIN).kid(),
        from: 1,
        shown_by: "x".into(),
        to: 2,
    });
    let after = [
        approved(close(), ADMIN_B, &[ADMIN_A]),
        approved(roster(1, vec![team("x")]), ADMIN_A, &[ADMIN_B]),
        entry(&payload(gap, None), OBSERVER),
    ];
    for entry in after {
        let refused = ledger.admit(&entry);
        assert_eq!(refused, Err(Refusal::LogClosed { index: 1 }));
    }
    // What could pass later in an open log never will.
    let unknown = chain_start(CHAIN, DEVICE, None);
    let refused = ledger.key_for(&unknown, &[]);
    assert_eq!(refused, Err(Refusal::LogClosed { index: 1 }));
    assert!(!Refusal::LogClosed { index: 1 }.may_pass_later());
}
