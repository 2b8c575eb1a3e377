//! What stands beside the command word: assignments, redirections, here-documents.
//!
//! Owns the second half of the walk; [`super::walk`] owns the first.
//! Source: Claude Code findings 2.2 and 2.3.

use super::command::{Access, Assign, Command, Redirect, Stdin};
use super::guard::Unreadable;
use super::scan::{self, Word};
use super::walk::{Around, MAX_SCRIPT_DEPTH, Walker, empty};
use brush_parser::ast;

impl Walker<'_> {
    pub(super) fn item(
        &mut self,
        item: &ast::CommandPrefixOrSuffixItem,
        command: &mut Command,
        around: Around,
    ) -> Result<(), Unreadable> {
        use ast::CommandPrefixOrSuffixItem as I;
        match item {
            I::Word(word) => command.words.push(self.word(&word.value, around)?),
            I::IoRedirect(redirect) => self.redirect(redirect, command, around)?,
            I::ProcessSubstitution(_, shell) => {
                self.substituted(shell, around)?;
                let mut word = Word::unknown("<(…)");
                word.blocker = Some("a command used as a file");
                command.words.push(word);
            }
            I::AssignmentWord(assignment, word) => {
                let (name, whole) = self.assignment(assignment, word, around)?;
                if command.words.is_empty() {
                    command.assigns.push(Assign { name, whole });
                } else {
                    command.words.push(whole);
                }
            }
        }
        Ok(())
    }

    fn assignment(
        &mut self,
        assignment: &ast::Assignment,
        word: &ast::Word,
        around: Around,
    ) -> Result<(String, Word), Unreadable> {
        let name = match &assignment.name {
            ast::AssignmentName::VariableName(name) => name.clone(),
            ast::AssignmentName::ArrayElementName(name, index) => {
                self.word(index, around)?;
                name.clone()
            }
        };
        let whole = match &assignment.value {
            ast::AssignmentValue::Scalar(_) if !word.value.contains('[') => {
                self.word(&word.value, around)?
            }
            ast::AssignmentValue::Scalar(value) => {
                self.word(&value.value, around)?;
                Word::unknown(&word.value)
            }
            ast::AssignmentValue::Array(elements) => {
                for (index, element) in elements {
                    if let Some(index) = index {
                        self.word(&index.value, around)?;
                    }
                    self.word(&element.value, around)?;
                }
                self.variables.assign(&name, None, false);
                Word::unknown(&word.value)
            }
        };
        Ok((name, whole))
    }

    fn substituted(
        &mut self,
        shell: &ast::SubshellCommand,
        around: Around,
    ) -> Result<(), Unreadable> {
        let inside = Around {
            required: false,
            piped: false,
            depth: around.depth + 1,
            ..around.blocked("a command used as a file")
        };
        if inside.depth > MAX_SCRIPT_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        self.list(&shell.list, inside)
    }

    fn redirect(
        &mut self,
        redirect: &ast::IoRedirect,
        command: &mut Command,
        around: Around,
    ) -> Result<(), Unreadable> {
        use ast::IoFileRedirectKind as K;
        use ast::IoFileRedirectTarget as T;
        note_as_written(redirect, command);
        match redirect {
            ast::IoRedirect::File(_, kind, target) => {
                let accesses: &[Access] = match kind {
                    K::Read | K::DuplicateInput => &[Access::Read],
                    K::Write | K::Append | K::Clobber | K::DuplicateOutput => &[Access::Write],
                    K::ReadAndWrite => &[Access::Read, Access::Write],
                };
                if accesses.contains(&Access::Read) {
                    command.stdin = Stdin::Unknown;
                }
                match target {
                    T::Fd(_) => {}
                    T::ProcessSubstitution(_, shell) => {
                        self.substituted(shell, around)?;
                        command.blocker.get_or_insert("a command used as a file");
                    }
                    T::Duplicate(word) if is_descriptor(&word.value) => {}
                    T::Filename(word) | T::Duplicate(word) => {
                        let file = self.word(&word.value, around)?;
                        let touch = |access| Redirect {
                            access,
                            file: file.clone(),
                        };
                        command
                            .redirects
                            .extend(accesses.iter().copied().map(touch));
                    }
                }
            }
            ast::IoRedirect::OutputAndError(word, _) => {
                let file = self.word(&word.value, around)?;
                command.redirects.push(Redirect {
                    access: Access::Write,
                    file,
                });
            }
            ast::IoRedirect::HereString(_, word) => {
                let text = self.word(&word.value, around)?;
                if let Some(why) = text.blocker {
                    command.blocker.get_or_insert(why);
                }
                command.stdin = Stdin::Text(text);
            }
            ast::IoRedirect::HereDocument(_, document) => {
                let text = if document.requires_expansion {
                    command.blocker.get_or_insert("an expanding here-document");
                    let text = scan::heredoc(&document.doc.value, &self.variables, self.work)?;
                    self.nested(&text.scripts, around)?;
                    text
                } else {
                    Word::known(&document.doc.value)
                };
                command.stdin = Stdin::Text(text);
            }
        }
        Ok(())
    }

    /// Redirections of a whole compound command.
    pub(super) fn outer_redirects(
        &mut self,
        redirects: Option<&ast::RedirectList>,
        around: Around,
    ) -> Result<(), Unreadable> {
        let Some(redirects) = redirects.filter(|list| !list.0.is_empty()) else {
            return Ok(());
        };
        let mut command = empty(around);
        for redirect in &redirects.0 {
            self.redirect(redirect, &mut command, around)?;
        }
        self.finish(command, around)
    }
}

/// Keeps a redirection's text for deny patterns; the text of a here-document is no part of the line.
fn note_as_written(redirect: &ast::IoRedirect, command: &mut Command) {
    if !matches!(redirect, ast::IoRedirect::HereDocument(..)) {
        let text = redirect.to_string();
        let words: Vec<&str> = text.split_whitespace().collect();
        command.redirections.push(words.join(" "));
    }
}

/// `2>&1`, `>&-`: no file is meant.
fn is_descriptor(text: &str) -> bool {
    let number = text.trim_end_matches('-');
    !text.is_empty() && number.chars().all(|c| c.is_ascii_digit())
}
