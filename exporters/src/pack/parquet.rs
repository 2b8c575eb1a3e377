//! Parquet files whose bytes depend on the rows and on nothing else.
//!
//! Owns the writer settings and the batch size. Version 1 pages, zstd level 3, no
//! DELTA_BYTE_ARRAY: every reader tried opens such files. Page cuts follow the calls to the writer, so
//! rows are written in batches of exactly [`BATCH_ROWS`].
//! Source: `docs/formats/pack.md`, "Parquet settings".

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use cairn_audit::evidence::EventRow;
use cairn_audit::evidence::column::Row;
pub use cairn_audit::pack::columns::BATCH_ROWS;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Rows of a row group: the writer then needs about 45 MB.
const ROW_GROUP_ROWS: usize = 131_072;

/// zstd level: higher ones cost three times the time for two percent of the size.
const ZSTD_LEVEL: i32 = 3;

/// The writer's name in every file, without a version: an upgrade of this program alone must not
/// change the bytes. The versions are in the manifest.
const CREATED_BY: &str = "cairn-export";

/// Columns of random bytes: compression and statistics would only cost.
const HASHES: [&str; 3] = ["leaf_hash", "prev_event_hash", "root_hash"];

/// Columns of long text that hardly repeats: a dictionary would only cost, and the page statistics
/// would repeat its content in the footer.
const LONG: [&str; 6] = [
    "canonical",
    "disclosures",
    "tool_args",
    "process_ancestry",
    "posture",
    "note",
];

/// Counting columns: differences are small.
const COUNTING: [&str; 4] = ["leaf_index", "event_time", "integrated_time", "device_seq"];

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk refused.
    #[error("could not be written: {0}")]
    File(#[from] std::io::Error),
    /// The rows are not one table.
    #[error("rows are not one table: {0}")]
    Arrow(#[from] ArrowError),
    /// The Parquet writer refused.
    #[error("parquet: {0}")]
    Parquet(#[from] ParquetError),
}

/// The settings for a table with these columns.
fn properties(schema: &Schema) -> Result<WriterProperties, ParquetError> {
    let sorted = schema
        .index_of("leaf_index")
        .ok()
        .and_then(|index| i32::try_from(index).ok());
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_created_by(CREATED_BY.to_owned())
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    if let Some(column_idx) = sorted {
        let order = SortingColumn {
            column_idx,
            descending: false,
            nulls_first: false,
        };
        builder = builder.set_sorting_columns(Some(vec![order]));
    }
    for field in schema.fields() {
        let name = field.name().as_str();
        let path = || ColumnPath::from(name);
        if HASHES.contains(&name) {
            builder = builder
                .set_column_dictionary_enabled(path(), false)
                .set_column_encoding(path(), Encoding::PLAIN)
                .set_column_compression(path(), Compression::UNCOMPRESSED)
                .set_column_statistics_enabled(path(), EnabledStatistics::None);
        } else if LONG.contains(&name) {
            builder = builder
                .set_column_dictionary_enabled(path(), false)
                .set_column_encoding(path(), Encoding::PLAIN)
                .set_column_statistics_enabled(path(), EnabledStatistics::None);
        } else if COUNTING.contains(&name) {
            builder = builder
                .set_column_dictionary_enabled(path(), false)
                .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED);
        }
    }
    Ok(builder.build())
}

/// A file of event rows, written in batches of one size.
pub struct EventsWriter {
    writer: ArrowWriter<File>,
    pending: Vec<EventRow>,
}

impl EventsWriter {
    /// Creates the file.
    ///
    /// Errors: [`WriteError`]; the pack is given up.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let schema = EventRow::schema();
        let file = File::create_new(path)?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(&schema)?))?;
        Ok(Self {
            writer,
            pending: Vec::new(),
        })
    }

    /// Takes rows and gives back those that are written, without their bytes.
    ///
    /// Errors: [`WriteError`]; the pack is given up.
    pub fn push(&mut self, rows: Vec<EventRow>) -> Result<Vec<EventRow>, WriteError> {
        self.pending.extend(rows);
        let mut written = Vec::new();
        while self.pending.len() >= BATCH_ROWS {
            let rest = self.pending.split_off(BATCH_ROWS);
            let batch = std::mem::replace(&mut self.pending, rest);
            written.extend(self.write(batch)?);
        }
        Ok(written)
    }

    fn write(&mut self, mut rows: Vec<EventRow>) -> Result<Vec<EventRow>, WriteError> {
        self.writer.write(&EventRow::batch(&rows)?)?;
        for row in &mut rows {
            row.canonical = Vec::new();
            row.disclosures = String::new();
        }
        Ok(rows)
    }

    /// Writes the rest, ends the file and makes it durable.
    ///
    /// Errors: [`WriteError`]; the pack is given up.
    pub fn finish(mut self) -> Result<Vec<EventRow>, WriteError> {
        let rest = std::mem::take(&mut self.pending);
        let written = if rest.is_empty() {
            Vec::new()
        } else {
            self.write(rest)?
        };
        let mut file = self.writer.into_inner()?;
        file.flush()?;
        file.sync_all()?;
        Ok(written)
    }
}

/// Writes a small table whole.
///
/// Errors: [`WriteError`]; the pack is given up.
pub fn write_table(path: &Path, batch: &RecordBatch) -> Result<(), WriteError> {
    let schema = batch.schema();
    let file = File::create_new(path)?;
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(&schema)?))?;
    let mut from = 0;
    while from < batch.num_rows() {
        let rows = BATCH_ROWS.min(batch.num_rows() - from);
        writer.write(&batch.slice(from, rows))?;
        from += rows;
    }
    let mut file = writer.into_inner()?;
    file.flush()?;
    file.sync_all()?;
    Ok(())
}
