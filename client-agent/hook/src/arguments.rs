//! The shim's command line: the event's word, where the daemon listens, and whose hook it is.

use crate::user;

/// Name of the socket in a state folder.
const SOCKET_NAME: &str = "daemon.sock";

/// What the shim was told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The event as the agent names it, for example `PreToolUse`.
    pub event: String,
    /// Path of the daemon's socket.
    pub socket: String,
    /// The agent, where it is not Claude Code.
    pub agent: Option<String>,
}

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// Errors: a sentence part for the refusal; the hook is configured wrongly.
    pub fn read(words: &[String]) -> Result<Self, &'static str> {
        let (words, agent) = match words {
            [rest @ .., flag, agent] if flag == "--agent" && !agent.is_empty() => {
                (rest, Some(agent.clone()))
            }
            words => (words, None),
        };
        match words {
            [event, flag, socket] if flag == "--socket" && !socket.is_empty() => Ok(Self {
                event: event.clone(),
                socket: socket.clone(),
                agent,
            }),
            // One settings file for every user of a machine cannot name each one's socket.
            [event, flag, pattern] if flag == "--state" && !pattern.is_empty() => Ok(Self {
                event: event.clone(),
                socket: format!("{}/{SOCKET_NAME}", user::expand(pattern)?),
                agent,
            }),
            _ => Err(
                "the hook was not called as `cairn-hook EVENT --socket PATH [--agent NAME]` or `… --state PATTERN`",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_these_forms_are_read() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let read = Arguments::read(&words("PreToolUse --socket /s")).unwrap();
        assert_eq!(
            (read.event.as_str(), read.socket.as_str()),
            ("PreToolUse", "/s")
        );
        let read = Arguments::read(&words("PreToolUse --state /var/lib/x")).unwrap();
        assert_eq!(read.socket, "/var/lib/x/daemon.sock");
        assert_eq!(read.agent, None);
        let read = Arguments::read(&words("PreToolUse --socket /s --agent codex")).unwrap();
        assert_eq!(
            (read.socket.as_str(), read.agent.as_deref()),
            ("/s", Some("codex"))
        );
        assert!(Arguments::read(&words("PreToolUse --agent codex")).is_err());
        assert!(Arguments::read(&words("PreToolUse --agent codex --socket /s")).is_err());
        assert!(Arguments::read(&words("PreToolUse")).is_err());
        assert!(Arguments::read(&words("PreToolUse --state")).is_err());
        assert!(Arguments::read(&words("PreToolUse --socket /s extra")).is_err());
        assert!(Arguments::read(&[]).is_err());
    }
}
