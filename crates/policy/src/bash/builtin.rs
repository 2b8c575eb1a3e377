//! Commands that Claude Code runs without any rule, for conformance with its own default.
//!
//! Owns the observed list of read-only commands. It is not part of the product's decision: with a
//! default of `no-opinion` the agent applies its own list.
//! Source: Claude Code findings 2.2 (built-in read-only).

use super::command::Command;
use super::scan::Word;
use super::{Absolute, Line, climbs, strip};
use crate::glob::Sym;
use crate::paths;
use crate::request::Request;

/// Programs that only show things, whatever their options, if their files stay inside the project.
const READ_ONLY: &[&str] = &[
    "ls", "cat", "head", "tail", "wc", "diff", "stat", "du", "df", "echo", "true", "cut", "nl",
    "type",
];

/// Programs that only show things with these options of one letter, clustered or not, and no others.
const WITH_LETTERS: &[(&str, &str)] = &[
    ("sort", "bdfgiMhnRrVcCmsuzk"),
    ("grep", "EFGPivwxcLlnHhorRqsabzm0123456789"),
    ("rg", "inlcwFuvH"),
    ("file", ""),
    ("id", "agGnruzZ"),
    ("tree", "adfiL"),
    ("jq", "rcSMaj"),
    ("pwd", "LP"),
    ("which", "a"),
    ("date", "uR"),
    ("whoami", ""),
    ("uname", "asnrvmpio"),
    ("hostname", ""),
    ("cd", ""),
];

/// Programs of [`WITH_LETTERS`] that take no operand.
const WITHOUT_OPERANDS: &[&str] = &["pwd", "whoami", "hostname", "uname"];

/// Subcommands of git that only show things.
const GIT_READ_ONLY: &[&str] = &["status", "log", "diff", "show", "branch"];

/// Options of those subcommands, or their beginnings up to `=`, that change nothing and run nothing.
const GIT_OPTIONS: &[&str] = &[
    "-p",
    "-s",
    "-n",
    "-a",
    "-v",
    "-vv",
    "-r",
    "-S",
    "-1",
    "-5",
    "-10",
    "-20",
    "--oneline",
    "--stat",
    "--graph",
    "--all",
    "--format",
    "--pretty",
    "--name-only",
    "--name-status",
    "--cached",
    "--staged",
    "--porcelain",
    "--short",
    "--decorate",
    "--list",
    "--show-current",
    "--since",
    "--until",
    "--author",
    "--grep",
    "--",
];

/// Whether Claude Code runs the command without asking and without a rule.
pub(crate) fn runs_unasked(command: &Command, line: &Line, request: &Request) -> bool {
    if command.background || command.words.is_empty() {
        return !command.background && shows(command, line, request);
    }
    // Which file a relative path names after a `cd` is asked about where reading is restricted.
    let program = unwrapped(command).first().and_then(Word::literal);
    let is_moved = line.directories.len() != 1
        && !program.is_some_and(|name| matches!(name, "cd" | "echo" | "pwd"));
    // Beside an assignment it is asked about or not, by what else was called in the same turn.
    let assigns = |one: &Command| one.words.is_empty() && !one.assigns.is_empty();
    let is_beside_one = line.commands.iter().any(assigns);
    command.assigns.is_empty() && !is_moved && !is_beside_one && shows(command, line, request)
}

/// Whether the command only shows something, in the background or not.
pub(crate) fn shows(command: &Command, line: &Line, request: &Request) -> bool {
    if command.words.is_empty() {
        return command.distrust().is_none()
            && command
                .assigns
                .iter()
                .all(|assign| is_private(&assign.name));
    }
    // The keyword `time` takes a command out of what runs unasked; under a rule it does not matter.
    let timed = line.source.split_whitespace().any(|word| word == "time");
    let untold = timed || goes_on_behind_a_document(&line.source);
    if untold || command.distrust().is_some() || !strip::sets_only_safe(command) {
        return false;
    }
    let Some((program, rest)) = unwrapped(command).split_first() else {
        return false;
    };
    let Some(name) = program.literal() else {
        return false;
    };
    if name == "hostname" && program.raw != name {
        return false;
    }
    let shows = match name {
        "find" => {
            strip::only_exact(command).is_none() && rest.iter().all(|word| word.literal().is_some())
        }
        "sed" => shows_lines(rest),
        "git" => {
            let outside = line.directories.len() != 1 || line.unknown_directory;
            !outside && git_shows(rest)
        }
        "docker" => matches!(rest, [one] if one.is("ps")),
        "node" | "python3" => matches!(rest, [one] if one.is("--version")),
        "sleep" => rest.iter().all(|word| !word.wild),
        "test" => is_simple_test(rest),
        "ps" => matches!(rest, [] | [_]) && rest.iter().all(|word| is_one_of(word, PS_OPTIONS)),
        name if READ_ONLY.contains(&name) => true,
        name => shows_with_letters(name, rest),
    };
    shows && rest.iter().all(|word| stays_inside(word, line, request))
}

/// Whether more follows on the line on which a here-document begins.
fn goes_on_behind_a_document(source: &str) -> bool {
    source.lines().any(|line| {
        let line = line.replace("<<<", "");
        let tag = line.split_once("<<").map(|(_, behind)| behind);
        let tag = tag.map(|tag| tag.trim_start_matches('-').trim_start());
        tag.is_some_and(|tag| tag.split_whitespace().nth(1).is_some())
    })
}

/// Whether a word holds arithmetic: what comes of it is looked at by few programs' rules only.
fn calculates(word: &Word) -> bool {
    word.raw.contains("$((")
}

/// Programs that are asked about with an unquoted wildcard.
const NEVER_WILD: &[&str] = &["which", "sort", "tree", "file", "jq", "id"];

/// Whole option words of `ps` that are known.
const PS_OPTIONS: &[&str] = &["aux", "-ef", "-e", "-f", "-A", "-a", "ef"];

/// The command without the wrappers that Claude Code looks behind here: fewer than under a rule, and
/// `timeout` only without options.
fn unwrapped(command: &Command) -> &[Word] {
    let wraps = |word: &Word| {
        is_one_of(
            word,
            &["time", "nohup", "nice", "xargs", "stdbuf", "noglob"],
        )
    };
    let all = command.words.as_slice();
    let with_options =
        all.first().is_some_and(|word| word.is("timeout")) && all.get(1).is_some_and(is_option);
    if with_options || all.first().is_some_and(wraps) {
        all
    } else {
        strip::innermost(command)
    }
}

fn is_one_of(word: &Word, list: &[&str]) -> bool {
    list.iter().any(|text| word.is(text))
}

fn is_option(word: &Word) -> bool {
    word.raw.starts_with('-') && word.raw.len() > 1
}

fn shows_with_letters(name: &str, rest: &[Word]) -> bool {
    let Some((_, letters)) = WITH_LETTERS.iter().find(|row| row.0 == name) else {
        return false;
    };
    let (options, operands): (Vec<&Word>, Vec<&Word>) =
        rest.iter().partition(|word| is_option(word));
    let known = options.iter().all(|word| {
        word.literal().is_some_and(|text| {
            let tail = text.trim_start_matches('-');
            !tail.is_empty() && !text.starts_with("--") && tail.chars().all(|c| letters.contains(c))
        })
    });
    let fits = match name {
        "jq" => operands
            .first()
            .is_some_and(|filter| filter.value.first() == Some(&Sym::Char('.'))),
        "rg" => !rest.iter().any(|word| word.wild) && !operands.is_empty(),
        "date" => operands.iter().all(|word| word.raw.starts_with('+')),
        "cd" => operands.len() == 1,
        "grep" => !operands.is_empty(),
        "file" => operands.iter().all(|word| word.literal().is_some()),
        name => operands.is_empty() || !WITHOUT_OPERANDS.contains(&name),
    };
    let is_odd = |word: &Word| {
        let wild = word.wild && NEVER_WILD.contains(&name);
        wild || calculates(word) || word.raw.contains(';')
    };
    known && fits && !rest.iter().any(is_odd)
}

fn git_shows(rest: &[Word]) -> bool {
    let Some((subcommand, arguments)) = rest.split_first() else {
        return false;
    };
    if subcommand.is("remote") {
        return matches!(arguments, [] | [_]) && arguments.iter().all(|word| word.is("-v"));
    }
    let harmless = arguments.iter().all(|word| {
        let option = word.literal().unwrap_or_default();
        let option = option.split('=').next().unwrap_or_default();
        !word.wild && !calculates(word) && (!is_option(word) || GIT_OPTIONS.contains(&option))
    });
    // A name after `branch` makes one.
    let makes = subcommand.is("branch") && arguments.iter().any(|word| !is_option(word));
    is_one_of(subcommand, GIT_READ_ONLY) && harmless && !makes
}

/// `sed -n 5p file`, or a substitution on what comes in.
fn shows_lines(rest: &[Word]) -> bool {
    let (options, operands): (Vec<&Word>, Vec<&Word>) =
        rest.iter().partition(|word| is_option(word));
    let script = operands.first().and_then(|word| word.literal());
    let Some(script) = script else { return false };
    let prints = script.strip_suffix('p').is_some_and(|lines| {
        !lines.is_empty()
            && lines
                .chars()
                .all(|c| c.is_ascii_digit() || c == ',' || c == '$')
    });
    let quiet = options.iter().any(|word| word.is("-n"));
    let plain = options
        .iter()
        .all(|word| is_one_of(word, &["-n", "-E", "-r"]));
    let substitutes = script.starts_with("s/")
        && script.matches('/').count() == 3
        && script.ends_with(['/', 'g'])
        && operands.len() == 1;
    plain && ((prints && quiet) || substitutes)
}

fn is_simple_test(rest: &[Word]) -> bool {
    const UNARY: &[&str] = &[
        "-f", "-d", "-e", "-r", "-w", "-x", "-s", "-n", "-z", "-L", "-h",
    ];
    const BINARY: &[&str] = &["=", "!=", "==", "-eq", "-ne", "-lt", "-gt", "-le", "-ge"];
    match rest {
        [operator, _] => is_one_of(operator, UNARY),
        [_, operator, _] => is_one_of(operator, BINARY),
        _ => false,
    }
}

/// Whether every file that a word may name, and what it links to, is below the working directory.
fn stays_inside(word: &Word, line: &Line, request: &Request) -> bool {
    if word.raw.starts_with('-') {
        return true;
    }
    let is_inside = |path: &str| {
        let resolved = request.resolution(path);
        let target = resolved.and_then(|found| found.target.as_deref());
        let inside = |path: &str| paths::is_within(path, &request.cwd);
        inside(path) && target.is_none_or(inside)
    };
    let forms = line.absolute_forms(&word.path, &request.home);
    let mut known = forms.iter().map(Absolute::known);
    !climbs(&word.path) && known.all(|path| path.is_none_or(is_inside) || word.wild)
}

/// A variable that programs do not look at by convention: short or in lower case.
pub(crate) fn is_private(name: &str) -> bool {
    const LONGEST_PRIVATE: usize = 2;
    name != "IFS"
        && name != "ENV"
        && (name.len() <= LONGEST_PRIVATE || name.chars().any(|c| c.is_ascii_lowercase()))
        && !name.contains("_config_")
        && !name.ends_with("_proxy")
}
