//! One exchange with the daemon over its Unix socket.
//!
//! Request: `u32` big-endian length, then the header line and the hook's input, unchanged.
//! Answer: `u8` exit code, then twice a `u32` big-endian length and that many bytes: what to print
//! to standard output and to standard error.

use crate::arguments::Arguments;
use crate::header;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// The longest hook input: 8 MiB, eight times the largest seen (a file write of 1 MiB).
pub const INPUT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The longest answer part: 64 KiB; the agent itself reads 10,000 characters of a reason.
const ANSWER_BYTES_MAX: u32 = 64 * 1024;

/// What the shim prints and how it exits.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Exit code.
    pub code: u8,
    /// Bytes for standard output.
    pub stdout: Vec<u8>,
    /// Bytes for standard error.
    pub stderr: Vec<u8>,
}

/// Reads the hook's input, asks the daemon and returns its answer.
///
/// Errors: a sentence part for the refusal.
pub fn run(arguments: &Arguments) -> Result<Answer, &'static str> {
    let mut input = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(INPUT_BYTES_MAX + 1)
        .read_to_end(&mut input);
    if read.is_err() {
        return Err("the hook's input could not be read");
    }
    if input.len() as u64 > INPUT_BYTES_MAX {
        return Err("the hook's input is longer than 8 MiB");
    }
    let mut payload = header::line(&arguments.event, arguments.agent.as_deref()).into_bytes();
    payload.append(&mut input);
    let mut stream =
        UnixStream::connect(&arguments.socket).map_err(|_| "nobody listens on its socket")?;
    send(&mut stream, &payload).map_err(|_| "the connection broke while asking")?;
    receive(&mut stream).map_err(|_| "the connection broke before the answer was complete")
}

fn send(stream: &mut UnixStream, payload: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(payload)
}

fn receive(stream: &mut UnixStream) -> std::io::Result<Answer> {
    let mut code = [0];
    stream.read_exact(&mut code)?;
    let stdout = part(stream)?;
    let stderr = part(stream)?;
    Ok(Answer {
        code: code[0],
        stdout,
        stderr,
    })
}

fn part(stream: &mut UnixStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > ANSWER_BYTES_MAX {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == u64::from(length) {
        Ok(bytes)
    } else {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}
