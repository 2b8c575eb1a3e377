//! What a device's chain starts say about its earlier chains, who may contest a place, and what an
//! entry may carry without anybody having agreed to it.

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
const ADMIN: u8 = 3;
const OTHER_ADMINS: [u8; 2] = [4, 7];
const AUTHORITY: u8 = 5;
const OBSERVER: u8 = 6;

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

fn signed(body: Body, signer: u8) -> Entry {
    entry(&payload(body, None), signer)
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

fn genesis(threshold: u32) -> Body {
    let keys = [ADMIN, OTHER_ADMINS[0], OTHER_ADMINS[1]].map(public);
    Body::Genesis(Genesis {
        administrators: Administrators {
            keys: keys.to_vec(),
            threshold,
        },
        delegations: vec![Delegation {
            key: public(AUTHORITY),
            label: "authority".into(),
            may: vec![
                Right::AdmitDevice,
                Right::EnrolDeveloper,
                Right::RevokeDevice,
            ],
        }],
        log_key: "k".into(),
        observer: public(OBSERVER),
        organisation: "Acme".into(),
    })
}

fn admit(n: u8, protection: KeyProtection, isolation: Isolation) -> RosterChange {
    RosterChange::AdmitDevice {
        device: device(n),
        isolation,
        key: public(100 + n),
        methods: vec!["email-otp".into()],
        person: person(1),
        protection,
    }
}

fn roster(revision: u64, changes: Vec<RosterChange>) -> Body {
    Body::Roster(RosterStatement { changes, revision })
}

/// Genesis at 0; at 1 a team, its member, an administrator by role, and two devices.
fn organisation() -> Ledger {
    let mut ledger = Ledger::new(LOG);
    submit(&mut ledger, &signed(genesis(1), ADMIN)).unwrap();
    let plain = (KeyProtection::Software, Isolation::SelfAsserted);
    let changes = vec![
        RosterChange::AddTeam {
            name: "Infra".into(),
            team: "infra".into(),
        },
        RosterChange::AddPerson {
            person: person(1),
            roles: vec![PersonRole::Admin],
            teams: vec!["infra".into()],
        },
        admit(1, plain.0, plain.1),
        admit(2, plain.0, plain.1),
    ];
    submit(&mut ledger, &signed(roster(1, changes), ADMIN)).unwrap();
    ledger
}

struct Start {
    chain: u8,
    device: u8,
    seq: u64,
    pop_by: u8,
    previous: Option<PreviousChain>,
}

impl Start {
    fn of(chain: u8) -> Self {
        Self {
            chain,
            device: 1,
            seq: 0,
            pop_by: chain,
            previous: None,
        }
    }

    fn after(chain: u8, before: u8, seq: u64, head: Sha256) -> Self {
        let previous = PreviousChain {
            chain: public(before).kid(),
            head,
            seq,
        };
        Self {
            previous: Some(previous),
            ..Self::of(chain)
        }
    }

    fn entry(&self, version: &str) -> Entry {
        let chain = public(self.chain).kid();
        let message = possession_message(&device(self.device), &chain, LOG);
        let body = Body::ChainStart(ChainStart {
            daemon_version: version.into(),
            daemon_sha256: Sha256([1; 32]),
            key: public(self.chain),
            pop: to_base64url(&key(self.pop_by).sign(&message).unwrap()),
            previous: self.previous.clone(),
        });
        let link = Link {
            device: device(self.device),
            chain,
            seq: self.seq,
            prev: (self.seq > 0).then_some(Sha256([1; 32])),
        };
        entry(&payload(body, Some(link)), 100 + self.device)
    }
}

fn at(chain: u8, seq: u64, prev: Sha256) -> Payload {
    let link = Link {
        device: device(1),
        chain: public(chain).kid(),
        seq,
        prev: Some(prev),
    };
    let body = Body::Heartbeat(Heartbeat {
        sessions: 0,
        spool_bytes: 0,
        spool_records: 0,
    });
    payload(body, Some(link))
}

/// A chain of three entries; gives the leaf hashes.
fn chain_of_three(ledger: &mut Ledger, chain: u8) -> [Sha256; 3] {
    let start = Start::of(chain).entry("1");
    let one = entry(&at(chain, 1, start.leaf()), chain);
    let two = entry(&at(chain, 2, one.leaf()), chain);
    for each in [&start, &one, &two] {
        submit(ledger, each).unwrap();
    }
    [start.leaf(), one.leaf(), two.leaf()]
}

#[test]
fn a_start_is_judged_by_where_the_devices_history_ends() {
    let missing = |chain: u8, from, to| {
        let chain = public(chain).kid();
        vec![Flag::Missing { chain, from, to }]
    };
    let never_seen = Start::after(21, 99, 4, Sha256([1; 32])).entry("1");
    let flags = submit(&mut organisation(), &never_seen).unwrap();
    assert_eq!(flags, missing(99, 0, 4), "a history the log never saw");
    assert_eq!(
        submit(&mut organisation(), &Start::of(20).entry("1")),
        Ok(vec![])
    );

    let mut ledger = organisation();
    let [_, one, two] = chain_of_three(&mut ledger, 20);
    for (start, flags) in [
        (Start::after(21, 20, 2, two), vec![]),
        (Start::of(21), vec![Flag::HistoryDropped]),
        (Start::after(21, 99, 2, two), vec![Flag::HistoryDropped]),
        (Start::after(21, 20, 3, two), missing(20, 3, 3)),
        (Start::after(21, 20, 1, one), vec![Flag::HistoryRewritten]),
        (Start::after(21, 20, 2, one), vec![Flag::HistoryRewritten]),
    ] {
        let judged = submit(&mut ledger.clone(), &start.entry("1"));
        assert_eq!(judged, Ok(flags), "{:?}", start.previous);
    }
}

#[test]
fn an_entry_of_an_older_chain_does_not_make_it_the_latest() {
    let mut ledger = organisation();
    let [_, _, two] = chain_of_three(&mut ledger, 20);
    let second = Start::after(21, 20, 2, two).entry("1");
    submit(&mut ledger, &second).unwrap();
    submit(&mut ledger, &entry(&at(20, 3, two), 20)).unwrap();
    let third = Start::after(22, 21, 0, second.leaf()).entry("1");
    assert_eq!(submit(&mut ledger, &third), Ok(vec![]));
}

#[test]
fn a_chain_that_was_let_go_is_not_missed_in_silence_and_is_judged_as_before_when_it_is_back() {
    let mut ledger = organisation();
    let [_, one, two] = chain_of_three(&mut ledger, 20);
    let second = Start::after(21, 20, 2, two).entry("1");
    submit(&mut ledger, &second).unwrap();
    let whole = ledger.clone();
    let old = ledger.take_cold(1);
    assert_eq!(old.len(), 1);
    assert_eq!(old.first().unwrap().chain, public(20).kid());
    assert!(
        ledger.chain(&public(21).kid()).is_some(),
        "it was used last"
    );
    let newest = ledger.take_cold(0);
    assert_eq!(ledger.held_chains(), 0);

    let away: Vec<_> = old.into_iter().chain(newest).collect();
    let find = |chain: &Kid| Ok::<_, Refusal>(away.iter().find(|one| one.chain == *chain).cloned());
    for judged in [
        entry(&at(20, 3, two), 20),
        entry(&at(20, 1, one), 20),
        entry(&at(20, 9, two), 20),
        entry(&at(21, 1, second.leaf()), 21),
        Start::of(20).entry("2"),
        Start::of(22).entry("1"),
        Start::after(22, 21, 0, second.leaf()).entry("1"),
        Start::after(22, 20, 2, two).entry("1"),
        entry(&at(99, 1, two), 99),
    ] {
        let unprepared = submit(&mut ledger.clone(), &judged);
        assert!(
            matches!(unprepared, Err(Refusal::ChainAway(_))),
            "{unprepared:?}"
        );
        let mut prepared = ledger.clone();
        prepared.recall_for([&judged], find).unwrap();
        assert_eq!(
            submit(&mut prepared, &judged),
            submit(&mut whole.clone(), &judged)
        );
        // What was found for one entry is not known any more after chains were let go again.
        if !prepared.take_cold(0).is_empty() {
            let again = submit(&mut prepared, &judged);
            assert!(matches!(again, Err(Refusal::ChainAway(_))), "{again:?}");
        }
    }
}

#[test]
fn an_entry_after_unread_ones_is_believed_about_its_place_and_nothing_else() {
    let mut ledger = organisation();
    let [_, _, two] = chain_of_three(&mut ledger, 20);
    let late = entry(&at(20, 9, Sha256([8; 32])), 20);
    ledger.pass_over(ledger.size());
    let refused = submit(&mut ledger.clone(), &late);
    assert!(
        matches!(refused, Err(Refusal::MissingBefore { .. })),
        "nothing was passed over"
    );

    ledger.pass_over(ledger.size() + 5);
    let rival = submit(&mut ledger.clone(), &entry(&at(20, 2, two), 20));
    assert!(
        matches!(rival, Err(Refusal::Fork { .. })),
        "a place that was read is taken"
    );
    let unread = |start: Start| submit(&mut ledger.clone(), &start.entry("1"));
    assert_eq!(unread(Start::after(21, 99, 4, two)), Ok(vec![]));
    assert_eq!(unread(Start::after(21, 20, 7, two)), Ok(vec![]));
    assert_eq!(unread(Start::of(21)), Ok(vec![Flag::HistoryDropped]));
    let rewritten = unread(Start::after(21, 20, 1, two));
    assert_eq!(rewritten, Ok(vec![Flag::HistoryRewritten]));

    assert_eq!(submit(&mut ledger, &late), Ok(vec![]));
    let loose = submit(&mut ledger.clone(), &entry(&at(20, 10, two), 20));
    assert!(
        matches!(loose, Err(Refusal::BrokenLink { .. })),
        "the next one must follow"
    );
    let after = Start::after(21, 20, 12, two).entry("1");
    let chain = public(20).kid();
    let missing = Flag::Missing {
        chain,
        from: 10,
        to: 12,
    };
    assert_eq!(submit(&mut ledger, &after), Ok(vec![missing]));
}

#[test]
fn only_the_device_of_a_chain_can_start_it_twice() {
    let mut ledger = organisation();
    chain_of_three(&mut ledger, 20);
    let other_device = Start {
        device: 2,
        ..Start::of(20)
    };
    let refused = submit(&mut ledger, &other_device.entry("1"));
    assert!(matches!(
        refused,
        Err(Refusal::Contradiction {
            member: "device",
            ..
        })
    ));
    let junk = Start {
        pop_by: 9,
        ..Start::of(20)
    };
    let late = Start {
        seq: 1,
        ..Start::of(20)
    };
    for start in [junk, late] {
        let refused = submit(&mut ledger, &start.entry("1"));
        assert!(
            matches!(refused, Err(Refusal::ChainStart(_))),
            "{refused:?}"
        );
    }
    let chain = public(20).kid();
    let again = submit(&mut ledger, &Start::of(20).entry("2"));
    assert_eq!(again, Err(Refusal::Fork { chain, seq: 0 }));
}

#[test]
fn a_second_entry_for_a_place_is_a_fork_whatever_it_claims() {
    let mut ledger = organisation();
    let [start, ..] = chain_of_three(&mut ledger, 20);
    let fork = Refusal::Fork {
        chain: public(20).kid(),
        seq: 1,
    };
    let edits: [fn(&mut Payload); 4] = [
        |rival| rival.context.person = Some(person(9)),
        |rival| rival.context.isolation = Some(Isolation::SeparateUser),
        |rival| rival.context.roster = Some(77),
        |rival| rival.link.as_mut().unwrap().device = device(2),
    ];
    for edit in edits {
        let mut rival = at(20, 1, start);
        edit(&mut rival);
        assert_eq!(submit(&mut ledger, &entry(&rival, 20)), Err(fork.clone()));
    }
    // Another device's key proves nothing about this chain.
    let mut foreign = at(20, 1, start);
    foreign.body = Body::ChainHead(ChainHead {});
    foreign.link.as_mut().unwrap().device = device(2);
    let refused = submit(&mut ledger, &entry(&foreign, 102));
    assert!(matches!(
        refused,
        Err(Refusal::Contradiction {
            member: "device",
            ..
        })
    ));
}

#[test]
fn a_revoked_device_vouches_for_nothing_more() {
    let mut ledger = organisation();
    let [_, _, two] = chain_of_three(&mut ledger, 20);
    let head = |seq, prev| {
        let mut head = at(20, seq, prev);
        head.body = Body::ChainHead(ChainHead {});
        entry(&head, 101)
    };
    let vouched = head(3, two);
    submit(&mut ledger, &vouched).unwrap();
    let revoke = RosterChange::RevokeDevice {
        device: device(1),
        reason: "lost".into(),
    };
    submit(&mut ledger, &signed(roster(2, vec![revoke]), AUTHORITY)).unwrap();
    let late = submit(&mut ledger, &head(4, vouched.leaf()));
    assert_eq!(late, Ok(vec![Flag::DeviceRevoked]));
    let chain = ledger.chain(&public(20).kid()).unwrap();
    assert_eq!((chain.next_seq, chain.anchored_seq), (5, 3));
}

#[test]
fn teams_are_those_of_the_person_under_the_roster_named() {
    let mut ledger = organisation();
    let [_, _, two] = chain_of_three(&mut ledger, 20);
    let leave = RosterChange::UpdatePerson {
        person: person(1),
        roles: vec![PersonRole::Admin],
        teams: vec![],
    };
    submit(&mut ledger, &signed(roster(2, vec![leave]), ADMIN)).unwrap();
    let after_update = ledger.size() - 1;
    for (roster, teams, good) in [
        (1, vec!["infra"], true),
        (1, vec!["infra", "security"], false),
        (after_update, vec!["infra"], false),
        (after_update, vec![], true),
    ] {
        let mut claimed = at(20, 3, two);
        claimed.context.roster = Some(roster);
        claimed.context.teams = teams.iter().map(|team| (*team).to_owned()).collect();
        match submit(&mut ledger.clone(), &entry(&claimed, 20)) {
            Ok(_) => assert!(good, "{roster} {teams:?}"),
            Err(Refusal::Contradiction { member, .. }) => {
                assert_eq!((member, good), ("teams", false), "{roster} {teams:?}");
            }
            other => assert!(other.is_ok(), "{other:?}"),
        }
    }
}

#[test]
fn approvals_stand_in_order_and_only_where_they_are_counted() {
    let team = |name: &str| RosterChange::AddTeam {
        name: name.into(),
        team: name.into(),
    };
    let with = |body: Body, signer: u8, others: &[u8]| {
        let mut made = payload(body, None);
        let approvals = others
            .iter()
            .map(|other| approve(&made, &key(*other)).unwrap());
        made.approvals = approvals.collect();
        entry(&made, signer)
    };
    let mut ledger = organisation();
    let mut others = OTHER_ADMINS;
    others.sort_by_key(|other| public(*other).kid());
    let [first, second] = others;
    let bad = |seed: u8| Err(Refusal::BadApproval(public(seed).kid()));
    let change = || roster(2, vec![team("a")]);
    let backwards = with(change(), ADMIN, &[second, first]);
    assert_eq!(submit(&mut ledger, &backwards), bad(first));
    let twice = with(change(), ADMIN, &[first, first]);
    assert_eq!(submit(&mut ledger, &twice), bad(first));
    let own = with(change(), ADMIN, &[ADMIN]);
    assert_eq!(submit(&mut ledger, &own), bad(ADMIN));
    let delegated = roster(
        2,
        vec![admit(3, KeyProtection::Software, Isolation::SelfAsserted)],
    );
    let decorated = with(delegated, AUTHORITY, &[first]);
    assert_eq!(submit(&mut ledger, &decorated), bad(first));
    let gap = Body::ObservedGap(ObservedGap {
        chain: public(20).kid(),
        from: 1,
        shown_by: "x".into(),
        to: 2,
    });
    assert_eq!(
        submit(&mut ledger, &with(gap, OBSERVER, &[first])),
        bad(first)
    );
    submit(&mut ledger, &with(change(), ADMIN, &[first, second])).unwrap();
}

#[test]
fn a_statement_without_changes_is_refused_from_everybody() {
    for signer in [AUTHORITY, ADMIN] {
        let refused = submit(&mut organisation(), &signed(roster(2, vec![]), signer));
        assert!(matches!(
            refused,
            Err(Refusal::RosterChange { position: 0, .. })
        ));
    }
}

#[test]
fn a_delegation_admits_devices_of_the_plainest_kind_only() {
    use {Isolation::*, KeyProtection::*};
    for (protection, isolation, good) in [
        (Software, SelfAsserted, true),
        (Software, SeparateUser, false),
        (TpmUnattested, SelfAsserted, false),
        (TpmAttested, SelfAsserted, false),
    ] {
        let change = || roster(2, vec![admit(3, protection, isolation)]);
        let by_delegation = submit(&mut organisation(), &signed(change(), AUTHORITY));
        assert_eq!(by_delegation.is_ok(), good, "{by_delegation:?}");
        submit(&mut organisation(), &signed(change(), ADMIN)).unwrap();
    }
}
