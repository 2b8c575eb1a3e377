//! Auditing a whole log: the one oracle after every test and for every monitor.
//!
//! Owns the order of the checks. Leaf hashes, tiles and roots are re-derived from the entry bundles;
//! the root at the size of every published checkpoint is compared with the signed one, which shows
//! their consistency without a proof from the log. Memory grows neither with entries and published checkpoints nor with
//! chains, which [`cold`] puts into a file where they are many: it grows with administrative entries and with erasures.
//! Source: architecture section 7.

pub mod bundles;
pub mod cold;
mod course;
pub mod freshness;
mod pass;
pub mod published;
pub mod resume;
pub mod retention;
pub mod since;
pub mod state;
pub mod succession;
pub mod tiles;

use crate::report::{Check, Failure, Report};
use crate::source::LogSource;
use cairn_event::administrative::Predecessor;
use cairn_event::{Entry, Integrity};
use cairn_tlog::{Hash, TrustPolicy};
use cold::Room;
use course::{Cut, LogAudit};
use freshness::AgeLimit;
use resume::{Ended, Resume};
use state::Left;

/// What the server is told the confidential members are read for.
const PURPOSE: &str = "audit of the whole log";

/// What the walk over a log is called in failures.
const ENTRIES: &str = "entries";

/// What to audit a log against, and how.
pub struct Options<'a> {
    /// Who makes a checkpoint believable.
    pub policy: &'a TrustPolicy,
    /// Leaf hash of entry 0, obtained elsewhere.
    pub genesis: Hash,
    /// Whether confidential members are asked for, to replay decisions.
    pub disclosures: bool,
    /// How old the newest checkpoint may be; `None` for an archive, whose age says nothing.
    pub max_age: Option<AgeLimit>,
    /// The checkpoint of an earlier audit, a signed note: the log may only have grown since.
    pub since: Option<&'a str>,
    /// How many chains are held in memory, and where the others go.
    pub chains: Room<'a>,
    /// Told after every bundle: entries done, entries in all.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

/// Audits everything that the newest checkpoint covers; of a successor also the evidence that its
/// predecessor was closed where its genesis says.
///
/// Never fails: what cannot be read is a failed check.
pub fn audit(source: &dyn LogSource, options: &Options<'_>) -> Report {
    told(audit_whole(source, options, None)).report
}

/// As [`audit`]; where there is a predecessor, then also the whole log that this one succeeds, under the same
/// trust policy and the genesis that the successor names. With `resume` it goes on from an earlier state, and
/// keeps its own while no check has failed: the report is that of an audit from entry 0.
///
/// A predecessor is closed for ever and is audited whole each time.
///
/// Errors: [`Ended`]; there is no verdict.
pub fn audit_on(
    source: &dyn LogSource,
    predecessor: Option<&dyn LogSource>,
    options: &Options<'_>,
    resume: Option<Resume<'_>>,
) -> Result<Report, Ended> {
    let keeper = resume.as_ref().map(|resume| resume.keeper);
    let mut audited = audit_whole(source, options, resume)?;
    if let Some(predecessor) = predecessor {
        audited.take_predecessor(predecessor, options)?;
    }
    if let Some(keeper) = keeper
        && let Some(left) = audited.left.filter(|_| audited.report.is_good())
    {
        keeper.keep(&left.settled(options));
    }
    Ok(audited.report)
}

/// One audited log.
#[derive(Default)]
struct Audited {
    report: Report,
    /// The log that its genesis says it succeeds.
    named: Option<Predecessor>,
    /// What the state after the last entry is made of, to be kept if the report is good.
    left: Option<Left>,
}

impl Audited {
    fn take_predecessor(
        &mut self,
        predecessor: &dyn LogSource,
        options: &Options<'_>,
    ) -> Result<(), Ended> {
        let Some(named) = &self.named else {
            let mut check = Check::new("predecessor-log");
            let reason = "the genesis names no log that this one succeeds";
            check.fail(Failure::of_index(ENTRIES, 0, reason));
            self.report.push(check);
            return Ok(());
        };
        let options = Options {
            genesis: Hash(named.genesis.0),
            disclosures: false,
            // What the successor names is final, however long ago that was.
            max_age: None,
            since: None,
            ..*options
        };
        let closed = audit_whole(predecessor, &options, None)?.report;
        self.report.push(succession::check_log(&closed, named));
        let entries = closed.counts.get("entries").copied().unwrap_or_default();
        self.report.count("entries of the predecessor", entries);
        Ok(())
    }
}

/// Without a keeper nothing ends an audit early but a disk that does not take its chains; the report says that, and
/// is not good.
fn told(audited: Result<Audited, Ended>) -> Audited {
    audited.unwrap_or_else(|ended| {
        let mut audited = Audited::default();
        let mut check = Check::new("readable");
        check.fail(Failure::of_file(ENTRIES, ended));
        audited.report.push(check);
        audited
    })
}

fn audit_whole(
    source: &dyn LogSource,
    options: &Options<'_>,
    resume: Option<Resume<'_>>,
) -> Result<Audited, Ended> {
    let mut audited = Audited::default();
    let report = &mut audited.report;
    let mut check = Check::new("checkpoint");
    let place = |reason: String| Failure::of_file("checkpoint", reason);
    let head = check.record(source.checkpoint(), place).and_then(|note| {
        let verified = check.record(options.policy.verify_checkpoint(&note), place);
        Some((note, verified?))
    });
    report.push(check);
    let Some((note, verified)) = head else {
        return Ok(audited);
    };
    freshness::check(options.policy, &verified, options.max_age, report);
    let head = verified.checkpoint;
    report.checkpoint = Some(note);
    report.fact("origin", &head.origin);
    report.fact("tree size", head.size);
    report.fact("tree root", head.root);
    let mut readable = Check::new("readable");
    let (keeper, from) = match resume {
        Some(resume) => (Some(resume.keeper), resume.from),
        None => (None, None),
    };
    let audit = LogAudit {
        source,
        options,
        head: &head,
        keeper,
    };
    let verdict = match audit.run(from, &mut audited) {
        Ok(()) => Ok(()),
        Err(Cut::Bundle(error)) => Err(error),
        Err(Cut::Ended(ended)) => return Err(ended),
    };
    readable.record(verdict, |reason| Failure::of_file(ENTRIES, reason));
    audited.report.push(readable);
    Ok(audited)
}
/// Parses an entry only if its payload holds `words`: most entries are skipped without parsing JSON.
pub fn says(bytes: &[u8], words: &[u8]) -> Option<Entry> {
    let outer = Integrity::parse(bytes).ok()?;
    let named = outer
        .payload
        .windows(words.len())
        .any(|window| window == words);
    named.then(|| Entry::parse(bytes).ok())?
}
