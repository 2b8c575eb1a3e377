//! `cairn org close-log`: the end of a log, and the evidence of it that a successor needs.
//!
//! Owns closing, fetching the evidence, and checking it whole before anybody builds on it. The command
//! may be repeated: a log that is closed already only gives its evidence again.
//!
//! Source: `docs/formats/administrative.md`, "Closing a log".

use super::admin::{Administrator, read};
use super::founding::ServerKeys;
use super::{AdminArguments, print_json};
use anyhow::{Context as _, bail};
use cairn_api::paths;
use cairn_durable::write_atomic;
use cairn_event::administrative::{LogClose, Predecessor};
use cairn_event::body::Body;
use cairn_event::{Entry, Sha256};
use cairn_identity::succession::{ClosedLog, Closing};
use cairn_tlog::{Hash, Receipt, TrustPolicy};
use serde_json::json;
use std::io::{BufRead, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

/// Most bytes read of an answer: more than the longest name of a log.
const ANSWER_BYTES_MAX: u64 = 1_024;

/// The evidence of a close, checked: authority, receipt with its quorum, and that it is final.
pub(super) struct Evidence {
    /// The line that a successor's server stores.
    pub line: String,
    /// The closed log.
    pub closed: ClosedLog,
    /// What the successor's genesis says.
    pub named: Predecessor,
}

impl Evidence {
    /// Checks evidence under the closed log's trust policy.
    fn check(line: String, policy: &TrustPolicy) -> anyhow::Result<Self> {
        let closing = Closing::parse(line.as_bytes())?;
        let closed = closing.judge()?;
        let receipt = Receipt::parse(&closing.receipt)?;
        let verified = receipt
            .verify(&Hash(closed.close.0), policy)
            .context("the receipt of the close")?;
        let head = verified.checkpoint;
        if head.origin != closed.origin {
            bail!("the receipt of the close is of log `{}`", head.origin);
        }
        let (digest, root) = (Sha256::of(line.as_bytes()), Sha256(head.root.0));
        let named = closed.predecessor(digest, receipt.index, head.size, root)?;
        Ok(Self {
            line,
            closed,
            named,
        })
    }

    /// Reads and checks what `close` wrote; `policy` is the closed log's trust policy.
    pub(super) fn read(path: &Path, policy: &Path) -> anyhow::Result<Self> {
        let line = String::from_utf8(read(path)?)?;
        let policy = TrustPolicy::parse(&String::from_utf8(read(policy)?)?)?;
        let line = line.strip_suffix('\n').unwrap_or(&line).to_owned();
        Self::check(line, &policy).with_context(|| format!("`{}`", path.display()))
    }
}

/// How a log is to be closed.
pub(super) struct Wish {
    /// Why.
    pub reason: String,
    /// Public keys of the only server that may succeed it.
    pub successor_keys: Option<PathBuf>,
    /// File for the evidence.
    pub out: PathBuf,
    /// Whether nobody is to be asked.
    pub yes: bool,
}

/// Closes the log and writes the evidence.
pub(super) async fn close(
    arguments: &AdminArguments,
    wish: Wish,
    as_json: bool,
) -> anyhow::Result<()> {
    let out = &wish.out;
    if out.exists() {
        bail!("`{}` exists", out.display());
    }
    let successor = wish.successor_keys.as_deref().map(log_key).transpose()?;
    let administrator = Administrator::open(arguments).await?;
    let line = match evidence(&administrator).await? {
        Some(line) => line,
        None => {
            if !wish.yes {
                confirm(&administrator.org.origin)?;
            }
            let close = LogClose {
                reason: wish.reason,
                successor,
            };
            administrator.submit(Body::LogClose(close), &[]).await?;
            let line = evidence(&administrator).await?;
            line.context("the log is closed and does not show it yet; repeat the command")?
        }
    };
    let evidence = Evidence::check(line, administrator.trust_policy())?;
    write_atomic(out, format!("{}\n", evidence.line).as_bytes(), 0o644)?;
    report(&evidence, out, as_json)
}

/// Has the person at the terminal type the log's name.
fn confirm(origin: &str) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        bail!(
            "closing log `{origin}` cannot be undone, and nobody can be asked here; `--yes` closes it"
        );
    }
    tell!("Closing log `{origin}` cannot be undone: nothing is admitted to it any more.");
    tell!("Type its name to close it:");
    agreed(&mut std::io::stdin().lock(), origin)
}

fn agreed(answer: &mut impl BufRead, origin: &str) -> anyhow::Result<()> {
    let mut typed = String::new();
    answer.take(ANSWER_BYTES_MAX).read_line(&mut typed)?;
    if typed.trim() != origin {
        bail!("that is not the log's name; nothing was closed");
    }
    Ok(())
}

fn log_key(server_keys: &Path) -> anyhow::Result<String> {
    let keys: ServerKeys = serde_json::from_slice(&read(server_keys)?)
        .with_context(|| format!("`{}`", server_keys.display()))?;
    Ok(keys.log_key)
}

/// The evidence out of the log's own answers; nothing while its newest published entry is no close.
async fn evidence(administrator: &Administrator) -> anyhow::Result<Option<String>> {
    let client = &administrator.client;
    let note = client.text(paths::CHECKPOINT).await?;
    let policy = administrator.trust_policy();
    let size = policy.verify_checkpoint(&note)?.checkpoint.size;
    let Some(last) = size.checked_sub(1) else {
        return Ok(None);
    };
    let entry = paths::fill(paths::ENTRY, "index", last);
    let entry = client.text(&entry).await?;
    let read = Entry::parse(entry.as_bytes())?;
    if !matches!(read.payload().body, Body::LogClose(_)) {
        return Ok(None);
    }
    let receipt = paths::fill(paths::RECEIPT, "index", last);
    let closing = Closing {
        entry,
        genesis: administrator.org.genesis_entry.clone(),
        receipt: client.text(&receipt).await?,
    };
    Ok(Some(serde_json::to_string(&closing)?))
}

fn report(evidence: &Evidence, out: &Path, as_json: bool) -> anyhow::Result<()> {
    let named = &evidence.named;
    if as_json {
        return print_json(&json!({
            "evidence": out, "origin": named.origin, "size": named.size, "root": named.root,
            "successor": evidence.closed.successor,
        }));
    }
    say!("closed    {} at size {}", named.origin, named.size);
    say!("root      {}", named.root);
    say!("evidence  {}", out.display());
    say!("");
    say!("Keep the server running, or serve its `export-static`, for as long as anybody audits.");
    say!(
        "Make the successor with `cairn org create --succeeds {}`.",
        out.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_closed_only_for_who_types_its_name() {
        for right in [
            "log.example/acme\n",
            " log.example/acme",
            "log.example/acme\r\nmore\n",
        ] {
            assert!(
                agreed(&mut right.as_bytes(), "log.example/acme").is_ok(),
                "{right}"
            );
        }
        let endless = "log.example/acme".repeat(1_000);
        for wrong in [
            "",
            "\n",
            "y\n",
            "yes\n",
            "log.example/acm\n",
            "\nlog.example/acme\n",
            &endless,
        ] {
            assert!(
                agreed(&mut wrong.as_bytes(), "log.example/acme").is_err(),
                "{wrong}"
            );
        }
    }
}
