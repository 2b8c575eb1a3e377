//! A `chain.start` that is not this device's, not this log's, or not this chain key's.

use crate::world::{DEVICE, ORIGIN, World, accept, refuse};
use cairn_event::body::{Body, ChainStart};
use cairn_event::encoding::to_base64url;
use cairn_event::payload::possession_message;
use cairn_event::{Context, EntrySigner as _, Link, Payload, Sha256, SoftwareKey, frame, freeze};
use cairn_server::store::Memory;

/// Another log of the same organisation's.
const OTHER_ORIGIN: &str = "log.example.com/other";

/// A chain certificate, said by anybody about anything.
struct Start {
    /// Named in the entry.
    device: &'static str,
    /// Seed of the key that signs it.
    signer: u8,
    /// Seed of the certified chain key.
    chain: u8,
    /// Seed of the key that proves possession.
    prover: u8,
    /// Log named in the entry.
    log: &'static str,
    /// Log named in the proof of possession.
    proven_log: &'static str,
    seq: u64,
}

impl Start {
    /// The one that the enrolled device would make.
    fn good() -> Self {
        Self {
            device: DEVICE,
            signer: 2,
            chain: 9,
            prover: 9,
            log: ORIGIN,
            proven_log: ORIGIN,
            seq: 0,
        }
    }

    fn frame(&self) -> String {
        let key = |seed: u8| SoftwareKey::from_seed(&[seed; 32]);
        let chain = key(self.chain).public_key();
        let message = possession_message(self.device, &chain.kid(), self.proven_log);
        let link = Link {
            device: self.device.into(),
            chain: chain.kid(),
            seq: self.seq,
            prev: (self.seq > 0).then(|| Sha256::of(b"nothing")),
        };
        let body = Body::ChainStart(ChainStart {
            daemon_version: "0.1.0".into(),
            daemon_sha256: Sha256::of(b"daemon"),
            key: chain,
            pop: to_base64url(&key(self.prover).sign(&message).unwrap()),
            previous: None,
        });
        let payload = Payload {
            log: self.log.into(),
            time_ms: 1_790_000_000_000,
            link: Some(link),
            context: Context::default(),
            body,
            approvals: vec![],
            sd: vec![],
            ext: None,
        };
        let frozen = freeze(&payload, &key(self.signer)).unwrap();
        frame::present(&frozen.entry, [])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_chain_start_is_refused_and_leaves_nothing_behind() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let size = log.size();
    let good = Start::good;
    let foreign = [
        (
            "of another device's key",
            "bad-signature",
            Start {
                signer: 8,
                ..good()
            },
        ),
        (
            "signed by its own chain key",
            "bad-signature",
            Start {
                signer: 9,
                ..good()
            },
        ),
        (
            "of a device that is not enrolled",
            "unknown-device",
            Start {
                device: "d_000000000000000000000000000000ff",
                ..good()
            },
        ),
        (
            "for another log",
            "other-log",
            Start {
                log: OTHER_ORIGIN,
                ..good()
            },
        ),
        (
            "replayed whole from another log",
            "other-log",
            Start {
                log: OTHER_ORIGIN,
                proven_log: OTHER_ORIGIN,
                ..good()
            },
        ),
        (
            "with a proof of possession taken from another log",
            "chain-start",
            Start {
                proven_log: OTHER_ORIGIN,
                ..good()
            },
        ),
        (
            "for a key that its device does not hold",
            "chain-start",
            Start {
                prover: 8,
                ..good()
            },
        ),
        (
            "in the middle of a chain",
            "chain-start",
            Start { seq: 1, ..good() },
        ),
    ];
    for (what, code, start) in foreign {
        assert_eq!(refuse(&log, start.frame()).await, code, "{what}");
    }
    assert_eq!(log.size(), size, "a foreign start proves no fork");
    assert_eq!(log.ledger().chains().count(), 1);
    // Neither its chain nor the device's own was harmed.
    accept(&log, vec![good().frame()]).await;
    accept(&log, chain.many(2)).await;
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_start_gives_no_key_to_the_entries_beside_it() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, _) = world.enrolled(&engine).await;
    let (mut chain, _) = world.chain(9);
    let start = Start {
        signer: 8,
        ..Start::good()
    };
    // In one submission: the certificate is not the device's, so it certifies nothing.
    let frames = vec![start.frame(), chain.next()];
    let results = log
        .submit(
            frames,
            cairn_server::Wait::Sequenced,
            crate::world::PATIENCE,
        )
        .await
        .unwrap();
    let codes: Vec<_> = results
        .iter()
        .map(|result| match result {
            cairn_server::SubmitResult::Refused(problem) => problem.code().to_owned(),
            accepted => format!("{accepted:?}"),
        })
        .collect();
    assert_eq!(codes, ["bad-signature", "unknown-chain"]);
}
