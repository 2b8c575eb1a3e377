//! Taking a call apart into what is decided one by one.
//!
//! Owns the list of parts: simple commands, redirections, named files, or the call itself; and what the
//! rules are compared with, made once for all of them. How a line becomes parts is in `maker`.
//! Source: architecture section 4, item 1.

mod maker;

use crate::bash::{self, Absolute, Access, Command, Line, Unreadable};
use crate::command_pattern::AllowText;
use crate::domain::Host;
use crate::glob::Text;
use crate::paths::{Detours, KnownPath, Roots};
use crate::protected;
use crate::request::Request;
use crate::work::Work;
use maker::Maker;
use serde_json::Value;
use std::cell::OnceCell;

/// One part of a call.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What it is.
    pub what: What,
    /// Whether it needs an allow of its own, or only must not be denied.
    pub required: bool,
    /// How many pipes of the line are before it.
    pub stretch: usize,
}

/// What a part is.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The call as a whole.
    Call,
    /// A simple command.
    Command(Box<CommandPart>),
    /// A file a command touches: every absolute form of its path.
    File {
        /// How it is touched.
        access: Access,
        /// The forms; more than one where the directory may change.
        forms: Vec<Form>,
        /// As named.
        named: String,
        /// Whether an allow may trust the name.
        plain: bool,
    },
    /// The whole line.
    Line {
        /// As received, for patterns that hold operators.
        text: Text,
        /// The forms in which it is held against every pattern; none for a chain of plain commands.
        whole: Vec<Text>,
    },
    /// A line that could not be read.
    Unreadable(Unreadable),
}

/// A simple command and what rules look at.
#[derive(Clone, Debug)]
pub(crate) struct CommandPart {
    /// Index into the line's commands.
    pub index: usize,
    /// Every text the command may run as, for denies and asks.
    pub deny: Vec<Text>,
    /// Whether it may run anything.
    pub opaque: bool,
    /// The texts an allow is compared with.
    pub allow: Vec<AllowText>,
    /// Whether no pattern at all may be trusted with it.
    pub doubtful: bool,
    /// Whether the line goes on without waiting for it, so that no pattern may be trusted either.
    pub background: bool,
    /// Whether only an exact pattern may.
    pub only_exact: bool,
    /// Whether it names a file outside the project that a pattern on the command does not cover.
    pub leaves: bool,
    /// Whether it names a file to change that such a pattern does not cover.
    pub changes: bool,
    /// Whether it removes the root, the home directory or the like.
    pub removes: bool,
}

/// One absolute form of a path.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// As it is.
    pub path: Absolute,
    /// Whether no allow approves writing there.
    pub protected: bool,
    /// What path patterns are compared with.
    pub target: Target,
}

/// A path as patterns are compared with it.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// All of it is known.
    Known(KnownPath),
    /// Some of it is not.
    Open {
        /// In lower case.
        lower: Text,
        /// A file of no particular name, where it is certainly one below a directory that is known.
        below: Option<Box<KnownPath>>,
    },
}

/// A call taken apart.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The line, where the call is a shell command that could be read.
    pub line: Option<Line>,
    /// The parts; never empty.
    pub parts: Vec<Part>,
    /// Whether commands are among the parts.
    pub has_commands: bool,
    /// A line that could not be read, and its pieces between operators, each once.
    pub unread: Vec<Text>,
    tool: OnceCell<Text>,
    host: OnceCell<Option<Host>>,
    file: OnceCell<KnownPath>,
    /// Whether a file tool writes where no allow approves it.
    pub writes_protected: bool,
    roots: OnceCell<Roots>,
    /// Links that the paths of rules lead through.
    pub detours: Detours,
    /// What comparing may cost.
    pub work: Work,
    /// What reading did cost.
    pub read: u64,
}

/// Takes a call apart.
pub(crate) fn of(request: &Request) -> Parts {
    let is_shell = matches!(request.tool.as_str(), "Bash" | "Monitor");
    let listens = request.tool == "Monitor" && request.input.get("command").is_none();
    let mut parts = Parts {
        line: None,
        parts: Vec::new(),
        has_commands: false,
        unread: Vec::new(),
        tool: OnceCell::new(),
        host: OnceCell::new(),
        file: OnceCell::new(),
        writes_protected: writes_protected(request),
        roots: OnceCell::new(),
        detours: Detours::of(request),
        work: Work::comparing(),
        read: 0,
    };
    if !is_shell || listens {
        parts.parts.push(Part::call());
        return parts;
    }
    let work = Work::reading();
    let command = request.command();
    let made = command
        .ok_or(Unreadable::NoCommand)
        .and_then(|command| bash::read(command, &request.cwd, &request.home, &work))
        .and_then(|line| {
            Maker::new(&line, request, &parts.detours, &work)
                .parts()
                .map(|made| (line, made))
        });
    match made {
        Ok((line, made)) => {
            parts.line = Some(line);
            parts.parts = made;
            let mut all = parts.parts.iter();
            parts.has_commands = all.any(|part| matches!(part.what, What::Command(_)));
        }
        Err(why) => {
            let what = What::Unreadable(why);
            parts.parts.push(Part {
                what,
                required: true,
                stretch: 0,
            });
            let source = command.unwrap_or_default();
            if parts.work.spend(source.len()) {
                let pieces = bash::pieces::of(source);
                parts.unread = pieces.iter().map(|text| Text::known(text)).collect();
            }
        }
    }
    parts.read = work.spent();
    parts
}

fn writes_protected(request: &Request) -> bool {
    matches!(
        request.tool.as_str(),
        "Edit" | "Write" | "MultiEdit" | "NotebookEdit"
    ) && request.file_path().is_some_and(|path| {
        let resolved = request.resolution(&path);
        let target = resolved.and_then(|found| found.target.as_deref());
        protected::path_is_protected(&path) || target.is_some_and(protected::path_is_protected)
    })
}

impl Parts {
    /// The file that a file tool names, or the directory it works in.
    pub(crate) fn file(&self, request: &Request) -> &KnownPath {
        self.file.get_or_init(|| {
            let named = request.file_path();
            let path = named.as_deref().unwrap_or(&request.cwd);
            KnownPath::new(path, request.resolution(path), &self.detours)
        })
    }

    /// The tool's name.
    pub(crate) fn tool(&self, request: &Request) -> &Text {
        self.tool.get_or_init(|| Text::known(&request.tool))
    }

    /// The host that a fetch is from; `None` where its address names none.
    pub(crate) fn host(&self, request: &Request) -> Option<&Host> {
        let address = || request.input.get("url").and_then(Value::as_str);
        let host = self.host.get_or_init(|| address().and_then(Host::of));
        host.as_ref()
    }

    /// Where path patterns start.
    pub(crate) fn roots(&self, request: &Request) -> &Roots {
        self.roots.get_or_init(|| Roots::of(request))
    }

    /// The stretches between the pipes of the line that have a `&`.
    pub(crate) fn deferred(&self) -> &[usize] {
        self.line.as_ref().map_or(&[], |line| &line.deferred)
    }

    /// The command behind a part.
    pub(crate) fn command(&self, part: &CommandPart) -> Option<&Command> {
        let line = self.line.as_ref()?;
        line.commands.get(part.index)
    }
}

impl Part {
    fn call() -> Self {
        Self {
            what: What::Call,
            required: true,
            stretch: 0,
        }
    }

    /// The part in words, for the decision record.
    pub(crate) fn label(&self, parts: &Parts, request: &Request) -> String {
        match &self.what {
            What::Call => request.tool.clone(),
            What::Command(command) => parts
                .command(command)
                .map_or_else(String::new, Command::label),
            What::File {
                access: Access::Read,
                named,
                ..
            } => format!("< {named}"),
            What::File {
                access: Access::Write,
                named,
                ..
            } => format!("> {named}"),
            What::Line { .. } | What::Unreadable(_) => match request.command() {
                Some(command) => bash::command::shorten(command),
                None => request.tool.clone(),
            },
        }
    }

    /// Why it could not be read, where it could not.
    pub(crate) fn unread(&self) -> Option<String> {
        match &self.what {
            What::Unreadable(why) => Some(why.to_string()),
            _ => None,
        }
    }
}
