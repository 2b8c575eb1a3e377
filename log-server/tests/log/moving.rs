//! Readers that look while a round makes a bundle full.

use cairn_server::store::{Change, Engine, KeyedStore, LogStore as _, Memory, StoreError, Table};
use cairn_tlog::bundle;
use std::sync::Mutex;

/// Rows of a table, as an engine gives them.
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// An engine on which a round is written right after somebody looked for the full bundle.
struct Racing {
    memory: Memory,
    round: Mutex<Option<Vec<Change>>>,
}

impl Engine for Racing {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.memory.get(table, key)?;
        let mut round = self.round.lock().unwrap();
        let round = round.take_if(|_| table == Table::Bundle);
        round.map_or(Ok(()), |round| self.memory.write(round))?;
        Ok(found)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Rows, StoreError> {
        self.memory.scan(table, from, to, limit)
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.memory.write(changes)
    }

    fn purge(&self, table: Table) -> Result<(), StoreError> {
        self.memory.purge(table)
    }

    fn drop_range(&self, table: Table, from: &[u8], to: &[u8]) -> Result<(), StoreError> {
        self.memory.drop_range(table, from, to)
    }
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// 200 entries at the edge, and a round about to make them a bundle of 256.
fn racing() -> KeyedStore<Racing> {
    let memory = Memory::new();
    let singles = (0..200).map(|index| Change::Put(Table::Edge, key(index), entry(index)));
    memory.write(singles.collect()).unwrap();
    let mut full = Vec::new();
    (0..256).for_each(|index| bundle::append(&mut full, &entry(index)).unwrap());
    let mut round = vec![Change::Put(Table::Bundle, key(0), full)];
    round.extend((0..200).map(|index| Change::Delete(Table::Edge, key(index))));
    let round = Mutex::new(Some(round));
    KeyedStore::new(Racing { memory, round })
}

#[test]
fn i13_a_bundle_that_fills_up_under_a_reader_is_not_missing() {
    let partial = racing().bundle(0, 200).unwrap().unwrap();
    let entries = bundle::decode(&partial, 200).unwrap();
    assert!(
        (0_u64..)
            .zip(&entries)
            .all(|(index, bytes)| **bytes == entry(index))
    );
    assert_eq!(racing().entry(199).unwrap(), Some(entry(199)));
    assert_eq!(racing().bundle(1, 1).unwrap(), None);
    assert_eq!(racing().entry(256).unwrap(), None);
}
