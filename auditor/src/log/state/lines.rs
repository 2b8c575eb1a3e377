//! The lines of a state, written and read one after the other.
//!
//! Owns the check sum at the end: a state is read through once before a line of it is used, and summed up again while
//! it is used, so that it need not fit into memory. What the lines say is `state`'s.

use super::StateError;
use cairn_event::Sha256;
use sha2::Digest as _;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Take, Write};

/// Bytes of the last line and of the line feed before it: a SHA-256 in hex between two line feeds.
const LAST_LINE: u64 = 66;

/// The longest line. What the first one says is held in memory while an audit runs, so that a longer one is no state of
/// an audit that this machine can make.
const MAX_LINE_BYTES: u64 = 1_073_741_824;

/// Something that a state can be read from.
pub trait Stored: Read + Seek + Send {}

impl<T: Read + Seek + Send> Stored for T {}

/// The lines of a state that was seen to be whole, but the last.
pub(super) struct Lines {
    body: BufReader<Take<Box<dyn Stored>>>,
    /// As the last line has it.
    sum: [u8; 32],
    seen: sha2::Sha256,
}

impl Lines {
    /// Reads the state through.
    ///
    /// Errors: [`StateError::Damaged`] where it is not whole, [`StateError::File`].
    pub(super) fn of_whole(mut file: Box<dyn Stored>) -> Result<Self, StateError> {
        let length = file.seek(SeekFrom::End(0))?;
        let length = length.checked_sub(LAST_LINE).ok_or(StateError::Damaged)?;
        file.rewind()?;
        let mut body = BufReader::new(file.take(length));
        let mut seen = sha2::Sha256::new();
        loop {
            let part = body.fill_buf()?;
            if part.is_empty() {
                break;
            }
            seen.update(part);
            let length = part.len();
            body.consume(length);
        }
        let mut file = body.into_inner().into_inner();
        let mut last = Vec::new();
        file.by_ref().take(LAST_LINE).read_to_end(&mut last)?;
        let hex = last
            .strip_prefix(b"\n")
            .and_then(|last| last.strip_suffix(b"\n"));
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        let sum = hex.and_then(Sha256::from_hex).ok_or(StateError::Damaged)?.0;
        if sum != <[u8; 32]>::from(seen.finalize()) {
            return Err(StateError::Damaged);
        }
        file.rewind()?;
        Ok(Self {
            body: BufReader::new(file.take(length)),
            sum,
            seen: sha2::Sha256::new(),
        })
    }

    /// Reads the next line into `line`, without its line feed. Gives `false` after the last one, when all of them still
    /// have the check sum.
    ///
    /// Errors: [`StateError::Damaged`] where they have changed since, [`StateError::File`].
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, StateError> {
        line.clear();
        let mut limited = self.body.by_ref().take(MAX_LINE_BYTES);
        let read = limited.read_until(b'\n', line)?;
        self.seen.update(&line);
        if read == 0 {
            let seen = <[u8; 32]>::from(self.seen.finalize_reset());
            return if seen == self.sum {
                Ok(false)
            } else {
                Err(StateError::Damaged)
            };
        }
        // A line that is too long goes on in what is taken for the next one, which is no chain.
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(true)
    }
}

/// Writes lines, and the check sum after the last.
pub(super) struct Writing<'a> {
    out: &'a mut dyn Write,
    sum: sha2::Sha256,
    is_begun: bool,
}

impl<'a> Writing<'a> {
    pub(super) fn to(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            sum: sha2::Sha256::new(),
            is_begun: false,
        }
    }

    /// Writes a line, which holds no line feed.
    pub(super) fn line(&mut self, line: &[u8]) -> std::io::Result<()> {
        if std::mem::replace(&mut self.is_begun, true) {
            self.put(b"\n")?;
        }
        self.put(line)
    }

    /// Writes the last line: the SHA-256 of everything before the line feed that stands before it.
    pub(super) fn finish(self) -> std::io::Result<()> {
        let sum = Sha256(self.sum.finalize().into());
        writeln!(self.out, "\n{sum}")
    }

    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.sum.update(bytes);
        self.out.write_all(bytes)
    }
}
