//! Checking one receipt: this entry is in that log, and the witnesses have seen it.

use crate::report::{Check, Failure, Report};
use cairn_tlog::{Receipt, TrustPolicy, leaf_hash};

/// Checks the receipt (a C2SP tlog-proof) of an entry under a trust policy.
///
/// Never fails: what cannot be read is a failed check. The entry may be a whole frame; what follows
/// its first tilde is not covered by the receipt and is ignored.
pub fn check(entry: &[u8], receipt: &str, policy: &TrustPolicy) -> Report {
    let mut report = Report::default();
    let mut check = Check::new("receipt");
    let place = |reason: String| Failure::of_file("receipt", reason);
    let frame = entry.strip_suffix(b"\n").unwrap_or(entry);
    let bytes = frame.split(|byte| *byte == b'~').next().unwrap_or_default();
    let leaf = leaf_hash(bytes);
    report.fact("leaf", leaf.to_hex());
    if let Some(parsed) = check.record(Receipt::parse(receipt), place)
        && let Some(verified) = check.record(parsed.verify(&leaf, policy), with_causes)
    {
        report.fact("index", parsed.index);
        report.fact("origin", &verified.checkpoint.origin);
        report.fact("tree size", verified.checkpoint.size);
        for (witness, seconds) in &verified.cosigned {
            report.fact(&format!("cosigned by {witness} (Unix seconds)"), seconds);
        }
    }
    report.push(check);
    report
}

fn with_causes(reason: String) -> Failure {
    Failure::of_file("receipt", reason)
}
