//! Fresh rules and calls.
//!
//! It owns what is generated: settings with allow, ask and deny rules, and calls that are near to them,
//! so that most of them are decided by a rule and many only just. It knows no verdicts.
//!
//! Source: the shapes that Claude Code's rules and Bash lines are made of, as observed.

use serde_json::{Value, json};

use super::random::Random;
use super::{files, tools};

/// Programs that rules and lines name; some of them run unasked, some are launchers.
const PROGRAMS: &[&str] = &[
    "git",
    "npm",
    "kubectl",
    "rm",
    "curl",
    "wget",
    "aws",
    "docker",
    "make",
    "foo",
    "cargo",
    "terraform",
    "python3",
    "node",
];

/// Programs that Claude Code runs without a rule, and near misses.
const SHOWING: &[&str] = &[
    "ls", "cat", "head", "tail", "wc", "sort", "grep", "rg", "find", "diff", "file", "stat", "du",
    "df", "tree", "jq", "echo", "pwd", "which", "date", "whoami", "uname", "ps", "id", "hostname",
    "true", "test", "sleep", "sed", "cd", "env", "printenv", "awk", "tee", "xargs", "base64",
    "cut", "uniq", "nl", "printf", "type", "export", "touch", "mkdir", "cp", "mv", "chmod",
];

const SUBCOMMANDS: &[&str] = &[
    "status",
    "push",
    "log",
    "diff",
    "show",
    "branch",
    "remote -v",
    "get pods",
    "install",
    "test",
    "run build",
    "s3 ls",
    "apply",
    "ps",
    "exec c",
    "commit -m x",
    "-C . push",
    "-c a=b push",
    "--no-pager push",
    "--version",
    "config --list",
    "branch -D x",
    "log --output=f",
    "tag x",
];

const ARGUMENTS: &[&str] = &[
    "x",
    "-rf x",
    "-la",
    "--force",
    "origin main",
    ".env",
    "src/a.ts",
    "'a b'",
    "\"a;b\"",
    "$X",
    "${X}",
    "\"$X\"",
    "$(pwd)",
    "`pwd`",
    "*.ts",
    "{a,b}",
    "~/x",
    "../x",
    "/etc/passwd",
    "-o out",
    "\\;",
    "a\\ b",
    "$'x'",
    "--",
    "-",
    "!x",
    "x=y",
    "@x",
    "$((1+1))",
    "$HOME/x",
    "-n1",
    "src/*",
    "\"a b\" c",
    "''",
    "-i",
    "-exec rm x \\;",
    "-delete",
    "s/a/b/",
    "-c 'x'",
    "-e 1",
    "f | g",
    "lib/a.ts",
    "out/id_rsa",
    "near.ts",
    "~/notes.md",
    "./src/../.env",
];

const PREFIXES: &[&str] = &[
    "NODE_ENV=x ",
    "FOO=bar ",
    "PATH=/x ",
    "CI=1 FOO=b ",
    "timeout 5 ",
    "timeout -s KILL 5 ",
    "timeout -k 1 5 ",
    "time ",
    "time -p ",
    "nice ",
    "nice -n 5 ",
    "nice -5 ",
    "nohup ",
    "stdbuf -oL ",
    "stdbuf -o L ",
    "command ",
    "command -p ",
    "command -v ",
    "builtin ",
    "env ",
    "env -i ",
    "env A=1 ",
    "env -u A ",
    "sudo ",
    "sudo -u x ",
    "doas ",
    "exec ",
    "exec -a n ",
    "setsid ",
    "ionice ",
    "flock f ",
    "strace ",
    "watch ",
    "xargs ",
    "xargs -n1 ",
    "noglob ",
    "nocorrect ",
    "eval ",
    "busybox ",
    "npx ",
    "unbuffer ",
    "! ",
    "nohup nice ",
    "time timeout 9 ",
    "sudo env A=1 ",
    "script -c ",
    "unshare ",
    "nsenter ",
    "direnv exec . ",
    "\\\n",
    "  ",
    "\t",
];

/// How lines are put together; `A` and `B` are commands.
const FRAMES: &[&str] = &[
    "A && B",
    "A; B",
    "A | B",
    "A || B",
    "A & B",
    "A\nB",
    "(A)",
    "{ A; }",
    "if A; then B; fi",
    "for i in 1 2; do A; done",
    "while A; do B; done",
    "case x in x) A;; esac",
    "f() { A; }; f",
    "A &",
    "echo $(A)",
    "echo \"$(A)\"",
    "echo `A`",
    "cat <(A)",
    "bash -c 'A'",
    "sh -c \"A\"",
    "echo A | sh",
    "X=A; $X",
    "cd src && A",
    "cd /tmp && A",
    "A > out",
    "A > /dev/null",
    "A 2>&1",
    "A < .env",
    "A >> src/x",
    "A 2> err",
    "A &> out",
    "A <<< x",
    "A <<'EOF'\nx\nEOF",
    "A <<EOF\n$(B)\nEOF",
    "A # B",
    "X=1; A",
    "X=$(A)",
    "[[ -f x ]] && A",
    "A |& B",
    "! A",
    "eval 'A'",
    "coproc A",
    "trap 'A' EXIT",
    "A | tee out",
    "A | xargs B",
    "find . -exec A \\;",
    "export X=1; A",
    "until A; do B; done",
    "time A",
    "function f { A; }",
    "A; B; A",
    "A && B || A",
    "$(A)",
    "A\\\n x",
    "  A  ",
    "A;",
    "echo ${X:-$(A)}",
    "a[$(A)]=1",
    "alias z='A'",
    "{ A; } > out",
    "A >| out",
    "A 2>/dev/null",
    "python3 -c 'A'",
    "xargs -I{} A",
    "env -S 'A'",
    "A && # B",
];

/// One settings file and the calls it is asked about.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The `permissions` member.
    pub permissions: Value,
    /// Tool and input of each call.
    pub calls: Vec<(String, Value)>,
}

/// The sheet at one position of a seed.
#[must_use]
pub fn sheet(seed: u64, position: u64, calls: usize) -> Sheet {
    let mut random = Random::new(seed, position);
    // Few programs per sheet, so that rules and calls meet.
    let programs: Vec<&str> = (0..4).map(|_| program(&mut random)).collect();
    let list = |most: usize, random: &mut Random| -> Vec<String> {
        let count = random.below(most + 1);
        (0..count).map(|_| rule(&programs, random)).collect()
    };
    let (allow, ask, deny) = (
        list(6, &mut random),
        list(2, &mut random),
        list(4, &mut random),
    );
    let calls = (0..calls).map(|_| call(&programs, &mut random)).collect();
    Sheet {
        permissions: json!({"allow": allow, "ask": ask, "deny": deny}),
        calls,
    }
}

fn program(random: &mut Random) -> &'static str {
    if random.chance(60) {
        random.pick(PROGRAMS)
    } else {
        random.pick(SHOWING)
    }
}

fn one(programs: &[&'static str], random: &mut Random) -> &'static str {
    if random.chance(75) {
        random.pick(programs)
    } else {
        program(random)
    }
}

fn rule(programs: &[&'static str], random: &mut Random) -> String {
    if random.chance(25) {
        return tools::rule(random);
    }
    if random.chance(20) {
        return files::rule(random);
    }
    let name = one(programs, random);
    let sub = random.pick(SUBCOMMANDS);
    let argument = random.pick(ARGUMENTS);
    let specifier = match random.below(16) {
        0..=4 => format!("{name} *"),
        5 => format!("{name}:*"),
        6 => name.to_owned(),
        7 | 8 => format!("{name} {sub} *"),
        9 => format!("{name} {sub}"),
        10 => format!("{name}*"),
        11 => format!("{name} {argument}"),
        12 => format!("{name} {sub}:*"),
        13 => format!(
            "{name} * {}",
            random.pick(&["x", "--force", "push", "--force *", "main"])
        ),
        14 => format!(
            "* {}",
            random.pick(&["--force", "--force *", "x", "push *", ".env"])
        ),
        _ => return (*random.pick(&["Bash", "Bash(*)", "Read", "Edit", "Write"])).to_owned(),
    };
    // A deny of everything says nothing about the rest of its sheet.
    format!("Bash({specifier})")
}

fn call(programs: &[&'static str], random: &mut Random) -> (String, Value) {
    if random.chance(30) {
        return tools::call(random);
    }
    if random.chance(15) {
        return files::call(random);
    }
    let line = line(programs, random);
    ("Bash".to_owned(), json!({ "command": line }))
}

fn line(programs: &[&'static str], random: &mut Random) -> String {
    if random.chance(40) {
        return command(programs, random);
    }
    let frame = random.pick(FRAMES);
    let mut text = String::new();
    for c in frame.chars() {
        match c {
            'A' | 'B' => text.push_str(&command(programs, random)),
            other => text.push(other),
        }
    }
    // `EOF` and `EXIT` hold no `A` or `B`; `IFS` and the like are not generated.
    text
}

fn command(programs: &[&'static str], random: &mut Random) -> String {
    let name = one(programs, random);
    let mut text = String::new();
    if random.chance(25) {
        text.push_str(random.pick(PREFIXES));
    }
    text.push_str(&spelled(name, random));
    if random.chance(55) {
        text.push(' ');
        text.push_str(random.pick(SUBCOMMANDS));
    }
    for _ in 0..random.below(3) {
        text.push_str(random.pick(&[" ", " ", " ", "  ", "\t"]));
        text.push_str(random.pick(ARGUMENTS));
    }
    text
}

/// A command word, mostly plain.
fn spelled(name: &str, random: &mut Random) -> String {
    let (head, tail) = name.split_at(1);
    match random.below(40) {
        0 => format!("'{name}'"),
        1 => format!("{head}\"{tail}\""),
        2 => format!("\\{name}"),
        3 => format!("/usr/bin/{name}"),
        4 => format!("./{name}"),
        5 => format!("$'{name}'"),
        6 => format!("{head}''{tail}"),
        7 => format!("${{X}}{name}"),
        8 => format!("$(echo {name})"),
        9 => format!("~/bin/{name}"),
        10 => name.to_uppercase(),
        11 => format!("{head}\\\n{tail}"),
        12 => format!("{head}$@{tail}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_repeats_and_holds_rules_and_calls() {
        let (one, two) = (sheet(3, 5, 50), sheet(3, 5, 50));
        assert_eq!(one.permissions, two.permissions);
        assert_eq!(one.calls, two.calls);
        assert_eq!(one.calls.len(), 50);
        assert_ne!(sheet(4, 5, 50).calls, one.calls);
        let rules: usize = (0..50)
            .map(|position| {
                let sheet = sheet(9, position, 0).permissions;
                ["allow", "ask", "deny"]
                    .iter()
                    .map(|list| sheet[list].as_array().map_or(0, Vec::len))
                    .sum::<usize>()
            })
            .sum();
        assert!(rules > 100, "{rules}");
    }
}
