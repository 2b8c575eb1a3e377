//! Column kinds, and the macro that makes a typed row, its Arrow schema and its arrays from one list.
//!
//! Owns how a Rust value becomes an Arrow array. Readers that are known to open these types are
//! listed in `docs/formats/pack.md`; unsigned integers, nested lists and maps are not among them.

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// A kind of column: its Rust value and its Arrow type.
pub trait Column {
    /// What one cell holds.
    type Value;
    /// Whether a cell may be empty.
    const NULLABLE: bool;
    /// The Arrow type.
    fn data_type() -> DataType;
    /// Builds the array of a column.
    ///
    /// Errors: Arrow's, when the values cannot be one array.
    fn array<'a>(values: impl Iterator<Item = &'a Self::Value>) -> Result<ArrayRef, ArrowError>
    where
        Self::Value: 'a;
}

/// A row of a table whose columns are known.
pub trait Row: Sized {
    /// The table's columns.
    fn schema() -> Arc<Schema>;
    /// The rows as one batch.
    ///
    /// Errors: Arrow's, when the values cannot be one batch.
    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError>;
}

/// A signed 64-bit integer; indices are signed because spreadsheets and Spark have no other.
#[derive(Debug)]
pub struct Int;
/// An [`Int`] that may be empty.
#[derive(Debug)]
pub struct OptInt;
/// UTF-8 text.
#[derive(Debug)]
pub struct Text;
/// A [`Text`] that may be empty.
#[derive(Debug)]
pub struct OptText;
/// Microseconds since 1970 in UTC; may be empty.
#[derive(Debug)]
pub struct OptTime;
/// True or false.
#[derive(Debug)]
pub struct Flag;
/// A [`Flag`] that may be empty.
#[derive(Debug)]
pub struct OptFlag;
/// 32 bytes of SHA-256.
#[derive(Debug)]
pub struct Digest;
/// A [`Digest`] that may be empty.
#[derive(Debug)]
pub struct OptDigest;
/// Any bytes.
#[derive(Debug)]
pub struct Bytes;

/// The time zone of every timestamp.
const UTC: &str = "UTC";

/// Bytes in a digest.
const DIGEST_BYTES: i32 = 32;

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

macro_rules! kind {
    ($name:ident, $value:ty, $nullable:literal, $type:expr, $values:ident => $array:expr) => {
        impl Column for $name {
            type Value = $value;
            const NULLABLE: bool = $nullable;
            fn data_type() -> DataType {
                $type
            }
            fn array<'a>(
                $values: impl Iterator<Item = &'a Self::Value>,
            ) -> Result<ArrayRef, ArrowError> {
                Ok(Arc::new($array))
            }
        }
    };
}

kind!(Int, i64, false, DataType::Int64, values => values.copied().collect::<Int64Array>());
kind!(OptInt, Option<i64>, true, DataType::Int64, values => values.copied().collect::<Int64Array>());
kind!(Text, String, false, DataType::Utf8,
    values => StringArray::from_iter_values(values.map(String::as_str)));
kind!(OptText, Option<String>, true, DataType::Utf8,
    values => values.map(Option::as_deref).collect::<StringArray>());
kind!(OptTime, Option<i64>, true, time_type(),
    values => values.copied().collect::<TimestampMicrosecondArray>().with_timezone(UTC));
kind!(Flag, bool, false, DataType::Boolean,
    values => values.copied().map(Some).collect::<BooleanArray>());
kind!(OptFlag, Option<bool>, true, DataType::Boolean,
    values => values.copied().collect::<BooleanArray>());
kind!(Digest, [u8; 32], false, DataType::FixedSizeBinary(DIGEST_BYTES),
    values => FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.map(Some), DIGEST_BYTES)?);
kind!(OptDigest, Option<[u8; 32]>, true, DataType::FixedSizeBinary(DIGEST_BYTES),
    values => FixedSizeBinaryArray::try_from_sparse_iter_with_size(
        values.map(Option::as_ref), DIGEST_BYTES)?);
kind!(Bytes, Vec<u8>, false, DataType::Binary,
    values => BinaryArray::from_iter_values(values.map(Vec::as_slice)));

/// Defines a row type: a struct, its schema and its arrays, from one list of columns.
macro_rules! table {
    ($(#[$meta:meta])* $name:ident { $($(#[$column_meta:meta])* $column:ident: $kind:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[$column_meta])* pub $column: <$kind as $crate::evidence::column::Column>::Value,)+
        }

        impl $crate::evidence::column::Row for $name {
            fn schema() -> std::sync::Arc<arrow::datatypes::Schema> {
                use $crate::evidence::column::Column;
                std::sync::Arc::new(arrow::datatypes::Schema::new(vec![
                    $(arrow::datatypes::Field::new(
                        stringify!($column),
                        <$kind as Column>::data_type(),
                        <$kind as Column>::NULLABLE,
                    ),)+
                ]))
            }

            fn batch(
                rows: &[Self],
            ) -> Result<arrow::record_batch::RecordBatch, arrow::error::ArrowError> {
                use $crate::evidence::column::Column;
                arrow::record_batch::RecordBatch::try_new(Self::schema(), vec![
                    $(<$kind as Column>::array(rows.iter().map(|row| &row.$column))?,)+
                ])
            }
        }
    };
}
pub(crate) use table;
