//! What the agent is told when the daemon gave no answer: no, on every event that gates something.

use crate::exchange::Answer;
use crate::header::quote;
use std::io::Write;
use std::path::Path;

/// The exit code by which a hook blocks.
pub const BLOCK: u8 = 2;

/// The file beside the socket that counts refusals nobody recorded, one byte each.
///
/// The daemon turns its length into a gap entry when it runs again.
const UNRECORDED: &str = "unrecorded";

/// The answer for `event` when the daemon cannot be asked, for the reason `cause`.
///
/// Events that gate nothing are let go in silence: the record misses them, the agent goes on.
pub fn answer(event: &str, cause: &str, socket: &str) -> Answer {
    let reason = format!(
        "Cairn's daemon cannot be reached ({cause}): the action was refused (fail closed). \
         Run `cairn doctor`, or ask your security team."
    );
    let mut quoted = String::new();
    quote(&reason, &mut quoted);
    let (code, stdout) = match event {
        "PreToolUse" => (
            BLOCK,
            format!(
                "{{\"hookSpecificOutput\":{{\"hookEventName\":\"PreToolUse\",\
                 \"permissionDecision\":\"deny\",\"permissionDecisionReason\":{quoted}}}}}"
            ),
        ),
        "UserPromptSubmit" | "UserPromptExpansion" | "ConfigChange" => (
            BLOCK,
            format!("{{\"decision\":\"block\",\"reason\":{quoted}}}"),
        ),
        // The agent ignores exit code 2 here and reads only the decision.
        "PermissionRequest" => (
            0,
            format!(
                "{{\"hookSpecificOutput\":{{\"hookEventName\":\"PermissionRequest\",\
                 \"decision\":{{\"behavior\":\"deny\",\"message\":{quoted}}}}}}}"
            ),
        ),
        // Without an event word nobody knows what is being asked, so the answer is no.
        "" => (BLOCK, String::new()),
        _ => {
            return Answer {
                code: 0,
                stdout: Vec::new(),
                stderr: Vec::new(),
            };
        }
    };
    count(socket);
    let stderr = if code == BLOCK {
        reason.into_bytes()
    } else {
        Vec::new()
    };
    Answer {
        code,
        stdout: stdout.into_bytes(),
        stderr,
    }
}

fn count(socket: &str) {
    let Some(folder) = Path::new(socket).parent() else {
        return;
    };
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.join(UNRECORDED));
    // The refusal stands whether or not it could be counted.
    let _uncounted = file.and_then(|mut file| file.write_all(b"."));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(event: &str) -> (u8, String) {
        let answer = answer(event, "test", "");
        (answer.code, String::from_utf8(answer.stdout).unwrap())
    }

    #[test]
    fn gating_events_are_denied() {
        let (code, stdout) = text("PreToolUse");
        assert_eq!(code, BLOCK);
        assert!(stdout.contains("\"permissionDecision\":\"deny\""));
        assert!(stdout.contains("cannot be reached (test)"));
        assert!(
            text("UserPromptSubmit")
                .1
                .contains("\"decision\":\"block\"")
        );
        for event in ["UserPromptExpansion", "ConfigChange"] {
            assert_eq!(text(event).0, BLOCK);
            assert!(text(event).1.contains("\"decision\":\"block\""));
        }
        assert!(
            text("PermissionRequest")
                .1
                .contains("\"behavior\":\"deny\"")
        );
        assert_eq!(text("").0, BLOCK);
    }

    #[test]
    fn other_events_pass_in_silence() {
        assert_eq!(text("PostToolUse"), (0, String::new()));
        assert_eq!(text("SessionEnd"), (0, String::new()));
    }
}
