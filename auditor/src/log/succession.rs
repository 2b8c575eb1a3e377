//! A log that succeeds another one: its genesis, the evidence of the close, and the closed log itself.
//!
//! Owns the checks of the link. What the entries say is judged by `cairn_identity::succession`; here the
//! evidence is fetched, its receipt verified under the auditor's own trust policy, and, where the closed
//! log is at hand, that log is audited whole and compared with what the successor names.
//! Source: `docs/formats/administrative.md`, "Closing a log".

use crate::report::{Check, Failure, Report};
use crate::source::LogSource;
use cairn_event::administrative::Predecessor;
use cairn_event::{Entry, Sha256};
use cairn_identity::succession::Closing;
use cairn_tlog::{Hash, Receipt, TrustPolicy};

/// What places in failures about the link are called.
const PLACE: &str = "predecessor";

/// Checks the link of a genesis entry to the log that it succeeds; `None` where it succeeds none.
///
/// What the genesis names is given also where the link does not hold.
pub fn check_link(
    source: &dyn LogSource,
    policy: &TrustPolicy,
    genesis: &[u8],
) -> Option<(Check, Option<Predecessor>)> {
    let genesis = Entry::parse(genesis).ok()?;
    let mut check = Check::new("predecessor");
    let place = |reason: String| Failure::of_index(PLACE, 0, reason);
    let named = check.record(Predecessor::of(genesis.payload())?, place);
    if let Some(named) = &named {
        check.record(try_link(source, policy, &genesis, named), place);
    }
    Some((check, named))
}

fn try_link(
    source: &dyn LogSource,
    policy: &TrustPolicy,
    genesis: &Entry,
    named: &Predecessor,
) -> Result<(), String> {
    let evidence = source
        .blob(&named.closing)
        .map_err(|error| format!("the evidence of the close: {error}"))?;
    let closing = Closing::parse(&evidence).map_err(|error| error.to_string())?;
    let closed = closing.judge().map_err(|error| error.to_string())?;
    let key = closed.authority.log_key();
    if !policy.logs().iter().any(|log| log.key.to_string() == key) {
        return Err(format!(
            "the trust policy does not list log key `{key}` of the log that was closed; add a line for it"
        ));
    }
    let receipt = Receipt::parse(&closing.receipt).map_err(|error| error.to_string())?;
    let verified = receipt.verify(&Hash(closed.close.0), policy);
    let head = verified
        .map_err(|error| format!("the receipt of the close: {error}"))?
        .checkpoint;
    if head.origin != closed.origin {
        return Err(format!(
            "the receipt of the close is of log `{}`",
            head.origin
        ));
    }
    let (digest, root) = (Sha256::of(&evidence), Sha256(head.root.0));
    let shown = closed.predecessor(digest, receipt.index, head.size, root);
    let shown = shown.map_err(|error| error.to_string())?;
    let linked = closed.check_successor(genesis, &shown);
    linked.map_err(|error| error.to_string())
}

/// Compares the report of a whole audit of the closed log with what its successor names.
///
/// Every check of that audit is one thing looked at; its failures are told with the name of the check.
pub fn check_log(report: &Report, named: &Predecessor) -> Check {
    let mut check = Check::new("predecessor-log");
    for one in &report.checks {
        if one.failed == 0 {
            check.pass();
        }
        for failure in &one.failures {
            let place = format!("{PLACE}/{}", one.name);
            check.fail(Failure::of_file(&place, failure));
        }
    }
    let fact = |name: &str| report.facts.get(name).map(String::as_str);
    let root = Hash(named.root.0).to_string();
    let size = named.size.to_string();
    for (what, expected) in [
        ("origin", named.origin.as_str()),
        ("tree size", size.as_str()),
        ("tree root", root.as_str()),
    ] {
        let verdict = match fact(what) {
            Some(found) if found == expected => Ok(()),
            found => Err(format!(
                "{what} is {}, the successor names {expected}",
                found.unwrap_or("not known")
            )),
        };
        check.record(verdict, |reason| Failure::of_file(PLACE, reason));
    }
    check
}
