//! `cairn-audit log`: what ties one audit to the ones before it, and to today.
//!
//! Owns these arguments and the kept file. The judgement is in `cairn_audit::log`.

use anyhow::{Context as _, Result, bail};
use cairn_audit::Report;
use cairn_audit::log::freshness::{AgeLimit, DEFAULT_MAX_AGE_S};
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments about the age of a log's state and its history.
#[derive(Args)]
pub struct History {
    /// How old the newest checkpoint may be by the witnesses' clocks, for example `90m` or `24h`;
    /// `none` for an archive or a static export.
    #[arg(long, default_value_t = MaxAge::default())]
    max_age: MaxAge,
    /// File with the checkpoint of an earlier audit: the log may only have grown since.
    #[arg(long)]
    since: Option<PathBuf>,
    /// File to write the verified checkpoint to, for `--since` of the next audit. A file that is there
    /// already is replaced only if `--since` names it too.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// What an audit is held to.
pub struct Before {
    /// Oldest state that passes.
    pub max_age: Option<AgeLimit>,
    /// The checkpoint of an earlier audit.
    pub since: Option<String>,
}

impl History {
    /// Reads what there is before the audit begins.
    pub fn read(&self) -> Result<Before> {
        // A kept checkpoint is evidence: it gives way only to one that was compared with it.
        if let Some(keep) = &self.keep
            && keep.exists()
            && self.since.as_ref() != Some(keep)
        {
            let there = keep.display();
            bail!(
                "`{there}` is there already; audit with `--since {there}`, or keep the checkpoint elsewhere"
            );
        }
        Ok(Before {
            max_age: self.max_age.limit()?,
            since: self.since.as_deref().map(read_text).transpose()?,
        })
    }

    /// Keeps the checkpoint of a good verdict.
    pub fn keep(&self, report: &Report) -> Result<()> {
        match (&self.keep, &report.checkpoint) {
            (Some(keep), Some(note)) if report.is_good() => replace(keep, note),
            _ => Ok(()),
        }
    }
}

/// Writes the file whole or not at all.
fn replace(path: &Path, text: &str) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let written = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, path));
    written.with_context(|| format!("`{}` could not be written", path.display()))
}

fn read_text(path: &Path) -> Result<String> {
    let text = String::from_utf8(crate::read(path)?);
    text.with_context(|| format!("`{}` is not UTF-8", path.display()))
}

/// The limit on the age of a log's newest checkpoint.
#[derive(Clone, Copy)]
struct MaxAge(Option<jiff::SignedDuration>);

impl Default for MaxAge {
    fn default() -> Self {
        let seconds = i64::try_from(DEFAULT_MAX_AGE_S).unwrap_or(i64::MAX);
        Self(Some(jiff::SignedDuration::from_secs(seconds)))
    }
}

impl std::fmt::Display for MaxAge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(age) => write!(f, "{age:#}"),
            None => f.write_str("none"),
        }
    }
}

impl std::str::FromStr for MaxAge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let age: jiff::SignedDuration = text
            .parse()
            .map_err(|error: jiff::Error| error.to_string())?;
        if age.is_positive() {
            Ok(Self(Some(age)))
        } else {
            Err("an age is more than nothing".to_owned())
        }
    }
}

impl MaxAge {
    fn limit(self) -> Result<Option<AgeLimit>> {
        let Some(age) = self.0 else { return Ok(None) };
        let now = jiff::Timestamp::now().as_second();
        Ok(Some(AgeLimit {
            now_s: u64::try_from(now).context("this machine's clock is before 1970")?,
            most_s: u64::try_from(age.as_secs()).context("the largest age")?,
        }))
    }
}
