//! What somebody unknown can make the server keep in memory: measured at the allocator, in a process
//! of its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests: a panic is how one fails"
)]

#[expect(
    dead_code,
    reason = "the organisation of the other tests; this one needs little of it"
)]
#[path = "../log/world.rs"]
mod world;

use cairn_event::administrative::{Administrators, Genesis};
use cairn_event::body::Body;
use cairn_event::encoding::to_base64url;
use cairn_event::limits::{MAX_FRAME_BYTES, MAX_SUBMISSION_BYTES};
use cairn_event::{EntrySigner as _, Sha256, SoftwareKey};
use cairn_server::store::Memory;
use cairn_server::{SubmitResult, Wait};
use peak_alloc::PeakAlloc;
use world::{PATIENCE, World, administrative, entry_of, frozen};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory that refusing a submission may take beyond the submission itself: an eighth of the largest
/// one. The disclosures of one single frame take more when they are parsed.
const BOUND: usize = MAX_SUBMISSION_BYTES / 8;

/// A disclosure that takes the most memory for its size, and its encoded text.
fn bulky(salt: u8) -> String {
    let numbers = vec!["1"; 90_000].join(",");
    let salt = to_base64url(&[salt; 16]);
    to_base64url(format!(r#"["{salt}","request",[{numbers}]]"#).as_bytes())
}

/// A genesis entry of this log by somebody who is not its administrator, which commits to `encoded`.
fn genesis(world: &World, encoded: &[String]) -> String {
    let stranger = SoftwareKey::from_seed(&[99; 32]);
    let body = Body::Genesis(Genesis {
        administrators: Administrators {
            keys: vec![stranger.public_key()],
            threshold: 1,
        },
        delegations: Vec::new(),
        log_key: world.public.log_key.clone(),
        observer: world.public.observer.clone(),
        organisation: "Stranger".into(),
    });
    let digest = |text: &String| to_base64url(&Sha256::of(text.as_bytes()).0);
    let mut payload = administrative(body);
    payload.sd = encoded.iter().map(digest).collect();
    payload.sd.sort();
    frozen(payload, &stranger).0
}

/// As many disclosures as fit into a frame.
fn disclosures() -> Vec<String> {
    (0..4).map(bulky).collect()
}

/// Frames up to the limit of a submission, of an entry and these disclosures.
fn submission(entry: &str) -> Vec<String> {
    let frame = format!("{entry}~{}~", disclosures().join("~"));
    assert!((MAX_FRAME_BYTES / 2..MAX_FRAME_BYTES).contains(&frame.len()));
    vec![frame.clone(); MAX_SUBMISSION_BYTES / frame.len()]
}

/// Submits, requires that every frame is refused with `code`, and gives the greatest amount of memory
/// that this took, in bytes.
async fn cost(log: &cairn_server::Log, frames: Vec<String>, code: &str) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let results = log.submit(frames, Wait::Sequenced, PATIENCE).await.unwrap();
    let peak = MEMORY.peak_usage();
    for result in &results {
        let SubmitResult::Refused(problem) = result else {
            panic!("accepted: {result:?}");
        };
        assert_eq!(problem.code(), code);
    }
    peak.saturating_sub(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_unknown_has_disclosures_parsed() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let (mut unknown, _) = world.chain(9);
    let unknown = unknown.next();
    // A known chain, and a signature by nobody.
    let known = chain.next();
    let (signed, _) = entry_of(&known).rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", to_base64url(&[0_u8; 64]));
    // What anybody may read, sent again with what it does not commit to; and a genesis entry under
    // the sender's own key, which commits to everything that comes with it.
    let genesis = genesis(&world, &disclosures());
    for (entry, code) in [
        (entry_of(&unknown), "unknown-chain"),
        (forged.as_str(), "bad-signature"),
        (entry_of(&known), "malformed-frame"),
        (entry_of(&genesis), "genesis"),
    ] {
        let frames = submission(entry);
        let sent: usize = frames.iter().map(String::len).sum();
        let cost = cost(&log, frames, code).await;
        assert!(cost < BOUND, "{code}: {cost} bytes for {sent} sent");
    }
}
