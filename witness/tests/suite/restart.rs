//! What survives a restart, what the clock may do, and who may open the state file.

use cairn_tlog::{KeyAlgorithm, SignerKey};
use cairn_witness::state::MAX_SILENCE_S;
use cairn_witness::{AddCheckpointError, Refusal, Store, Witness, key};
use tempfile::TempDir;

use crate::log::{TestLog, witness};

const ED25519: KeyAlgorithm = KeyAlgorithm::Ed25519Cosignature;

fn timestamp(signatures: &[cairn_tlog::NoteSignature]) -> u64 {
    assert_eq!(signatures.len(), 1);
    u64::from_be_bytes(signatures[0].blob[..8].try_into().unwrap())
}

fn open(folder: &TempDir, log: &TestLog) -> Witness {
    witness(
        folder,
        [log.signer.verifier().clone()].into_iter().collect(),
    )
}

#[test]
fn i11_a_restart_keeps_the_head() {
    let folder = TempDir::new().unwrap();
    let log = TestLog::new("log.example/restart");
    open(&folder, &log)
        .add_checkpoint(log.request(0, 9).as_bytes(), 1_000)
        .unwrap();
    let again = open(&folder, &log);
    let refused = again
        .add_checkpoint(log.request(0, 12).as_bytes(), 1_000)
        .unwrap_err();
    let conflict = Refusal::SizeConflict { old: 0, latest: 9 };
    assert!(matches!(refused, AddCheckpointError::Refused(refusal) if refusal == conflict));
    again
        .add_checkpoint(log.request(9, 12).as_bytes(), 1_000)
        .unwrap();
}

#[test]
fn the_same_checkpoint_again_is_no_second_write_and_has_the_same_answer() {
    let folder = TempDir::new().unwrap();
    let log = TestLog::new("log.example/replay");
    let witness = open(&folder, &log);
    let at = |old, size, now| {
        let request = log.request(old, size);
        witness.add_checkpoint(request.as_bytes(), now).unwrap()
    };
    let first = at(0, 9, 1_000);
    let state = || std::fs::read(folder.path().join("state.redb")).unwrap();
    let written = state();
    for _ in 0..3 {
        assert_eq!(at(9, 9, 1_000), first);
        assert!(state() == written, "the same state was written again");
    }
    // Also where the clock went back; a later time is a new statement, and is written first.
    assert_eq!(at(9, 9, 900), first);
    assert!(state() == written, "an earlier time was written");
    assert_eq!(timestamp(&at(9, 9, 1_001)), 1_001);
    assert!(state() != written);
}

#[test]
fn i6_cosignature_times_never_go_backwards() {
    let folder = TempDir::new().unwrap();
    let log = TestLog::new("log.example/clock");
    let first = open(&folder, &log)
        .add_checkpoint(log.request(0, 1).as_bytes(), 5_000)
        .unwrap();
    let witness = open(&folder, &log);
    let clock_went_back = witness
        .add_checkpoint(log.request(1, 2).as_bytes(), 4_000)
        .unwrap();
    let later = witness
        .add_checkpoint(log.request(2, 2).as_bytes(), 6_000)
        .unwrap();
    assert_eq!(
        [&first[..], &clock_went_back, &later].map(timestamp),
        [5_000, 5_000, 6_000]
    );
}

#[test]
fn tlog_witness_must_not_cosign_at_time_zero() {
    let folder = TempDir::new().unwrap();
    let log = TestLog::new("log.example/clock");
    let refused = open(&folder, &log).add_checkpoint(log.request(0, 1).as_bytes(), 0);
    assert!(matches!(refused, Err(AddCheckpointError::Sign(_))));
}

#[test]
fn a_refusal_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let log = TestLog::new("log.example/refusal");
    let witness = open(&folder, &log);
    witness
        .add_checkpoint(log.request(0, 3).as_bytes(), 1_000)
        .unwrap();
    let bad = log.request(3, 9).replacen(
        "old 3\n",
        "old 3\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        1,
    );
    assert!(witness.add_checkpoint(bad.as_bytes(), 2_000).is_err());
    drop(witness);
    let store = Store::open(&folder.path().join("state.redb")).unwrap();
    let record = store.latest("log.example/refusal").unwrap().unwrap();
    assert_eq!((record.head.size, record.timestamp), (3, 1_000));
}

#[test]
fn a_state_file_opened_twice_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.redb");
    let first = Store::create(&path).unwrap();
    let refused = Store::open(&path).unwrap_err();
    assert!(
        refused.to_string().contains("in use by another process"),
        "{refused}"
    );
    drop(first);
    Store::open(&path).unwrap();
}

#[test]
fn a_damaged_state_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.redb");
    std::fs::write(&path, b"this is not a database, but it is not empty either").unwrap();
    let refused = Store::open(&path).unwrap_err();
    assert!(
        refused.to_string().contains("cannot be opened"),
        "{refused}"
    );
}

#[test]
fn a_key_is_never_replaced_and_never_exposed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("new");
    let (made, path) = key::init(&out, "witness.example/1", ED25519).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        key::load(&path, ED25519).unwrap().verifier(),
        made.verifier()
    );
    assert!(key::init(&out, "witness.example/1", ED25519).is_err());
    assert_eq!(
        key::load(&path, ED25519).unwrap().verifier(),
        made.verifier()
    );

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let refused = key::load(&path, ED25519).unwrap_err();
    assert!(refused.to_string().contains("mode 640"), "{refused}");
}

#[test]
fn a_plain_key_of_another_witness_program_is_used_as_a_cosigner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("other.key");
    // The published test key Wit1 in the spelling of transparency-dev's tools.
    let text = "PRIVATE+KEY+Wit1+55ee4561+AeadRiG7XM4XiieCHzD8lxysXMwcViy5nYsoXURWGrlE\n";
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let key: SignerKey = key::load(&path, ED25519).unwrap();
    let expected = "Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk";
    assert_eq!(key.verifier().to_string(), expected);
}

#[test]
fn i6_a_clock_ten_years_ahead_cosigns_nothing_and_leaves_no_mark() {
    let (now, ten_years) = (1_790_000_000, 315_576_000);
    let folder = TempDir::new().unwrap();
    let log = TestLog::new("log.example/leap");
    let witness = open(&folder, &log);
    let at = |old, size, now| witness.add_checkpoint(log.request(old, size).as_bytes(), now);
    at(0, 3, now).unwrap();
    let refused = at(3, 5, now + ten_years);
    assert!(
        matches!(refused, Err(AddCheckpointError::ClockAhead { recorded, .. }) if recorded == now),
        "{refused:?}"
    );
    // The clock is set right: the same request is cosigned, and time goes on from where it was.
    assert_eq!(timestamp(&at(3, 5, now + 7).unwrap()), now + 7);
    let longest = now + 7 + MAX_SILENCE_S;
    assert_eq!(timestamp(&at(5, 6, longest).unwrap()), longest);
}

#[test]
fn a_long_silence_ends_when_the_operator_confirms_the_clock() {
    let now = 1_790_000_000;
    let later = now + MAX_SILENCE_S + 1;
    let folder = TempDir::new().unwrap();
    let log = TestLog::new("log.example/silent");
    let next = log.request(3, 4);
    let witness = open(&folder, &log);
    witness
        .add_checkpoint(log.request(0, 3).as_bytes(), now)
        .unwrap();
    assert!(witness.add_checkpoint(next.as_bytes(), later).is_err());
    drop(witness);
    let store = Store::open(&folder.path().join("state.redb")).unwrap();
    let logs = [log.signer.verifier().clone()].into_iter().collect();
    let witness = Witness::new(crate::log::cosigner(), logs, store.with_confirmed_clock());
    let cosigned = witness.add_checkpoint(next.as_bytes(), later).unwrap();
    assert_eq!(timestamp(&cosigned), later);
}
