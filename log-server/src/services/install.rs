//! The installer: a script, and the two programs it fetches from this server.
//!
//! The script carries the SHA-256 of each program, so what is installed is what this server held
//! when the script was read. Owns nothing of the programs' build.

use super::Services;
use super::request::{Name, internal};
use crate::problem::{Family, Problem};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use cairn_event::Sha256;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The programs of the installer; nothing else in the folder is served.
pub const PROGRAMS: [&str; 2] = ["cairn", "cairn-hook"];

/// Largest program in bytes; with debug information ours are under 200 MiB.
const MAX_PROGRAM_BYTES: u64 = 536_870_912;

const SCRIPT: &str = include_str!("install.sh");

type Headers = [(HeaderName, HeaderValue); 2];

/// `GET /install.sh`.
pub(super) async fn script(State(services): State<Services>) -> Result<(Headers, String), Problem> {
    let mut text = SCRIPT.replace("@SERVER@", &shell_word(services.public_url())?);
    for (program, mark) in PROGRAMS
        .into_iter()
        .zip(["@CAIRN_SHA256@", "@CAIRN_HOOK_SHA256@"])
    {
        let digest = Sha256::of(&read(&services, program).await?);
        text = text.replace(mark, &digest.to_string());
    }
    Ok((headers("text/x-shellscript; charset=utf-8"), text))
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
    let known = tokio::fs::metadata(&path).await;
    let bytes = match known {
        Ok(known) if known.len() > MAX_PROGRAM_BYTES => {
            return Err(Problem::internal("a program of the installer is too large"));
        }
        Ok(_) => tokio::fs::read(&path).await,
        Err(error) => Err(error),
    };
    bytes.map_err(|error| match error.kind() {
        ErrorKind::NotFound => absent(),
        _ => internal(&error, "reading a program"),
    })
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
