//! The shim's command line: the event's word and where the daemon listens.

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
}

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// Errors: a sentence part for the refusal; the hook is configured wrongly.
    pub fn read(words: &[String]) -> Result<Self, &'static str> {
        match words {
            [event, flag, socket] if flag == "--socket" && !socket.is_empty() => Ok(Self {
                event: event.clone(),
                socket: socket.clone(),
            }),
            // One settings file for every user of a machine cannot name each one's socket.
            [event, flag, pattern] if flag == "--state" && !pattern.is_empty() => Ok(Self {
                event: event.clone(),
                socket: format!("{}/{SOCKET_NAME}", user::expand(pattern)?),
            }),
            _ => Err(
                "the hook was not called as `cairn-hook EVENT --socket PATH` or `… --state PATTERN`",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_forms_are_read() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let read = Arguments::read(&words("PreToolUse --socket /s")).unwrap();
        assert_eq!(
            (read.event.as_str(), read.socket.as_str()),
            ("PreToolUse", "/s")
        );
        let read = Arguments::read(&words("PreToolUse --state /var/lib/x")).unwrap();
        assert_eq!(read.socket, "/var/lib/x/daemon.sock");
        assert!(Arguments::read(&words("PreToolUse")).is_err());
        assert!(Arguments::read(&words("PreToolUse --state")).is_err());
        assert!(Arguments::read(&words("PreToolUse --socket /s extra")).is_err());
        assert!(Arguments::read(&[]).is_err());
    }
}
