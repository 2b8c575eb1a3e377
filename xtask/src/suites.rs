//! Suites in other languages and suites that need an optional tool: one row each.
//!
//! It owns the list and how one row is run. A row whose tools are not there is skipped in plain words;
//! a row whose own files are not there fails.

use anyhow::Result;

use crate::context::Context;
use crate::counts::Counts;
use crate::process::Process;
use crate::tools::{NAMED, Need, Toolbox};

/// One suite.
///
/// Its child gets the tools' folders first on `PATH`, each found tool's variable
/// ([`Need::variable`]), and `CAIRN_PROGRAMS`, the folder of the built programs. A child that prints
/// `N passed, N failed[, N skipped]` is counted by that line, any other as one test by its exit code.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// What the table calls it.
    pub name: &'static str,
    /// The folder it runs in, from the root of the checkout; `.` is the root.
    pub folder: &'static str,
    /// The tools it cannot do without.
    pub needs: &'static [Need],
    /// The program and its arguments; `python`, `node`, `npm`, `go` are the ones that were found.
    pub command: &'static [&'static str],
}

/// Every suite, in the order they are run.
pub const SUITES: &[Suite] = &[
    Suite {
        name: "formats with jose and @sd-jwt/core (Node)",
        folder: "tests/interop/formats/jose",
        needs: &[Need::Node],
        command: &[
            "sh",
            "-c",
            "npm ci --silent --no-audit --no-fund && node check.js",
        ],
    },
    Suite {
        name: "formats with jwcrypto, sd-jwt and rfc8785 (Python)",
        folder: "tests/interop/formats",
        needs: &[Need::Python],
        command: &["python", "sd_jwt_frames.py"],
    },
    Suite {
        name: "receipts with golang.org/x/mod/sumdb (Go)",
        folder: "tests/interop/formats/sumdb",
        needs: &[Need::Go],
        command: &["go", "run", "."],
    },
    Suite {
        name: "the log and its witness with Tessera, litewitness, torchwood and formats (Go)",
        folder: "tests/interop/log",
        needs: &[Need::Go],
        command: &["go", "run", "."],
    },
    Suite {
        name: "evidence packs with DuckDB, pyarrow and hashlib (Python)",
        folder: "tests/interop/evidence",
        needs: &[Need::Python],
        command: &["python", "run.py"],
    },
    Suite {
        name: "the HTTP surface with schemathesis (Python)",
        folder: ".",
        needs: &[Need::Python],
        command: &["python", "tests/interop/openapi/run.py"],
    },
    Suite {
        name: "the console's own tests (Node)",
        folder: "console",
        needs: &[Need::Node],
        command: &["npm", "test", "--silent"],
    },
    Suite {
        name: "the console in Chromium against real programs",
        folder: ".",
        needs: &[Need::Node, Need::Chromium],
        command: &["node", "tests/console/run.mjs"],
    },
    Suite {
        // A fixed seed, so that a run says something about the change under test and nothing else.
        name: "verdicts of the real Claude Code on 300 generated calls",
        folder: ".",
        needs: &[Need::Python, Need::ClaudeCode],
        command: &[
            "cargo",
            "run",
            "--quiet",
            "-p",
            "xtask",
            "--",
            "conformance",
            "claude",
            "--seed",
            "1",
            "--cases",
            "300",
        ],
    },
    Suite {
        name: "the main job with the real Claude Code",
        folder: ".",
        needs: &[Need::Python],
        command: &[
            "cargo", "run", "--quiet", "-p", "xtask", "--", "demo", "--once", "--yes",
        ],
    },
    Suite {
        name: "a policy on its way to devices",
        folder: ".",
        needs: &[Need::Python],
        command: &["python", "tests/distribution/run.py"],
    },
    Suite {
        name: "ways around Cairn with the real Claude Code",
        folder: ".",
        needs: &[Need::Python, Need::ClaudeCode],
        command: &["python", "tests/claude/run.py"],
    },
    Suite {
        name: "the same policy with the real Codex",
        folder: ".",
        needs: &[Need::Python, Need::Codex],
        command: &["python", "tests/codex/run.py"],
    },
    Suite {
        name: "the managed installation with the real Claude Code",
        folder: ".",
        needs: &[Need::Python, Need::ClaudeCode],
        command: &["python", "tests/claude/managed.py"],
    },
];

/// Runs one suite.
///
/// # Errors
/// Its program cannot be started or its output cannot be read.
pub fn run(context: &Context, toolbox: &Toolbox<'_>, suite: &Suite) -> Result<Counts> {
    if let Some(need) = suite
        .needs
        .iter()
        .find(|need| toolbox.get(**need).is_none())
    {
        println!(
            "\n==> {}\n    skipped: {} not installed",
            suite.name,
            need.name()
        );
        return Ok(Counts::one_skipped());
    }
    let Some((program, args)) = suite.command.split_first() else {
        println!("\n==> {}\n    FAILED: no command", suite.name);
        return Ok(Counts::one(false));
    };
    let folders: Vec<_> = suite
        .needs
        .iter()
        .filter_map(|need| toolbox.folder(*need))
        .collect();
    // A relative program name is looked up on the child's own PATH, which holds the tools first.
    let process = Process::new(context, suite.name, "env")
        .args([program])
        .args(args)
        .dir(context.checkout.join(suite.folder))
        .path_first(&folders)
        .env("GOTOOLCHAIN", "local")
        .env(
            "CAIRN_TOOLS",
            context.cache.root().join("tools/interop-log"),
        );
    let mut closing = None;
    let success = with_tools(context, toolbox, process, suite.needs)
        .pulse(suite.name)
        .run_with_lines(|line| closing = Counts::from_closing(line).or(closing))?;
    Ok(judge(success, closing))
}

/// Tells a child where the built programs and these tools are.
#[must_use]
pub fn with_tools(
    context: &Context,
    toolbox: &Toolbox<'_>,
    process: Process,
    needs: &[Need],
) -> Process {
    let process = process.env("CAIRN_PROGRAMS", context.cache.programs());
    needs.iter().fold(process, |process, need| {
        match (need.variable(), toolbox.get(*need)) {
            (Some(variable), Some(path)) => process.env(variable, path),
            _ => process,
        }
    })
}

/// As [`with_tools`], with every tool that has a variable.
#[must_use]
pub fn with_all_tools(context: &Context, toolbox: &Toolbox<'_>, process: Process) -> Process {
    with_tools(context, toolbox, process, &NAMED)
}

/// The exit code has the last word: a suite that says "0 failed" and then dies has failed.
fn judge(success: bool, closing: Option<Counts>) -> Counts {
    match closing {
        Some(counts) if success && counts.failed == 0 => counts,
        Some(counts) => Counts {
            failed: counts.failed.max(1),
            ..counts
        },
        None => Counts::one(success),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(needs: &'static [Need], command: &'static [&'static str]) -> Counts {
        let context = Context::new(false).unwrap();
        let suite = Suite {
            name: "sample",
            folder: ".",
            needs,
            command,
        };
        run(&context, &Toolbox::new(&context), &suite).unwrap()
    }

    #[test]
    fn a_suite_without_its_tool_is_skipped() {
        let counts = play(&[Need::Program("cairn-no-such-program")], &["true"]);
        assert_eq!(counts, Counts::one_skipped());
    }

    #[test]
    fn a_closing_line_is_counted_and_the_exit_code_has_the_last_word() {
        let counts = play(&[], &["echo", "4 passed, 0 failed, 1 skipped"]);
        assert_eq!(
            counts,
            Counts {
                passed: 4,
                failed: 0,
                skipped: 1
            }
        );
        let counts = play(&[], &["sh", "-c", "echo 4 passed, 0 failed; exit 1"]);
        assert_eq!(
            counts,
            Counts {
                passed: 4,
                failed: 1,
                skipped: 0
            }
        );
        assert_eq!(play(&[], &["true"]), Counts::one(true));
        assert_eq!(play(&[], &["cairn-no-such-program"]), Counts::one(false));
    }

    #[test]
    fn the_programs_folder_is_told() {
        let counts = play(&[], &["sh", "-c", "test -n \"$CAIRN_PROGRAMS\""]);
        assert_eq!(counts, Counts::one(true));
    }
}
