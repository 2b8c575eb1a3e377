//! The shim's command line: the event's word and where the daemon listens.

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
            _ => Err("the hook was not called as `cairn-hook EVENT --socket PATH`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_form_is_read() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let read = Arguments::read(&words("PreToolUse --socket /s")).unwrap();
        assert_eq!(
            (read.event.as_str(), read.socket.as_str()),
            ("PreToolUse", "/s")
        );
        assert!(Arguments::read(&words("PreToolUse")).is_err());
        assert!(Arguments::read(&words("PreToolUse --socket /s extra")).is_err());
        assert!(Arguments::read(&[]).is_err());
    }
}
