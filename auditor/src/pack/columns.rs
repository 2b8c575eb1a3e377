//! Reading Parquet files of a pack and comparing them, cell by cell, with what they must say.
//!
//! Owns opening a file that a stranger wrote: whatever the Parquet reader does with damaged bytes,
//! panics included, becomes an error here. Source: `docs/formats/pack.md`.

use arrow::array::{Array, BinaryArray, StringArray};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Rows read at a time; the size in which the exporter writes.
pub const BATCH_ROWS: usize = 16_384;

/// Why a Parquet file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ColumnError {
    /// The file could not be opened.
    #[error("could not be opened: {0}")]
    Open(std::io::Error),
    /// The reader refused it.
    #[error("not readable as Parquet: {0}")]
    Parquet(String),
    /// The reader panicked.
    #[error("not readable as Parquet: the reader gave up")]
    Panicked,
    /// A column is missing or of another type.
    #[error("column `{0}` is missing or of another type")]
    Column(&'static str),
}

/// Reads a file batch by batch.
///
/// Errors: [`ColumnError`], or whatever `each` returns first.
pub fn read(
    path: &Path,
    mut each: impl FnMut(RecordBatch) -> Result<(), ColumnError>,
) -> Result<(), ColumnError> {
    let file = std::fs::File::open(path).map_err(ColumnError::Open)?;
    let refused = |error: &dyn std::fmt::Display| ColumnError::Parquet(error.to_string());
    let guarded = catch_unwind(AssertUnwindSafe(|| {
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| refused(&error))?;
        builder
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| refused(&error))
    }));
    let mut reader = guarded.map_err(|_| ColumnError::Panicked)??;
    loop {
        let next = catch_unwind(AssertUnwindSafe(|| reader.next()));
        match next.map_err(|_| ColumnError::Panicked)? {
            None => return Ok(()),
            Some(batch) => each(batch.map_err(|error| refused(&error))?)?,
        }
    }
}

/// A text column.
///
/// Errors: [`ColumnError::Column`].
pub fn text<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a StringArray, ColumnError> {
    let column = batch.column_by_name(name);
    let column = column.and_then(|column| column.as_any().downcast_ref());
    column.ok_or(ColumnError::Column(name))
}

/// A bytes column.
///
/// Errors: [`ColumnError::Column`].
pub fn bytes<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a BinaryArray, ColumnError> {
    let column = batch.column_by_name(name);
    let column = column.and_then(|column| column.as_any().downcast_ref());
    column.ok_or(ColumnError::Column(name))
}

/// The first differences between what was read and what it must be: row and reason.
pub fn differences(read: &RecordBatch, wanted: &RecordBatch) -> Vec<(u64, String)> {
    if read.schema().fields() != wanted.schema().fields() {
        return vec![(0, "the columns have other names or types".to_owned())];
    }
    if read.num_rows() != wanted.num_rows() {
        let reason = format!("{} rows, recomputed {}", read.num_rows(), wanted.num_rows());
        return vec![(read.num_rows().min(wanted.num_rows()) as u64, reason)];
    }
    let mut found = Vec::new();
    for (position, field) in wanted.schema().fields().iter().enumerate() {
        let (had, must) = (read.column(position), wanted.column(position));
        if had == must {
            continue;
        }
        for row in 0..wanted.num_rows() {
            if had.slice(row, 1) != must.slice(row, 1) {
                let name = field.name();
                found.push((
                    row as u64,
                    format!("column `{name}` differs from its entry"),
                ));
            }
        }
    }
    found.sort();
    found
}
