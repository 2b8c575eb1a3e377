//! `cairn doctor`: what is wrong, and what to do about it.

use crate::clock::now_ms;
use crate::daemon::{STATUS, StatusAnswer, ask, ensure};
use crate::enrolment::Identity;
use crate::key::DeviceKey;
use crate::managed::{Manifest, Place, Standing, standing, state_folder};
use crate::refused;
use crate::state::StateDir;
use crate::wrapper::{
    CLAUDE_CODE, CODEX, Leftover, Program, ProgramError, agent_config, leftovers, settings_files,
};
use cairn_policy::Freshness;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

struct Report {
    failed: u32,
}

impl Report {
    fn check(&mut self, name: &str, result: Result<String, (String, &str)>) {
        match result {
            Ok(detail) => say!("ok    {name}: {detail}"),
            Err((problem, fix)) => {
                self.failed = self.failed.saturating_add(1);
                say!("FAIL  {name}: {problem}");
                say!("      fix: {fix}");
            }
        }
    }
}

pub(super) fn run(state: &StateDir) -> anyhow::Result<ExitCode> {
    let mut report = Report { failed: 0 };
    report.check("state folder", folder(state));
    let identity = Identity::load(state);
    report.check(
        "enrolment",
        match &identity {
            Ok(identity) => Ok(format!("{} at {}", identity.device, identity.server)),
            Err(error) => Err((error.to_string(), "run `cairn enroll --server URL`")),
        },
    );
    if let Ok(identity) = &identity {
        let key = DeviceKey::open(state);
        report.check(
            "device key",
            key.map(|_| "opens".to_owned())
                .map_err(|error| (error.to_string(), "run `cairn enroll --again --server URL`")),
        );
        report.check(
            "what was pinned",
            identity
                .pinned()
                .map(|_| "genesis and trust policy fit".to_owned())
                .map_err(|error| (error.to_string(), "run `cairn enroll --again --server URL`")),
        );
    }
    report.check("hook program", hook());
    agents(state, &mut report);
    if identity.is_ok() {
        daemon(state, &mut report);
    }
    managed(state, &mut report);
    own_settings();
    Ok(if report.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The agents that Cairn can start; one is enough.
fn agents(state: &StateDir, report: &mut Report) {
    let found = [&CLAUDE_CODE, &CODEX].map(|make| (make, Program::find(state, make)));
    let missing =
        |one: &Result<Program, ProgramError>| matches!(one, Err(ProgramError::NotFound(_)));
    let none = found.iter().all(|(_, one)| missing(one));
    for (make, one) in found {
        match one {
            Ok(Program { path, version }) => {
                let told = format!("{} version {version}", path.display());
                report.check(make.title, Ok(told));
            }
            Err(ProgramError::NotFound(_)) if !none => {
                say!("note  {}: not installed", make.title);
            }
            Err(error) => {
                let fix = "install or update it, or set CAIRN_CLAUDE or CAIRN_CODEX";
                report.check(make.title, Err((error.to_string(), fix)));
            }
        }
    }
}

/// Rules that take effect without Cairn being asked are no fault, but they leave no record.
fn own_settings() {
    let Ok(cwd) = std::env::current_dir() else {
        return;
    };
    let (found, problems) = leftovers(&settings_files(&cwd, &agent_config()));
    for Leftover { file, rule } in found {
        say!(
            "warn  own settings: `{}` denies `{rule}`; Claude Code applies it before it asks Cairn, \
             so what it refuses leaves no record",
            file.display()
        );
        say!(
            "      fix: have the rule put into the policy (`cairn policy import` reads this file), \
             then remove it there"
        );
    }
    for problem in problems {
        say!("warn  own settings: {problem}");
        say!("      fix: repair the file; the agent ignores it");
    }
}

fn folder(state: &StateDir) -> Result<String, (String, &'static str)> {
    let path = state.path().display();
    let meta = std::fs::metadata(state.path())
        .map_err(|error| (format!("{path}: {error}"), "it is made by `cairn enroll`"))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(format!("{path}"))
    } else {
        Err((format!("{path} has mode {mode:o}"), "chmod 700 the folder"))
    }
}

fn hook() -> Result<String, (String, &'static str)> {
    let hook = std::env::current_exe()
        .map(|path| path.with_file_name("cairn-hook"))
        .map_err(|error| (error.to_string(), "install Cairn again"))?;
    if hook.is_file() {
        Ok(hook.display().to_string())
    } else {
        Err((
            format!("{} is missing", hook.display()),
            "install Cairn again",
        ))
    }
}

/// The managed installation, where there is one.
fn managed(state: &StateDir, report: &mut Report) {
    const FIX: &str = "an administrator runs `cairn install --managed` again";
    let standing = standing(&Place::machine(), state, now_ms());
    let name = "managed installation";
    match &standing {
        Standing::Unmanaged => {
            say!("note  {name}: none; Claude Code started without `cairn claude` is outside Cairn");
        }
        Standing::Doubtful(problem) => report.check(name, Err((problem.clone(), FIX))),
        Standing::Changed(found) => {
            for drift in found {
                let problem = format!("{}: {}", drift.path, drift.problem);
                report.check(name, Err((problem, FIX)));
            }
        }
        Standing::NotProven(why) => {
            let fix = "run `cairn canary`";
            report.check(name, Err((format!("not proven: {why}"), fix)));
        }
        Standing::Enforced(_) => report.check(name, Ok(standing.sentence(now_ms(), false))),
    }
    if let Ok(manifest) = Manifest::load(&Place::machine())
        && let Ok(folder) = state_folder(&manifest.state, rustix::process::getuid().as_raw())
        && folder != state.path()
    {
        let problem = format!(
            "its hooks use `{}`, this command uses `{}`",
            folder.display(),
            state.path().display()
        );
        report.check(
            "state folder",
            Err((problem, "unset CAIRN_HOME and XDG_STATE_HOME")),
        );
    }
}

fn daemon(state: &StateDir, report: &mut Report) {
    let status = match ask::<_, StatusAnswer>(state, STATUS, &()) {
        Ok(status) => Ok(status),
        Err(_) => ensure(state).map_err(|error| error.to_string()),
    };
    let status = match status {
        Ok(status) => status,
        Err(problem) => {
            let fix = "read daemon.log in the state folder";
            report.check("daemon", Err((problem, fix)));
            return;
        }
    };
    report.check("daemon", Ok(format!("process {}", status.pid)));
    report.check(
        "policy",
        match (&status.not_in_force, status.policy_version) {
            (None, Some(version)) => Ok(format!("version {version}")),
            (problem, _) => Err((
                problem.clone().unwrap_or_default(),
                "an administrator runs `cairn policy apply`; then check the connection",
            )),
        },
    );
    report.check(
        "policy age",
        match (&status.policy_warning, status.policy_freshness) {
            (None, freshness) => Ok(freshness.map_or("none", Freshness::as_str).to_owned()),
            (Some(warning), _) => Err((
                warning.clone(),
                "check the connection to the server; the older the policy, the stricter it is",
            )),
        },
    );
    report.check(
        "policy updates",
        match status.policy_problem {
            None => Ok("current".to_owned()),
            Some(problem) => Err((problem, "check the connection to the server")),
        },
    );
    report.check(
        "record",
        match status.upload_problem {
            None => Ok(format!("{} entries wait", status.spool_records)),
            Some(problem) => Err((problem, "check the connection; nothing is lost meanwhile")),
        },
    );
    let refused = refused::count(state);
    report.check(
        "refused entries",
        if refused == 0 {
            Ok("none".to_owned())
        } else {
            let fix = "send the files in the folder `refused` to your security team";
            Err((format!("{refused} entries were refused by the log"), fix))
        },
    );
}
