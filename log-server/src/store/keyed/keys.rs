//! Forms of the keys: integers big-endian, so that key order is index order.
//!
//! Source: `docs/formats/store.md`, "Tables".

use super::super::StoreError;
use super::super::engine::Table;
use cairn_event::Kid;

pub(super) fn key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

pub(super) fn tile_key(level: u8, index: u64) -> Vec<u8> {
    let mut bytes = vec![level];
    bytes.extend_from_slice(&index.to_be_bytes());
    bytes
}

pub(super) fn place_key(chain: &Kid, seq: u64) -> Vec<u8> {
    let mut bytes = chain.0.clone().into_bytes();
    bytes.push(b'/');
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes
}

/// Name, zero byte, and the first place of the list: no two rounds seal the same disclosure, so no
/// list replaces another.
pub(super) fn sealed_key(name: &str, first: Option<&(u64, [u8; 32])>) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    if let Some((index, digest)) = first {
        bytes.extend_from_slice(&index.to_be_bytes());
        bytes.extend_from_slice(digest);
    }
    bytes
}

pub(super) fn damaged(table: Table, what: &'static str) -> StoreError {
    StoreError::Damaged {
        table: table.name(),
        what,
    }
}

pub(super) fn read_u64(table: Table, bytes: &[u8]) -> Result<u64, StoreError> {
    let array = bytes
        .try_into()
        .map_err(|_| damaged(table, "not 8 bytes"))?;
    Ok(u64::from_be_bytes(array))
}
