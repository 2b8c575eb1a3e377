//! Which argument of an interpreter is the program it runs.
//!
//! Owns the reading of command lines of common interpreters: for them the digest of the executable
//! says nothing about what runs. Does not own opening the script.
//!
//! Source: the manual pages of the interpreters named below.

/// What an interpreter was told to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A script, by the path in the argument, relative to the process's working directory.
    Script(String),
    /// Text in the arguments, or a module found by name.
    Inline,
    /// Nothing in the arguments: standard input, or an interactive session.
    Input,
}

/// How one family of interpreters reads its arguments.
struct Family {
    names: &'static [&'static str],
    /// Options after which no script is read from a file.
    inline: &'static [&'static str],
    /// Options that take the next argument as their value.
    valued: &'static [&'static str],
    /// First arguments that are commands and not scripts.
    commands: &'static [&'static str],
}

const FAMILIES: [Family; 6] = [
    Family {
        names: &["sh", "bash", "dash", "zsh", "ksh", "fish", "ash"],
        inline: &["-c", "--command"],
        valued: &["-o", "+o", "-O", "+O", "--rcfile", "--init-file"],
        commands: &[],
    },
    Family {
        names: &["node", "nodejs", "bun", "deno", "tsx"],
        inline: &["-e", "--eval", "-p", "--print", "-pe", "eval"],
        valued: &[
            "-r",
            "--require",
            "--import",
            "--loader",
            "--experimental-loader",
            "-C",
            "--conditions",
            "--env-file",
            "--preload",
            "--config",
            "-c",
        ],
        commands: &["run"],
    },
    Family {
        names: &["python", "pypy"],
        inline: &["-c", "-m"],
        valued: &["-W", "-X", "-Q", "--check-hash-based-pycs"],
        commands: &[],
    },
    Family {
        names: &["perl"],
        inline: &["-e", "-E"],
        valued: &["-I"],
        commands: &[],
    },
    Family {
        names: &["ruby"],
        inline: &["-e"],
        valued: &["-I", "-r", "-C", "-E"],
        commands: &[],
    },
    Family {
        names: &["php", "lua", "luajit"],
        inline: &["-r", "-e"],
        valued: &["-c", "-d", "-l"],
        commands: &[],
    },
];

/// Reads what an interpreter runs, or says that the executable is no interpreter.
///
/// `exe_name` is the file name of the executable, `argv` the whole command line with the
/// program's own name first. Short options that shells and Python accept in one word (`-xc`) are
/// taken apart.
#[must_use]
pub fn program(exe_name: &str, argv: &[String]) -> Option<Program> {
    let bare = exe_name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let family = FAMILIES
        .iter()
        .find(|family| family.names.contains(&bare))?;
    let mut arguments = argv.iter().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            return Some(
                arguments
                    .next()
                    .map_or(Program::Input, |s| Program::Script(s.clone())),
            );
        }
        if family.inline.contains(&argument.as_str()) || inline_in_cluster(family, argument) {
            return Some(Program::Inline);
        }
        if family.commands.contains(&argument.as_str()) {
            continue;
        }
        if family.valued.contains(&argument.as_str()) {
            arguments.next();
        } else if argument == "-" {
            return Some(Program::Input);
        } else if !argument.starts_with('-') && !argument.starts_with('+') {
            return Some(Program::Script(argument.clone()));
        }
    }
    Some(Program::Input)
}

/// Reports whether several short options in one word end in one that runs text: `-lc`, `-ne`.
fn inline_in_cluster(family: &Family, argument: &str) -> bool {
    let Some(cluster) = argument
        .strip_prefix('-')
        .filter(|rest| !rest.starts_with('-'))
    else {
        return false;
    };
    let Some(last) = cluster.chars().last() else {
        return false;
    };
    let letters = cluster.chars().all(|c| c.is_ascii_alphabetic());
    letters && cluster.len() > 1 && family.inline.contains(&format!("-{last}").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(exe: &str, line: &str) -> Option<Program> {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        program(exe, &argv)
    }

    #[test]
    fn the_script_is_found_behind_options() {
        for (exe, line, script) in [
            ("bash", "bash deploy.sh now", "deploy.sh"),
            ("bash", "bash -eu -o pipefail deploy.sh", "deploy.sh"),
            ("sh", "sh -- -strange.sh", "-strange.sh"),
            (
                "node",
                "node --require ./hook.js /opt/cli.js --print",
                "/opt/cli.js",
            ),
            ("node", "node --max-old-space-size=4096 cli.js", "cli.js"),
            ("bun", "bun run cli.ts", "cli.ts"),
            ("python3.11", "python3 -u -W ignore tool.py -c x", "tool.py"),
            ("perl5.36", "perl -I lib tool.pl", "tool.pl"),
        ] {
            assert_eq!(
                read(exe, line),
                Some(Program::Script(script.to_owned())),
                "{line}"
            );
        }
    }

    #[test]
    fn text_in_the_arguments_is_not_a_script() {
        for (exe, line) in [
            ("bash", "bash -c ls"),
            ("bash", "bash -lc ls"),
            ("node", "node -e 1"),
            ("python3", "python3 -m http.server"),
            ("perl", "perl -ne print"),
        ] {
            assert_eq!(read(exe, line), Some(Program::Inline), "{line}");
        }
    }

    #[test]
    fn no_argument_is_input_and_other_programs_are_not_interpreters() {
        assert_eq!(read("bash", "-bash"), Some(Program::Input));
        assert_eq!(read("bash", "bash -i"), Some(Program::Input));
        assert_eq!(read("python3", "python3 -"), Some(Program::Input));
        assert_eq!(read("claude", "claude run x"), None);
        assert_eq!(read("", ""), None);
    }
}
