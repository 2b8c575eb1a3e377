//! The steps of torchwood's `litewitness` conformance script (341dc2f), with its published log key
//! and signatures. Roots are not hashes of anything; only the arithmetic matters.

use tempfile::TempDir;

use crate::log::{Served, request, witness};

const ORIGIN: &str =
    "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
const KEY: &str = "5202289b+Af/cLU2Y5BJNP+r3iMDC+av9eWCD0fBJVDfzAux5zxAP";

const ROOT_1: &str = "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const SIG_1: &str =
    "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=";
const ROOT_3: &str = "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=";
const SIG_3: &str =
    "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=";
const SIG_3_BAD: &str =
    "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6gx=";
const ROOT_5: &str = "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=";
const SIG_5: &str =
    "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=";

/// Base64 of the bytes 2a, n and thirty zeros.
fn leaf(n: u8) -> String {
    let letter = ["", "E", "I", "M", "Q"][usize::from(n)];
    format!("Kg{letter}{}=", "A".repeat(40))
}

fn note(origin: &str, size: u64, root: &str, signature: &str) -> String {
    format!("{origin}\n{size}\n{root}\n\n\u{2014} {origin} {signature}\n")
}

#[tokio::test]
async fn tlog_witness_must_pass_the_litewitness_script() {
    let folder = TempDir::new().unwrap();
    let key = cairn_tlog::VerifierKey::parse(&format!("{ORIGIN}+{KEY}")).unwrap();
    let served = Served::start(witness(&folder, [key].into_iter().collect())).await;
    let garbled = "KgMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=".to_owned();

    let one = note(ORIGIN, 1, ROOT_1, SIG_1);
    assert_eq!(served.status(request(0, &[], &one)).await, 200, "step 1");

    let proof_3 = [leaf(1), leaf(2)];
    let bad = note(ORIGIN, 3, ROOT_3, SIG_3_BAD);
    assert_eq!(
        served.status(request(1, &proof_3, &bad)).await,
        403,
        "step 2"
    );

    let unknown = ORIGIN.replace("e562", "e563");
    let other = note(&unknown, 3, ROOT_3, SIG_3_BAD);
    assert_eq!(
        served.status(request(1, &proof_3, &other)).await,
        404,
        "step 3"
    );

    let three = note(ORIGIN, 3, ROOT_3, SIG_3);
    assert_eq!(served.status(request(1, &[], &three)).await, 422, "step 4");
    let proof = [leaf(1), garbled];
    assert_eq!(
        served.status(request(1, &proof, &three)).await,
        422,
        "step 5"
    );
    assert_eq!(
        served.status(request(1, &proof_3, &three)).await,
        200,
        "step 6"
    );

    let five = note(ORIGIN, 5, ROOT_5, SIG_5);
    let from_1 = [
        leaf(1),
        "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=".to_owned(),
        leaf(4),
    ];
    let conflict = served.add(request(1, &from_1, &five)).await;
    assert_eq!(
        (conflict.status, conflict.body.as_str()),
        (409, "3\n"),
        "step 7"
    );
    assert_eq!(conflict.content_type, "text/x.tlog.size");

    let from_3 = [
        leaf(2),
        leaf(3),
        "wgiIFdZfYNv6WU1OllBKsWnLYIS/DBMqt8Uh/S4OukE=".to_owned(),
        leaf(4),
    ];
    assert_eq!(
        served.status(request(3, &from_3, &five)).await,
        200,
        "step 8"
    );
    let conflict = served.add(request(0, &[], &five)).await;
    assert_eq!(
        (conflict.status, conflict.body.as_str()),
        (409, "5\n"),
        "step 9"
    );
    served.stop().await;
}
