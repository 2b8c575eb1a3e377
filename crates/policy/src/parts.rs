//! Taking a call apart into what is decided one by one.
//!
//! Owns the list of parts: simple commands, redirections, named files, or the call itself.
//! Source: architecture section 4, item 1.

use crate::bash::{self, Access, Command, Line, Unreadable, access};
use crate::glob::{Sym, known_text, syms};
use crate::request::Request;

/// One part of a call.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What it is.
    pub what: What,
    /// Whether it needs an allow of its own, or only must not be denied.
    pub required: bool,
}

/// What a part is.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The call as a whole.
    Call,
    /// A simple command: its position on the line and the texts a deny looks at.
    Command {
        /// Index into the line's commands.
        index: usize,
        /// Every text the command may run as.
        texts: Vec<Vec<Sym>>,
    },
    /// A file a command touches: every absolute form of its path.
    File {
        /// How it is touched.
        access: Access,
        /// The forms; more than one where the directory may change.
        forms: Vec<Vec<Sym>>,
        /// As named.
        named: String,
        /// Whether an allow may trust the name.
        plain: bool,
    },
    /// The whole line, for patterns that hold operators.
    Line(Vec<Sym>),
    /// A line that could not be read.
    Unreadable(Unreadable),
}

/// A call taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// The line, where the call is a shell command that could be read.
    pub line: Option<Line>,
    /// The parts; never empty.
    pub parts: Vec<Part>,
}

/// Takes a call apart.
pub(crate) fn of(request: &Request) -> Parts {
    let is_shell = matches!(request.tool.as_str(), "Bash" | "Monitor");
    let listens = request.tool == "Monitor" && request.input.get("command").is_none();
    if !is_shell || listens {
        return Parts {
            line: None,
            parts: vec![Part {
                what: What::Call,
                required: true,
            }],
        };
    }
    let line = request
        .command()
        .ok_or(Unreadable::NoCommand)
        .and_then(|command| bash::read(command, &request.cwd, &request.home));
    match line {
        Ok(line) => of_line(line, request),
        Err(why) => {
            let part = Part {
                what: What::Unreadable(why),
                required: true,
            };
            Parts {
                line: None,
                parts: vec![part],
            }
        }
    }
}

fn of_line(line: Line, request: &Request) -> Parts {
    let mut parts = Vec::new();
    for (index, command) in line.commands.iter().enumerate() {
        if !command.words.is_empty() || !command.assigns.is_empty() {
            let what = What::Command {
                index,
                texts: command.deny_texts(),
            };
            parts.push(Part {
                what,
                required: command.required,
            });
        }
        files_of(command, &line, request, &mut parts);
    }
    if !parts.iter().any(|part| part.required) {
        parts.push(Part {
            what: What::Call,
            required: true,
        });
    }
    let collapsed = line.source.split_whitespace().collect::<Vec<_>>().join(" ");
    parts.push(Part {
        what: What::Line(syms(&collapsed)),
        required: false,
    });
    Parts {
        line: Some(line),
        parts,
    }
}

fn files_of(command: &Command, line: &Line, request: &Request, parts: &mut Vec<Part>) {
    let mut push = |access, path: &[Sym], plain: bool, required: bool| {
        let forms = line.absolute_forms(path, &request.home);
        let named = readable(path);
        parts.push(Part {
            what: What::File {
                access,
                forms,
                named,
                plain,
            },
            required,
        });
    };
    for redirect in &command.redirects {
        if is_free(&redirect.file.path) {
            continue;
        }
        // A path that an expansion or `..` could change is not what an allow was written for.
        let plain = known_text(&redirect.file.path).is_some()
            && !redirect.file.raw.contains("..")
            && line.directories.len() == 1
            && !line.unknown_directory
            && !redirect.file.raw.starts_with('~');
        push(
            redirect.access,
            &redirect.file.path,
            plain,
            command.required,
        );
    }
    for file in access::tee_files(command) {
        let plain = known_text(&file.path).is_some() && line.directories.len() == 1;
        push(file.access, &file.path, plain, command.required);
    }
    for file in access::accesses(command) {
        push(file.access, &file.path, false, false);
    }
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

impl Part {
    /// The part in words, for the decision record.
    pub(crate) fn label(&self, parts: &Parts, request: &Request) -> String {
        match &self.what {
            What::Call => request.tool.clone(),
            What::Command { index, .. } => parts
                .line
                .as_ref()
                .and_then(|line| line.commands.get(*index))
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
            What::Line(_) => bash::command::shorten(request.command().unwrap_or_default()),
            What::Unreadable(why) => why.to_string(),
        }
    }
}
