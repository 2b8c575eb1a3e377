//! An engine in memory whose writes can be made to fail, and to fail after they happened.
//!
//! Owns fault injection for tests of the commit protocol. Not for serving: nothing survives the
//! process. [`Memory::reopen`] gives what a restarted process would find.

use super::StoreError;
use super::engine::{Change, Engine, Rows, Table};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What really happened to a write that reports an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The error is true.
    NotPersisted,
    /// The bytes are there although the caller was told otherwise.
    PersistedAnyway,
}

/// A failure to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Writes that still succeed before it.
    pub after_writes: u32,
    /// What the failing write does.
    pub outcome: Outcome,
}

type Rowset = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

#[derive(Default)]
struct State {
    rows: Rowset,
    fault: Option<Fault>,
    writes: u64,
    /// Values of the disclosure tables that were replaced or deleted, as they lie on a disk until
    /// their table is rewritten.
    replaced: Vec<(Table, Vec<u8>)>,
    purge_fails: bool,
}

/// The engine; clones share the rows.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

impl Memory {
    /// An empty engine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a restarted process would find: the same rows, no fault.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let before = self.lock();
        let state = State {
            rows: before.rows.clone(),
            replaced: before.replaced.clone(),
            ..State::default()
        };
        drop(before);
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Makes a later write fail.
    pub fn break_write(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    /// Batches written so far, failed ones included.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// Makes the next purge fail, as a crash between a write and its purge does.
    pub fn break_purge(&self) {
        self.lock().purge_fails = true;
    }

    /// Whether a value that was replaced or deleted could still be read from the disk.
    #[must_use]
    pub fn remains(&self, table: Table, value: &[u8]) -> bool {
        let state = self.lock();
        let mut replaced = state.replaced.iter();
        replaced.any(|(of, left)| *of == table && left == value)
    }

    /// Changes a stored value in place, as a decaying disk would. Says whether it was there.
    pub fn damage(&self, table: Table, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.lock();
        let row = state.rows.get_mut(&(table, key.to_vec()));
        row.map(change).is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Memory {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().rows.get(&(table, key.to_vec())).cloned())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Rows, StoreError> {
        if from >= to {
            return Ok(Rows::new());
        }
        let state = self.lock();
        let rows = state
            .rows
            .range((table, from.to_vec())..(table, to.to_vec()));
        Ok(rows
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.writes += 1;
        let failing = match &mut state.fault {
            None => None,
            Some(fault) if fault.after_writes > 0 => {
                fault.after_writes -= 1;
                None
            }
            Some(_) => state.fault.take(),
        };
        if failing.is_some_and(|fault| fault.outcome == Outcome::NotPersisted) {
            return Err(StoreError::Injected);
        }
        for change in changes {
            let (table, before) = match change {
                Change::Put(table, key, value) => (table, state.rows.insert((table, key), value)),
                Change::Delete(table, key) => (table, state.rows.remove(&(table, key))),
            };
            if matches!(table, Table::Disclosure | Table::PersonKey) {
                state.replaced.extend(before.map(|value| (table, value)));
            }
        }
        failing.map_or(Ok(()), |_| Err(StoreError::Injected))
    }

    fn purge(&self, table: Table) -> Result<(), StoreError> {
        let mut state = self.lock();
        if std::mem::take(&mut state.purge_fails) {
            return Err(StoreError::Injected);
        }
        state.replaced.retain(|(of, _)| *of != table);
        Ok(())
    }

    fn drop_range(&self, table: Table, from: &[u8], to: &[u8]) -> Result<(), StoreError> {
        let mut state = self.lock();
        if std::mem::take(&mut state.purge_fails) {
            return Err(StoreError::Injected);
        }
        let range = (table, from.to_vec())..(table, to.to_vec());
        let rows = state.rows.range(range);
        let keys: Vec<_> = rows.map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| {
            state.rows.remove(key);
        });
        Ok(())
    }
}
