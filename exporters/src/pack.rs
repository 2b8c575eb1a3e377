//! Writing an evidence pack.
//!
//! Owns the order of the steps: resolve the period, scan the log, judge the rows, write them, and
//! refuse to finish when anything did not verify. Source: `docs/formats/pack.md`.

pub mod folder;
pub mod parquet;
mod sheet;
mod texts;

use crate::catalogue::{Catalogue, CatalogueError, Framework};
use crate::period::{Bound, PeriodError, resolve};
use crate::scan::{Scan, scan};
use crate::verified::{Proofs, ReadError, VerifiedLog};
use cairn_audit::Report;
use cairn_audit::controls::Verdicts;
use cairn_audit::evidence::tables::ParamRow;
use cairn_audit::evidence::{CheckpointRecord, Context};
use cairn_audit::log::bundles::{self, BundleError};
use cairn_audit::pack::check_log_key;
use cairn_audit::pack::manifest::{FORMAT, Manifest, RangeOf, SCHEMA, Totals, TreeOf};
use cairn_audit::pack::names;
use cairn_audit::pack::proofs::{ProvenEntry, RangeFile};
use cairn_audit::source::{Disclosed, LogSource, SourceError};
use cairn_audit::walk::{Item, Walk};
use cairn_event::body::Body;
use cairn_event::json::to_canonical;
use cairn_event::{Entry, Sha256};
use cairn_tlog::{Hash, TrustPolicy, leaf_hash};
use folder::{FolderError, PackFolder};
use parquet::{EventsWriter, WriteError, write_table};
use std::collections::BTreeMap;
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
    let tree = tree(&log, &range, options.proven_by_newest)?;
    let scan = scan(&log, &tree, &range, options.progress)?;
    check_scan(&log, &tree, &scan, options)?;
    let mut export = Export {
        proofs: Proofs::new(source, &tree),
        folder: PackFolder::create(&options.out)?,
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
}

/// What writing the rows leaves.
struct Written {
    walked: cairn_audit::walk::Walked,
    totals: Totals,
}

impl Export<'_> {
    /// Writes checkpoint, range proof and the entries from outside the range, and gives the latter
    /// back: their disclosures are read once, because the log records every reading.
    fn write_proofs(&mut self) -> Result<Vec<Item>, ExportError> {
        self.folder
            .write(names::CHECKPOINT, self.tree.note.as_bytes())?;
        let proof = self.proofs.range(self.range.start, self.range.end)?;
        let file = RangeFile::new(self.range.start, self.range.end, self.tree.size, &proof);
        self.folder.write(names::RANGE, &json_bytes(&file)?)?;
        let genesis = self.item(0, self.scan.genesis.clone())?;
        let proven = self.proven(&genesis)?;
        self.folder.write(names::GENESIS, &json_bytes(&proven)?)?;
        let mut items = Vec::new();
        let mut lines = Vec::new();
        for (index, bytes) in self.scan.context.iter().filter(|(index, _)| **index > 0) {
            let item = self.item(*index, bytes.clone())?;
            lines.extend(json_bytes(&self.proven(&item)?)?);
            lines.push(b'\n');
            items.push(item);
        }
        self.folder.write(names::CONTEXT, &lines)?;
        if self.range.start > 0 {
            items.insert(0, genesis);
        }
        Ok(items)
    }

    fn proven(&self, item: &Item) -> Result<ProvenEntry, ExportError> {
        let proof = self.proofs.inclusion(&leaf_hash(&item.bytes), item.index)?;
        Ok(ProvenEntry {
            disclosures: item.disclosures.clone(),
            entry: String::from_utf8_lossy(&item.bytes).into_owned(),
            index: item.index,
            proof: proof.iter().map(Hash::to_string).collect(),
        })
    }

    /// Confidential members as far as the source gives them. Asked for only where an entry has any.
    fn disclosures(&self, index: u64, bytes: &[u8]) -> Result<Vec<String>, ExportError> {
        let any = Entry::parse(bytes).is_ok_and(|entry| !entry.payload().sd.is_empty());
        if !any {
            return Ok(Vec::new());
        }
        let mut present: Vec<String> = Vec::new();
        for one in self.log.source.disclosures(index)? {
            if let Disclosed::Present(encoded) = one {
                present.push(encoded);
            }
        }
        // The order in which a server lists them must not change the bytes of the pack.
        present.sort_unstable();
        Ok(present)
    }

    /// A walk that has seen the context, and the context entries from behind the range.
    fn begin_walk(&mut self, items: Vec<Item>) -> Result<(Walk, Vec<Item>), ExportError> {
        let inside = self.range.start..=self.range.end;
        let records = self
            .log
            .published
            .iter()
            .filter(|record| inside.contains(&record.size));
        let mut context = Context::new(records.cloned().collect());
        for entry in &self.scan.erasures {
            if let Body::Erasure(erasure) = &entry.payload().body {
                context.add_erasure(erasure);
            }
        }
        let mut blobs = BTreeMap::new();
        for digest in &self.scan.bundles {
            let bytes = self.log.source.blob(digest)?;
            self.folder.write(&names::bundle(digest), &bytes)?;
            blobs.insert(*digest, bytes);
        }
        let mut walk = Walk::new(&self.log.origin, self.range.clone(), context, blobs);
        let (before, after): (Vec<Item>, Vec<Item>) = items
            .into_iter()
            .partition(|item| item.index < self.range.start);
        for (line, item) in before.iter().enumerate() {
            walk.context_item(names::CONTEXT, line as u64, item);
        }
        Ok((walk, after))
    }

    fn item(&self, index: u64, bytes: Vec<u8>) -> Result<Item, ExportError> {
        Ok(Item {
            index,
            disclosures: self.disclosures(index, &bytes)?,
            bytes,
        })
    }

    fn write_rows(&mut self, mut walk: Walk, after: &[Item]) -> Result<Written, ExportError> {
        let failed = |error| ExportError::Table(names::EVENTS.to_owned(), error);
        let mut writer = EventsWriter::create(&self.folder.path(names::EVENTS)).map_err(failed)?;
        let mut totals = Totals::default();
        let mut events = Vec::new();
        let (range, size) = (self.range.clone(), self.tree.size);
        bundles::for_each(self.log.source, range, size, |first, entries| {
            let mut items = Vec::with_capacity(entries.len());
            for (bytes, index) in entries.into_iter().zip(first..) {
                items.push(self.item(index, bytes)?);
            }
            let rows = walk.items(names::EVENTS, &items);
            rows.iter().for_each(|row| totals.add(row));
            events.extend(writer.push(rows).map_err(failed)?);
            Ok::<(), ExportError>(())
        })?;
        events.extend(writer.finish().map_err(failed)?);
        self.folder.list(names::EVENTS)?;
        for (line, item) in after.iter().enumerate() {
            walk.context_item(names::CONTEXT, line as u64, item);
        }
        let mut walked = walk.finish();
        if walked.report.checks.iter().any(|check| check.failed > 0) {
            return Err(ExportError::NotVerified(Box::new(walked.report)));
        }
        walked.tables.events = events;
        walked.tables.params = self.params();
        Ok(Written { walked, totals })
    }

    fn params(&self) -> Vec<ParamRow> {
        let given = self.options.params.iter();
        let mut rows: Vec<ParamRow> = given
            .map(|(name, value)| ParamRow {
                name: name.clone(),
                value: value.clone(),
            })
            .collect();
        rows.sort_by(|left, right| left.name.cmp(&right.name));
        rows
    }

    fn finish(mut self, written: Written) -> Result<Summary, ExportError> {
        let tables = written.walked.tables;
        for (name, batch) in tables
            .small()
            .map_err(|error| ExportError::Table("data".to_owned(), WriteError::Arrow(error)))?
        {
            let file = names::table(name);
            write_table(&self.folder.path(&file), &batch)
                .map_err(|error| ExportError::Table(file.clone(), error))?;
            self.folder.list(&file)?;
        }
        let verdicts = Verdicts {
            range_proven: true,
            totals_agree: true,
            begins_at_checkpoint: self.range.start == 0 || self.log.at(self.range.start).is_some(),
            ends_at_checkpoint: self.log.at(self.range.end).is_some(),
            ..written.walked.verdicts
        };
        let catalogue = Catalogue::embedded()?;
        let results = catalogue.run(self.options.framework, &tables, &verdicts);
        self.folder.write(names::RESULTS, &json_bytes(&results)?)?;
        self.folder
            .write(names::RESULTS_CSV, sheet::csv(&results).as_bytes())?;
        self.folder
            .write("controls/controls.yaml", Catalogue::text().as_bytes())?;
        self.folder
            .write("verify.sql", texts::VERIFY_SQL.as_bytes())?;
        self.folder
            .write("VERIFY.md", texts::VERIFY_MD.as_bytes())?;
        let manifest = self.manifest(catalogue.frameworks(self.options.framework), written.totals);
        let bytes = manifest.to_bytes()?;
        let pack_root = Sha256::of(&bytes);
        self.folder.finish(&bytes)?;
        Ok(Summary {
            pack_root,
            manifest,
        })
    }

    fn manifest(&self, frameworks: Vec<String>, totals: Totals) -> Manifest {
        let tools = [
            ("cairn-export", env!("CARGO_PKG_VERSION")),
            ("parquet-pages", "1.0"),
            ("parquet-compression", "zstd-3"),
        ];
        let named = |(name, version): (&str, &str)| (name.to_owned(), version.to_owned());
        Manifest {
            files: self.folder.files(),
            format: FORMAT.to_owned(),
            frameworks,
            genesis: Sha256(self.options.genesis.0),
            origin: self.log.origin.clone(),
            range: RangeOf {
                start: self.range.start,
                end: self.range.end,
            },
            schema: SCHEMA,
            tools: tools.into_iter().map(named).collect(),
            totals,
            tree: TreeOf {
                root: Sha256(self.tree.root.0),
                size: self.tree.size,
            },
        }
    }
}

/// Verifies a finished pack with the auditor, as whoever receives it will.
pub fn verify(out: &Path, policy: &TrustPolicy, genesis: &Hash) -> Report {
    cairn_audit::pack::verify(out, policy, genesis)
}

fn json_bytes<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    Ok(to_canonical(&serde_json::to_value(value)?))
}
