//! Attacks on the distribution of policy, each with the reason for which it fails: rollback, freeze,
//! fast-forward, mix and match, another organisation, truncation, a replaced key, an unwitnessed tree, two
//! trees. Whatever is offered, the policy in force stays. Source: endpoint findings 6.2.

use super::device::{Device, ORIGIN, administrative_of, bundle};
use cairn_agent::circumstances::Circumstances;
use cairn_agent::enrolment::Identity;
use cairn_agent::policy::{Enforcement, Stored, SyncError, Syncer};
use cairn_api::distribution::{PolicyAnswer, ReceiptedFrame};
use cairn_api::newest::Newest;
use cairn_event::administrative::PolicyStatement;
use cairn_event::body::Body;
use cairn_event::encoding::to_base64url;
use cairn_event::{Sha256, SoftwareKey};
use cairn_tlog::cosignature::cosign;
use cairn_tlog::{
    Checkpoint, Hash, KeyAlgorithm, MemoryNodes, Receipt, SignerKey, inclusion_proof,
};
use serde_json::json;
use std::sync::Arc;

/// After this a policy that nobody configured otherwise decides nothing: 72 hours.
const STALE_AFTER_MS: u64 = 72 * 3_600_000;

const WITNESS: &str = "witness.example/one";

/// 23 November 2026.
const NOW_MS: u64 = 1_795_392_000_000;

/// Who serves policy: a log with a witness, and the administrator's key.
#[derive(Clone)]
struct Publisher {
    origin: &'static str,
    /// Seeds of the keys.
    log: u8,
    witness: u8,
    administrator: u8,
    entries: Vec<String>,
    bundles: Vec<Vec<u8>>,
}

impl Publisher {
    /// The log of the device: what it was enrolled with.
    fn of(device: &Device) -> Self {
        let identity = Identity::load(&device.state).unwrap();
        Self {
            origin: ORIGIN,
            log: 3,
            witness: 4,
            administrator: 1,
            entries: vec![identity.genesis_entry],
            bundles: vec![vec![]],
        }
    }

    fn log_key(&self) -> SignerKey {
        SignerKey::from_seed(self.origin, KeyAlgorithm::Ed25519, &[self.log; 32]).unwrap()
    }

    fn witness_key(&self) -> SignerKey {
        let algorithm = KeyAlgorithm::Ed25519Cosignature;
        SignerKey::from_seed(WITNESS, algorithm, &[self.witness; 32]).unwrap()
    }

    fn trust_policy(&self) -> String {
        format!(
            "log {}\nwitness one {}\nquorum one\n",
            self.log_key().verifier(),
            self.witness_key().verifier()
        )
    }

    /// Appends a policy entry; gives its index.
    fn put(&mut self, revision: u64, version: u64) -> u64 {
        let mut members = bundle(json!({ "version": version }));
        members["origin"] = json!(self.origin);
        let bytes = cairn_event::json::to_canonical(&members);
        let body = Body::Policy(PolicyStatement {
            bundle: Sha256::of(&bytes),
            bytes: bytes.len() as u64,
            revision,
            version,
        });
        let key = SoftwareKey::from_seed(&[self.administrator; 32]);
        self.entries
            .push(administrative_of(self.origin, body, &key));
        self.bundles.push(bytes);
        self.entries.len() as u64 - 1
    }

    /// Appends the roster entry of this frame; gives it as the server would.
    fn roster(&mut self, frame: &str) -> ReceiptedFrame {
        self.entries.push(frame.trim_end_matches('~').to_owned());
        self.bundles.push(vec![]);
        let index = self.entries.len() as u64 - 1;
        ReceiptedFrame {
            index,
            frame: frame.to_owned(),
            receipt: self.answer(index, Some(WITNESSED_MS)).receipt,
        }
    }

    /// The answer about the entry at `index`, with a checkpoint cosigned at `at_ms`, if at all.
    fn answer(&self, index: u64, at_ms: Option<u64>) -> PolicyAnswer {
        let mut nodes = MemoryNodes::new();
        for entry in &self.entries {
            nodes.push(Hash(Sha256::of_leaf(entry.as_bytes()).0));
        }
        let size = self.entries.len() as u64;
        let head = Checkpoint {
            origin: self.origin.into(),
            size,
            root: nodes.root(size).unwrap(),
        };
        let note = head.sign(&self.log_key()).unwrap();
        let mut checkpoint = note.to_string();
        if let Some(at_ms) = at_ms {
            let line = cosign(&note.text, &self.witness_key(), at_ms / 1_000).unwrap();
            checkpoint.push_str(&format!("{line}\n"));
        }
        let receipt = Receipt {
            extra: None,
            index,
            proof: inclusion_proof(&nodes, index, size).unwrap(),
            checkpoint,
        };
        let at = usize::try_from(index).unwrap();
        PolicyAnswer {
            index,
            entry: self.entries[at].clone(),
            receipt: receipt.to_string(),
            bundle: to_base64url(&self.bundles[at]),
            newest: self.newest().sign(&self.log_key()).unwrap(),
        }
    }

    /// The log's word about all of its entries: each but the first has a bundle or is of the roster.
    fn newest(&self) -> Newest {
        let is_policy = |bundle: &Vec<u8>| !bundle.is_empty();
        let newest = self.bundles.iter().rposition(is_policy);
        let policies = self.bundles.iter().filter(|bundle| is_policy(bundle));
        let others = self.entries.len() - 1 - policies.count();
        Newest {
            origin: self.origin.to_owned(),
            size: self.entries.len() as u64,
            policy: newest.map(|index| index as u64),
            roster: others as u64,
        }
    }
}

/// A device with revision 2 in force, at index 3 of the publisher's log, witnessed an hour ago.
struct Stand {
    /// The roster entry that names the device; not published yet.
    roster: String,
    _device: Device,
    publisher: Publisher,
    enforcement: Arc<Enforcement>,
    syncer: Syncer,
}

const WITNESSED_MS: u64 = NOW_MS - 3_600_000;

impl Stand {
    fn new() -> Self {
        let device = Device::new(&bundle(json!({})));
        let roster = Stored::open(&device.state).unwrap().roster().unwrap();
        for file in ["policy.json", "roster.json"] {
            std::fs::remove_file(device.state.policy().join(file)).unwrap();
        }
        let mut publisher = Publisher::of(&device);
        let mut identity = Identity::load(&device.state).unwrap();
        identity.trust_policy = publisher.trust_policy();
        let enforcement = Arc::new(Enforcement::default());
        let circumstances = Arc::new(Circumstances::new(&identity));
        let mut syncer = Syncer::load(
            &device.state,
            &identity,
            Arc::clone(&enforcement),
            circumstances,
        )
        .unwrap();
        publisher.put(1, 1);
        publisher.put(9, 7);
        let index = publisher.put(2, 2);
        let answer = publisher.answer(index, Some(WITNESSED_MS));
        assert!(syncer.take_policy(answer, NOW_MS).unwrap().is_some());
        assert_eq!(enforcement.now().checked_ms, WITNESSED_MS);
        Self {
            roster: roster[0].frame.clone(),
            _device: device,
            publisher,
            enforcement,
            syncer,
        }
    }

    /// Offers an answer that must be refused, and gives the reason.
    fn refused(&mut self, answer: PolicyAnswer) -> String {
        let before = self.enforcement.now();
        let refused = self.syncer.take_policy(answer, NOW_MS);
        let now = self.enforcement.now();
        let in_force = |one: &cairn_agent::policy::InForce| {
            let active = one.active.as_ref().unwrap();
            (active.index, active.bundle, one.checked_ms)
        };
        assert_eq!(in_force(&before), in_force(&now), "what is in force stays");
        refused.unwrap_err().to_string()
    }
}

#[track_caller]
fn because(reason: &str, words: &str) {
    assert!(reason.contains(words), "`{reason}` does not say `{words}`");
}

#[test]
fn rollback_is_refused() {
    let mut stand = Stand::new();
    let old = stand.publisher.answer(1, Some(NOW_MS));
    because(
        &stand.refused(old),
        "rollback: the server offers policy revision 1, in force is 2",
    );
}

#[test]
fn a_frozen_server_makes_the_policy_stale_and_not_current() {
    let mut stand = Stand::new();
    let roster = stand.publisher.roster(&stand.roster);
    assert!(stand.syncer.take_roster(vec![roster]).unwrap());
    let index = 3;
    let shown_again = stand.publisher.answer(index, Some(WITNESSED_MS));
    let later = WITNESSED_MS + STALE_AFTER_MS;
    let news = stand.syncer.take_policy(shown_again, later).unwrap();
    assert!(news.is_none());
    let now = stand.enforcement.now();
    assert_eq!(now.checked_ms, WITNESSED_MS, "an old proof is no news");
    assert!(now.usable(later).is_ok());
    let stale = now.usable(later + 1).unwrap_err();
    because(&stale.to_string(), "72 hours");
    // A fresh proof of the same entry makes it current again.
    let fresh = stand.publisher.answer(index, Some(later));
    assert!(stand.syncer.take_policy(fresh, later).unwrap().is_none());
    assert!(stand.enforcement.now().usable(later + 1).is_ok());
}

#[test]
fn an_old_policy_under_a_new_checkpoint_is_refused() {
    let mut stand = Stand::new();
    let (old, new) = (3, stand.publisher.put(3, 3));
    // Its receipt is fresh and valid, as anybody can get it.
    let held_back = stand.publisher.answer(old, Some(NOW_MS));
    because(
        &stand.refused(held_back.clone()),
        "freeze: the policy at log index 3 is offered, the log says that another is the newest: at index 4",
    );
    let before = Publisher {
        entries: stand.publisher.entries[..4].to_vec(),
        bundles: stand.publisher.bundles[..4].to_vec(),
        ..stand.publisher.clone()
    };
    let of_before = PolicyAnswer {
        newest: before.answer(old, Some(NOW_MS)).newest,
        ..held_back.clone()
    };
    because(
        &stand.refused(of_before),
        "what is newest is said of 4 entries, the receipt proves 5",
    );
    let nothing_said = PolicyAnswer {
        newest: String::new(),
        ..held_back.clone()
    };
    because(&stand.refused(nothing_said), "not said in a signed note");
    let said_by_others = Newest {
        policy: Some(old),
        ..stand.publisher.newest()
    };
    let others = SignerKey::from_seed(ORIGIN, KeyAlgorithm::Ed25519, &[99; 32]).unwrap();
    let forged = PolicyAnswer {
        newest: said_by_others.sign(&others).unwrap(),
        ..held_back
    };
    because(&stand.refused(forged), "not signed by the log");
    let newest = stand.publisher.answer(new, Some(NOW_MS));
    assert!(stand.syncer.take_policy(newest, NOW_MS).unwrap().is_some());
}

#[test]
fn a_roster_that_is_held_back_makes_the_policy_grow_old() {
    let mut stand = Stand::new();
    let longer = Newest {
        roster: 1,
        ..stand.publisher.newest()
    };
    let answer = PolicyAnswer {
        newest: longer.sign(&stand.publisher.log_key()).unwrap(),
        ..stand.publisher.answer(3, Some(NOW_MS))
    };
    because(
        &stand.refused(answer),
        "freeze: the log has roster revision 1, this device was given 0",
    );
}

#[test]
fn a_witness_ahead_of_this_clock_does_not_make_a_policy_last_longer() {
    let mut stand = Stand::new();
    let ahead = stand
        .publisher
        .answer(3, Some(NOW_MS + 10 * STALE_AFTER_MS));
    stand.syncer.take_policy(ahead, NOW_MS).unwrap();
    assert_eq!(stand.enforcement.now().checked_ms, NOW_MS);
}

#[test]
fn while_witnesses_are_away_the_policy_only_grows_old() {
    let mut stand = Stand::new();
    let unwitnessed = stand.publisher.answer(3, None);
    let news = stand.syncer.take_policy(unwitnessed, NOW_MS).unwrap();
    assert!(news.is_none());
    assert_eq!(stand.enforcement.now().checked_ms, WITNESSED_MS);
}

#[test]
fn fast_forward_is_refused() {
    let mut stand = Stand::new();
    let index = stand.publisher.put(u64::MAX >> 12, 8);
    let answer = stand.publisher.answer(index, Some(NOW_MS));
    because(&stand.refused(answer), "fast-forward: policy revision");
}

#[test]
fn a_secret_policy_is_refused() {
    let mut stand = Stand::new();
    let index = stand.publisher.put(3, 3);
    let answer = stand.publisher.answer(index, None);
    because(&stand.refused(answer), "checkpoint is not trusted");
}

#[test]
fn parts_of_different_policies_are_refused() {
    let mut stand = Stand::new();
    let index = stand.publisher.put(3, 3);
    let right = stand.publisher.answer(index, Some(NOW_MS));
    let other = stand.publisher.answer(3, Some(NOW_MS));
    let bundle = PolicyAnswer {
        bundle: other.bundle.clone(),
        ..right.clone()
    };
    because(&stand.refused(bundle), "the bundle has digest");
    let entry = PolicyAnswer {
        entry: other.entry.clone(),
        bundle: other.bundle.clone(),
        ..right.clone()
    };
    because(&stand.refused(entry), "does not prove the entry");
    let receipt = PolicyAnswer {
        receipt: other.receipt,
        ..right
    };
    because(&stand.refused(receipt), "its receipt says 3");
}

#[test]
fn another_organisation_is_refused() {
    let mut stand = Stand::new();
    let mut theirs = stand.publisher.clone();
    theirs.origin = "log.example/theirs";
    let index = theirs.put(3, 3);
    let answer = theirs.answer(index, Some(NOW_MS));
    because(&stand.refused(answer), "log.example/theirs");
    let mut stolen = stand.publisher.clone();
    stolen.administrator = 9;
    let index = stolen.put(3, 3);
    let answer = stolen.answer(index, Some(NOW_MS));
    because(&stand.refused(answer), "a key that genesis names");
}

#[test]
fn a_replaced_log_key_or_witness_is_refused() {
    let mut stand = Stand::new();
    let index = stand.publisher.put(3, 3);
    let mut rekeyed = stand.publisher.clone();
    rekeyed.log = 5;
    let answer = rekeyed.answer(index, Some(NOW_MS));
    because(&stand.refused(answer), "checkpoint is not trusted");
    let mut alone = stand.publisher.clone();
    alone.witness = 6;
    let answer = alone.answer(index, Some(NOW_MS));
    because(&stand.refused(answer), "checkpoint is not trusted");
}

#[test]
fn what_is_cut_off_is_refused() {
    let mut stand = Stand::new();
    let index = stand.publisher.put(3, 3);
    let whole = stand.publisher.answer(index, Some(NOW_MS));
    let cut = |text: &str| text[..text.len() / 2].to_owned();
    let entry = PolicyAnswer {
        entry: cut(&whole.entry),
        ..whole.clone()
    };
    because(&stand.refused(entry), "entry 4:");
    let receipt = PolicyAnswer {
        receipt: cut(&whole.receipt),
        ..whole.clone()
    };
    because(&stand.refused(receipt), "receipt of entry 4:");
    let bundle = PolicyAnswer {
        bundle: cut(&whole.bundle),
        ..whole.clone()
    };
    let reason = stand.refused(bundle);
    assert!(
        reason.contains("base64url") || reason.contains("has digest"),
        "{reason}"
    );
    // The whole of it is taken.
    assert!(stand.syncer.take_policy(whole, NOW_MS).unwrap().is_some());
}

#[test]
fn two_trees_are_named_as_such() {
    let mut stand = Stand::new();
    let mut other = stand.publisher.clone();
    other.entries.pop();
    other.bundles.pop();
    let index = other.put(2, 5);
    let answer = other.answer(index, Some(NOW_MS));
    let refused = stand.syncer.take_policy(answer, NOW_MS);
    let Err(SyncError::TwoTrees { index: 3, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(stand.enforcement.now().checked_ms, WITNESSED_MS);
}
