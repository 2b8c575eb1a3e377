//! Every row of the status table of tlog-witness, over HTTP.

use cairn_tlog::add_checkpoint::{MAX_REQUEST_BYTES, parse_response};
use cairn_tlog::cosignature::verify;
use cairn_tlog::{Checkpoint, EMPTY_ROOT, Hash, KeyAlgorithm, Note, SignerKey, leaf_hash};
use cairn_witness::logs::origin_hash;
use tempfile::TempDir;

use crate::log::{Served, TestLog, cosigner, request, witness};

const ORIGIN: &str = "log.example/a";

async fn start() -> (Served, TestLog, TempDir) {
    let folder = TempDir::new().unwrap();
    let log = TestLog::new(ORIGIN);
    let logs = [log.signer.verifier().clone()].into_iter().collect();
    (Served::start(witness(&folder, logs)).await, log, folder)
}

/// The time in the response body, after checking it like a client: append and verify.
fn cosigned_at(note: &Note, body: &str) -> u64 {
    let mut note = note.clone();
    note.signatures
        .extend(parse_response(body.as_bytes()).unwrap());
    verify(&note, cosigner().verifier()).unwrap()
}

#[tokio::test]
async fn tlog_witness_must_cosign_a_first_and_an_extending_checkpoint() {
    let (served, log, _folder) = start().await;
    let first = served.add(log.request(0, 7)).await;
    assert_eq!(
        (first.status, first.content_type.as_str()),
        (200, "text/plain; charset=utf-8")
    );
    let earlier = cosigned_at(&log.note(7), &first.body);
    assert!(earlier > 1_700_000_000);
    let second = served.add(log.request(7, 20)).await;
    assert_eq!(second.status, 200);
    assert!(cosigned_at(&log.note(20), &second.body) >= earlier);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_cosign_the_same_checkpoint_again() {
    let (served, log, _folder) = start().await;
    assert_eq!(served.status(log.request(0, 7)).await, 200);
    let again = served.add(log.request(7, 7)).await;
    assert_eq!(again.status, 200);
    cosigned_at(&log.note(7), &again.body);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_cosign_the_empty_tree() {
    let (served, log, _folder) = start().await;
    assert_eq!(served.status(log.request(0, 0)).await, 200);
    assert_eq!(served.status(log.request(0, 0)).await, 200);
    assert_eq!(served.status(log.request(0, 3)).await, 200);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_answer_400_to_a_malformed_body() {
    let (served, log, _folder) = start().await;
    let good = log.request(0, 7);
    for bad in [
        String::new(),
        "old 0\n".to_owned(),
        good.replace("old 0", "old 00"),
        good.replace("old 0", "size 0"),
        good.replace("old 0\n", "old 0\nnot a hash\n"),
        good.replace("\n7\n", "\n07\n"),
        good.replace('\n', "\r\n"),
        format!("{good}trailing"),
        format!("{good}\n"),
        good.replacen("=\n\n", "=\nextension line\n\n", 1),
        log.request(0, 7).replace("old 0", "old 8"),
    ] {
        assert_eq!(served.status(bad.clone()).await, 400, "{bad:?}");
    }
    assert_eq!(served.status(vec![0xff, 0xfe]).await, 400);
    assert_eq!(served.status(good).await, 200);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_answer_400_to_more_than_63_proof_lines() {
    let (served, log, _folder) = start().await;
    let note = log.note(7).to_string();
    let proof = vec![EMPTY_ROOT.to_string(); 64];
    assert_eq!(served.status(request(0, &proof, &note)).await, 400);
    assert_eq!(served.status(request(0, &proof[..63], &note)).await, 422);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_answer_404_to_an_unknown_origin() {
    let (served, log, _folder) = start().await;
    let other = TestLog::new("log.example/b");
    assert_eq!(served.status(other.request(0, 7)).await, 404);
    // Malformed comes first; an unknown origin before any signature, even an undecodable one.
    let lenient = other.request(0, 7).replace("=\n", "\n");
    assert_eq!(served.status(lenient).await, 400);
    let undecodable = format!(
        "old 0\n\n{}\n\u{2014} log.example/b AAAAAAB=\n",
        other.checkpoint(7)
    );
    assert_eq!(served.status(undecodable).await, 404);
    assert_eq!(served.status(log.request(0, 7)).await, 200);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_answer_403_without_a_valid_log_signature() {
    let (served, log, _folder) = start().await;
    let stranger = SignerKey::from_seed(ORIGIN, KeyAlgorithm::Ed25519, &[77; 32]).unwrap();
    let unknown_key = log.checkpoint(7).sign(&stranger).unwrap();
    assert_eq!(
        served
            .status(request(0, &[], &unknown_key.to_string()))
            .await,
        403
    );

    let mut invalid = log.note(7);
    invalid.signatures[0].blob[9] ^= 1;
    assert_eq!(
        served.status(request(0, &[], &invalid.to_string())).await,
        403
    );

    // A failing line of a known key refuses the note even beside a good one.
    let mut both = log.note(7);
    both.signatures.extend(invalid.signatures);
    assert_eq!(served.status(request(0, &[], &both.to_string())).await, 403);

    let undecodable = format!("{}\u{2014} {ORIGIN} AAAAAAB=\n", log.request(0, 7));
    assert_eq!(served.status(undecodable).await, 403);
    assert_eq!(served.status(log.request(0, 7)).await, 200);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_answer_409_with_the_size_it_knows() {
    let (served, log, _folder) = start().await;
    let conflict = served.add(log.request(3, 7)).await;
    assert_eq!((conflict.status, conflict.body.as_str()), (409, "0\n"));
    assert_eq!(conflict.content_type, "text/x.tlog.size");
    assert_eq!(served.status(log.request(0, 7)).await, 200);
    for (old, size) in [(0, 7), (0, 9), (3, 9), (8, 9)] {
        let conflict = served.add(log.request(old, size)).await;
        assert_eq!(
            (conflict.status, conflict.body.as_str()),
            (409, "7\n"),
            "{old} to {size}"
        );
    }
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_answer_422_to_another_root_at_the_same_size() {
    let (served, log, _folder) = start().await;
    assert_eq!(served.status(log.request(0, 7)).await, 200);
    let fork = signed(&log, 7, leaf_hash(b"other history"));
    let refused = served.add(request(7, &[], &fork)).await;
    assert_eq!(refused.status, 422);
    assert_ne!(refused.content_type, "text/x.tlog.size");
    assert_eq!(served.status(log.request(7, 8)).await, 200);
    served.stop().await;
}

fn signed(log: &TestLog, size: u64, root: Hash) -> String {
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size,
        root,
    };
    checkpoint.sign(&log.signer).unwrap().to_string()
}

#[tokio::test]
async fn tlog_witness_must_answer_422_to_a_wrong_empty_root() {
    let (served, log, _folder) = start().await;
    let wrong = signed(&log, 0, leaf_hash(b"not empty"));
    assert_eq!(served.status(request(0, &[], &wrong)).await, 422);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_answer_422_to_a_proof_where_none_belongs() {
    let (served, log, _folder) = start().await;
    let proof = [EMPTY_ROOT.to_string()];
    assert_eq!(
        served
            .status(request(0, &proof, &log.note(7).to_string()))
            .await,
        422
    );
    assert_eq!(served.status(log.request(0, 7)).await, 200);
    assert_eq!(
        served
            .status(request(7, &proof, &log.note(7).to_string()))
            .await,
        422
    );
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_answer_422_to_a_proof_that_fails() {
    let (served, log, _folder) = start().await;
    assert_eq!(served.status(log.request(0, 7)).await, 200);
    let note = log.note(20).to_string();
    let good = log.proof(7, 20);
    let missing: Vec<String> = Vec::new();
    let short = good[1..].to_vec();
    let mut garbled = good.clone();
    garbled[1] = EMPTY_ROOT.to_string();
    let mut long = good.clone();
    long.push(EMPTY_ROOT.to_string());
    for bad in [missing, short, garbled, long] {
        assert_eq!(served.status(request(7, &bad, &note)).await, 422);
    }
    assert_eq!(served.status(request(7, &good, &note)).await, 200);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_answer_413_to_a_body_over_16_kib() {
    let (served, log, _folder) = start().await;
    let long = format!("{}{}", log.request(0, 7), "x".repeat(MAX_REQUEST_BYTES));
    assert_eq!(served.status(long).await, 413);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_publish_only_verified_signatures_and_its_own() {
    let (served, log, _folder) = start().await;
    let path = format!("/{}/checkpoint", origin_hash(ORIGIN));
    assert_eq!(served.get(&path).await.status, 404);

    let mut note = log.note(7);
    let mut planted = note.signatures[0].clone();
    planted.name = "planted.example".to_owned();
    note.signatures.insert(0, planted);
    let response = served.add(request(0, &[], &note.to_string())).await;
    assert_eq!(response.status, 200);

    let published = served.get(&path).await;
    assert_eq!(
        (published.status, published.content_type.as_str()),
        (200, "text/plain; charset=utf-8")
    );
    // The log's line and the very cosignature that was returned, nothing else.
    assert_eq!(published.body, format!("{}{}", log.note(7), response.body));
    let (checkpoint, _) = Checkpoint::open(&published.body, log.signer.verifier()).unwrap();
    assert_eq!(checkpoint.size, 7);
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_answer_404_to_other_monitoring_paths() {
    let (served, log, _folder) = start().await;
    assert_eq!(served.status(log.request(0, 7)).await, 200);
    let upper = origin_hash(ORIGIN).to_uppercase();
    for path in [
        format!("/{upper}/checkpoint"),
        format!("/{ORIGIN}/checkpoint"),
        "/x/checkpoint".into(),
    ] {
        assert_eq!(served.get(&path).await.status, 404, "{path}");
    }
    let health = served.get("/healthz").await;
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_take_posts_and_give_gets_only() {
    let (served, log, _folder) = start().await;
    let add = format!("{}/add-checkpoint", served.url);
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let sent = served.client.request(method, &add).body(log.request(0, 7));
        assert_eq!(sent.send().await.unwrap().status(), 405);
    }
    let published = format!("{}/{}/checkpoint", served.url, origin_hash(ORIGIN));
    let sent = served.client.post(&published).body(log.request(0, 7));
    assert_eq!(sent.send().await.unwrap().status(), 405);
    assert_eq!(
        served
            .get(&format!("/{}/checkpoint", origin_hash(ORIGIN)))
            .await
            .status,
        404
    );
    served.stop().await;
}

#[tokio::test]
async fn tlog_witness_must_keep_logs_apart() {
    let folder = TempDir::new().unwrap();
    let (a, b) = (TestLog::new(ORIGIN), TestLog::new("log.example/b"));
    let logs = [&a, &b]
        .map(|log| log.signer.verifier().clone())
        .into_iter()
        .collect();
    let served = Served::start(witness(&folder, logs)).await;
    assert_eq!(served.status(a.request(0, 7)).await, 200);
    assert_eq!(served.status(b.request(0, 5)).await, 200);
    assert_eq!(served.status(a.request(7, 9)).await, 200);
    assert_eq!(served.status(b.request(5, 6)).await, 200);
    served.stop().await;
}

#[test]
fn the_monitoring_folder_is_the_published_hash() {
    assert_eq!(
        origin_hash("rome2026h1.example.org"),
        "000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706"
    );
}
