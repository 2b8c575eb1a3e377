//! The launchers, shells and interpreters that are known by name.
//!
//! Owns the tables only; [`super::launch`] reads them. A launcher that is not listed is not looked
//! through, as in Claude Code; the documentation says so.
//! Source: Claude Code findings 2.3 and 2.4.

use super::scan::Word;

/// A program that starts another one named in its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Launcher {
    /// Its name.
    pub name: &'static str,
    /// Words of its own before its options: a subcommand such as `run`.
    pub skip: usize,
    /// Operands of its own before the launched command.
    pub positionals: usize,
    /// Options known to take no value; any other option may take the next word.
    pub flags: &'static [&'static str],
    /// Whether `NAME=VALUE` operands come before the command.
    pub assigns: bool,
    /// Options whose value is a script in shell syntax.
    pub script_options: &'static [&'static str],
    /// Whether the remaining words are handed to a shell as one text.
    pub joins_to_script: bool,
    /// Whether it runs elsewhere, under names that are not ours to read.
    pub opaque: bool,
}

const fn plain(name: &'static str) -> Launcher {
    Launcher {
        name,
        skip: 0,
        positionals: 0,
        flags: &[],
        assigns: false,
        script_options: &[],
        joins_to_script: false,
        opaque: false,
    }
}

const fn after(name: &'static str, positionals: usize) -> Launcher {
    Launcher {
        positionals,
        ..plain(name)
    }
}

const fn flagged(name: &'static str, flags: &'static [&'static str]) -> Launcher {
    Launcher {
        flags,
        ..plain(name)
    }
}

const fn remote(name: &'static str, positionals: usize) -> Launcher {
    Launcher {
        positionals,
        opaque: true,
        ..plain(name)
    }
}

const fn scripted(name: &'static str, script_options: &'static [&'static str]) -> Launcher {
    Launcher {
        script_options,
        ..plain(name)
    }
}

/// Launchers by name alone.
const LAUNCHERS: &[Launcher] = &[
    Launcher {
        assigns: true,
        script_options: &["-S", "--split-string"],
        ..flagged("env", &["-i", "-0", "-v", "--ignore-environment"])
    },
    Launcher {
        assigns: true,
        ..flagged(
            "sudo",
            &[
                "-A", "-b", "-E", "-e", "-H", "-i", "-K", "-k", "-n", "-S", "-s", "-v",
            ],
        )
    },
    Launcher {
        assigns: true,
        ..flagged("doas", &["-n", "-s", "-L"])
    },
    flagged("nohup", &[]),
    flagged("time", &["-p", "-v", "-a", "-q"]),
    plain("nice"),
    plain("ionice"),
    flagged("setsid", &["-c", "-f", "-w", "--fork", "--wait", "--ctty"]),
    plain("stdbuf"),
    Launcher {
        flags: &["--foreground", "--preserve-status", "-v"],
        ..after("timeout", 1)
    },
    after("chrt", 1),
    after("taskset", 1),
    Launcher {
        script_options: &["-c", "--command"],
        flags: &["-s", "-x", "-e", "-n", "-u", "-o", "-v"],
        ..after("flock", 1)
    },
    flagged(
        "strace",
        &[
            "-f", "-ff", "-c", "-C", "-q", "-t", "-tt", "-ttt", "-T", "-v", "-x", "-y",
        ],
    ),
    plain("ltrace"),
    Launcher {
        joins_to_script: true,
        ..flagged("watch", &["-b", "-c", "-e", "-g", "-p", "-t", "-w", "-x"])
    },
    plain("nsenter"),
    plain("unshare"),
    after("chroot", 1),
    plain("exec"),
    flagged("command", &["-p"]),
    plain("builtin"),
    plain("noglob"),
    plain("nocorrect"),
    plain("coproc"),
    plain("busybox"),
    plain("toybox"),
    plain("caffeinate"),
    plain("systemd-run"),
    plain("pkexec"),
    plain("setpriv"),
    plain("prlimit"),
    plain("numactl"),
    plain("cgexec"),
    plain("firejail"),
    plain("bwrap"),
    plain("proxychains"),
    plain("proxychains4"),
    plain("torsocks"),
    plain("xvfb-run"),
    plain("dbus-run-session"),
    plain("catchsegv"),
    plain("unbuffer"),
    plain("chronic"),
    plain("rlwrap"),
    after("faketime", 1),
    after("setarch", 1),
    plain("linux32"),
    plain("linux64"),
    plain("tini"),
    plain("dumb-init"),
    after("gosu", 1),
    after("su-exec", 1),
    after("s6-setuidgid", 1),
    plain("entr"),
    plain("watchexec"),
    plain("dotenv"),
    plain("dotenvx"),
    scripted("nodemon", &["-x", "--exec"]),
    scripted("npx", &["-c", "--call"]),
    plain("bunx"),
    plain("pnpx"),
    plain("uvx"),
    plain("xargs"),
    Launcher {
        positionals: 1,
        ..scripted("su", &["-c", "--command"])
    },
    scripted("runuser", &["-c", "--command"]),
    scripted("script", &["-c", "--command"]),
    scripted("expect", &["-c"]),
    scripted(
        "hyperfine",
        &["-p", "-s", "-c", "--prepare", "--setup", "--cleanup"],
    ),
    Launcher {
        joins_to_script: true,
        ..remote("ssh", 1)
    },
    Launcher {
        joins_to_script: true,
        ..remote("mosh", 1)
    },
    remote("tmux", 1),
    remote("screen", 0),
    remote("nix-shell", 0),
    remote("nsjail", 0),
    remote("distrobox", 1),
    remote("toolbox", 1),
    remote("vagrant", 1),
    remote("machinectl", 1),
    remote("lxc-attach", 0),
];

/// Launchers that are one subcommand of a larger program: (program, subcommand, launcher).
const SUBCOMMANDS: &[(&str, &str, Launcher)] = &[
    ("docker", "exec", remote("docker exec", 1)),
    ("docker", "run", remote("docker run", 1)),
    ("docker", "compose", remote("docker compose", 2)),
    ("podman", "exec", remote("podman exec", 1)),
    ("podman", "run", remote("podman run", 1)),
    ("nerdctl", "exec", remote("nerdctl exec", 1)),
    ("nerdctl", "run", remote("nerdctl run", 1)),
    ("docker-compose", "exec", remote("docker-compose exec", 1)),
    ("docker-compose", "run", remote("docker-compose run", 1)),
    ("kubectl", "exec", remote("kubectl exec", 1)),
    ("kubectl", "run", remote("kubectl run", 1)),
    ("kubectl", "debug", remote("kubectl debug", 1)),
    ("lxc", "exec", remote("lxc exec", 1)),
    ("multipass", "exec", remote("multipass exec", 1)),
    ("gcloud", "compute", remote("gcloud compute ssh", 2)),
    ("nix", "run", remote("nix run", 1)),
    ("nix", "shell", remote("nix shell", 1)),
    ("nix", "develop", remote("nix develop", 0)),
    ("direnv", "exec", after("direnv exec", 1)),
    ("poetry", "run", plain("poetry run")),
    ("pipenv", "run", plain("pipenv run")),
    ("pdm", "run", plain("pdm run")),
    ("uv", "run", plain("uv run")),
    ("rye", "run", plain("rye run")),
    ("hatch", "run", plain("hatch run")),
    ("pipx", "run", plain("pipx run")),
    ("conda", "run", plain("conda run")),
    ("mamba", "run", plain("mamba run")),
    ("bundle", "exec", plain("bundle exec")),
    ("mise", "exec", plain("mise exec")),
    ("mise", "x", plain("mise x")),
    ("asdf", "exec", plain("asdf exec")),
    ("devbox", "run", plain("devbox run")),
    ("npm", "exec", scripted("npm exec", &["-c", "--call"])),
    ("npm", "x", scripted("npm x", &["-c", "--call"])),
    ("pnpm", "exec", plain("pnpm exec")),
    ("pnpm", "dlx", plain("pnpm dlx")),
    ("yarn", "exec", plain("yarn exec")),
    ("yarn", "dlx", plain("yarn dlx")),
    ("bun", "x", plain("bun x")),
    ("op", "run", plain("op run")),
    ("doppler", "run", scripted("doppler run", &["--command"])),
    (
        "infisical",
        "run",
        scripted("infisical run", &["--command"]),
    ),
    ("aws-vault", "exec", after("aws-vault exec", 1)),
    ("chamber", "exec", after("chamber exec", 1)),
];

/// Shells that run a script given to them.
pub(super) const SHELLS: &[&str] = &[
    "bash", "sh", "zsh", "dash", "ksh", "mksh", "ash", "fish", "rbash", "csh", "tcsh", "pwsh",
];

/// Interpreters that run code given on the line or on their input.
pub(super) const INTERPRETERS: &[&str] = &[
    "python",
    "pypy",
    "node",
    "nodejs",
    "deno",
    "bun",
    "perl",
    "ruby",
    "php",
    "lua",
    "luajit",
    "Rscript",
    "osascript",
    "tclsh",
    "julia",
    "groovy",
    "elixir",
    "scala",
    "ts-node",
    "tsx",
    "guile",
];

/// The launcher behind a program's name and first arguments.
pub(super) fn launcher(name: &str, arguments: &[Word]) -> Option<Launcher> {
    let by_name = LAUNCHERS.iter().find(|known| known.name == name);
    if let Some(known) = by_name {
        return Some(*known);
    }
    let at = SUBCOMMANDS
        .iter()
        .filter(|row| row.0 == name)
        .find_map(|(_, subcommand, known)| {
            arguments
                .iter()
                .position(|word| word.is(subcommand))
                .map(|at| (at, known))
        });
    at.map(|(at, known)| Launcher {
        skip: at + 1,
        ..*known
    })
}
