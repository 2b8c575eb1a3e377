//! Codex's command line: what would take the session out from under Cairn is refused.
//!
//! Owns reading the words as Codex reads them. A flag that is in no list here is refused, because a later
//! version may have any; so is a configuration key.
//!
//! Source: Codex 0.169.0, `codex --help` and `codex exec --help`.

use super::super::flags::FlagProblem;

/// How many words a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    One,
    Several,
}

/// Flags that leave Cairn's hold on the session as it is.
const KNOWN: &[(&str, Takes)] = &[
    ("--add-dir", Takes::One),
    ("--all", Takes::Nothing),
    ("--approve-for-me", Takes::Nothing),
    ("--ask-for-approval", Takes::One),
    ("--base", Takes::One),
    ("--cd", Takes::One),
    ("--color", Takes::One),
    ("--commit", Takes::One),
    ("--config", Takes::One),
    ("--ephemeral", Takes::Nothing),
    ("--help", Takes::Nothing),
    ("--image", Takes::Several),
    ("--json", Takes::Nothing),
    ("--last", Takes::Nothing),
    ("--local-provider", Takes::One),
    ("--model", Takes::One),
    ("--no-alt-screen", Takes::Nothing),
    ("--no-daemon", Takes::Nothing),
    ("--oss", Takes::Nothing),
    ("--output-last-message", Takes::One),
    ("--output-schema", Takes::One),
    ("--sandbox", Takes::One),
    ("--skip-git-repo-check", Takes::Nothing),
    ("--strict-config", Takes::Nothing),
    ("--title", Takes::One),
    ("--uncommitted", Takes::Nothing),
    ("--version", Takes::Nothing),
    ("-C", Takes::One),
    ("-V", Takes::Nothing),
    ("-a", Takes::One),
    ("-c", Takes::One),
    ("-h", Takes::Nothing),
    ("-i", Takes::Several),
    ("-m", Takes::One),
    ("-o", Takes::One),
    ("-s", Takes::One),
];

/// Why a profile or a switch of the configuration is refused.
const UNSEEN: &str = "the configuration that is loaded would not be the one that Cairn looked at";

/// Flags that are refused, each with its reason.
const REFUSED: &[(&str, &str)] = &[
    (
        "--dangerously-bypass-approvals-and-sandbox",
        "it skips Codex's own checks",
    ),
    (
        "--dangerously-bypass-hook-trust",
        "it runs hooks that nobody trusted, which could change a call after it was judged",
    ),
    ("--disable", "a feature it switches off may be Cairn's hold"),
    ("--enable", "no hook may see what it switches on"),
    ("--ignore-rules", "it skips Codex's own rules"),
    ("--ignore-user-config", UNSEEN),
    ("--profile", UNSEEN),
    ("-p", UNSEEN),
    (
        "--remote",
        "another process would run the session, without Cairn's hooks",
    ),
    (
        "--remote-auth-token-env",
        "another process would run the session, without Cairn's hooks",
    ),
    (
        "--search",
        "the model's service searches without asking a hook",
    ),
    ("--trust", UNSEEN),
    ("--worktree", UNSEEN),
    ("--yolo", "it skips Codex's own checks"),
];

/// Configuration keys that may be given with `-c`: the first part of the key, or the whole.
const KEYS: &[&str] = &[
    "approval_policy",
    "developer_instructions",
    "file_opener",
    "hide_agent_reasoning",
    "history",
    "model",
    "model_auto_compact_token_limit",
    "model_context_window",
    "model_provider",
    "model_providers",
    "model_reasoning_effort",
    "model_reasoning_summary",
    "model_verbosity",
    "openai_base_url",
    "personality",
    "review_model",
    "sandbox_mode",
    "sandbox_workspace_write",
    "service_tier",
    "show_raw_agent_reasoning",
    "tui",
];

/// Why every other key is refused.
const KEY: &str = "this key is not known to leave Cairn's hooks in place; write it to Codex's `config.toml`, \
     which is looked at before each start";

/// Why a flag that is in no list is refused.
const UNKNOWN: &str = "Cairn does not know this flag; a later version of Codex may have it";

/// Why a value that looks like a flag is refused.
const DOUBTFUL: &str = "its value begins with a dash and could be taken for a flag";

/// Commands that start a session; no command at all does too.
const SESSIONS: [&str; 5] = ["exec", "e", "fork", "resume", "review"];

/// Commands below `exec`.
const BELOW_EXEC: [&str; 3] = ["fork", "resume", "review"];

/// Why another command is refused.
const COMMAND: &str = "only sessions are started under Cairn: no command, `exec`, `review`, `resume` or `fork`. \
     A prompt of one word goes after `--`; what starts no session is run as `codex` itself";

/// A command line that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodexFlags {
    /// What is passed on.
    pub pass: Vec<String>,
    /// The configuration among it, as words for a command line.
    pub config: Vec<String>,
    /// The working directory it names.
    pub cd: Option<String>,
    /// Whether Codex runs in the terminal.
    pub interactive: bool,
}

/// Checks the words after `cairn codex`.
///
/// Errors: every problem at once; the agent is not started.
pub fn check(words: &[String]) -> Result<CodexFlags, Vec<FlagProblem>> {
    let mut flags = CodexFlags::default();
    let (mut problems, mut operands) = (Vec::new(), Vec::new());
    let mut rest = words.iter().peekable();
    let mut problem = |flag: &str, reason: &'static str| {
        let flag = flag.to_owned();
        problems.push(FlagProblem { flag, reason });
    };
    while let Some(word) = rest.next() {
        flags.pass.push(word.clone());
        if word == "--" {
            flags.pass.extend(rest.by_ref().cloned());
            break;
        }
        // A single dash is a prompt on standard input.
        if word.len() < 2 || !word.starts_with('-') {
            operands.push(word.as_str());
            continue;
        }
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            problem(name, reason);
            continue;
        }
        let Some((_, takes)) = KNOWN.iter().find(|(known, takes)| {
            *known == name && (attached.is_none() || *takes != Takes::Nothing)
        }) else {
            problem(word, UNKNOWN);
            continue;
        };
        let mut values: Vec<String> = attached.clone().into_iter().collect();
        if *takes != Takes::Nothing && attached.is_none() {
            values.extend(rest.next().cloned());
            flags.pass.extend(values.first().cloned());
            if values
                .iter()
                .any(|value| value.len() > 1 && value.starts_with('-'))
            {
                problem(name, DOUBTFUL);
            }
        }
        while *takes == Takes::Several
            && let Some(value) = rest.next_if(|next| !next.starts_with('-'))
        {
            // Whether it is a value or a word of its own is for Codex to say.
            operands.push(value);
            flags.pass.push(value.clone());
        }
        note(&mut flags, name, values.first(), &mut problem);
    }
    command(&operands, &mut problem);
    let first = operands.first().copied().unwrap_or_default();
    flags.interactive = !["exec", "e", "review"].contains(&first);
    if problems.is_empty() {
        Ok(flags)
    } else {
        Err(problems)
    }
}

/// Notes what a flag says of the configuration and the working directory.
fn note(
    flags: &mut CodexFlags,
    name: &str,
    value: Option<&String>,
    problem: &mut impl FnMut(&str, &'static str),
) {
    match (name, value) {
        ("-c" | "--config", Some(value)) if may_be_given(value) => {
            flags.config.extend(["-c".to_owned(), value.clone()]);
        }
        ("-c" | "--config", value) => problem(value.map_or(name, String::as_str), KEY),
        ("-C" | "--cd", Some(value)) => flags.cd = Some(value.clone()),
        _ => {}
    }
}

/// Refuses commands that start no session, and any that a later version may have: a single word could be one.
fn command(operands: &[&str], problem: &mut impl FnMut(&str, &'static str)) {
    let could_be_one = |word: &str| {
        let plain = |letter: char| letter.is_ascii_lowercase() || letter == '-';
        !word.is_empty() && word != "-" && word.chars().all(plain)
    };
    let Some((first, rest)) = operands.split_first() else {
        return;
    };
    if !SESSIONS.contains(first) && could_be_one(first) {
        problem(first, COMMAND);
    }
    if let (true, Some(second)) = (["exec", "e"].contains(first), rest.first())
        && !BELOW_EXEC.contains(second)
        && could_be_one(second)
    {
        problem(second, COMMAND);
    }
}

fn may_be_given(setting: &str) -> bool {
    let Some((key, _)) = setting.split_once('=') else {
        return false;
    };
    let first = key.trim().split('.').next().unwrap_or_default();
    KEYS.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn sessions_pass_with_the_flags_that_are_known() {
        for line in [
            "exec --json -m gpt-5.5 -C sub Do it",
            "exec resume --last",
            "resume --last",
            "Fix",
            "-- fix",
            "exec -s workspace-write -- fix",
            "-c model=\"x\" -c tui.theme=1 --sandbox=read-only Fix this",
            "-i a.png,b.png -a never What is this?",
            "review --base main",
            "exec -",
        ] {
            let flags = check(&words(line)).expect(line);
            assert_eq!(flags.pass, words(line), "{line}");
        }
        assert_eq!(check(&[]).unwrap().pass, Vec::<String>::new());
        let flags = check(&words("exec -C sub -c model=1 Do it")).unwrap();
        assert_eq!(flags.cd.as_deref(), Some("sub"));
        assert_eq!(flags.config, ["-c", "model=1"]);
        assert!(!flags.interactive && check(&words("resume --last")).unwrap().interactive);
    }

    #[test]
    fn what_weakens_is_refused_by_name() {
        for (line, named) in [
            (
                "--dangerously-bypass-hook-trust",
                "--dangerously-bypass-hook-trust",
            ),
            ("exec --yolo do it", "--yolo"),
            ("-c features.hooks=false", "features.hooks=false"),
            ("-c hooks.PreToolUse=[]", "hooks.PreToolUse=[]"),
            (
                "--config=mcp_servers.x.command=1",
                "mcp_servers.x.command=1",
            ),
            ("-c \"features\".hooks=false", "\"features\".hooks=false"),
            ("-cfeatures.hooks=false", "-cfeatures.hooks=false"),
            ("--disable hooks", "--disable"),
            ("--enable code_mode", "--enable"),
            ("exec --profile x do it", "--profile"),
            ("--search Find it", "--search"),
            ("--remote ws://127.0.0.1:1", "--remote"),
            ("app-server", "app-server"),
            ("exec-server --listen x", "exec-server"),
            ("mcp list", "mcp"),
            ("exec newcommand", "newcommand"),
            ("-i a.png app-server", "-i"),
            ("--brand-new", "--brand-new"),
            ("-m --yolo", "-m"),
        ] {
            let problems = check(&words(line)).expect_err(line);
            let names: Vec<&str> = problems.iter().map(|one| one.flag.as_str()).collect();
            let found = names.contains(&named) || (named == "-i" && names == ["app-server"]);
            assert!(found, "{line}: {names:?}");
        }
    }
}
