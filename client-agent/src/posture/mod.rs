//! What state the device is in: operating system, kernel, disk encryption, secure boot, endpoint
//! protection, what kind of machine it is, and by what kind of link it is on a network.
//!
//! Owns one pass over the device, the deadline of each collector and the conversion into
//! [`cairn_event::Posture`]. Does not own when to look again (the daemon's watch does), what a
//! value means for a decision (the policy crate), or the server's judgement of the claim.
//!
//! Everything is read below a [`Sysroot`], so a folder of files can play another machine. A report
//! from such a folder is marked in every field and can never pass as real.
//!
//! Implemented for Linux; elsewhere every field is unknown because the files are absent.
//!
//! Source: architecture of record, sections 1 and 3 (posture values with evidence level and age).

mod block;
mod deadline;
mod encryption;
mod field;
mod mounts;
mod network;
mod process;
mod product;
mod protection;
mod release;
mod secure_boot;
mod surroundings;
mod sysroot;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_event::body::PostureChanged;
use cairn_event::{Posture, PostureValue, Sha256};

pub use deadline::COLLECTOR_DEADLINE;
pub use field::{Finding, State};
pub use product::{Product, ProductTable, ProductTableError};
pub use surroundings::Surroundings;
pub use sysroot::Sysroot;
pub use watch::{ProtectionWatch, WatchError};

use crate::ancestry::DigestCache;
use deadline::{Collector, Deadlined};

/// Field name: distribution and version.
pub const OS: &str = "os";
/// Field name: running kernel release.
pub const KERNEL: &str = "kernel";
/// Field name: whether the file systems that matter are encrypted.
pub const DISK_ENCRYPTION: &str = "disk_encryption";
/// Field name: whether the firmware verified what it started.
pub const SECURE_BOOT: &str = "secure_boot";
/// Field name: whether an endpoint protection product is at work.
pub const ENDPOINT_PROTECTION: &str = "endpoint_protection";
/// Field name: by what kind of link the device is on a network.
pub const NETWORK: &str = "network";
/// Field name: bare metal, virtual machine, container or WSL.
pub const VIRTUALISATION: &str = "virtualisation";

/// What the collectors look at besides the device itself.
#[derive(Debug, Clone)]
pub struct PostureScope {
    /// Absolute paths whose file systems must all be encrypted; `/` and `/home` at least. Add the
    /// developer's home and the agent's state folder.
    pub paths: Vec<PathBuf>,
    /// The products that count as endpoint protection.
    pub products: Arc<ProductTable>,
    /// Remembers digests of executables; share the one the ancestry walk uses.
    pub digests: Arc<DigestCache>,
}

impl PostureScope {
    /// Returns the scope every device has: `/`, `/home` and the built-in product table.
    ///
    /// # Errors
    /// [`ProductTableError`] only if the built-in table is broken, which a test excludes.
    pub fn standard() -> Result<Self, ProductTableError> {
        Ok(Self {
            paths: vec![PathBuf::from("/"), PathBuf::from("/home")],
            products: Arc::new(ProductTable::built_in()?),
            digests: Arc::new(DigestCache::new()),
        })
    }
}

/// One pass over the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostureReport {
    /// When the pass began, in milliseconds of the caller's clock.
    pub collected_ms: u64,
    /// Findings by field name.
    pub fields: BTreeMap<&'static str, Finding>,
    /// Whether the report describes a folder that plays a machine.
    pub fixture: bool,
    /// Process ids of the protection product found, for [`ProtectionWatch`].
    pub protection_pids: Vec<u32>,
}

impl PostureReport {
    /// Converts to what entries carry, with every age as of `now_ms` of the same clock.
    ///
    /// An unknown field has its reason as its source. Sources of a fixture begin with `fixture:`.
    #[must_use]
    pub fn posture(&self, now_ms: u64) -> Posture {
        let age_ms = now_ms.saturating_sub(self.collected_ms);
        let mark = if self.fixture { "fixture:" } else { "" };
        let value = |finding: &Finding| PostureValue {
            age_ms,
            evidence: finding.evidence,
            source: format!("{mark}{}", finding.provenance()),
            value: finding.state.value().to_owned(),
        };
        Posture(
            self.fields
                .iter()
                .map(|(name, f)| ((*name).to_owned(), value(f)))
                .collect(),
        )
    }

    /// Returns the digest of the canonical snapshot; ages do not enter it.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.posture(self.collected_ms).digest()
    }
}

/// Collects posture again and again, remembering which collectors still hang from last time.
#[derive(Debug)]
pub struct PostureCollector {
    sysroot: Sysroot,
    scope: PostureScope,
    runs: BTreeMap<&'static str, Deadlined>,
}

impl PostureCollector {
    /// Prepares to collect below `sysroot` (`/` for the device itself).
    #[must_use]
    pub fn new(sysroot: &Path, scope: PostureScope) -> Self {
        Self {
            sysroot: Sysroot::new(sysroot),
            scope,
            runs: BTreeMap::new(),
        }
    }

    /// Makes one pass; every collector has [`COLLECTOR_DEADLINE`] from now.
    ///
    /// `now_ms` is any millisecond clock that does not step, the same for [`PostureReport::posture`].
    /// A collector that misses the deadline is unknown in this report and is not started again
    /// until it has returned, so a hanging file system costs one thread and not one per pass.
    pub fn collect(&mut self, now_ms: u64) -> PostureReport {
        self.collect_within(now_ms, COLLECTOR_DEADLINE)
    }

    /// As [`PostureCollector::collect`] with another deadline for each collector.
    pub fn collect_within(&mut self, now_ms: u64, limit: std::time::Duration) -> PostureReport {
        let started = std::time::Instant::now();
        for (name, collector) in self.collectors() {
            self.runs.entry(name).or_default().start(name, collector);
        }
        let mut fields = BTreeMap::new();
        let mut protection_pids = Vec::new();
        for (name, run) in &mut self.runs {
            let collected = run.finish(limit.saturating_sub(started.elapsed()));
            protection_pids.extend(collected.pids);
            fields.insert(*name, collected.finding);
        }
        let fixture = !self.sysroot.is_real();
        PostureReport {
            collected_ms: now_ms,
            fields,
            fixture,
            protection_pids,
        }
    }

    fn collectors(&self) -> [(&'static str, Collector); 7] {
        let root = || self.sysroot.clone();
        let (a, b, c, d) = (root(), root(), root(), root());
        let (e, f, g) = (root(), root(), root());
        let paths = self.scope.paths.clone();
        let products = Arc::clone(&self.scope.products);
        let digests = Arc::clone(&self.scope.digests);
        [
            (OS, Box::new(move || release::os(&a).into())),
            (KERNEL, Box::new(move || release::kernel(&b).into())),
            (
                DISK_ENCRYPTION,
                Box::new(move || encryption::collect(&c, &paths).into()),
            ),
            (
                SECURE_BOOT,
                Box::new(move || secure_boot::collect(&d).into()),
            ),
            (
                ENDPOINT_PROTECTION,
                Box::new(move || protection::collect(&e, &products, &digests)),
            ),
            (
                VIRTUALISATION,
                Box::new(move || surroundings::collect(&f).into()),
            ),
            (NETWORK, Box::new(move || network::collect(&g).into())),
        ]
    }
}

/// Collects once with the standard scope; `now_ms` as in [`PostureCollector::collect`].
///
/// # Errors
/// [`ProductTableError`] only if the built-in product table is broken, which a test excludes.
pub fn collect(sysroot: &Path, now_ms: u64) -> Result<PostureReport, ProductTableError> {
    Ok(PostureCollector::new(sysroot, PostureScope::standard()?).collect(now_ms))
}

/// Compares two reports and names the fields whose value, evidence or source differ.
///
/// Returns `None` when the snapshots are the same; ages never make a difference. The caller writes
/// the event before the first decision that uses the new report.
#[must_use]
pub fn changed(old: &PostureReport, new: &PostureReport) -> Option<PostureChanged> {
    let (before, after) = (old.posture(old.collected_ms), new.posture(new.collected_ms));
    let names = before.0.keys().chain(after.0.keys());
    let mut fields: Vec<String> = names
        .filter(|name| before.0.get(*name) != after.0.get(*name))
        .cloned()
        .collect();
    fields.sort();
    fields.dedup();
    if fields.is_empty() {
        return None;
    }
    Some(PostureChanged {
        after: after.digest(),
        before: before.digest(),
        fields,
    })
}

#[cfg(test)]
mod tests;
