//! The steps of a full check, in the order that finds a mistake soonest and compiles least twice.
//!
//! It owns what each step runs. The order matters for a cold cache: the first step that compiles is
//! clippy, whose build scripts (RocksDB's among them) are reused by the build, whose programs are
//! reused by the tests and the suites.

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;

use crate::apt::{self, Use};
use crate::context::Context;
use crate::counts::Counts;
use crate::process::Process;
use crate::suites::{self, SUITES};
use crate::tools::{self, Need, Toolbox};
use crate::{console, tidy};

/// Why the compiling steps may be quiet for long.
const COMPILING: &str = "compiling; RocksDB takes about 12 minutes the first time on two cores";

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// Install system packages and tools that are missing.
    Tools,
    /// Build the console when its sources have changed.
    Console,
    /// Check the formatting.
    Fmt,
    /// Check the rules of the house.
    Tidy,
    /// Check with clippy; a warning is an error.
    Clippy,
    /// Check licences, bans and sources of the dependencies.
    Deny,
    /// Compile every program and every test.
    Build,
    /// Run the unit, integration and documentation tests.
    Tests,
    /// Run the suites that need optional tools.
    Suites,
}

/// How one step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It held.
    Passed,
    /// It did not hold; the text says what.
    Failed(String),
    /// It had nothing to do; the text says why.
    Skipped(String),
    /// It ran tests.
    Counted(Counts),
}

impl Outcome {
    /// A failure with its reason.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }

    /// A skip with its reason.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }

    /// A pass, or a failure with this reason.
    #[must_use]
    pub fn of(success: bool, why: &str) -> Self {
        if success {
            Self::Passed
        } else {
            Self::failed(why)
        }
    }

    /// Whether the whole run fails because of it.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Failed(_) => true,
            Self::Counted(counts) => counts.failed > 0,
            Self::Passed | Self::Skipped(_) => false,
        }
    }

    /// What it adds to the closing line: a step that is no test adds only its failure or skip.
    #[must_use]
    pub fn counts(&self) -> Counts {
        match self {
            Self::Passed => Counts::default(),
            Self::Failed(_) => Counts::one(false),
            Self::Skipped(_) => Counts::one_skipped(),
            Self::Counted(counts) => *counts,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => write!(out, "ok"),
            Self::Failed(why) => write!(out, "FAILED: {why}"),
            Self::Skipped(why) => write!(out, "skipped: {why}"),
            Self::Counted(counts) => write!(out, "{counts}"),
        }
    }
}

impl Step {
    /// Runs the step.
    ///
    /// # Errors
    /// A program cannot be started, or a package that the build needs is missing.
    pub fn run(self, context: &Context, toolbox: &Toolbox<'_>) -> Result<Outcome> {
        match self {
            Self::Tools => {
                let complete = apt::provide(context, &[Use::Build, Use::Demo, Use::Tests])?;
                for need in tools::NAMED {
                    match toolbox.get(need) {
                        Some(path) => println!("{}: {}", need.name(), path.display()),
                        None => println!("{}: not installed", need.name()),
                    }
                }
                let why = "some system packages are not installed";
                Ok(if complete {
                    Outcome::Passed
                } else {
                    Outcome::skipped(why)
                })
            }
            Self::Console => console::build(context, toolbox),
            Self::Fmt => cargo(
                context,
                "check the formatting",
                &["fmt", "--all", "--check"],
            ),
            Self::Tidy => Ok(Outcome::of(
                tidy::print(&context.checkout)?,
                "see the faults above",
            )),
            Self::Clippy => {
                let args = [
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--",
                    "-D",
                    "warnings",
                ];
                cargo(context, "check with clippy", &args)
            }
            Self::Deny => deny(context),
            Self::Build => {
                let args = ["build", "--workspace", "--all-targets"];
                cargo(context, "compile programs and tests", &args)
            }
            Self::Tests => cargo_test(context, toolbox),
            Self::Suites => {
                let mut sum = Counts::default();
                for suite in SUITES {
                    sum += suites::run(context, toolbox, suite)?;
                }
                Ok(Outcome::Counted(sum))
            }
        }
    }

    /// The step's name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

/// Installs everything and stops; true means that nothing is missing.
///
/// # Errors
/// As [`Step::run`] of the tools.
pub fn setup(context: &Context) -> Result<bool> {
    let toolbox = Toolbox::new(context);
    let outcome = Step::Tools.run(context, &toolbox)?;
    println!("\n{outcome}");
    let complete = tools::NAMED
        .iter()
        .all(|need: &Need| toolbox.get(*need).is_some());
    Ok(complete && outcome == Outcome::Passed)
}

fn cargo(context: &Context, title: &str, args: &[&str]) -> Result<Outcome> {
    let success = Process::new(context, title, "cargo")
        .args(args)
        .pulse(COMPILING)
        .run()?;
    Ok(Outcome::of(success, &format!("`cargo {}`", args.join(" "))))
}

fn deny(context: &Context) -> Result<Outcome> {
    let program = tools::cargo_deny(context)?;
    // A wrapper may be allowed before the first crate uses the permission.
    let args = [
        "check",
        "--allow",
        "unused-wrapper",
        "licenses",
        "bans",
        "sources",
    ];
    let success = Process::new(context, "check the dependencies", program)
        .args(args)
        .run()?;
    Ok(Outcome::of(success, "`cargo deny check`"))
}

fn cargo_test(context: &Context, toolbox: &Toolbox<'_>) -> Result<Outcome> {
    let mut sum = Counts::default();
    let mut skipped = 0;
    let process = Process::new(context, "run the tests", "cargo")
        .args(["test", "--workspace", "--no-fail-fast"])
        .pulse("tests");
    let success = suites::with_all_tools(context, toolbox, process).run_with_lines(|line| {
        if let Some(counts) = Counts::from_cargo(line) {
            sum += counts;
        } else if line.contains("skipped: ") {
            skipped += 1;
        }
    })?;
    // Cargo counts a test that had to skip its subject as passed.
    sum.passed = sum.passed.saturating_sub(skipped);
    sum.skipped += skipped;
    // A test binary that does not compile or dies prints no result line, but cargo fails.
    if !success && sum.failed == 0 {
        sum.failed = 1;
    }
    Ok(Outcome::Counted(sum))
}
