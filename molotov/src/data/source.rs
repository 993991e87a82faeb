//! A data file of a run, which hands out its rows.

use std::{
    any::{Any, TypeId, type_name},
    path::Path,
    time::{Duration, Instant},
};

use serde::de::DeserializeOwned;

use super::{
    DataError, Order, RawRow, RowError,
    file::{Check, File},
    order::Sequence,
};
use crate::{failure::Failure, format, load::Part, vars::Scope};

/// When a worker gets a new row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    /// At its start: it keeps the row until it ends.
    Worker,
    /// For each run of a scenario.
    Run,
}

/// The type of a row: any type that implements `serde::Deserialize` and borrows nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a data file",
    label = "does not implement `serde::Deserialize`",
    note = "add `#[derive(serde::Deserialize)]` to it, and `serde = {{ version = \"1\", features = [\"derive\"] }}` to Cargo.toml"
)]
pub trait Row: DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + 'static> Row for T {}

/// A type with `#[data]`.
#[allow(missing_docs)]
#[derive(Clone, Copy)]
pub struct DataFile {
    pub row: RowType,
    pub path: &'static str,
    /// The folder of the crate.
    pub folder: Option<&'static str>,
    pub each: Each,
    pub order: Order,
}

/// The type of the rows of a file.
#[derive(Clone, Copy)]
pub struct RowType {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
    parse: fn(RawRow<'_>) -> Result<Box<dyn Any>, RowError>,
    check: fn(RawRow<'_>) -> Result<(), RowError>,
}

impl RowType {
    /// Returns the type `T`.
    pub const fn of<T: Row>() -> RowType {
        RowType {
            id: TypeId::of::<T>,
            name: type_name::<T>,
            parse: |row| row.deserialize::<T>().map(|row| Box::new(row) as Box<dyn Any>),
            check: |row| row.deserialize::<T>().map(drop),
        }
    }

    /// The identifier of the type.
    pub(crate) fn id(&self) -> TypeId {
        (self.id)()
    }

    /// The name of the type, for messages.
    pub(crate) fn name(&self) -> &'static str {
        (self.name)()
    }
}

/// A file and the order of its rows. Forked processes share it.
#[derive(Debug)]
pub(crate) struct Rows {
    file: File,
    sequence: Sequence,
}

impl Rows {
    /// Opens a file, and checks its rows.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be used.
    pub(crate) fn open(
        path: &str,
        folder: Option<&Path>,
        order: Order,
        seed: Option<u64>,
        check: Check<'_>,
    ) -> Result<Rows, DataError> {
        let file = File::open(path, folder, check)?;
        let part = Scope::current().rows();
        let seed = seed.or(part.map(|part| part.seed)).unwrap_or_else(|| fastrand::u64(..));
        let part = part.map_or(Part::WHOLE, |part| Part { number: part.number, of: part.of });
        let sequence = Sequence::new(order, file.rows(), seed, part)
            .map_err(|error| DataError(format!("cannot share the rows of `{path}` among processes: {error}")))?;
        Ok(Rows { file, sequence })
    }

    /// Takes the next row.
    ///
    /// # Errors
    ///
    /// Returns a failure if the rows have run out, which ends the worker, or if the row has another type.
    pub(crate) fn take<T>(&self, parse: impl FnOnce(RawRow<'_>) -> Result<T, RowError>) -> Result<T, Failure> {
        match self.sequence.take() {
            Some(row) => self.file.parse(row, parse).map_err(Failure::from),
            None => Err(Failure::msg(format_args!("the rows of {} have run out", self.file.path())).by_end_of_rows()),
        }
    }

    /// The number of rows.
    #[cfg(feature = "python")]
    pub(crate) fn len(&self) -> u32 {
        self.file.rows()
    }

    /// The note about rows that have run out in a run that began at `start`.
    pub(crate) fn note(&self, start: Instant) -> Option<String> {
        let after = self.sequence.ran_out_at()?.saturating_duration_since(start);
        // Less than a millisecond is the time that threads take to start.
        let after = if after < Duration::from_millis(1) {
            "at once".to_owned()
        } else {
            format!("after {}", format::elapsed(after))
        };
        let rows = format::plural(u64::from(self.file.rows()), "row");
        Some(format!("The {rows} of {} ran out {after}; workers that needed another one ended.", self.file.path()))
    }
}

/// A data file of a run, whose rows have a Rust type.
pub struct Source {
    file: DataFile,
    rows: Rows,
}

impl Source {
    /// Opens the file and checks its rows.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be used.
    pub(crate) fn open(file: DataFile, seed: Option<u64>) -> Result<Source, DataError> {
        let mut check = file.row.check;
        let rows = Rows::open(file.path, file.folder.map(Path::new), file.order, seed, &mut check)?;
        Ok(Source { file, rows })
    }

    /// When a worker gets a new row.
    pub(crate) fn each(&self) -> Each {
        self.file.each
    }

    /// The type of the rows.
    pub(crate) fn row_type(&self) -> TypeId {
        self.file.row.id()
    }

    /// Takes the next row.
    ///
    /// # Errors
    ///
    /// Returns a failure if the rows have run out, which ends the worker.
    pub(crate) fn take(&self) -> Result<Box<dyn Any>, Failure> {
        self.rows.take(self.file.row.parse)
    }

    /// The note about rows that have run out in a run that began at `start`.
    pub(crate) fn note(&self, start: Instant) -> Option<String> {
        self.rows.note(start)
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.rows.fmt(f)
    }
}
