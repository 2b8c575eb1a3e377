//! The installer: a script, and the two programs it fetches from this server.
//!
//! The script carries the SHA-256 of each program, so what is installed is what this server held
//! when the script was read. Owns nothing of the programs' build.

use super::request::{Name, internal};
use super::{Services, locked};
use crate::problem::{Family, Problem};
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

/// Digests of the programs as last read, with the file time and length they belong to.
///
/// Why: the script is public, and hashing two programs for each reader would be cheap to abuse.
pub(super) type Digests = HashMap<&'static str, (SystemTime, u64, Sha256)>;

/// `GET /install.sh`.
pub(super) async fn script(State(services): State<Services>) -> Result<(Headers, String), Problem> {
    let mut text = SCRIPT.replace("@SERVER@", &shell_word(services.public_url())?);
    for (program, mark) in PROGRAMS
        .into_iter()
        .zip(["@CAIRN_SHA256@", "@CAIRN_HOOK_SHA256@"])
    {
        text = text.replace(mark, &digest(&services, program).await?.to_string());
    }
    Ok((headers("text/x-shellscript; charset=utf-8"), text))
}

async fn digest(services: &Services, program: &'static str) -> Result<Sha256, Problem> {
    let (changed, bytes) = look(&folder(services)?.join(program)).await?;
    let known = locked(&services.0.digests).get(program).copied();
    if let Some((at, length, digest)) = known
        && (at, length) == (changed, bytes)
    {
        return Ok(digest);
    }
    let digest = Sha256::of(&read(services, program).await?);
    locked(&services.0.digests).insert(program, (changed, bytes, digest));
    Ok(digest)
}

/// `GET /dist/{name}`.
pub(super) async fn program(
    State(services): State<Services>,
    Name(name): Name,
) -> Result<(Headers, Vec<u8>), Problem> {
    let program = PROGRAMS.into_iter().find(|known| *known == name);
    let program = program.ok_or_else(|| Problem::not_found("there is no such program"))?;
    Ok((
        headers("application/octet-stream"),
        read(&services, program).await?,
    ))
}

async fn read(services: &Services, program: &str) -> Result<Vec<u8>, Problem> {
    let path = folder(services)?.join(program);
    look(&path).await?;
    tokio::fs::read(&path)
        .await
        .map_err(|error| unreadable(&error))
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
