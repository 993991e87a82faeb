//! A data file in memory: its bytes, and where each row begins.
//!
//! A row is parsed when it is handed out, so a million rows need no million allocations.

use std::{
    cell::Cell,
    fmt,
    io::{self, Cursor},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use csv::{ErrorKind, Position, Reader, ReaderBuilder, StringRecord, Trim};
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{DataError, RawRow, RowError};

thread_local! {
    /// The last record of this thread, whose memory the next one uses.
    static RECORD: Cell<Option<StringRecord>> = const { Cell::new(None) };
}

/// A data file in memory.
pub(crate) struct File {
    /// Its path, for messages.
    path: String,
    bytes: Bytes,
    content: Content,
    /// The offset at which each row begins.
    rows: Vec<u64>,
}

enum Content {
    Csv { headers: StringRecord, reader: Mutex<Reader<Cursor<Bytes>>> },
    Json,
}

/// Checks a row when the file is opened.
pub(crate) type Check<'a> = &'a mut dyn FnMut(RawRow<'_>) -> Result<(), RowError>;

enum Format {
    Csv { delimiter: u8 },
    JsonLines,
    JsonArray,
}

impl File {
    /// Reads a file and checks its rows. A relative path belongs to the working directory, or to `folder` if there is no such file
    /// in the working directory.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, has no rows, or has a row that does not pass the check.
    pub(crate) fn open(path: &str, folder: Option<&Path>, check: Check<'_>) -> Result<File, DataError> {
        let format = Format::of(path)?;
        let bytes = read(path, folder)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map_or(bytes.clone(), |rest| bytes.slice_ref(rest));
        let mut file = File { path: path.to_owned(), bytes: bytes.clone(), content: Content::Json, rows: Vec::new() };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(DataError(format!("the data file `{path}` is empty: write a row into it")));
        }
        match format {
            Format::Csv { delimiter } => file.read_csv(delimiter, check)?,
            Format::JsonLines => file.read_lines(check)?,
            Format::JsonArray => file.read_array(check)?,
        }
        if file.rows.is_empty() {
            let but = if let Content::Csv { .. } = file.content { " below its header" } else { "" };
            return Err(DataError(format!("the data file `{path}` has no rows{but}: write one into it")));
        }
        file.rows.shrink_to_fit();
        match u32::try_from(file.rows.len()) {
            Ok(_) => Ok(file),
            Err(_) => Err(DataError(format!("the data file `{path}` has more than {} rows: split it", u32::MAX))),
        }
    }

    /// The path, for messages.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The number of rows, which is not 0.
    pub(crate) fn rows(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    /// Parses a row.
    ///
    /// # Errors
    ///
    /// Returns an error if the row has another type. A file that was checked when it was opened has no such row.
    pub(crate) fn parse<T>(
        &self,
        row: u32,
        parse: impl FnOnce(RawRow<'_>) -> Result<T, RowError>,
    ) -> Result<T, DataError> {
        let offset = self.rows[row as usize];
        let parsed = match &self.content {
            Content::Json => parse(RawRow::Json(&self.bytes[offset as usize..])),
            Content::Csv { headers, reader } => {
                let mut position = Position::new();
                position.set_byte(offset);
                // Taken, because parsing may run code that parses another row.
                let mut record = RECORD.take().unwrap_or_default();
                let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                let read = reader.seek(position).and_then(|()| reader.read_record(&mut record));
                drop(reader);
                let parsed = match read {
                    Ok(_) => parse(RawRow::Csv { record: &record, headers }),
                    Err(error) => return Err(self.csv_error(&error)),
                };
                RECORD.set(Some(record));
                parsed
            }
        };
        parsed.map_err(|error| self.at(offset, error))
    }

    fn read_csv(&mut self, delimiter: u8, check: Check<'_>) -> Result<(), DataError> {
        // Reads few bytes at a time, because each row is read after a seek.
        let mut builder = ReaderBuilder::new();
        builder.trim(Trim::Headers).delimiter(delimiter).buffer_capacity(512);
        let headers = builder.from_reader(Cursor::new(self.bytes.clone())).headers().cloned();
        let headers = headers.map_err(|error| self.csv_error(&error))?;
        for (at, name) in headers.iter().enumerate() {
            if headers.iter().take(at).any(|other| other == name) {
                return Err(DataError(format!(
                    "{}: the header has the column `{name}` twice: rename one",
                    self.place(0)
                )));
            }
        }
        let (others, separator) = if delimiter == b',' { ([';', '\t'], "commas") } else { ([';', ','], "tabs") };
        if headers.len() == 1 && headers[0].contains(others) {
            let place = self.place(0);
            let only = &headers[0];
            return Err(DataError(format!(
                "{place}: the header has only the column `{only}`: separate columns by {separator}"
            )));
        }
        let mut all = builder.buffer_capacity(1 << 16).from_reader(Cursor::new(self.bytes.clone()));
        let mut record = StringRecord::new();
        let mut rows = Vec::new();
        while all.read_record(&mut record).map_err(|error| self.csv_error(&error))? {
            let start = record.position().map_or(0, Position::byte);
            check(RawRow::Csv { record: &record, headers: &headers }).map_err(|error| self.at(start, error))?;
            rows.push(start);
        }
        self.rows = rows;
        let reader = builder.buffer_capacity(512).has_headers(false).from_reader(Cursor::new(self.bytes.clone()));
        self.content = Content::Csv { headers, reader: Mutex::new(reader) };
        Ok(())
    }

    fn read_lines(&mut self, check: Check<'_>) -> Result<(), DataError> {
        let (mut rows, mut start) = (Vec::new(), 0);
        for line in self.bytes.split_inclusive(|byte| *byte == b'\n') {
            if !line.trim_ascii().is_empty() {
                // A line has one value.
                let whole = serde_json::from_slice::<IgnoredAny>(line.trim_ascii_end());
                whole.map_err(|error| self.at(start, RowError::of_json(&error)))?;
                check(RawRow::Json(line)).map_err(|error| self.at(start, error))?;
                rows.push(start);
            }
            start += line.len() as u64;
        }
        self.rows = rows;
        Ok(())
    }

    fn read_array(&mut self, check: Check<'_>) -> Result<(), DataError> {
        let mut json = serde_json::Deserializer::from_slice(&self.bytes);
        let rows = json.deserialize_seq(Elements(&self.bytes)).and_then(|rows| json.end().map(|()| rows));
        let rows = rows.map_err(|error| {
            let error = RowError::of_json(&error);
            self.at(0, RowError { message: format!("{}; the file must be an array of rows", error.message), ..error })
        })?;
        for start in &rows {
            check(RawRow::Json(&self.bytes[*start as usize..])).map_err(|error| self.at(*start, error))?;
        }
        self.rows = rows;
        Ok(())
    }

    /// Adds the place of a row to an error in it.
    fn at(&self, offset: u64, error: RowError) -> DataError {
        let offset = offset as usize;
        // CSV rows may begin with the empty lines before them.
        let blank = self.bytes[offset..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let place = match error.place {
            None => self.place(offset + blank),
            Some((line, column)) => {
                let before = &self.bytes[..offset];
                let lines = before.iter().filter(|byte| **byte == b'\n').count() + line + 1;
                let indent = before.iter().rev().take_while(|byte| **byte != b'\n').count();
                let column = if line == 0 { column + indent } else { column };
                format!("{}:{lines}:{column}", self.path)
            }
        };
        DataError(format!("{place}: {}", error.message))
    }

    /// The path with the number of the line.
    fn place(&self, offset: usize) -> String {
        let line = self.bytes[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}", self.path)
    }

    fn csv_error(&self, error: &csv::Error) -> DataError {
        let place = |position: &Option<Position>| match position {
            Some(position) => {
                let offset = position.byte() as usize;
                let rest = self.bytes.get(offset..).unwrap_or_default();
                let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                self.place((offset + blank).min(self.bytes.len()))
            }
            None => self.path.clone(),
        };
        DataError(match error.kind() {
            ErrorKind::UnequalLengths { pos, expected_len, len } => {
                let (fields, columns) =
                    (crate::format::plural(*len, "field"), crate::format::plural(*expected_len, "column"));
                format!(
                    "{}: the row has {fields}, but the header has {columns}: quote fields that contain commas",
                    place(pos)
                )
            }
            ErrorKind::Utf8 { pos, err } => {
                format!("{}: the field {} is not UTF-8: convert the file to UTF-8", place(pos), err.field() + 1)
            }
            _ => format!("{}: {error}", self.path),
        })
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("path", &self.path).field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl Format {
    fn of(path: &str) -> Result<Format, DataError> {
        let extension = Path::new(path).extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match &*extension {
            "csv" => Ok(Format::Csv { delimiter: b',' }),
            "tsv" => Ok(Format::Csv { delimiter: b'\t' }),
            "jsonl" | "ndjson" => Ok(Format::JsonLines),
            "json" => Ok(Format::JsonArray),
            _ => Err(DataError(format!(
                "the name of the data file `{path}` does not end with its format: use `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.json`"
            ))),
        }
    }
}

fn read(path: &str, folder: Option<&Path>) -> Result<Bytes, DataError> {
    let other = folder.filter(|_| Path::new(path).is_relative()).map(|folder| folder.join(path));
    let read = match (std::fs::read(path), &other) {
        (Err(error), Some(other)) if error.kind() == io::ErrorKind::NotFound && other.exists() => std::fs::read(other),
        (read, _) => read,
    };
    read.map(Bytes::from).map_err(|error| {
        let here = std::env::current_dir().map_or_else(|_| path.into(), |here: PathBuf| here.join(path));
        let tried = match other.filter(|other| *other != here) {
            Some(other) => format!("{} and {}", here.display(), other.display()),
            None => here.display().to_string(),
        };
        DataError(format!("cannot read the data file `{path}`: {error} (tried {tried})"))
    })
}

/// Finds the offsets of the elements of an array.
struct Elements<'a>(&'a [u8]);

impl<'de> Visitor<'de> for Elements<'de> {
    type Value = Vec<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<u64>, A::Error> {
        let mut offsets = Vec::new();
        while let Some(element) = elements.next_element::<&RawValue>()? {
            offsets.push((element.get().as_ptr().addr() - self.0.as_ptr().addr()) as u64);
        }
        Ok(offsets)
    }
}
