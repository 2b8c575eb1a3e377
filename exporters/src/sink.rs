//! Where a stream of records goes.
//!
//! Owns the seam, its error and two sinks: standard output and a file; syslog is in [`syslog`]. A sink
//! that returns from `flush` has handed everything on as far as its carrier can say.
//! Source: `docs/formats/ocsf.md`, "sinks".

pub mod syslog;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where to send records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkAddress {
    /// Standard output, one record a line.
    Stdout,
    /// A file to append to, one record a line.
    File(PathBuf),
    /// A syslog receiver over TCP, host and port.
    Syslog(String),
}

/// Why an address was not understood.
#[derive(Debug, thiserror::Error)]
#[error("sink `{0}` is none of stdout, file:PATH, syslog:HOST:PORT")]
pub struct SinkAddressError(String);

impl FromStr for SinkAddress {
    type Err = SinkAddressError;

    fn from_str(text: &str) -> Result<Self, SinkAddressError> {
        let unknown = || SinkAddressError(text.to_owned());
        match text.split_once(':') {
            None if text == "stdout" => Ok(Self::Stdout),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("syslog", place)) if place.contains(':') => Ok(Self::Syslog(place.to_owned())),
            _ => Err(unknown()),
        }
    }
}

/// Why records were not delivered. The stream begins again at its cursor.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The sink could not be opened.
    #[error("sink `{0}` could not be opened: {1}")]
    Open(String, io::Error),
    /// The sink did not take a record.
    #[error("sink did not take a record: {0}")]
    Write(#[from] io::Error),
}

/// One record on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Index in the log; `None` for a checkpoint record.
    pub index: Option<u64>,
    /// Unix milliseconds of the record.
    pub time_ms: u64,
    /// Whether somebody should look at it.
    pub alert: bool,
    /// The record as one line of JSON.
    pub json: String,
}

/// A receiver of records.
pub trait Sink {
    /// Takes a record; it may still be on its way when this returns.
    ///
    /// Errors: [`SinkError`]; nothing since the last flush is certain.
    fn send(&mut self, delivery: &Delivery) -> Result<(), SinkError>;

    /// Returns when everything sent has left, durably where the carrier is a file.
    ///
    /// Errors: [`SinkError`]; nothing since the last flush is certain.
    fn flush(&mut self) -> Result<(), SinkError>;
}

/// Opens a sink.
///
/// Errors: [`SinkError::Open`].
pub fn open(address: &SinkAddress) -> Result<Box<dyn Sink>, SinkError> {
    Ok(match address {
        SinkAddress::Stdout => Box::new(Stdout(io::stdout())),
        SinkAddress::File(path) => Box::new(FileSink::open(path)?),
        SinkAddress::Syslog(place) => Box::new(syslog::Syslog::connect(place)?),
    })
}

struct Stdout(io::Stdout);

impl Sink for Stdout {
    fn send(&mut self, delivery: &Delivery) -> Result<(), SinkError> {
        Ok(writeln!(self.0, "{}", delivery.json)?)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(self.0.flush()?)
    }
}

struct FileSink(BufWriter<File>);

impl FileSink {
    fn open(path: &Path) -> Result<Self, SinkError> {
        let failed = |cause| SinkError::Open(path.display().to_string(), cause);
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)
            .map_err(failed)?;
        end_torn_line(&file).map_err(failed)?;
        Ok(Self(BufWriter::new(file)))
    }
}

/// A crash can leave half a line: it is ended, so that the next record begins on its own line. The
/// record that was cut is delivered again from the cursor.
fn end_torn_line(mut file: &File) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let length = file.metadata()?.len();
    let Some(last) = length.checked_sub(1) else {
        return Ok(());
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    if byte == *b"\n" {
        Ok(())
    } else {
        file.write_all(b"\n")
    }
}

impl Sink for FileSink {
    fn send(&mut self, delivery: &Delivery) -> Result<(), SinkError> {
        Ok(writeln!(self.0, "{}", delivery.json)?)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.0.flush()?;
        Ok(self.0.get_ref().sync_all()?)
    }
}
