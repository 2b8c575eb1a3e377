//! Shell escapes: programs that run what an option, an argument or a variable says.
//!
//! Owns the tables of such options and arguments, and reading them off an argument vector; which variables there
//! are is in [`crate::steering`].
//! A script that is found is read like the line itself; what cannot be read counts as running anything.
//! A program file of one's own is not looked into: no reading of a line can tell what it does.
//! Source: Claude Code findings 2.4; the programs' own manuals.

use super::command::{Stdin, basename};
use super::launch::Launched;
use super::scan::Word;
use super::sed;
use crate::glob::known_text;
use crate::steering::{Holds, steering};

/// Options whose value is a command: (programs, options, text before the command inside the value).
const COMMAND_OPTIONS: &[(&[&str], &[&str], &str)] = &[
    (
        &["tar", "bsdtar", "gtar"],
        &[
            "--to-command",
            "-I",
            "--use-compress-program",
            "--rsh-command",
            "-F",
            "--info-script",
            "--new-volume-script",
            "--rmt-command",
        ],
        "",
    ),
    (&["tar", "gtar"], &["--checkpoint-action"], "exec="),
    (&["rsync"], &["-e", "--rsh", "--rsync-path"], ""),
    (&["scp", "sftp"], &["-S"], ""),
    (&["scp", "sftp"], &["-o"], "ProxyCommand="),
    (&["zip"], &["-TT", "--unzip-command"], ""),
    (&["split"], &["--filter"], ""),
    (&["sort"], &["--compress-program"], ""),
    (&["man"], &["-P", "--pager", "-H", "--html"], ""),
    (
        &["git"],
        &[
            "--upload-pack",
            "--receive-pack",
            "-O",
            "--open-files-in-pager",
            "--extcmd",
            "--exec",
            "--tool-help",
        ],
        "",
    ),
    (
        &["nc", "ncat", "netcat"],
        &["-e", "-c", "--exec", "--sh-exec"],
        "",
    ),
    (
        &["mapfile", "readarray", "complete", "compgen"],
        &["-C"],
        "",
    ),
    (
        &["go"],
        &["-exec", "--exec", "-toolexec", "--toolexec", "-vettool"],
        "",
    ),
    (&["wget"], &["--use-askpass"], ""),
    (&["pandoc"], &["-F", "--filter"], ""),
    (&["tcpdump"], &["-z"], ""),
    (
        &["xterm", "konsole", "alacritty", "uxterm", "urxvt", "foot"],
        &["-e", "--command"],
        "",
    ),
    (&["make", "gmake"], &["--eval"], "SHELL="),
    (
        &["start-stop-daemon"],
        &["--exec", "-x", "--startas", "-a"],
        "",
    ),
];

/// Options that make a program run code of another language: (programs, options).
const CODE_OPTIONS: &[(&[&str], &[&str])] = &[
    (
        &["emacs", "emacsclient"],
        &["--eval", "-eval", "-e", "--execute", "-execute"],
    ),
    (
        &["gdb"],
        &[
            "-ex",
            "--ex",
            "-iex",
            "-x",
            "--command",
            "--eval-command",
            "-eval-command",
        ],
    ),
    (
        &["lldb"],
        &["-o", "-O", "-s", "-S", "--one-line", "--source"],
    ),
    (&["expect"], &["-c"]),
    (&["make", "gmake"], &["--eval", "-E"]),
    (&["ncat"], &["--lua-exec"]),
    (&["hash"], &["-p"]),
    (&["enable"], &["-f"]),
    (&["bind"], &["-x"]),
    (&["fc"], &["-s", "-e"]),
    (&["rpm"], &["--eval", "-E"]),
    (&["ansible", "ansible-console"], &["-a", "--args", "-m"]),
    (&["git"], &["--exec-path"]),
];

/// Arguments in which a mark means that something is run: (programs, marks).
const MARKED_ARGUMENTS: &[(&[&str], &[&str])] = &[
    (
        &["vim", "vi", "nvim", "view", "ex", "gvim", "vimdiff"],
        &[
            "!", "system", "term", "py", "lua", "ruby", "perl", "source", "exe", "job", "normal",
        ],
    ),
    (&["less", "more", "most"], &["+!", "+|", "!"]),
    (&["ed", "dc"], &["!"]),
    (
        &["socat"],
        &["EXEC", "SYSTEM", "SHELL", "exec", "system", "shell"],
    ),
    (
        &["sqlite3"],
        &[".sh", ".sy", ".load", ".import", "load_extension", "|"],
    ),
    (
        &["psql"],
        &["\\!", "\\copy", "\\o", "\\g", "program", "PROGRAM"],
    ),
    (&["mysql", "mariadb"], &["\\!", "system", "source"]),
    (&["git"], &["ext::"]),
    (
        &["apt", "apt-get", "dpkg"],
        &["Invoke", "invoke", "Pre-", "Post-"],
    ),
    (&["cargo"], &["runner", "wrapper", "linker", "rustc="]),
    (&["make", "gmake"], &["SHELL="]),
    (&["rpm"], &["%("]),
    (
        &["aws"],
        &["send-command", "start-session", "execute-command"],
    ),
    (&["az"], &["run-command"]),
    (&["crontab"], &["-"]),
];

/// Programs that run their commands on other machines or through other machinery.
const ELSEWHERE: &[&str] = &[
    "salt",
    "salt-ssh",
    "pdsh",
    "clush",
    "dsh",
    "parallel-ssh",
    "pssh",
    "fab",
    "knife",
    "mco",
    "ansible-playbook",
    "wsl",
    "adb",
];

/// Python modules that run the code they are given.
const CODE_MODULES: &[&str] = &[
    "timeit", "code", "pdb", "trace", "profile", "cProfile", "runpy", "idlelib",
];

/// Programs that read commands from their input.
const INPUT_READERS: &[&str] = &[
    "ed", "ex", "dc", "sqlite3", "psql", "mysql", "mariadb", "gdb", "lldb", "ftp", "sftp", "m4",
    "expect", "crontab", "vim", "vi", "nvim",
];

/// What an option says in a variable where it names a program or loads code: `-toolexec`, `-C linker=`,
/// `--to-command`, `-fplugin`, `-javaagent`.
const MARKED_OPTIONS: &[&str] = &[
    "!",
    "`",
    "$(",
    "agent",
    "codegen",
    "command",
    "exec",
    "linker",
    "plugin",
    "program",
    "OnError",
    "OnOutOfMemory",
    "script",
    "wrapper",
    "Xbootclasspath",
];

/// Looks for shell escapes of a program.
pub(super) fn look(name: &str, arguments: &[Word], stdin: &Stdin, found: &mut Launched<'_>) {
    for (programs, options, before) in COMMAND_OPTIONS {
        if programs.contains(&name) {
            for value in values(arguments, options) {
                if name == "rsync" && value.is_some_and(is_plain_ssh) {
                    continue;
                }
                let script = value.map(|value| value.strip_prefix(before).unwrap_or(value));
                found.script(script.map(str::to_owned));
            }
        }
    }
    for (programs, options) in CODE_OPTIONS {
        if programs.contains(&name) && !values(arguments, options).is_empty() {
            found.hide("code in an option's value");
        }
    }
    for (programs, marks) in MARKED_ARGUMENTS {
        if programs.contains(&name) && arguments.iter().any(|word| is_marked(name, word, marks)) {
            found.hide("an argument that runs a command");
        }
    }
    if ELSEWHERE.contains(&name) {
        found.hide("a command run somewhere else");
    }
    if INPUT_READERS.contains(&name) && !matches!(stdin, Stdin::Inherited) {
        found.hide("commands from input");
    }
    by_name(name, arguments, stdin, found);
}

fn by_name(name: &str, arguments: &[Word], stdin: &Stdin, found: &mut Launched<'_>) {
    let fed = !matches!(stdin, Stdin::Inherited);
    match name {
        "sed" | "gsed" => sed_scripts(arguments, found),
        "make" | "gmake" => {
            let from_input = values(arguments, &["-f", "--file", "--makefile"])
                .into_iter()
                .any(|file| file.is_none_or(|file| file == "-" || file.starts_with("/dev/")));
            if from_input {
                found.hide("a makefile that is made at run time");
            }
        }
        "source" | "." if arguments.first().is_some_and(is_device) => match stdin {
            Stdin::Text(text) => found.script_in(Some(text)),
            _ => found.hide("a script from input"),
        },
        "sudo" | "doas" if fed && arguments.iter().any(|word| word.is("-s") || word.is("-i")) => {
            found.hide("a shell that reads its script from input");
        }
        "su" if fed => found.hide("a shell that reads its script from input"),
        "capsh" => after(arguments, "--", |rest| {
            let script = values(rest, &["-c"]).into_iter().next();
            found.script(script.unwrap_or(Some("")).map(str::to_owned));
        }),
        "gdb" => after(arguments, "--args", |rest| found.view(rest)),
        "jobs" => after(arguments, "-x", |rest| found.view(rest)),
        "export" | "declare" | "typeset" | "readonly" | "local" => {
            arguments.iter().for_each(|word| assignment(word, found));
            indexed(arguments, found);
        }
        "let" | "test" | "[" | "printf" | "read" | "unset" => indexed(arguments, found),
        "git" if arguments.iter().any(|word| word.is("clone")) => {
            for command in values(arguments, &["-u"]) {
                found.script(command.map(str::to_owned));
            }
        }
        "cp" | "ln" | "install" | "mv" | "cat" | "dd" => copies(arguments, found),
        _ if name.starts_with("ld-linux") || name.starts_with("ld-musl") || name == "ld.so" => {
            let start = arguments.iter().position(|word| !is_option(word));
            found.view(start.and_then(|at| arguments.get(at..)).unwrap_or_default());
        }
        _ if name.starts_with("python") || name.starts_with("pypy") => {
            let modules = values(arguments, &["-m"]);
            let runs_code =
                |module: Option<&str>| module.is_none_or(|module| CODE_MODULES.contains(&module));
            if modules.into_iter().any(runs_code) {
                found.hide("interpreter code on the line");
            }
        }
        _ => {}
    }
}

/// What an assignment makes later programs run.
///
/// Places are left out: nothing that runs stands on the line, what is there is a file, like a script that is called
/// by its name.
pub(super) fn assignment(word: &Word, found: &mut Launched<'_>) {
    let equals = crate::glob::Sym::Char('=');
    let Some(at) = word.value.iter().position(|sym| *sym == equals) else {
        return;
    };
    let known = word.value.get(..at).and_then(known_text);
    let Some(variable) = known.as_deref().and_then(steering) else {
        return;
    };
    let value = word.tail(at + 1);
    let value = value.literal();
    match variable.holds {
        Holds::StartFile if value.is_none() => found.hide("a start file made at run time"),
        Holds::Code => found.hide("a variable that holds code"),
        Holds::Options => match value {
            Some(text) if !MARKED_OPTIONS.iter().any(|mark| text.contains(mark)) => {}
            _ => found.hide("options that may run a command"),
        },
        // Prompts and pagers hold text with substitutions, or `|command`.
        Holds::Prompt => match value {
            Some(text) if !text.contains(['$', '`']) => {}
            _ => found.hide("a prompt that runs commands"),
        },
        Holds::Command => {
            let command = value.map(|value| value.trim_start_matches('|'));
            found.script(command.map(str::to_owned));
        }
        Holds::StartFile | Holds::Place | Holds::Nothing => {}
    }
}

/// The usual way of `rsync` to the other machine, where it starts itself.
fn is_plain_ssh(command: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_./~@=".contains(c);
    command.split(' ').next() == Some("ssh")
        && command.chars().all(plain)
        && !command.contains("Command")
}

/// An index of an array is arithmetic, and arithmetic runs substitutions even where they are quoted.
fn indexed(arguments: &[Word], found: &mut Launched<'_>) {
    let runs = |word: &Word| {
        word.literal()
            .is_some_and(|text| text.contains('[') && text.contains(['$', '`']))
    };
    if arguments.iter().any(runs) {
        found.hide("a nested command in an array index");
    }
}

/// A copy of a program is that program under another name.
fn copies(arguments: &[Word], found: &mut Launched<'_>) {
    for word in arguments {
        let Some(path) = known_text(&word.path) else {
            continue;
        };
        if path.contains("/bin/") || path.contains("/sbin/") {
            let program = known_text(&basename(&word.path)).unwrap_or_default();
            found.view(&[Word::known(&program), Word::unknown("…")]);
        }
    }
}

fn sed_scripts(arguments: &[Word], found: &mut Launched<'_>) {
    const SCRIPT: &[&str] = &["-e", "--expression"];
    let mut scripts = values(arguments, SCRIPT);
    let from_file = !values(arguments, &["-f", "--file"]).is_empty();
    if scripts.is_empty() && !from_file {
        let first = arguments.iter().find(|word| !is_option(word));
        scripts.extend(first.map(Word::literal));
    }
    for script in scripts {
        if script.is_none_or(sed::runs_commands) {
            found.hide("a sed script that may run commands");
        }
    }
}

/// The values of options, separate or attached; `None` for one that is not known.
pub(super) fn values<'a>(arguments: &'a [Word], options: &[&str]) -> Vec<Option<&'a str>> {
    let mut found = Vec::new();
    for (position, word) in arguments.iter().enumerate() {
        let Some(text) = word.literal() else {
            // `--filter=$X`: the option is known, its value is not.
            let known: String = word
                .value
                .iter()
                .map_while(|sym| match sym {
                    crate::glob::Sym::Char(c) => Some(*c),
                    _ => None,
                })
                .collect();
            if options
                .iter()
                .any(|option| attached(&known, option).is_some())
            {
                found.push(None);
            }
            continue;
        };
        for option in options {
            if text == *option {
                if let Some(value) = arguments.get(position + 1) {
                    found.push(value.literal());
                }
            } else if let Some(value) = attached(text, option) {
                found.push(Some(value));
            }
        }
    }
    found
}

/// `--option=value`, and `-ovalue` for an option of one letter.
fn attached<'a>(text: &'a str, option: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(option)?;
    if let Some(value) = rest.strip_prefix('=') {
        return Some(value);
    }
    let one_letter = option.len() == 2 && !option.starts_with("--");
    (one_letter && !rest.is_empty()).then_some(rest)
}

fn after(arguments: &[Word], mark: &str, then: impl FnOnce(&[Word])) {
    if let Some(at) = arguments.iter().position(|word| word.is(mark)) {
        then(arguments.get(at + 1..).unwrap_or_default());
    }
}

fn is_option(word: &Word) -> bool {
    matches!(word.value.first(), Some(crate::glob::Sym::Char('-' | '+')))
}

fn is_device(word: &Word) -> bool {
    word.literal()
        .is_none_or(|path| path.starts_with("/dev/") || path.starts_with("/proc/"))
}

/// A mark in a word that is an option's value, an address or an expression; a plain file name is none.
fn is_marked(name: &str, word: &Word, marks: &[&str]) -> bool {
    let Some(text) = word.literal() else {
        return false;
    };
    match name {
        "crontab" => text == "-" || !text.starts_with('-'),
        // File names are plain; commands begin with `+` or hold a blank or a bar.
        "vim" | "vi" | "nvim" | "view" | "ex" | "gvim" | "vimdiff" | "less" | "more" | "most" => {
            let command = text.starts_with(['+', ':']) || text.contains([' ', '!', '(']);
            command && marks.iter().any(|mark| text.contains(mark))
        }
        _ => marks.iter().any(|mark| text.contains(mark)),
    }
}
