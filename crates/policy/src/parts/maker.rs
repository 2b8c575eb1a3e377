//! From a line that was read to the parts that are decided.
//!
//! Owns which files of a command are parts of their own, and the forms in which each is compared.
//! Source: architecture section 4, item 1.

use super::{CommandPart, Form, Part, Target, What};
use crate::bash::{self, Absolute, Access, Command, Line, Unreadable, access, strip};
use crate::command_pattern::AllowText;
use crate::glob::{Sym, Text, known_text, lower};
use crate::paths::{self, Detours, KnownPath};
use crate::protected;
use crate::request::{Request, ResolvedPath};
use crate::work::Work;
use std::collections::BTreeMap;

/// Takes a line apart.
pub(super) struct Maker<'a> {
    line: &'a Line,
    request: &'a Request,
    resolved: BTreeMap<&'a str, &'a ResolvedPath>,
    detours: &'a Detours,
    work: &'a Work,
}

impl<'a> Maker<'a> {
    pub(super) fn new(
        line: &'a Line,
        request: &'a Request,
        detours: &'a Detours,
        work: &'a Work,
    ) -> Self {
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

    pub(super) fn parts(&self) -> Result<Vec<Part>, Unreadable> {
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
