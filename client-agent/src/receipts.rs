//! Receipts held by the device: proof, kept here, that the log took its entries.
//!
//! Owns the store and its records. The agent is the first auditor: a receipt is stored only after
//! it was verified against the pinned trust policy, and anybody can verify it again.
//!
//! Source: architecture of record, section 2, step 7; C2SP tlog-proof.

use crate::state::StateDir;
use cairn_durable::book::{AppendLogError, OpenLogError};
use cairn_durable::segment::SyncError;
use cairn_durable::{BookLimits, SegmentLog, SegmentReader};
use cairn_event::payload::Beacon;
use cairn_event::{Entry, EntryError, Sha256};
use cairn_tlog::receipt::ReceiptParseError;
use cairn_tlog::{Hash, Receipt, ReceiptError, TrustPolicy};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Bytes of one receipt file: 16 MiB.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Most bytes of receipts: 16 GiB, several years of one busy developer at about 4 KiB an entry.
const BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// One receipted entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipted {
    /// Its index in the log.
    pub index: u64,
    /// The entry, whole; its disclosures are not kept.
    pub entry: String,
    /// C2SP tlog-proof.
    pub receipt: String,
}

/// What a verified receipt shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The checkpoint it leads to.
    pub beacon: Beacon,
    /// Witness names with their Unix seconds.
    pub witnesses: Vec<(String, u64)>,
}

/// Why a receipt is not believed; the record stays in the spool.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptProblem {
    /// Not a tlog-proof.
    #[error(transparent)]
    Form(#[from] ReceiptParseError),
    /// It does not prove the entry under the pinned trust policy.
    #[error("{}", with_cause(.0))]
    Proof(#[from] ReceiptError),
    /// It is for another index than the server said.
    #[error("the receipt is for index {proven}, the server said {said}")]
    OtherIndex {
        /// Index in the receipt.
        proven: u64,
        /// Index the server said.
        said: u64,
    },
    /// The entry does not parse.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// Why receipts could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptsError {
    /// The store does not open.
    #[error("receipts: {0}")]
    Open(#[from] OpenLogError),
    /// It takes no record.
    #[error("receipts: {0}")]
    Append(#[from] AppendLogError),
    /// It cannot be flushed.
    #[error("receipts: {0}")]
    Sync(#[from] SyncError),
    /// A record has no JSON form or is not one.
    #[error("receipts: {0}")]
    Form(#[from] serde_json::Error),
    /// The folder cannot be listed.
    #[error("receipts cannot be listed")]
    List(#[source] std::io::Error),
}

/// An error and the first of its causes, in one line.
fn with_cause(error: &ReceiptError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl Receipted {
    /// Verifies the receipt for the entry under `policy`.
    ///
    /// Errors: [`ReceiptProblem`].
    pub fn verify(&self, policy: &TrustPolicy) -> Result<Shown, ReceiptProblem> {
        let entry = Entry::parse(self.entry.as_bytes())?;
        let receipt = Receipt::parse(&self.receipt)?;
        if receipt.index != self.index {
            return Err(ReceiptProblem::OtherIndex {
                proven: receipt.index,
                said: self.index,
            });
        }
        let verified = receipt.verify(&Hash(entry.leaf().0), policy)?;
        let checkpoint = verified.checkpoint;
        let beacon = Beacon {
            root: Sha256(*checkpoint.root.as_bytes()),
            size: checkpoint.size,
        };
        Ok(Shown {
            beacon,
            witnesses: verified.cosigned,
        })
    }
}

/// The store, with the daemon as its only writer.
#[derive(Debug)]
pub struct Receipts(SegmentLog);

impl Receipts {
    /// Opens the store.
    ///
    /// Errors: [`ReceiptsError`].
    pub fn open(state: &StateDir) -> Result<Self, ReceiptsError> {
        let limits = BookLimits {
            segment_bytes: SEGMENT_BYTES,
            total_bytes_max: BYTES_MAX,
            reserve_bytes: 0,
        };
        Ok(Self(SegmentLog::open(&state.receipts(), limits)?.log))
    }

    /// Stores verified receipts; they are durable when this returns.
    ///
    /// Errors: [`ReceiptsError`]; the spool records must not be retired.
    pub fn store(&mut self, receipts: &[Receipted]) -> Result<(), ReceiptsError> {
        for receipt in receipts {
            self.0.append(&serde_json::to_vec(receipt)?)?;
        }
        self.0.sync()?;
        Ok(())
    }
}

/// Reads all receipts without the writer's lock, oldest first, each index once.
///
/// An append that is under way at the end is left out.
///
/// Errors: [`ReceiptsError`].
pub fn read_all(dir: &Path) -> Result<Vec<Receipted>, ReceiptsError> {
    let listing = match std::fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ReceiptsError::List(error)),
    };
    let mut files: Vec<_> = listing
        .flatten()
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .collect();
    files.sort();
    let mut all = std::collections::BTreeMap::new();
    for file in files {
        let reader = SegmentReader::open(&file).map_err(OpenLogError::from)?;
        for record in reader.map_while(Result::ok) {
            let receipt: Receipted = serde_json::from_slice(&record.payload)?;
            all.insert(receipt.index, receipt);
        }
    }
    Ok(all.into_values().collect())
}
