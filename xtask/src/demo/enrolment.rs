//! The demo's person: opens the enrolment page, enters their address and the code from their mail.
//!
//! It owns what a person would type. Server, mail and `cairn enroll` are the real ones.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::demo::form::Window;

/// Longest wait for a mail to lie in the outbox.
const MAIL_PATIENCE: Duration = Duration::from_secs(10);

/// What the person saw.
#[derive(Debug)]
pub struct Enrolled {
    /// Address of the page.
    pub url: String,
    /// Whether the page showed the words that the terminal showed.
    pub words_match: bool,
}

/// Runs `enroll` and plays the person.
///
/// # Errors
/// The page, the mail or the command fails; the message says which.
pub fn enrol(mut enroll: Command, outbox: &Path, email: &str) -> Result<Enrolled> {
    let mut child = enroll
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start `cairn enroll`")?;
    let mut first = String::new();
    if let Some(output) = child.stdout.take() {
        let mut reader = BufReader::new(output);
        reader.read_line(&mut first)?;
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    }
    let played = serde_json::from_str::<Value>(&first)
        .with_context(|| format!("`cairn enroll` printed `{}`", first.trim()))
        .and_then(|started| play(&started, outbox, email));
    if played.is_err() {
        // The command would wait ten minutes for a page that nobody finishes.
        let _ = child.kill();
    }
    let ended = child.wait_with_output()?;
    let enrolled = played.with_context(|| String::from_utf8_lossy(&ended.stderr).into_owned())?;
    if ended.status.success() {
        return Ok(enrolled);
    }
    bail!(
        "`cairn enroll` failed:\n{}",
        String::from_utf8_lossy(&ended.stderr)
    )
}

fn play(started: &Value, outbox: &Path, email: &str) -> Result<Enrolled> {
    let url = started["url"]
        .as_str()
        .context("no page address")?
        .to_owned();
    let words = started["words"].as_str().context("no words")?;
    let path = url
        .splitn(4, '/')
        .nth(3)
        .map(|path| format!("/{path}"))
        .context("no path")?;
    let mut window = Window::open(&url)?;
    let page = window.load(&path)?;
    let words_match = words
        .split_whitespace()
        .all(|word| page.body.contains(word));
    let before = mails(outbox)?.len();
    let asked = window.send(&format!("{path}/email"), &[("email", email)])?;
    if asked.status != 200 {
        bail!(
            "the page answered {} to the address:\n{}",
            asked.status,
            asked.body
        );
    }
    let code = code_from_mail(outbox, before)?;
    let done = window.send(&format!("{path}/code"), &[("code", &code)])?;
    if done.status != 200 {
        bail!(
            "the page answered {} to the code:\n{}",
            done.status,
            done.body
        );
    }
    Ok(Enrolled { url, words_match })
}

/// The six digits of the newest mail, once there are more than `before`.
///
/// # Errors
/// No mail came in time, or it holds no code.
pub fn code_from_mail(outbox: &Path, before: usize) -> Result<String> {
    let begun = Instant::now();
    loop {
        let found = mails(outbox)?;
        if found.len() > before
            && let Some(newest) = found.last()
        {
            let mail = fs::read_to_string(newest)?;
            let body = mail
                .split_once("\r\n\r\n")
                .map_or(mail.as_str(), |(_, body)| body);
            let mut words = body.split(|letter: char| !letter.is_ascii_alphanumeric());
            let code =
                words.find(|word| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit()));
            return code
                .map(str::to_owned)
                .with_context(|| format!("no code in the mail:\n{mail}"));
        }
        if begun.elapsed() > MAIL_PATIENCE {
            bail!("no mail came to `{}`", outbox.display());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn mails(outbox: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(outbox)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            found.push((fs::metadata(&path)?.modified()?, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}
