//! The agent's command line: flags that would take the session out from under Cairn are refused.
//!
//! Source: Claude Code findings 1.8.

/// A refused flag with the reason, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{flag}` is refused: {reason}")]
pub struct FlagProblem {
    /// The flag or word as given.
    pub flag: String,
    /// Why.
    pub reason: &'static str,
}

/// A command line that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// What is passed on.
    pub pass: Vec<String>,
    /// Values of `--mcp-config`, which the inventory takes over.
    pub mcp_configs: Vec<String>,
}

/// Flags that are refused, whatever follows.
const REFUSED: &[(&str, &str)] = &[
    (
        "--agents",
        "agents given on the command line may bring hooks and servers of their own",
    ),
    (
        "--allow-dangerously-skip-permissions",
        "it offers a mode that skips the agent's own permission checks",
    ),
    (
        "--background",
        "a background session does not inherit Cairn's settings",
    ),
    (
        "--bare",
        "it starts the agent without hooks, so nothing would be decided or recorded",
    ),
    (
        "--bg",
        "a background session does not inherit Cairn's settings",
    ),
    (
        "--cloud",
        "the session would run on another machine, outside Cairn",
    ),
    (
        "--dangerously-skip-permissions",
        "it skips the agent's own permission checks; ask for an allow rule instead",
    ),
    ("--managed-settings", "settings come from Cairn's policy"),
    (
        "--permission-prompt-tool",
        "a tool would answer questions that the policy puts to a person",
    ),
    (
        "--plugin-dir",
        "a plug-in can load code into the agent that overrules every deny",
    ),
    (
        "--plugin-url",
        "a plug-in can load code into the agent that overrules every deny",
    ),
    (
        "--remote",
        "the session would run on another machine, outside Cairn",
    ),
    (
        "--safe-mode",
        "it starts the agent without hooks, so nothing would be decided or recorded",
    ),
    (
        "--settings",
        "it would replace the settings that Cairn enforces with; use your settings files",
    ),
    (
        "--teleport",
        "the session comes from another machine, outside Cairn",
    ),
];

/// Permission modes that are refused.
const REFUSED_MODES: &[&str] = &["bypassPermissions"];

/// Checks the words after `cairn claude`.
///
/// Errors: every problem at once; the agent is not started.
pub fn check(words: &[String]) -> Result<Flags, Vec<FlagProblem>> {
    let mut flags = Flags::default();
    let mut problems = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            flags.pass.push(word.clone());
            flags.pass.extend(words.by_ref().cloned());
            break;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            problems.push(FlagProblem {
                flag: name.to_owned(),
                reason,
            });
            continue;
        }
        match name {
            "--mcp-config" => {
                flags.mcp_configs.extend(value);
                // The flag takes every word up to the next flag.
                while let Some(next) = words.next_if(|next| !next.starts_with('-')) {
                    flags.mcp_configs.push(next.clone());
                }
            }
            // Cairn passes it itself.
            "--strict-mcp-config" => {}
            "--permission-mode" => {
                let mode = value
                    .clone()
                    .or_else(|| words.peek().map(|next| (*next).clone()));
                if mode.is_some_and(|mode| REFUSED_MODES.contains(&mode.as_str())) {
                    let flag = "--permission-mode bypassPermissions".to_owned();
                    let reason = "it skips the agent's own permission checks";
                    problems.push(FlagProblem { flag, reason });
                }
                flags.pass.push(word.clone());
            }
            _ => flags.pass.push(word.clone()),
        }
    }
    if flags.pass.first().is_some_and(|first| first == "daemon") {
        let reason = "background sessions do not inherit Cairn's settings";
        problems.push(FlagProblem {
            flag: "daemon".to_owned(),
            reason,
        });
    }
    let mut first_words = flags.pass.iter().map(String::as_str);
    if let (Some("mcp"), Some(word @ ("get" | "list" | "serve"))) =
        (first_words.next(), first_words.next())
    {
        let reason = "it starts configured servers without a verdict; use `cairn mcp list`";
        problems.push(FlagProblem {
            flag: format!("mcp {word}"),
            reason,
        });
    }
    if problems.is_empty() {
        Ok(flags)
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn every_weakening_flag_is_refused_in_both_spellings() {
        for (flag, _) in REFUSED {
            for line in [
                flag.to_string(),
                format!("-p {flag}=x"),
                format!("hello {flag} x"),
            ] {
                let problems = check(&words(&line)).unwrap_err();
                assert_eq!(problems[0].flag, *flag, "{line}");
            }
        }
        assert!(check(&words("--permission-mode bypassPermissions")).is_err());
        assert!(check(&words("--permission-mode=bypassPermissions")).is_err());
        assert!(check(&words("--permission-mode plan")).is_ok());
        assert!(check(&words("daemon start")).is_err());
        assert!(check(&words("mcp list")).is_err());
        assert!(check(&words("mcp add x y")).is_ok());
    }

    #[test]
    fn server_configurations_are_taken_over() {
        let flags = check(&words("--mcp-config a.json b.json -p hi --mcp-config={}")).unwrap();
        assert_eq!(flags.mcp_configs, ["a.json", "b.json", "{}"]);
        assert_eq!(flags.pass, ["-p", "hi"]);
        assert_eq!(
            check(&words("--strict-mcp-config -p x")).unwrap().pass,
            ["-p", "x"]
        );
    }

    #[test]
    fn words_after_the_double_dash_are_a_prompt() {
        let flags = check(&words("-p -- --bare")).unwrap();
        assert_eq!(flags.pass, ["-p", "--", "--bare"]);
    }
}
