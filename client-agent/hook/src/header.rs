//! The header line of a request: whose hook, which event, which process, which of the agent's variables.
//!
//! Written by hand because the shim has no dependencies; the daemon reads it strictly.

use std::fmt::Write;

/// The agent's variables that the daemon may see.
///
/// A closed list: the agent also hands out a messaging token, which must not travel.
const VARIABLES: [&str; 6] = [
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_PID",
    "CLAUDE_PROJECT_DIR",
];

/// One JSON object and a line feed: `{"env":{…},"event":"…","pid":n,"ppid":n}`, with `"agent":"…"` first
/// where the hook is not Claude Code's.
pub fn line(event: &str, agent: Option<&str>) -> String {
    let mut text = String::from("{");
    if let Some(agent) = agent {
        text.push_str("\"agent\":");
        quote(agent, &mut text);
        text.push(',');
    }
    text.push_str("\"env\":{");
    let mut first = true;
    for name in VARIABLES {
        let Some(value) = std::env::var_os(name) else {
            continue;
        };
        if !first {
            text.push(',');
        }
        first = false;
        quote(name, &mut text);
        text.push(':');
        quote(&value.to_string_lossy(), &mut text);
    }
    text.push_str("},\"event\":");
    quote(event, &mut text);
    let (pid, parent) = (std::process::id(), std::os::unix::process::parent_id());
    // Writing to a string cannot fail.
    let _infallible = writeln!(text, ",\"pid\":{pid},\"ppid\":{parent}}}");
    text
}

/// Appends a JSON string (RFC 8259 section 7).
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        let mut out = String::new();
        quote("a\"b\\c\nd\u{e9}", &mut out);
        assert_eq!(out, "\"a\\\"b\\\\c\\u000ad\u{e9}\"");
    }

    #[test]
    fn the_header_is_one_line() {
        let line = line("Pre\nToolUse", Some("co\"dex"));
        assert!(line.starts_with("{\"agent\":\"co\\\"dex\",\"env\":{"));
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.contains("\"event\":\"Pre\\u000aToolUse\""));
    }
}
