//! The texts an allow pattern is compared with: as written, then without harmless wrappers.
//!
//! Owns the short lists that Claude Code strips on its allow side. Anything longer would allow what
//! it does not.
//! Source: Claude Code findings 2.2.

use super::command::Command;
use super::scan::Word;

/// Variables that may be set before an allowed command without changing what it does.
const SAFE_VARIABLES: &[&str] = &[
    "NODE_ENV",
    "CI",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "LANG",
    "LC_ALL",
    "TZ",
    "NO_COLOR",
    "FORCE_COLOR",
    "PYTHONUNBUFFERED",
    "GOOS",
    "CGO_ENABLED",
    "TERM",
    "ANTHROPIC_API_KEY",
];

/// Programs whose command cannot be checked even where a pattern covers it.
const NEVER_BY_PATTERN: &[&str] = &["eval", "exec", "coproc", "nocorrect", "trap", "source", "."];

/// Programs that only an exact rule allows.
const ONLY_EXACT: &[&str] = &[
    "watch", "setsid", "ionice", "flock", "chrt", "strace", "ltrace", "nsenter", "unshare",
    "script", "taskset",
];

/// Programs that come off before a pattern is compared, by name.
const WRAPPERS: &[&str] = &[
    "nohup", "builtin", "noglob", "time", "command", "nice", "stdbuf", "timeout", "xargs",
];

/// Most wrappers that come off one command: no honest line has as many.
const MAX_WRAPPERS: usize = 16;

/// Actions of `find` that run or remove something.
const FIND_ACTIONS: &[&str] = &[
    "-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fprint0", "-fprintf", "-fls",
];

/// The texts of a command in the order in which wrappers come off.
///
/// The first is the command as written; an exact rule is compared with it alone where blanks matter.
pub(crate) fn allow_texts(command: &Command) -> Vec<String> {
    let mut texts = vec![text_of(command, &command.words)];
    if !sets_only_safe(command) {
        return texts;
    }
    let words = command.words.as_slice();
    if !command.assigns.is_empty() {
        texts.push(join(words));
    }
    texts.extend(unwrapped(words).map(join));
    texts
}

/// Whether the variables set before a command come off before a pattern is compared.
pub(super) fn sets_only_safe(command: &Command) -> bool {
    let mut names = command.assigns.iter().map(|assign| assign.name.as_str());
    names.all(|name| SAFE_VARIABLES.contains(&name))
}

/// The argument vector an allow looks at last: without safe assignments and wrappers.
pub(crate) fn innermost(command: &Command) -> &[Word] {
    let words = command.words.as_slice();
    unwrapped(words).last().unwrap_or(words)
}

/// What is behind one wrapper, two, and so on.
pub(super) fn unwrapped(words: &[Word]) -> impl Iterator<Item = &[Word]> {
    std::iter::successors(unwrap(words), |words| unwrap(words)).take(MAX_WRAPPERS)
}

/// Why a pattern other than an exact one may not allow the command.
pub(crate) fn only_exact(command: &Command) -> Option<&'static str> {
    let words = innermost(command);
    let program = words.first().and_then(Word::literal)?;
    if ONLY_EXACT.contains(&program) {
        return Some("what it starts cannot be checked");
    }
    let unknown_option = |word: &Word| {
        word.raw.starts_with('-') && !word.raw.starts_with("-F") && !word.raw.starts_with("-v")
    };
    if program == "awk" && words.iter().any(unknown_option) {
        return Some("awk with an option");
    }
    if program == "find" {
        if words
            .iter()
            .any(|word| FIND_ACTIONS.iter().any(|action| word.is(action)))
        {
            return Some("find with an action");
        }
        if words.iter().any(|word| word.wild) {
            return Some("find with an unquoted wildcard");
        }
    }
    None
}

/// Why no pattern at all may allow the command.
pub(crate) fn never_by_pattern(command: &Command) -> Option<&'static str> {
    let innermost = innermost(command);
    if unwrap(innermost).is_some() {
        return Some("more wrappers than are taken off");
    }
    let (program, arguments) = innermost.split_first()?;
    let program = program.literal()?;
    if program == "env" && splits_a_text(arguments) {
        return Some("env with a text that it makes a command of");
    }
    let operands = arguments.iter().filter(|word| !word.raw.starts_with('-'));
    if program == "cd" && operands.count() > 1 {
        return Some("cd with two directories, of which zsh makes a third");
    }
    NEVER_BY_PATTERN
        .contains(&program)
        .then_some("a command that evaluates its arguments as code")
}

/// Whether `env` is given `-S`, in whatever spelling, before the command that it starts.
fn splits_a_text(arguments: &[Word]) -> bool {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let Some(text) = word.literal() else {
            return true;
        };
        match text.strip_prefix('-') {
            Some(option) if option.starts_with("-s") => return true,
            Some(option) if !option.starts_with('-') && option.contains('S') => return true,
            Some("u" | "C" | "a" | "-unset" | "-chdir" | "-argv0") => {
                words.next();
            }
            Some(_) => {}
            None if text.contains('=') => {}
            None => return false,
        }
    }
    false
}

/// What a wrapper starts, where its own arguments are of a known shape.
fn unwrap(words: &[Word]) -> Option<&[Word]> {
    let (program, rest) = words.split_first()?;
    let at = |at: usize| rest.get(at).and_then(Word::literal).unwrap_or_default();
    let skip = match program.literal()? {
        "nohup" | "builtin" | "noglob" | "time" => 0,
        "command" => usize::from(at(0) == "-p"),
        "nice" => match at(0) {
            "-n" if is_number(at(1)) => 2,
            option if option.strip_prefix('-').is_some_and(is_number) => 1,
            _ => 0,
        },
        "stdbuf" => {
            let options = rest
                .iter()
                .take_while(|word| word.literal().is_some_and(is_stdbuf_option))
                .count();
            if options == 0 {
                return None;
            }
            options
        }
        "timeout" => timeout_arguments(rest)?,
        // Behind it Claude Code looks at the program itself, not at another wrapper.
        "xargs" if WRAPPERS.contains(&at(0)) => return None,
        // And only where its name is written without quotes.
        "xargs" if rest.first().is_some_and(|word| word.raw != at(0)) => return None,
        "xargs" => 0,
        _ => return None,
    };
    let inner = rest.get(skip..)?;
    let begins_plainly = inner
        .first()?
        .literal()
        .is_some_and(|text| !text.starts_with('-'));
    begins_plainly.then_some(inner)
}

fn timeout_arguments(words: &[Word]) -> Option<usize> {
    let mut at = 0;
    loop {
        let text = words.get(at)?.literal().unwrap_or_default();
        at += match text {
            "--foreground" | "--preserve-status" | "-v" | "--verbose" => 1,
            "-s" | "-k" | "--signal" | "--kill-after" => 2,
            option if option.starts_with("--signal=") || option.starts_with("--kill-after=") => 1,
            duration => {
                let number = duration.trim_end_matches(['s', 'm', 'h', 'd']);
                return number.parse::<f32>().is_ok().then_some(at + 1);
            }
        };
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty()
        && text
            .trim_start_matches('-')
            .chars()
            .all(|c| c.is_ascii_digit())
}

/// `-oL`, with the mode attached.
fn is_stdbuf_option(text: &str) -> bool {
    let mode = ["-i", "-o", "-e"]
        .iter()
        .find_map(|option| text.strip_prefix(option));
    mode.is_some_and(|mode| mode == "L" || is_number(mode))
}

fn text_of(command: &Command, words: &[Word]) -> String {
    let assigns = command
        .assigns
        .iter()
        .map(|assign| assign.whole.raw.clone());
    let words = (!words.is_empty()).then(|| join(words));
    assigns.chain(words).collect::<Vec<_>>().join(" ")
}

/// The words as written, but the command word without its quotes.
fn join(words: &[Word]) -> String {
    let Some((program, rest)) = words.split_first() else {
        return String::new();
    };
    let first = program.literal().unwrap_or(&program.raw);
    let rest = rest.iter().map(|word| word.raw.as_str());
    std::iter::once(first)
        .chain(rest)
        .collect::<Vec<_>>()
        .join(" ")
}
