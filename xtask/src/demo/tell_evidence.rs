//! The second half of the story: receipts on the device, the pack, and what tampering comes to.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::demo::Mode;
use crate::demo::evidence::{self, Isolation};
use crate::demo::infrastructure::run;
use crate::demo::story::Story;
use crate::demo::tell::Stage;

/// Every call of the story and the verdict its record must carry.
const VERDICTS: &[(&str, &str)] = &[
    ("aws_copy", "deny"),
    ("edit_workflow", "deny"),
    ("kubectl_outsider", "deny"),
    ("read_key", "deny"),
    ("kubectl_member", "allow"),
];

/// Frameworks whose control tables go into the pack.
const FRAMEWORK: &str = "soc2";

/// End of the period: later than any demo, so that everything published is in the pack.
const PERIOD_END: &str = "9000-01-01";

/// Shows the receipts that the device holds.
pub(super) fn records(stage: &Stage<'_>, story: &mut Story) -> Result<()> {
    story.step("Each of these is a signed entry with a witnessed receipt, held by the device");
    stage.wait_until("every record to have its receipt", |status| {
        status["daemon"]["spool_records"].as_u64() == Some(0)
    })?;
    let listed = run(stage
        .developer()
        .args(["log", "--verify", "--json", "--limit", "200"]))?;
    let rows: Vec<Value> = serde_json::from_str(&listed)?;
    for row in &rows {
        let word = |name: &str| row[name].as_str().unwrap_or("").to_owned();
        let witnesses = row["witnesses"].as_array().map_or(0, Vec::len);
        story.say(&format!(
            "{:>4}  {:<17} {:<11} {:<8} {:<26} {witnesses} witnesses",
            row["index"],
            word("kind"),
            word("effect"),
            word("tool"),
            word("rule"),
        ));
    }
    let good = rows.iter().all(|row| row["verified"] == true);
    story.claim(
        "every receipt verifies offline against the pinned trust policy",
        good,
    );
    for (name, effect) in VERDICTS {
        let id = format!("toolu_demo_{name}");
        let found = rows.iter().any(|row| {
            row["kind"] == "tool.decision"
                && row["use_id"] == id.as_str()
                && row["effect"] == *effect
        });
        story.claim(&format!("the log has the {effect} of {name}"), found);
    }
    if let Mode::Real(_) = stage.mode {
        let blocked = rows.iter().any(|row| {
            row["kind"] == "mcp.seen" && row["tool"] == "left-pad" && row["effect"] == "deny"
        });
        story.claim("the log has the blocked MCP server", blocked);
    }
    Ok(())
}

/// Writes a pack, verifies it offline, and tampers with copies of it.
pub(super) fn pack(stage: &Stage<'_>, story: &mut Story) -> Result<()> {
    story.step("An evidence pack for the period, verified without network and without us");
    let pack = stage.root.join("pack");
    let token = stage.root.join("token.txt");
    let mut asks = stage.administrator(&["org", "token"]);
    run(asks.arg("--out").arg(&token))?;
    let mut export = Command::new(stage.programs.folder.join("cairn-export"));
    export.args([
        "pack",
        "--framework",
        FRAMEWORK,
        "--from",
        "0",
        "--to",
        PERIOD_END,
    ]);
    export.args(["--server", &stage.organisation.server]);
    export
        .arg("--trust-policy")
        .arg(&stage.organisation.trust_policy);
    export.args(["--genesis-hash", &stage.organisation.genesis]);
    export
        .arg("--token-file")
        .arg(&token)
        .arg("--out")
        .arg(&pack);
    run(&mut export)?;
    let isolation = Isolation::available();
    match isolation {
        Isolation::Namespace => {
            story.say("The auditor runs in a network namespace with no network.")
        }
        Isolation::None => {
            story.say("This user may not make a network namespace: verified without one.")
        }
    }
    let verify = |folder: &std::path::Path| {
        evidence::verify(
            &stage.programs.folder,
            &stage.organisation,
            folder,
            isolation,
        )
    };
    let verdict = verify(&pack)?;
    story.say(verdict.said.trim());
    story.claim("the pack verifies", verdict.good);
    let copy = stage.root.join("tampered");
    for file in evidence::files(&pack)? {
        if std::fs::metadata(pack.join(&file))?.len() == 0 {
            continue;
        }
        evidence::tampered_copy(&pack, &copy, &file)?;
        let verdict = verify(&copy)?;
        let name = file
            .file_name()
            .context("a pack's file has a name")?
            .to_string_lossy();
        let reason = verdict
            .said
            .lines()
            .find(|line| line.contains(&*name))
            .unwrap_or("")
            .trim();
        let claim = format!("one flipped byte in {} is caught: {reason}", file.display());
        story.claim(&claim, !verdict.good && !reason.is_empty());
    }
    Ok(())
}
