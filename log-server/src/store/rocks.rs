//! The embedded engine: one RocksDB folder.
//!
//! Owns the options and why each is set. Does not own what is stored.
//!
//! `TolerateCorruptedTailRecords` because the default, point-in-time recovery, silently drops every
//! batch after the first damaged one: acknowledged entries would vanish. This mode forgives only a
//! torn tail, which was never acknowledged, and refuses to open on anything else.

use super::StoreError;
use super::engine::{Change, Engine, Rows, Table};
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB,
    DBCompactionStyle, DBCompressionType, DBRecoveryMode, Direction, IteratorMode, Options,
    ReadOptions, UniversalCompactOptions, WriteBatch, WriteOptions,
};
use std::path::Path;
use std::sync::{Arc, Weak};

/// Open files RocksDB may keep: far below the usual limit of 1,024 descriptors a process.
const MAX_OPEN_FILES: i32 = 256;

/// Values above this go to blob files, so that compaction does not copy bundles again and again.
const MIN_BLOB_BYTES: u64 = 4096;

/// Bits of a Bloom filter for each key: about one false "perhaps" in a hundred.
const BLOOM_BITS_PER_KEY: f64 = 10.0;

/// Blocks of all tables that are kept in memory, in bytes, with their indexes and filters, which
/// take some 40 MiB of it at ten million entries. One cache for all: by itself each table would have
/// its own.
const BLOCK_CACHE_BYTES: usize = 67_108_864;

/// Bytes not yet in table files, all tables together: a second or two of load. While they are written out as
/// much again fills up.
const WRITE_BUFFER_BYTES: usize = 33_554_432;

/// Files of a table whose keys are hashes before some of them are merged, and the fewest that are merged at
/// once. With RocksDB's own 4 and 2 every row was written 5.4 times at five million rows, now 3.2 times. A
/// look-up asks the filters of some more files, which are in memory.
const FILES_BEFORE_A_MERGE: i32 = 8;
const FILES_MERGED_AT_ONCE: i32 = 4;

/// The largest write-ahead log in bytes. A start after a crash reads all of it, and tables that are
/// seldom written would otherwise hold back gigabytes.
const MAX_WAL_BYTES: u64 = 134_217_728;

/// Why the folder was not opened.
#[derive(Debug, thiserror::Error)]
pub enum RocksOpenError {
    /// RocksDB refused. Fatal: damaged, in use, of a newer version, or no permission.
    #[error("rocksdb did not open its folder")]
    Open(#[source] rocksdb::Error),
    /// RocksDB did not make a snapshot. Retry: the store itself is not touched by it.
    #[error("rocksdb did not make a snapshot")]
    Snapshot(#[source] rocksdb::Error),
}

/// A RocksDB database with one column family for each table.
///
/// Trap: a process that ends while the database is being closed is killed by RocksDB's own threads;
/// see [`Rocks::open_mark`].
pub struct Rocks {
    // Fields are dropped in this order: the mark is gone only when the database is closed.
    db: DB,
    mark: Arc<()>,
}

impl Rocks {
    /// Opens the folder, creating it when it does not exist.
    ///
    /// # Errors
    /// [`RocksOpenError`]; do not delete anything to make it go away.
    pub fn open(dir: &Path) -> Result<Self, RocksOpenError> {
        let mut options = database_options();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let db =
            DB::open_cf_descriptors(&options, dir, families()).map_err(RocksOpenError::Open)?;
        let mark = Arc::default();
        Ok(Self { db, mark })
    }

    /// Alive until the database is closed. A weak reference to `Rocks` itself is not: it counts no
    /// owner from the moment at which closing begins.
    #[must_use]
    pub fn open_mark(&self) -> Weak<()> {
        Arc::downgrade(&self.mark)
    }

    /// Opens a folder that nobody writes, and writes nothing to it; writes through it fail.
    ///
    /// # Errors
    /// [`RocksOpenError::Open`].
    pub fn open_read_only(dir: &Path) -> Result<Self, RocksOpenError> {
        let options = database_options();
        // A store that an earlier version wrote may lack a table, and cannot be given one here.
        let there = DB::list_cf(&options, dir).map_err(RocksOpenError::Open)?;
        let families = families()
            .into_iter()
            .filter(|one| there.iter().any(|name| name == one.name()));
        let db = DB::open_cf_descriptors_read_only(&options, dir, families, false);
        Ok(Self {
            db: db.map_err(RocksOpenError::Open)?,
            mark: Arc::default(),
        })
    }

    /// Makes a consistent copy of this moment in a new folder. On the same file system it shares the
    /// immutable files with the store and takes milliseconds.
    ///
    /// # Errors
    /// [`RocksOpenError::Snapshot`]; what lies in the folder then is nothing to keep.
    pub fn snapshot(&self, dir: &Path) -> Result<(), RocksOpenError> {
        let checkpoint = Checkpoint::new(&self.db).map_err(RocksOpenError::Snapshot)?;
        checkpoint
            .create_checkpoint(dir)
            .map_err(RocksOpenError::Snapshot)
    }

    fn family(&self, table: Table) -> Result<&ColumnFamily, StoreError> {
        let missing = StoreError::Damaged {
            table: table.name(),
            what: "the table is missing",
        };
        self.db.cf_handle(table.name()).ok_or(missing)
    }
}

fn database_options() -> Options {
    let mut options = table_options();
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_recycle_log_file_num(0);
    options.set_max_open_files(MAX_OPEN_FILES);
    options.set_db_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_total_wal_size(MAX_WAL_BYTES);
    options
}

fn families() -> [ColumnFamilyDescriptor; Table::ALL.len()] {
    let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
    Table::ALL.map(|table| {
        let mut options = table_options();
        if matches!(
            table,
            Table::Bundle | Table::Tile | Table::Blob | Table::Kept
        ) {
            options.set_enable_blob_files(true);
            options.set_min_blob_size(MIN_BLOB_BYTES);
        }
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&cache);
        // Otherwise they would be held beside the cache, and grow with the log.
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        if matches!(table, Table::Leaf | Table::Place) {
            // Who asks for a leaf or a place mostly asks for one that is not there.
            blocks.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
            // One filter for a file of ten million rows would be 12 MiB, larger than the part of the
            // cache that it would lie in, and take 80 MiB to build: it is cut as the index is.
            blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
            blocks.set_partition_filters(true);
            // Their keys are hashes: by levels every row would be written again about ten times.
            options.set_compaction_style(DBCompactionStyle::Universal);
            options.set_level_zero_file_num_compaction_trigger(FILES_BEFORE_A_MERGE);
            let mut merges = UniversalCompactOptions::default();
            merges.set_min_merge_width(FILES_MERGED_AT_ONCE);
            options.set_universal_compaction_options(&merges);
        }
        options.set_block_based_table_factory(&blocks);
        if matches!(table, Table::Bundle | Table::Kept) {
            options.set_blob_compression_type(DBCompressionType::Zstd);
        }
        ColumnFamilyDescriptor::new(table.name(), options)
    })
}

fn synced() -> WriteOptions {
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    synced
}

fn table_options() -> Options {
    let mut options = Options::default();
    options.set_paranoid_checks(true);
    options
}

impl Engine for Rocks {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.db.get_cf(self.family(table)?, key);
        found.map_err(|source| StoreError::Read {
            table: table.name(),
            source,
        })
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Rows, StoreError> {
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_upper_bound(to);
        let start = IteratorMode::From(from, Direction::Forward);
        let rows = self.db.iterator_cf_opt(self.family(table)?, bounds, start);
        rows.take(limit)
            .map(|row| match row {
                Ok((key, value)) => Ok((key.into_vec(), value.into_vec())),
                Err(source) => Err(StoreError::Read {
                    table: table.name(),
                    source,
                }),
            })
            .collect()
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        // Families are found by name; neighbours in a batch often share theirs.
        let mut last: Option<(Table, &ColumnFamily)> = None;
        for change in &changes {
            let (Change::Put(table, ..) | Change::Delete(table, _)) = change;
            let family = match last {
                Some((known, family)) if known == *table => family,
                _ => self.family(*table)?,
            };
            last = Some((*table, family));
            match change {
                Change::Put(_, key, value) => batch.put_cf(family, key, value),
                Change::Delete(_, key) => batch.delete_cf(family, key),
            }
        }
        self.db
            .write_opt(batch, &synced())
            .map_err(StoreError::Write)
    }

    fn purge(&self, table: Table) -> Result<(), StoreError> {
        self.rewrite(table, None, None)
    }

    fn drop_range(&self, table: Table, from: &[u8], to: &[u8]) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(self.family(table)?, from, to);
        self.db
            .write_opt(batch, &synced())
            .map_err(StoreError::Write)?;
        self.rewrite(table, Some(from), Some(to))
    }
}

impl Rocks {
    /// Rewrites the files with these keys. A blob file goes when nothing refers to it any more.
    fn rewrite(
        &self,
        table: Table,
        from: Option<&[u8]>,
        to: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        // The write-ahead log holds the old values until every table of it is flushed.
        for other in Table::ALL {
            self.db
                .flush_cf(self.family(other)?)
                .map_err(StoreError::Write)?;
        }
        let family = self.family(table)?;
        let mut forced = rocksdb::CompactOptions::default();
        forced.set_bottommost_level_compaction(rocksdb::BottommostLevelCompaction::Force);
        self.db.compact_range_cf_opt(family, from, to, &forced);
        Ok(())
    }
}
