//! A second, ML-DSA-44 cosignature beside the Ed25519 one: in answers, in the published checkpoint,
//! in the program.

use cairn_tlog::add_checkpoint::parse_response;
use cairn_tlog::cosignature::verify;
use cairn_tlog::{KeyAlgorithm, SignerKey, VerifierKey};
use cairn_witness::key;
use cairn_witness::logs::origin_hash;
use tempfile::TempDir;

use crate::log::{Served, TestLog, cosigner, witness};
use crate::program::run;

const ORIGIN: &str = "log.example/ml-dsa";

fn second() -> SignerKey {
    let name = "witness.example/1";
    SignerKey::from_seed(name, KeyAlgorithm::MlDsa44Cosignature, &[5; 32]).unwrap()
}

#[tokio::test]
async fn tlog_witness_must_give_both_cosignatures_of_the_whole_tree_at_one_time() {
    let folder = TempDir::new().unwrap();
    let log = TestLog::new(ORIGIN);
    let logs = [log.signer.verifier().clone()].into_iter().collect();
    let witness = witness(&folder, logs).with_second_signer(second());
    let served = Served::start(witness).await;
    let answer = served.add(log.request(0, 7)).await;
    assert_eq!(answer.status, 200);
    let mut note = log.note(7);
    note.signatures
        .extend(parse_response(answer.body.as_bytes()).unwrap());
    assert_eq!(note.signatures.len(), 3);
    let times = [cosigner(), second()].map(|key| verify(&note, key.verifier()).unwrap());
    assert_eq!(times[0], times[1]);

    let path = format!("/{}/checkpoint", origin_hash(ORIGIN));
    let published = served.get(&path).await;
    assert_eq!(published.body, note.to_string());
    served.stop().await;
}

#[test]
fn each_key_file_holds_the_algorithm_of_its_setting() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    let made = run(&["init", "--name", "w.example/1", "--out", out, "--ml-dsa"]);
    assert!(made.status.success());
    let vkey = String::from_utf8(made.stdout).unwrap();
    let vkey = VerifierKey::parse(vkey.trim_end()).unwrap();
    assert_eq!(vkey.algorithm(), KeyAlgorithm::MlDsa44Cosignature);

    let path = folder.path().join(key::ML_DSA_KEY_FILE_NAME);
    let loaded = key::load(&path, KeyAlgorithm::MlDsa44Cosignature).unwrap();
    assert_eq!(loaded.verifier(), &vkey);
    let refused = key::load(&path, KeyAlgorithm::Ed25519Cosignature).unwrap_err();
    assert!(
        refused.to_string().contains("type 0x06, expected 0x04"),
        "{refused}"
    );
}
