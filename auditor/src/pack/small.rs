//! The small tables: read, and compared with what the verified entries give.

use super::columns::{self, ColumnError, differences, text};
use super::folder::Folder;
use super::names;
use crate::evidence::Tables;
use crate::evidence::tables::ParamRow;
use crate::report::{Check, Failure};
use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;

/// The parameters of control tests: the one table that is not derived from entries.
///
/// Errors: [`ColumnError`].
pub fn params(folder: &Folder) -> Result<Vec<ParamRow>, ColumnError> {
    let mut rows = Vec::new();
    columns::read(&folder.path(&names::table("params")), |batch| {
        let (keys, values) = (text(&batch, "name")?, text(&batch, "value")?);
        for (name, value) in keys.iter().zip(values.iter()) {
            let (name, value) = (name.unwrap_or_default(), value.unwrap_or_default());
            rows.push(ParamRow {
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
        Ok(())
    })?;
    Ok(rows)
}

/// The signed notes in the table of checkpoints.
///
/// Errors: [`ColumnError`].
pub fn notes(folder: &Folder) -> Result<Vec<String>, ColumnError> {
    let mut notes = Vec::new();
    columns::read(&folder.path(&names::table("checkpoints")), |batch| {
        notes.extend(text(&batch, "note")?.iter().flatten().map(str::to_owned));
        Ok(())
    })?;
    Ok(notes)
}

/// Compares every small table with `tables`.
pub fn check(folder: &Folder, tables: &Tables) -> Check {
    let mut check = Check::new("small-tables");
    let wanted = match tables.small() {
        Ok(wanted) => wanted,
        Err(error) => {
            check.fail(Failure::of_file("data", error));
            return check;
        }
    };
    for (name, wanted) in wanted {
        let file = names::table(name);
        match whole(folder, &file, &wanted) {
            Err(error) => check.fail(Failure::of_file(&file, error)),
            Ok(read) => {
                let found = differences(&read, &wanted);
                if found.is_empty() {
                    check.pass();
                }
                for (row, reason) in found {
                    check.fail(Failure {
                        row: Some(row),
                        ..Failure::of_file(&file, reason)
                    });
                }
            }
        }
    }
    check
}

fn whole(folder: &Folder, file: &str, wanted: &RecordBatch) -> Result<RecordBatch, ColumnError> {
    let mut batches = Vec::new();
    columns::read(&folder.path(file), |batch| {
        batches.push(batch);
        Ok(())
    })?;
    let schema = batches
        .first()
        .map_or_else(|| wanted.schema(), RecordBatch::schema);
    concat_batches(&schema, &batches).map_err(|error| ColumnError::Parquet(error.to_string()))
}
