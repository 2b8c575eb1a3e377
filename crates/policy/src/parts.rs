//! Taking a call apart into what is decided one by one.
//!
//! Owns the list of parts: simple commands, redirections, named files, or the call itself; and what the
//! rules are compared with, made once for all of them.
//! Source: architecture section 4, item 1.

use crate::bash::{self, Absolute, Access, Command, Line, Unreadable, access, strip};
use crate::command_pattern::AllowText;
use crate::domain::Host;
use crate::glob::{Sym, Text, known_text, lower};
use crate::paths::{self, Detours, KnownPath, Roots};
use crate::protected;
use crate::request::{Request, ResolvedPath};
use crate::work::Work;
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::BTreeMap;

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

/// Takes a line apart.
struct Maker<'a> {
    line: &'a Line,
    request: &'a Request,
    resolved: BTreeMap<&'a str, &'a ResolvedPath>,
    detours: &'a Detours,
    work: &'a Work,
}

impl<'a> Maker<'a> {
    fn new(line: &'a Line, request: &'a Request, detours: &'a Detours, work: &'a Work) -> Self {
        // Of two with one name the first counts, as in `Request::resolution`.
        let resolved = request.resolved.iter().rev();
        Self {
            line,
            request,
            resolved: resolved.map(|one| (one.lexical.as_str(), one)).collect(),
            detours,
            work,
        }
    }

    fn parts(&self) -> Result<Vec<Part>, Unreadable> {
        let mut parts = Vec::new();
        for (index, command) in self.line.commands.iter().enumerate() {
            if !command.words.is_empty() || !command.assigns.is_empty() {
                parts.push(Part {
                    what: What::Command(Box::new(self.command(index, command)?)),
                    required: command.required,
                    stretch: command.stretch,
                });
            }
            let before = parts.len();
            self.files_of(command, &mut parts)?;
            let files = parts.iter_mut().skip(before);
            files.for_each(|file| file.stretch = command.stretch);
        }
        if !parts.iter().any(|part| part.required) {
            parts.push(Part::call());
        }
        let words = self.line.source.split_whitespace();
        let collapsed = words.collect::<Vec<_>>().join(" ");
        parts.push(Part {
            what: What::Line {
                text: Text::known(&collapsed),
                whole: self.whole()?,
            },
            required: false,
            stretch: 0,
        });
        Ok(parts)
    }

    fn whole(&self) -> Result<Vec<Text>, Unreadable> {
        self.afford(self.line.source.len())?;
        let texts = bash::whole::texts(self.line);
        Ok(texts.iter().map(|text| Text::known(text)).collect())
    }

    fn command(&self, index: usize, command: &Command) -> Result<CommandPart, Unreadable> {
        let mut part = CommandPart {
            index,
            deny: command.deny_texts(self.work)?,
            opaque: command.opaque.is_some(),
            allow: Vec::new(),
            doubtful: command.distrust().is_some() || strip::never_by_pattern(command).is_some(),
            background: command.background,
            only_exact: strip::only_exact(command).is_some(),
            leaves: false,
            changes: false,
            removes: protected::removes_too_much(command, self.request),
        };
        for text in strip::allow_texts(command) {
            self.afford(text.len())?;
            part.allow.push(AllowText::new(text));
        }
        for file in access::checked(command) {
            part.changes |= file.access == Access::Write;
            part.leaves |= bash::climbs(&file.path);
            for form in self.absolute_forms(&file.path)? {
                part.leaves |= form.known().is_none_or(|path| !self.is_inside(path));
            }
        }
        Ok(part)
    }

    /// Whether a path and what it links to are below the working directory.
    fn is_inside(&self, path: &str) -> bool {
        let resolved = self.resolved.get(path);
        let target = resolved.and_then(|found| found.target.as_deref());
        let inside = |path: &str| paths::is_within(path, &self.request.cwd);
        inside(path) && target.is_none_or(inside)
    }

    fn files_of(&self, command: &Command, parts: &mut Vec<Part>) -> Result<(), Unreadable> {
        let line = self.line;
        for redirect in &command.redirects {
            let path = &redirect.file.path;
            if is_free(path) {
                continue;
            }
            // A path that an expansion or `..` could change is not what an allow was written for.
            let plain = known_text(path).is_some()
                && !redirect.file.raw.contains("..")
                && line.directories.len() == 1
                && !line.unknown_directory
                && !redirect.file.raw.starts_with('~');
            let required = command.required;
            parts.push(self.file(redirect.access, path, plain, required)?);
        }
        for file in access::tee_files(command) {
            let plain = known_text(&file.path).is_some() && line.directories.len() == 1;
            parts.push(self.file(file.access, &file.path, plain, command.required)?);
        }
        for file in access::accesses(command, self.work)? {
            parts.push(self.file(file.access, &file.path, false, false)?);
        }
        Ok(())
    }

    fn file(
        &self,
        access: Access,
        path: &[Sym],
        plain: bool,
        required: bool,
    ) -> Result<Part, Unreadable> {
        let forms = self.absolute_forms(path)?.into_iter();
        let what = What::File {
            access,
            forms: forms.map(|form| self.form(form, access)).collect(),
            named: readable(path),
            plain,
        };
        let stretch = 0;
        Ok(Part {
            what,
            required,
            stretch,
        })
    }

    fn form(&self, path: Absolute, access: Access) -> Form {
        let writes = access == Access::Write;
        // What is written inside must not land outside by way of a link.
        let leads_out =
            |path: &str| paths::is_within(path, &self.request.cwd) && !self.is_inside(path);
        let leads_out = path.known().is_some_and(leads_out);
        Form {
            protected: writes && (leads_out || protected::is_protected(&path, &self.request.cwd)),
            target: match &path {
                Absolute::Known(text) => {
                    let resolved = self.resolved.get(text.as_str()).copied();
                    Target::Known(KnownPath::new(text, resolved, self.detours))
                }
                Absolute::Open(open) => Target::Open {
                    lower: Text::new(lower(open)),
                    below: path
                        .directory()
                        .map(|directory| Box::new(self.below(&directory))),
                },
            },
            path,
        }
    }

    /// A file below a directory, of a name that only a wildcard covers.
    fn below(&self, directory: &str) -> KnownPath {
        let named = |directory: &str| format!("{}/{ANY_NAME}", directory.trim_end_matches('/'));
        let path = named(directory);
        let resolved = self
            .resolved
            .get(directory)
            .map(|of_directory| ResolvedPath {
                given: path.clone(),
                lexical: path.clone(),
                target: of_directory.target.as_deref().map(named),
            });
        KnownPath::new(&path, resolved.as_ref(), self.detours)
    }

    fn absolute_forms(&self, path: &[Sym]) -> Result<Vec<Absolute>, Unreadable> {
        let bases = self.line.directories.iter().map(String::len);
        // Each form is looked at again and again: as text, in lower case, by segments.
        let names = 1 + self.detours.len();
        let sizes = bases.map(|base| base + path.len());
        self.afford(FORM_STEPS * names * sizes.sum::<usize>())?;
        Ok(self.line.absolute_forms(path, &self.request.home))
    }

    fn afford(&self, steps: usize) -> Result<(), Unreadable> {
        match self.work.spend(steps) {
            true => Ok(()),
            false => Err(Unreadable::TooMuch),
        }
    }
}

/// The name of a file of which nothing is known: no rule is written for it.
const ANY_NAME: char = '\u{1}';

/// Steps for each character of an absolute form.
const FORM_STEPS: usize = 8;

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

/// `/dev/null` swallows anything.
fn is_free(path: &[Sym]) -> bool {
    known_text(path).as_deref() == Some("/dev/null")
}

fn readable(path: &[Sym]) -> String {
    path.iter()
        .map(|sym| match sym {
            Sym::Char(c) => *c,
            Sym::One => '?',
            Sym::Any | Sym::Segment { .. } => '*',
        })
        .collect()
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
