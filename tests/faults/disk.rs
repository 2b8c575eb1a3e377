//! A disk that fails when told to: the engine below a log's store, at the seam of [`Engine`].
//!
//! Owns which write belongs to which step of the write path, and what happens to it. Rows live in the
//! store's own engine in memory, so what a restarted process finds is exactly what was applied.

use cairn_server::store::{Change, Engine, Memory, StoreError, Table};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A step of the write path that goes to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A blob is made durable before an entry names it.
    Blob,
    /// The round: entries, tiles, head, dedup and chain places in one batch.
    Commit,
    /// New entries are read back before anything is signed.
    ReadBack,
    /// The published checkpoint is stored.
    Publish,
    /// Disclosures are overwritten, or a mark that something is owed is removed.
    Erase,
    /// The minimum index is raised, with what stays.
    Prune,
    /// What is owed leaves the disk.
    Sweep,
}

/// What becomes of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error, and nothing was done.
    FailedAndLost,
    /// An error, and all was done.
    FailedButApplied,
    /// The process dies before the step.
    CrashBefore,
    /// The process dies after it and before anybody is told.
    CrashAfter,
    /// An error, nothing was done, and later it is done after all.
    AppliedLate,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 5] = [
        Self::FailedAndLost,
        Self::FailedButApplied,
        Self::CrashBefore,
        Self::CrashAfter,
        Self::AppliedLate,
    ];

    fn applies(self) -> bool {
        matches!(self, Self::FailedButApplied | Self::CrashAfter)
    }

    fn kills(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashAfter)
    }
}

type Batch = Vec<Change>;

#[derive(Default)]
struct State {
    armed: Option<(Step, Fault)>,
    fired: bool,
    /// Rows and `HEAD` as they were when the process died.
    wreck: Option<Remains>,
    /// A batch that will be applied after all.
    late: Option<Batch>,
    /// Reads until the late batch lands.
    late_after_reads: Option<u32>,
    /// Reads until one fails.
    failing_read: Option<u32>,
}

/// What a machine finds when it starts again.
#[derive(Clone)]
pub struct Remains {
    /// The store.
    pub rows: Memory,
    /// The file `HEAD`, if there was one.
    pub head: Option<Vec<u8>>,
    /// A batch still on its way to the disk.
    pub late: Option<Vec<Change>>,
}

/// The disk of one process; clones are the same disk.
#[derive(Clone)]
pub struct Disk {
    rows: Memory,
    head: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Disk {
    /// A disk with these rows; `dir` is the folder in which `HEAD` lies.
    pub fn new(rows: Memory, dir: &Path) -> Self {
        Self {
            rows,
            head: dir.join("HEAD"),
            state: Arc::default(),
        }
    }

    /// The next time `step` comes, `fault` happens.
    pub fn arm(&self, step: Step, fault: Fault) {
        let mut state = self.lock();
        (state.armed, state.fired) = (Some((step, fault)), false);
    }

    /// Nothing goes wrong any more.
    pub fn disarm(&self) {
        let mut state = self.lock();
        (state.armed, state.failing_read) = (None, None);
    }

    /// Whether the armed fault has happened.
    pub fn fired(&self) -> bool {
        self.lock().fired
    }

    /// Makes the read after `reads` others fail, once.
    pub fn fail_read(&self, reads: u32) {
        self.lock().failing_read = Some(reads);
    }

    /// Gives the disk a batch of its previous process that lands after `reads` reads.
    pub fn land_after(&self, late: Batch, reads: u32) {
        let mut state = self.lock();
        (state.late, state.late_after_reads) = (Some(late), Some(reads));
    }

    /// Lands a batch now.
    pub fn land(&self, late: Batch) {
        self.rows.write(late).unwrap();
    }

    /// The process dies now.
    pub fn kill(&self) {
        let mut state = self.lock();
        self.wreck(&mut state);
    }

    /// Whether the process has died.
    pub fn is_dead(&self) -> bool {
        self.lock().wreck.is_some()
    }

    /// What is there for the next process: from the moment of death, or from now.
    pub fn remains(&self) -> Remains {
        let mut state = self.lock();
        let late = state.late.take();
        let found = state.wreck.clone().unwrap_or_else(|| self.look());
        Remains { late, ..found }
    }

    /// The rows as they are, of a disk that may be in use.
    pub fn rows(&self) -> Memory {
        self.rows.reopen()
    }

    fn look(&self) -> Remains {
        Remains {
            rows: self.rows(),
            head: std::fs::read(&self.head).ok(),
            late: None,
        }
    }

    fn wreck(&self, state: &mut State) {
        if state.wreck.is_none() {
            state.wreck = Some(self.look());
        }
    }

    /// Whether the fault of `step` happens now.
    fn strike(&self, step: Step) -> Option<Fault> {
        let mut state = self.lock();
        let (_, fault) = state.armed.take_if(|(armed, _)| *armed == step)?;
        state.fired = true;
        Some(fault)
    }

    /// Lets a read through, or not.
    fn read(&self) -> Result<(), StoreError> {
        let mut state = self.lock();
        if state.wreck.is_some() {
            return Err(StoreError::Injected);
        }
        let due = count_down(&mut state.late_after_reads);
        if let Some(late) = state.late.take_if(|_| due) {
            self.rows.write(late)?;
        }
        if count_down(&mut state.failing_read) {
            return Err(StoreError::Injected);
        }
        Ok(())
    }

    /// Lets something leave the disk, or not. What was not done is owed, so it is never done late.
    fn sweep(
        &self,
        work: impl FnOnce(&Memory) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.is_dead() {
            return Err(StoreError::Injected);
        }
        let Some(fault) = self.strike(Step::Sweep) else {
            return work(&self.rows);
        };
        if fault.applies() {
            work(&self.rows)?;
        }
        if fault.kills() {
            self.kill();
        }
        Err(StoreError::Injected)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True once, when the count has run out.
fn count_down(left: &mut Option<u32>) -> bool {
    match left {
        Some(0) => {
            *left = None;
            true
        }
        Some(count) => {
            *count -= 1;
            false
        }
        None => false,
    }
}

fn step_of(changes: &[Change]) -> Step {
    let puts = |table: Table, key: &[u8]| {
        let wanted = |change: &Change| matches!(change, Change::Put(at, name, _) if *at == table && (key.is_empty() || name == key));
        changes.iter().any(wanted)
    };
    if puts(Table::Meta, b"head") {
        Step::Commit
    } else if puts(Table::Meta, b"newest-checkpoint") {
        Step::Publish
    } else if puts(Table::Meta, b"retention") {
        Step::Prune
    } else if puts(Table::Blob, b"") {
        Step::Blob
    } else {
        Step::Erase
    }
}

impl Engine for Disk {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read()?;
        self.rows.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.read()?;
        // Entries of the edge are scanned by nobody but the check before a signature.
        if table == Table::Edge
            && let Some(fault) = self.strike(Step::ReadBack)
        {
            if fault.kills() {
                self.kill();
            }
            return Err(StoreError::Injected);
        }
        self.rows.scan(table, from, to, limit)
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        if self.lock().wreck.is_some() {
            return Err(StoreError::Injected);
        }
        let Some(fault) = self.strike(step_of(&changes)) else {
            return self.rows.write(changes);
        };
        if fault == Fault::AppliedLate {
            self.lock().late = Some(changes);
            return Err(StoreError::Injected);
        }
        if fault.applies() {
            self.rows.write(changes)?;
        }
        if fault.kills() {
            self.kill();
        }
        Err(StoreError::Injected)
    }

    fn purge(&self, table: Table) -> Result<(), StoreError> {
        self.sweep(|rows| rows.purge(table))
    }

    fn drop_range(&self, table: Table, from: &[u8], to: &[u8]) -> Result<(), StoreError> {
        self.sweep(|rows| rows.drop_range(table, from, to))
    }
}
