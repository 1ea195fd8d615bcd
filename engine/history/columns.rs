//! Tables written as Parquet, a row at a time. The file stands under its name only when it is whole: until then it
//! lies beside it as `NAME.part`, which is removed when writing ends early.

use market::Timestamp;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows gathered before they are written as one group.
pub const ROWS_A_GROUP: usize = 65_536;

/// Why a table was not written. Nothing is left under its name then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be written to.
    #[error("{}: cannot be written: {source}; name a folder that exists and has room", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The rows do not fit the format.
    #[error("{}: cannot be written as Parquet: {source}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Why.
        source: ParquetError,
    },
}

/// What a column holds. All but [`Kind::Maybe`] are there in every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An instant, nanoseconds, UTC.
    Time,
    /// A short text that repeats.
    Text,
    /// A 64-bit number.
    Number,
    /// A 32-bit number that may be missing.
    Maybe,
    /// A count.
    Count,
    /// A small count.
    Small,
    /// Yes or no.
    Flag,
}

/// Values of one column that wait to be written.
enum Values {
    Time(Vec<i64>),
    Text(Vec<ByteArray>),
    Number(Vec<f64>),
    /// The values that are there, and for every row whether one is.
    Maybe(Vec<f32>, Vec<i16>),
    Count(Vec<i64>),
    Small(Vec<i32>),
    Flag(Vec<bool>),
}

impl Values {
    const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Time => Self::Time(Vec::new()),
            Kind::Text => Self::Text(Vec::new()),
            Kind::Number => Self::Number(Vec::new()),
            Kind::Maybe => Self::Maybe(Vec::new(), Vec::new()),
            Kind::Count => Self::Count(Vec::new()),
            Kind::Small => Self::Small(Vec::new()),
            Kind::Flag => Self::Flag(Vec::new()),
        }
    }
}

/// One value of a row.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// For [`Kind::Time`].
    Time(Timestamp),
    /// For [`Kind::Text`].
    Text(&'a str),
    /// For [`Kind::Number`].
    Number(f64),
    /// For [`Kind::Maybe`].
    Maybe(Option<f32>),
    /// For [`Kind::Count`].
    Count(u64),
    /// For [`Kind::Small`].
    Small(u32),
    /// For [`Kind::Flag`].
    Flag(bool),
}

/// A table being written.
pub struct Table {
    out: PathBuf,
    part: PathBuf,
    writer: Option<SerializedFileWriter<File>>,
    columns: Vec<Values>,
    waiting: usize,
    rows: u64,
}

impl Table {
    /// Begins a table of these columns that will stand at `out`; a file there stays until the new one is whole. Notes
    /// (name and text) are kept in the file beside the columns.
    pub fn create(out: &Path, columns: &[(&str, Kind)], notes: &[(&str, &str)]) -> Result<Self, Error> {
        let mut name = out.file_name().map_or_else(OsString::new, OsString::from);
        name.push(".part");
        let part = out.with_file_name(name);
        let failed = |source| Error::File { file: out.into(), source };
        if out.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        let file = File::create(&part).map_err(failed)?;
        let note = |(name, text): &(&str, &str)| KeyValue::new(name.to_string(), text.to_string());
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(notes.iter().map(note).collect()))
            .build();
        let writer = schema(columns)
            .and_then(|schema| SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)));
        let mut table = Self {
            out: out.into(),
            part,
            writer: None,
            columns: columns.iter().map(|(_, kind)| Values::new(*kind)).collect(),
            waiting: 0,
            rows: 0,
        };
        table.writer = Some(writer.map_err(|source| table.format(source))?);
        Ok(table)
    }

    /// Adds a row: one value a column, of the column's kind.
    ///
    /// # Panics
    /// When number or kinds of the values are not those of the columns.
    pub fn push<'a>(&mut self, row: impl IntoIterator<Item = Value<'a>>) -> Result<(), Error> {
        let mut count = 0;
        for value in row {
            match (&mut self.columns[count], value) {
                (Values::Time(list), Value::Time(at)) => list.push(at.ns()),
                (Values::Text(list), Value::Text(text)) => list.push(text.into()),
                (Values::Number(list), Value::Number(number)) => list.push(number),
                (Values::Maybe(list, there), Value::Maybe(value)) => {
                    list.extend(value);
                    there.push(i16::from(value.is_some()));
                }
                (Values::Count(list), Value::Count(n)) => list.push(i64::try_from(n).unwrap_or(i64::MAX)),
                (Values::Small(list), Value::Small(n)) => list.push(i32::try_from(n).unwrap_or(i32::MAX)),
                (Values::Flag(list), Value::Flag(flag)) => list.push(flag),
                (_, value) => panic!("column {count} does not hold {value:?}"),
            }
            count += 1;
        }
        assert_eq!(count, self.columns.len(), "a value for every column");
        self.waiting += 1;
        self.rows += 1;
        if self.waiting == ROWS_A_GROUP { self.flush() } else { Ok(()) }
    }

    /// Rows so far.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes what waits, and puts the whole file under its name.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.flush()?;
        if let Some(writer) = self.writer.take() {
            let file = writer.into_inner().map_err(|source| self.format(source))?;
            let failed = |source| Error::File { file: self.out.clone(), source };
            file.sync_all().map_err(failed)?;
            std::fs::rename(&self.part, &self.out).map_err(failed)?;
        }
        Ok(self.rows)
    }

    fn flush(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.waiting) == 0 {
            return Ok(());
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut write = || {
            let mut group = writer.next_row_group()?;
            self.columns.iter_mut().try_for_each(|values| write_column(&mut group, values))?;
            group.close().map(|_| ())
        };
        write().map_err(|source| self.format(source))
    }

    fn format(&self, source: ParquetError) -> Error {
        Error::Format { file: self.out.clone(), source }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // Not finished, or renamed already: then there is nothing to remove, and nobody to tell of a failure.
        let _ = std::fs::remove_file(&self.part);
    }
}

fn write_column(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &mut Values,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("more columns than the schema has".into()));
    };
    match values {
        Values::Time(list) | Values::Count(list) => {
            column.typed::<Int64Type>().write_batch(list, None, None)?;
            list.clear();
        }
        Values::Text(list) => {
            column.typed::<ByteArrayType>().write_batch(list, None, None)?;
            list.clear();
        }
        Values::Number(list) => {
            column.typed::<DoubleType>().write_batch(list, None, None)?;
            list.clear();
        }
        Values::Maybe(list, there) => {
            column.typed::<FloatType>().write_batch(list, Some(there), None)?;
            list.clear();
            there.clear();
        }
        Values::Small(list) => {
            column.typed::<Int32Type>().write_batch(list, None, None)?;
            list.clear();
        }
        Values::Flag(list) => {
            column.typed::<BoolType>().write_batch(list, None, None)?;
            list.clear();
        }
    }
    column.close()
}

fn schema(columns: &[(&str, Kind)]) -> Result<Type, ParquetError> {
    let field = |(name, kind): &(&str, Kind)| {
        let (physical, logical) = match kind {
            Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Number => (Physical::DOUBLE, None),
            Kind::Maybe => (Physical::FLOAT, None),
            Kind::Count => (Physical::INT64, None),
            Kind::Small => (Physical::INT32, None),
            Kind::Flag => (Physical::BOOLEAN, None),
        };
        let repetition = if *kind == Kind::Maybe { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let field = Type::primitive_type_builder(name, physical);
        field.with_repetition(repetition).with_logical_type(logical).build().map(Arc::new)
    };
    let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("rows").with_fields(fields).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    const COLUMNS: [(&str, Kind); 7] = [
        ("time", Kind::Time),
        ("symbol", Kind::Text),
        ("close", Kind::Number),
        ("rsi", Kind::Maybe),
        ("volume", Kind::Count),
        ("missing", Kind::Small),
        ("closed", Kind::Flag),
    ];

    fn row(n: u64) -> [Value<'static>; 7] {
        [
            Value::Time(Timestamp::from_ns(n as i64 * 7)),
            Value::Text(if n.is_multiple_of(2) { "SPY" } else { "QQQ" }),
            Value::Number(n as f64 / 3.0),
            Value::Maybe((!n.is_multiple_of(3)).then_some(n as f32)),
            Value::Count(n << 33),
            Value::Small(n as u32),
            Value::Flag(n.is_multiple_of(5)),
        ]
    }

    #[test]
    fn what_is_written_is_read_by_name_in_order_over_several_groups() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("rows.parquet");
        let count = ROWS_A_GROUP as u64 + 3;
        let mut table = Table::create(&out, &COLUMNS, &[("note", "kept")]).expect("created");
        (0..count).for_each(|n| table.push(row(n)).expect("taken"));
        assert!(!out.exists(), "not before it is whole");
        assert_eq!(table.finish().expect("written"), count);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left");
        let reader = SerializedFileReader::new(File::open(&out).expect("there")).expect("Parquet");
        assert_eq!(reader.num_row_groups(), 2);
        let names: Vec<String> = reader
            .metadata()
            .file_metadata()
            .schema_descr()
            .columns()
            .iter()
            .map(|c| c.name().into())
            .collect();
        assert_eq!(names, COLUMNS.map(|(name, _)| name));
        let notes = reader.metadata().file_metadata().key_value_metadata().expect("notes");
        assert!(notes.iter().any(|note| note.key == "note" && note.value.as_deref() == Some("kept")));
        let mut n = 0u64;
        for read in reader.get_row_iter(None).expect("rows") {
            let read = read.expect("a row");
            if n.is_multiple_of(1_000) || n + 10 > count {
                assert_eq!(
                    read.get_string(1).expect("text"),
                    if n.is_multiple_of(2) { "SPY" } else { "QQQ" }
                );
                assert_eq!(read.get_double(2).expect("number"), n as f64 / 3.0);
                assert_eq!(
                    read.get_float(3).ok(),
                    (!n.is_multiple_of(3)).then_some(n as f32),
                    "null where it is missing"
                );
                assert_eq!(read.get_long(4).expect("count"), (n << 33) as i64);
                assert_eq!(read.get_bool(6).expect("flag"), n.is_multiple_of(5));
            }
            n += 1;
        }
        assert_eq!(n, count);
    }

    #[test]
    fn what_is_not_finished_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("rows.parquet");
        std::fs::write(&out, "old").expect("written");
        let mut table = Table::create(&out, &COLUMNS, &[("note", "kept")]).expect("created");
        table.push(row(1)).expect("taken");
        drop(table);
        assert_eq!(std::fs::read_to_string(&out).expect("there"), "old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
        let nowhere = folder.path().join("no/such/rows.parquet");
        let fault =
            Table::create(&nowhere, &COLUMNS, &[("note", "kept")]).err().expect("no folder").to_string();
        assert!(
            fault.contains("no/such/rows.parquet") && fault.contains("name a folder that exists"),
            "{fault}"
        );
        assert!(Table::create(folder.path(), &COLUMNS, &[("note", "kept")]).is_err(), "a folder is no file");
    }
}
