//! What can be known of each entry by itself, on every core: its form, its disclosures, its signature.
//!
//! Owns the work that needs neither order nor state. Does not own what is made of it: the walk counts,
//! judges and reports in order.

use super::Item;
use crate::judge::{Fault, Judgement, Reading, verify};
use cairn_event::{Disclosure, Entry};
use rayon::prelude::*;

/// An item as read.
pub(crate) struct Read {
    pub(crate) reading: Reading,
    /// Disclosures that the entry commits to.
    pub(crate) disclosures: Vec<Disclosure>,
    /// Why others were refused.
    pub(crate) faults: Vec<String>,
}

impl Read {
    /// Reads an item: its entry, and its disclosures against the digests that the entry commits to.
    pub(crate) fn of(item: &Item) -> Self {
        let reading = Reading::of(&item.bytes);
        let (mut disclosures, mut faults) = (Vec::new(), Vec::new());
        for encoded in &item.disclosures {
            match open(encoded, &reading, &disclosures) {
                Ok(disclosure) => disclosures.push(disclosure),
                Err(fault) => faults.push(fault),
            }
        }
        Self {
            reading,
            disclosures,
            faults,
        }
    }
}

fn open(encoded: &str, reading: &Reading, opened: &[Disclosure]) -> Result<Disclosure, String> {
    let disclosure = Disclosure::parse(encoded).map_err(|error| error.to_string())?;
    let payload = reading.entry().map(|entry| entry.payload());
    let digests = payload.map_or(&[][..], |payload| &payload.sd);
    let name = disclosure.name();
    if digests.binary_search(&disclosure.digest()).is_err() {
        Err(format!("disclosure `{name}` has no digest in its entry"))
    } else if opened.iter().any(|one| one.name() == name) {
        Err(format!("disclosure `{name}` is given twice"))
    } else {
        Ok(disclosure)
    }
}

/// An entry whose place in the log has been judged.
pub(crate) struct Judged {
    pub(crate) index: u64,
    pub(crate) reading: Reading,
    pub(crate) disclosures: Vec<Disclosure>,
    pub(crate) erased: bool,
    /// `None` where it was refused; that has been reported.
    pub(crate) judgement: Option<Judgement>,
}

/// Entries whose places have been judged and whose signatures have not.
#[derive(Default)]
pub struct Batch(pub(crate) Vec<Judged>);

/// Entries that have been verified, each with its verdict where it was not refused before.
pub struct Verified(pub(crate) Vec<(Judged, Option<Result<(), Fault>>)>);

impl Batch {
    /// The entries, where they were read.
    pub fn entries(&self) -> impl Iterator<Item = Option<&Entry>> {
        self.0.iter().map(|one| one.reading.entry())
    }

    /// Verifies the signatures, on every core.
    pub fn verify(self) -> Verified {
        let verified = self.0.into_par_iter().map(|one| {
            let judgement = one.judgement.as_ref();
            let verdict = judgement.map(|judgement| verify(&one.reading, judgement));
            (one, verdict)
        });
        Verified(verified.collect())
    }
}
