//! `cairn status`.

use super::print_json;
use crate::clock::now_ms;
use crate::daemon::{STATUS, StatusAnswer, ask};
use crate::enrolment::Identity;
use crate::managed::{Place, standing};
use crate::refused;
use crate::state::StateDir;
use serde_json::json;
use std::process::ExitCode;

pub(super) fn run(state: &StateDir, as_json: bool) -> anyhow::Result<ExitCode> {
    let identity = Identity::load(state)?;
    let daemon = ask::<_, StatusAnswer>(state, STATUS, &());
    let refused = refused::count(state);
    let standing = standing(&Place::machine(), state, now_ms());
    let monitors = daemon.as_ref().is_ok_and(|status| status.monitors);
    let enforcement = standing.sentence(now_ms(), monitors);
    if as_json {
        print_json(&json!({
            "device": identity.device, "person": identity.person, "email": identity.email,
            "server": identity.server, "origin": identity.origin,
            "genesis": identity.genesis_leaf, "pinned_from_outside": identity.pinned_from_outside,
            "protection": identity.protection, "isolation": identity.isolation,
            "enforcement": enforcement, "standing": standing.word(monitors), "refused": refused,
            "daemon": daemon.as_ref().ok(),
            "daemon_problem": daemon.as_ref().err().map(ToString::to_string),
        }))?;
        return Ok(code(daemon.is_ok()));
    }
    say!("device       {} ({})", identity.device, identity.email);
    say!("server       {}", identity.server);
    say!("log          {}", identity.origin);
    say!(
        "genesis      {}{}",
        identity.genesis_leaf,
        if identity.pinned_from_outside {
            ""
        } else {
            " (trusted on first use)"
        }
    );
    say!("key          software, self-asserted: runs as your own user");
    say!("enforcement  {enforcement}");
    match &daemon {
        Ok(status) => print_daemon(status),
        Err(error) => say!("daemon       not running: {error}"),
    }
    if refused > 0 {
        say!(
            "refused      {refused} entries, kept in {}",
            state.refused().display()
        );
    }
    Ok(code(daemon.is_ok()))
}

fn code(running: bool) -> ExitCode {
    if running {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print_daemon(status: &StatusAnswer) {
    say!(
        "daemon       running, process {}, version {}",
        status.pid,
        status.daemon_version
    );
    match (status.policy_version, status.policy_index) {
        (Some(version), Some(index)) => say!(
            "policy       version {version}, log index {index}, checked {} ago",
            ago(status.policy_checked_ms)
        ),
        _ => say!("policy       none verified yet: every action is denied"),
    }
    let warnings = [
        status
            .not_in_force
            .as_ref()
            .or(status.policy_warning.as_ref()),
        status.policy_problem.as_ref(),
    ];
    for warning in warnings.into_iter().flatten() {
        say!("             {warning}");
    }
    if status.policy_asks {
        say!(
            "             changes are asked for: something between here and the server holds streams back"
        );
    }
    say!("teams        {}", status.teams.join(", "));
    say!(
        "record       {} entries wait for a receipt ({} bytes spooled)",
        status.spool_records,
        status.spool_bytes
    );
    if let Some(problem) = &status.upload_problem {
        say!("             {problem}");
    }
    if status.undeclared > 0 {
        say!(
            "             {} actions could not be recorded",
            status.undeclared
        );
    }
    if let Some((index, at)) = status.last_receipt {
        say!("receipt      log index {index}, {} ago", ago(at));
    }
    say!("sessions     {}", status.sessions);
    if status.unmanaged > 0 {
        say!(
            "unmanaged    {} agents run outside Cairn; start them with `cairn claude` or `cairn codex`",
            status.unmanaged
        );
    }
    if status.unjudged > 0 {
        say!(
            "alert        {} calls ran without a verdict or against one, by the agent's own account",
            status.unjudged
        );
    }
    for (name, (value, source)) in &status.posture {
        say!("posture      {name}: {value} ({source})");
    }
}

fn ago(at_ms: u64) -> String {
    let seconds = now_ms().saturating_sub(at_ms) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}
