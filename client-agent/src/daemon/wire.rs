//! The bytes on the daemon's socket.
//!
//! Request: `u32` big-endian length, a JSON header line, a line feed, and the body.
//! Answer: `u8` exit code, then twice a `u32` big-endian length and that many bytes. Hooks and
//! Cairn's own commands use the same form.
//!
//! Source: `docs/formats/hook-socket.md`.

use crate::hook::Answer;
use cairn_event::json::{self, JsonError, Numbers};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longest request: the longest hook input and a header.
pub const REQUEST_BYTES_MAX: u32 = 8 * 1024 * 1024 + 64 * 1024;

/// Longest answer part read by Cairn's own commands.
const ANSWER_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// How long Cairn's own commands wait for an answer: 30 s, a cold hash of a large agent included.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The header line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The agent whose hook it is; absent for Claude Code and for Cairn's own commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Variables of the agent, by name.
    pub env: BTreeMap<String, String>,
    /// The event's word, or a command of Cairn's own, beginning with `cairn.`.
    pub event: String,
    /// Process that asks, by its own word.
    pub pid: u32,
    /// Its parent, by its own word.
    pub ppid: u32,
}

/// Why a request could not be read; the connection is dropped, which the shim takes as a denial.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// Longer than [`REQUEST_BYTES_MAX`].
    #[error("request of {0} bytes is longer than {REQUEST_BYTES_MAX}")]
    TooLong(u32),
    /// No header line.
    #[error("request has no header line")]
    NoHeader,
    /// The header is not strict JSON.
    #[error("request header: {0}")]
    Json(#[from] JsonError),
    /// The header has another shape.
    #[error("request header: {0}")]
    Shape(#[from] serde_json::Error),
    /// The hook is of an agent that is not known.
    #[error("agent `{0}` is not known")]
    Agent(String),
}

/// Why one of Cairn's own commands got no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No daemon listens.
    #[error("the daemon does not answer at `{}`: {source}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The daemon refused.
    #[error("the daemon refused: {0}")]
    Refused(String),
    /// The answer is not JSON of the expected shape.
    #[error("the daemon's answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
}

/// Reads one request.
///
/// Errors: [`WireError`].
pub async fn read_request<R: AsyncReadExt + Unpin>(
    stream: &mut R,
) -> Result<(Header, Vec<u8>), WireError> {
    let length = stream.read_u32().await?;
    if length > REQUEST_BYTES_MAX {
        return Err(WireError::TooLong(length));
    }
    // Read as it comes: a length alone must not reserve memory.
    let mut payload = Vec::new();
    stream
        .take(u64::from(length))
        .read_to_end(&mut payload)
        .await?;
    if payload.len() as u64 != u64::from(length) {
        return Err(WireError::Io(std::io::ErrorKind::UnexpectedEof.into()));
    }
    let end = payload
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or(WireError::NoHeader)?;
    let body = payload.split_off(end.saturating_add(1));
    let header = json::parse(&payload, Numbers::SafeIntegers)?;
    Ok((serde_json::from_value(header)?, body))
}

/// Writes an answer.
///
/// Errors: the connection broke; the shim then denies.
pub async fn write_answer<W: AsyncWriteExt + Unpin>(
    stream: &mut W,
    answer: &Answer,
) -> std::io::Result<()> {
    let mut bytes = vec![answer.code];
    for part in [&answer.stdout, &answer.stderr] {
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Sends one of Cairn's own commands and returns what the daemon prints.
///
/// Errors: [`AskError`].
pub fn call(socket: &Path, event: &str, body: &[u8]) -> Result<Vec<u8>, AskError> {
    let unreachable = |source| AskError::Unreachable {
        path: socket.to_owned(),
        source,
    };
    let header = Header {
        agent: None,
        env: BTreeMap::new(),
        event: event.to_owned(),
        pid: std::process::id(),
        ppid: std::os::unix::process::parent_id(),
    };
    let mut payload = serde_json::to_vec(&header)?;
    payload.push(b'\n');
    payload.extend_from_slice(body);
    let (code, stdout, stderr) = exchange(socket, &payload).map_err(unreachable)?;
    if code == 0 {
        Ok(stdout)
    } else {
        Err(AskError::Refused(
            String::from_utf8_lossy(&stderr).into_owned(),
        ))
    }
}

fn exchange(socket: &Path, payload: &[u8]) -> std::io::Result<(u8, Vec<u8>, Vec<u8>)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(COMMAND_TIMEOUT))?;
    stream.set_write_timeout(Some(COMMAND_TIMEOUT))?;
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(payload)?;
    let mut code = [0];
    stream.read_exact(&mut code)?;
    let [code] = code;
    Ok((code, part(&mut stream)?, part(&mut stream)?))
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
