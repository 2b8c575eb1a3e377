//! The installer: a script, and the two programs it fetches from this server.
//!
//! The script carries the SHA-256 of each program, so what is installed is what this server held
//! when the script was read. Owns nothing of the programs' build.

use super::Services;
use super::request::{Name, internal};
use crate::answers::Shared;
use crate::problem::{Family, Problem};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use cairn_event::Sha256;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The programs of the installer; nothing else in the folder is served.
pub const PROGRAMS: [&str; 2] = ["cairn", "cairn-hook"];

/// Largest program in bytes; with debug information ours are under 200 MiB.
const MAX_PROGRAM_BYTES: u64 = 536_870_912;

const SCRIPT: &str = include_str!("install.sh");

type Headers = [(HeaderName, HeaderValue); 2];

/// The programs as last read.
///
/// Why: they are public. Hashing them for each reader of the script would be cheap to abuse, and so
/// would be a copy in memory for each who fetches one and does not read on.
pub(super) type Kept = HashMap<&'static str, Program>;

/// One program, and the file time and length it belongs to.
#[derive(Clone)]
pub(super) struct Program {
    changed: SystemTime,
    digest: Sha256,
    bytes: Bytes,
}

/// `GET /install.sh`.
pub(super) async fn script(State(services): State<Services>) -> Result<(Headers, String), Problem> {
    let mut text = SCRIPT.replace("@SERVER@", &shell_word(services.public_url())?);
    for (program, mark) in PROGRAMS
        .into_iter()
        .zip(["@CAIRN_SHA256@", "@CAIRN_HOOK_SHA256@"])
    {
        text = text.replace(mark, &read(&services, program).await?.digest.to_string());
    }
    Ok((headers("text/x-shellscript; charset=utf-8"), text))
}

/// `GET /dist/{name}`.
pub(super) async fn program(
    State(services): State<Services>,
    Name(name): Name,
) -> Result<(Headers, Extension<Shared>, Bytes), Problem> {
    let program = PROGRAMS.into_iter().find(|known| *known == name);
    let program = program.ok_or_else(|| Problem::not_found("there is no such program"))?;
    let bytes = read(&services, program).await?.bytes;
    Ok((
        headers("application/octet-stream"),
        Extension(Shared),
        bytes,
    ))
}

/// A program as it is now; read again only when its file changed.
async fn read(services: &Services, program: &'static str) -> Result<Program, Problem> {
    let path = folder(services)?.join(program);
    // One reads, the others wait for it and find what it read.
    let mut kept = services.0.programs.lock().await;
    let (changed, length) = look(&path).await?;
    if let Some(known) = kept.get(program)
        && (known.changed, known.bytes.len() as u64) == (changed, length)
    {
        return Ok(known.clone());
    }
    let read = tokio::fs::read(&path).await;
    let bytes = Bytes::from(read.map_err(|error| unreadable(&error))?);
    let hashed = bytes.clone();
    let digest = crate::blocking::run(move || Sha256::of(&hashed)).await;
    let digest = digest.map_err(|error| internal(&error, "hashing a program"))?;
    let read = Program {
        changed,
        digest,
        bytes,
    };
    kept.insert(program, read.clone());
    Ok(read)
}

/// When a program's file was last changed, and its length.
async fn look(path: &Path) -> Result<(SystemTime, u64), Problem> {
    let known = tokio::fs::metadata(path)
        .await
        .map_err(|error| unreadable(&error))?;
    if known.len() > MAX_PROGRAM_BYTES {
        return Err(Problem::internal("a program of the installer is too large"));
    }
    let changed = known.modified().map_err(|error| unreadable(&error))?;
    Ok((changed, known.len()))
}

fn unreadable(error: &io::Error) -> Problem {
    match error.kind() {
        ErrorKind::NotFound => absent(),
        _ => internal(error, "reading a program"),
    }
}

fn folder(services: &Services) -> Result<PathBuf, Problem> {
    let folder = services.log().config().dist.as_ref().ok_or_else(absent)?;
    Ok(services.log().dir().join(folder))
}

fn absent() -> Problem {
    let detail = "this server has no programs to install; its operator sets `dist`";
    Problem::new(StatusCode::NOT_FOUND, "no-dist", Family::Refused, detail)
}

/// The server's address goes into single quotes; one that holds a quote is not served.
fn shell_word(text: &str) -> Result<String, Problem> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~:/[]@%".contains(letter);
    if text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(Problem::internal(
            "`public_url` cannot stand in a shell script",
        ))
    }
}

fn headers(media: &'static str) -> Headers {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ]
}
