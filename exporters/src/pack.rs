//! Writing an evidence pack.
//!
//! Owns the order of the steps: resolve the period, scan the log, judge the rows, write them, and
//! refuse to finish when anything did not verify. Source: `docs/formats/pack.md`.

mod basis;
mod conclusion;
pub mod folder;
pub mod parquet;

use crate::catalogue::{CatalogueError, Framework};
use crate::period::{Bound, PeriodError, resolve};
use crate::scan::{Scan, scan};
use crate::verified::{Proofs, ReadError, VerifiedLog};
use basis::item;
use cairn_audit::beacons::TreeAt;
use cairn_audit::evidence::CheckpointRecord;
use cairn_audit::log::bundles::{self, BundleError};
use cairn_audit::pack::check_log_key;
use cairn_audit::pack::manifest::{Manifest, Totals};
use cairn_audit::pack::names;
use cairn_audit::source::reading::Leave;
use cairn_audit::source::{LogSource, SourceError};
use cairn_audit::walk::{Item, Walk};
use cairn_audit::{Failure, Report};
use cairn_event::Sha256;
use cairn_event::json::to_canonical;
use cairn_tlog::{Hash, TrustPolicy, leaf_hash};
use folder::{FolderError, PackFolder};
use parquet::{EventsWriter, WriteError};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What to put into a pack.
pub struct Options<'a> {
    /// Who makes a checkpoint believable. It is not put into the pack.
    pub policy: &'a TrustPolicy,
    /// Leaf hash of entry 0.
    pub genesis: Hash,
    /// First end of the period.
    pub from: Bound,
    /// Other end of the period.
    pub to: Bound,
    /// Whether the rows are proven in the newest tree instead of the one that ends with them. Later
    /// erasures are then in the pack, and a later export has other bytes.
    pub proven_by_newest: bool,
    /// Whose controls are looked at.
    pub framework: Framework,
    /// Parameters of control tests.
    pub params: Vec<(String, String)>,
    /// What the confidential members are read for; a server puts it into the log.
    pub purpose: &'a str,
    /// The folder to make.
    pub out: PathBuf,
    /// Told after every bundle of the first pass: entries done, entries in all.
    pub progress: &'a dyn Fn(u64, u64),
}

/// A finished pack.
#[derive(Debug)]
pub struct Summary {
    /// SHA-256 of the manifest.
    pub pack_root: Sha256,
    /// What the pack says it is.
    pub manifest: Manifest,
}

/// Why there is no pack.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log could not be read or believed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no such period.
    #[error(transparent)]
    Period(#[from] PeriodError),
    /// Entries of the period are gone; a pack of it would not be whole.
    #[error(
        "the period begins at index {start}, and the log was pruned below {minimum}: choose a later \
         beginning, or take the pack from a mirror or backup that has those entries"
    )]
    Pruned {
        /// First index of the period.
        start: u64,
        /// The log's minimum index.
        minimum: u64,
    },
    /// Entry 0 is not the one that was pinned.
    #[error("entry 0: {0}")]
    Genesis(String),
    /// Something did not verify; nothing is exported.
    #[error("the log does not verify, nothing is exported\n{0}")]
    NotVerified(Box<Report>),
    /// The folder could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A table could not be written.
    #[error("`{0}` {1}")]
    Table(String, WriteError),
    /// The embedded catalogue is damaged.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A JSON file could not be made.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<SourceError> for ExportError {
    fn from(error: SourceError) -> Self {
        Self::Read(ReadError::Source(error))
    }
}

impl From<BundleError> for ExportError {
    fn from(error: BundleError) -> Self {
        Self::Read(ReadError::Bundle(error))
    }
}

/// Makes a pack.
///
/// Errors: [`ExportError`]; a half-written folder keeps the ending `.partial` and is no pack.
pub fn export(source: &dyn LogSource, options: &Options<'_>) -> Result<Summary, ExportError> {
    let log = VerifiedLog::open(source, options.policy)?;
    let range = resolve(&log.published, options.from, options.to)?;
    if range.start < log.minimum {
        let (start, minimum) = (range.start, log.minimum);
        return Err(ExportError::Pruned { start, minimum });
    }
    let tree = tree(&log, &range, options.proven_by_newest)?;
    let scan = scan(&log, &tree, &range, options.progress)?;
    check_scan(&log, &tree, &scan, options)?;
    let mut export = Export {
        proofs: Proofs::new(source, &tree),
        folder: PackFolder::create(&options.out)?,
        leave: source.announce(&range, options.purpose)?,
        log: &log,
        range,
        tree,
        scan,
        options,
    };
    let outside = export.write_proofs()?;
    let (walk, context) = export.begin_walk(outside)?;
    let walked = export.write_rows(walk, &context)?;
    export.finish(walked)
}

fn tree(
    log: &VerifiedLog<'_>,
    range: &Range<u64>,
    newest: bool,
) -> Result<CheckpointRecord, ExportError> {
    let record = if newest {
        log.published.last()
    } else {
        log.at(range.end)
    };
    let (index, newest) = (range.end, log.published.last().map_or(0, |last| last.size));
    record
        .cloned()
        .ok_or(ExportError::Period(PeriodError::NotPublished {
            index,
            newest,
        }))
}

/// Entry 0 is the pinned one, and every published checkpoint is a prefix of the tree.
fn check_scan(
    log: &VerifiedLog<'_>,
    tree: &CheckpointRecord,
    scan: &Scan,
    options: &Options<'_>,
) -> Result<(), ExportError> {
    let leaf = leaf_hash(&scan.genesis);
    if leaf != options.genesis {
        let (found, pinned) = (leaf.to_hex(), options.genesis.to_hex());
        return Err(ExportError::Genesis(format!(
            "leaf is {found}, pinned is {pinned}"
        )));
    }
    check_log_key(&scan.genesis, options.policy).map_err(ExportError::Genesis)?;
    for record in log
        .published
        .iter()
        .filter(|record| record.size <= tree.size)
    {
        if let Some(found) = scan.roots.get(&record.size)
            && *found != record.root
        {
            let (size, found, signed) = (record.size, *found, record.root);
            return Err(ReadError::Root {
                size,
                found,
                signed,
            }
            .into());
        }
    }
    Ok(())
}

struct Export<'a> {
    log: &'a VerifiedLog<'a>,
    options: &'a Options<'a>,
    range: Range<u64>,
    tree: CheckpointRecord,
    scan: Scan,
    proofs: Proofs<'a>,
    folder: PackFolder,
    /// The leave to read confidential members; `None` where the source gives none.
    leave: Option<Leave>,
}

/// What writing the rows leaves.
struct Written {
    walked: cairn_audit::walk::Walked,
    totals: Totals,
}

impl Export<'_> {
    fn write_rows(&mut self, mut walk: Walk, after: &[Item]) -> Result<Written, ExportError> {
        let failed = |error| ExportError::Table(names::EVENTS.to_owned(), error);
        let mut writer = EventsWriter::create(&self.folder.path(names::EVENTS)).map_err(failed)?;
        let mut totals = Totals::default();
        let mut events = Vec::new();
        let tree = bundles::Tree {
            source: self.log.source,
            size: self.tree.size,
            minimum: self.log.minimum,
        };
        bundles::for_each_disclosed(
            tree,
            self.leave.as_ref(),
            self.range.clone(),
            |first, places, mut disclosed| {
                let items = places.into_iter().zip(first..);
                let items = items.filter_map(|(place, index)| {
                    let bytes = place.entry()?;
                    Some(item(index, &bytes, &mut disclosed))
                });
                let items: Vec<Item> = items.collect();
                let rows = walk.items(names::EVENTS, &items);
                rows.iter().for_each(|row| totals.add(row));
                events.extend(writer.push(rows).map_err(failed)?);
                Ok::<(), ExportError>(())
            },
        )?;
        events.extend(writer.finish().map_err(failed)?);
        self.folder.list(names::EVENTS)?;
        for (line, item) in after.iter().enumerate() {
            walk.context_item(names::CONTEXT, line as u64, item);
        }
        self.settle_beacons(&mut walk);
        let mut walked = walk.finish();
        if walked.report.checks.iter().any(|check| check.failed > 0) {
            return Err(ExportError::NotVerified(Box::new(walked.report)));
        }
        walked.tables.events = events;
        walked.tables.params = self.params();
        Ok(Written { walked, totals })
    }

    /// Compares what the devices saw of the log with its tree: a log that showed two is not exported.
    fn settle_beacons(&self, walk: &mut Walk) {
        let tree = |size: u64, root: &Hash| match self.scan.roots.get(&size) {
            Some(root) => TreeAt::Root(*root),
            None => match self.proofs.earlier(size, root) {
                Ok(()) => TreeAt::Proven,
                Err(error) => TreeAt::Refuted(error.to_string()),
            },
        };
        let place = |index, reason| Failure::of_index(names::EVENTS, index, reason);
        walk.settle_beacons(tree, place);
    }
}

/// Verifies a finished pack with the auditor, as whoever receives it will.
pub fn verify(out: &Path, policy: &TrustPolicy, genesis: &Hash) -> Report {
    cairn_audit::pack::verify(out, policy, genesis)
}

fn json_bytes<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    Ok(to_canonical(&serde_json::to_value(value)?))
}
