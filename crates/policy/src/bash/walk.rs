//! From the syntax tree to the list of simple commands.
//!
//! Owns the walk over every construct of the grammar, so that nothing that runs is left out:
//! substitutions, function bodies, loops, scripts inside launchers' arguments.
//! Source: architecture section 4, item 1; Claude Code findings 2.2, 2.3 and 5.3.

use super::command::{Command, Stdin};
use super::guard::{self, Unreadable};
use super::scan::{self, Word};
use super::vars::{self, Variables, hidden_assignment};
use crate::glob::known_text;
use crate::paths;
use crate::work::Work;
use brush_parser::ast;

/// Most simple commands in one line, nested ones included: the fail-closed end of expansion.
const MAX_COMMANDS: usize = 400;

/// Deepest nesting of scripts inside scripts.
pub(super) const MAX_SCRIPT_DEPTH: usize = 12;

/// Most directories a line can change to before its relative paths count as unknown.
const MAX_DIRECTORIES: usize = 16;

/// Steps of each byte of a directory that a line changes to, from each that it may be in.
const DIRECTORY_STEPS: usize = 2;

/// What surrounds a command.
#[derive(Clone, Copy)]
pub(super) struct Around {
    pub blocker: Option<&'static str>,
    /// Whether the line goes on without waiting for it.
    pub background: bool,
    /// Whether it is a list of the line itself, and not of what is inside a compound command or a script.
    pub outermost: bool,
    pub required: bool,
    pub piped: bool,
    pub depth: usize,
    /// Whether what is assigned here holds for all that follows on the line.
    pub sure: bool,
    /// Whether nothing of the line follows the list that this belongs to.
    pub alone: bool,
}

impl Around {
    pub(super) fn blocked(self, why: &'static str) -> Self {
        Self {
            blocker: self.blocker.or(Some(why)),
            sure: false,
            ..self
        }
    }
}

/// Collects the simple commands of a line.
pub(super) struct Walker<'a> {
    /// What was found, in order of appearance.
    pub commands: Vec<Command>,
    /// The working directory and every directory the line may change to.
    pub directories: Vec<String>,
    /// Whether it may change to a directory that is not known.
    pub unknown_directory: bool,
    /// Variables whose value is known at this point.
    pub variables: Variables,
    /// How many pipes of the line itself were passed.
    stretch: usize,
    /// The stretches between them that have a `&`.
    pub deferred: Vec<usize>,
    /// What reading may cost.
    pub work: &'a Work,
    /// Set by an assignment that changes how all later words are read.
    distrust: Option<&'static str>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(cwd: &str, variables: Variables, work: &'a Work) -> Self {
        Self {
            commands: Vec::new(),
            directories: vec![cwd.to_owned()],
            unknown_directory: false,
            variables,
            stretch: 0,
            deferred: Vec::new(),
            work,
            distrust: None,
        }
    }

    /// Walks the line itself.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Unreadable> {
        let around = Around {
            blocker: None,
            background: false,
            outermost: true,
            required: true,
            piped: false,
            depth: 0,
            sure: true,
            alone: true,
        };
        self.script(text, around)?;
        if joins_words(text) {
            self.distrust
                .get_or_insert("a line continuation inside a word");
        }
        if let Some(why) = self.distrust {
            for command in &mut self.commands {
                command.blocker.get_or_insert(why);
            }
        }
        Ok(())
    }

    fn script(&mut self, text: &str, around: Around) -> Result<(), Unreadable> {
        if around.depth > MAX_SCRIPT_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let program = guard::parse(text, self.work)?;
        if hidden_assignment(text) {
            self.variables.doubt();
        }
        let around = Around {
            alone: program.complete_commands.len() == 1,
            ..around
        };
        for list in &program.complete_commands {
            self.list(list, around)?;
        }
        Ok(())
    }

    pub(super) fn nested(&mut self, scripts: &[String], around: Around) -> Result<(), Unreadable> {
        let inside = Around {
            required: false,
            piped: false,
            outermost: false,
            depth: around.depth + 1,
            ..around.blocked("a nested command")
        };
        scripts
            .iter()
            .try_for_each(|script| self.script(script, inside))
    }

    pub(super) fn list(
        &mut self,
        list: &ast::CompoundList,
        around: Around,
    ) -> Result<(), Unreadable> {
        for (position, ast::CompoundListItem(and_or, separator)) in list.0.iter().enumerate() {
            let around = match separator {
                ast::SeparatorOperator::Async => Around {
                    background: true,
                    sure: false,
                    ..around
                },
                ast::SeparatorOperator::Sequence => around,
            };
            // What stands behind `&&` may not run; then nothing behind that does either, in a chain
            // that the line ends with.
            let is_last = around.alone && position + 1 == list.0.len();
            let chain = |link: &ast::AndOr| matches!(link, ast::AndOr::And(_));
            let holds = is_last && and_or.additional.iter().all(chain);
            for (link, (_, pipeline)) in and_or.iter().enumerate() {
                let sure = around.sure && (link == 0 || holds);
                self.pipeline(pipeline, Around { sure, ..around })?;
            }
            if around.background && around.outermost && !self.deferred.contains(&self.stretch) {
                self.deferred.push(self.stretch);
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &ast::Pipeline, around: Around) -> Result<(), Unreadable> {
        let around = match &pipeline.timed {
            Some(timed) if timed.is_posix_output() => around.blocked("time with options"),
            _ => around,
        };
        for (position, command) in pipeline.seq.iter().enumerate() {
            self.stretch += usize::from(position > 0 && around.outermost);
            self.command(
                command,
                Around {
                    piped: around.piped || position > 0,
                    sure: around.sure && pipeline.seq.len() == 1,
                    ..around
                },
            )?;
        }
        Ok(())
    }

    fn command(&mut self, command: &ast::Command, around: Around) -> Result<(), Unreadable> {
        match command {
            ast::Command::Simple(simple) => self.simple(simple, around),
            ast::Command::Compound(compound, redirects) => {
                self.compound(compound, around)?;
                self.outer_redirects(redirects.as_ref(), around)
            }
            ast::Command::Function(function) => {
                let around = around.blocked("a function definition");
                self.compound(&function.body.0, around)?;
                self.outer_redirects(function.body.1.as_ref(), around)
            }
            ast::Command::ExtendedTest(test, redirects) => {
                self.test(&test.expr, around)?;
                self.outer_redirects(redirects.as_ref(), around)
            }
        }
    }

    fn compound(
        &mut self,
        compound: &ast::CompoundCommand,
        around: Around,
    ) -> Result<(), Unreadable> {
        use ast::CompoundCommand as C;
        let around = Around {
            sure: false,
            outermost: false,
            ..around
        };
        match compound {
            C::BraceGroup(group) => self.list(&group.list, around.blocked("a group in braces")),
            C::Subshell(shell) => self.list(&shell.list, around.blocked("a subshell")),
            C::ForClause(clause) => {
                for value in clause.values.iter().flatten() {
                    self.word(&value.value, around)?;
                }
                self.variables.assign(&clause.variable_name, None, false);
                self.list(&clause.body.list, around)
            }
            C::CaseClause(clause) => {
                let around = around.blocked("a case statement");
                self.word(&clause.value.value, around)?;
                for case in &clause.cases {
                    for pattern in &case.patterns {
                        self.pattern(&pattern.value, around)?;
                    }
                    if let Some(list) = &case.cmd {
                        self.list(list, around)?;
                    }
                }
                Ok(())
            }
            C::IfClause(clause) => {
                self.list(&clause.condition, around)?;
                self.list(&clause.then, around)?;
                for branch in clause.elses.iter().flatten() {
                    if let Some(condition) = &branch.condition {
                        self.list(condition, around)?;
                    }
                    self.list(&branch.body, around)?;
                }
                Ok(())
            }
            C::WhileClause(clause) | C::UntilClause(clause) => {
                self.list(&clause.0, around)?;
                self.list(&clause.1.list, around)
            }
            C::Coprocess(process) => {
                self.variables.doubt();
                self.command(&process.body, around.blocked("a coprocess"))
            }
            C::Arithmetic(expression) => self.arithmetic(&expression.expr.value),
            C::ArithmeticForClause(clause) => {
                let parts = [&clause.initializer, &clause.condition, &clause.updater];
                for part in parts.into_iter().flatten() {
                    self.arithmetic(&part.value)?;
                }
                self.list(&clause.body.list, around.blocked("an arithmetic loop"))
            }
        }
    }

    /// Arithmetic outside words: it runs code only through substitutions and array indices.
    fn arithmetic(&self, text: &str) -> Result<(), Unreadable> {
        if text.contains(['$', '`', '[']) {
            return Err(Unreadable::Construct("a nested command in arithmetic"));
        }
        Ok(())
    }

    fn test(&mut self, test: &ast::ExtendedTestExpr, around: Around) -> Result<(), Unreadable> {
        use ast::ExtendedTestExpr as T;
        match test {
            T::And(left, right) | T::Or(left, right) => {
                self.test(left, around)?;
                self.test(right, around)
            }
            T::Not(inner) | T::Parenthesized(inner) => self.test(inner, around),
            T::UnaryTest(_, word) => self.pattern(&word.value, around),
            T::BinaryTest(_, left, right) => {
                self.pattern(&left.value, around)?;
                self.pattern(&right.value, around)
            }
        }
    }

    /// A word that may hold a pattern or a regular expression, in which brackets are plain text.
    fn pattern(&mut self, raw: &str, around: Around) -> Result<(), Unreadable> {
        if raw.contains(['$', '`']) {
            self.word(raw, around).map(drop)
        } else {
            Ok(())
        }
    }

    /// Takes a word apart and walks the scripts in it.
    pub(super) fn word(&mut self, raw: &str, around: Around) -> Result<Word, Unreadable> {
        let word = scan::word(raw, &self.variables, self.work)?;
        self.nested(&word.scripts, around)?;
        Ok(word)
    }

    fn simple(&mut self, simple: &ast::SimpleCommand, around: Around) -> Result<(), Unreadable> {
        let mut command = Command {
            stretch: self.stretch,
            ..empty(around)
        };
        for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
            self.item(item, &mut command, around)?;
        }
        if let Some(program) = &simple.word_or_name {
            command.words.push(self.word(&program.value, around)?);
        }
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            self.item(item, &mut command, around)?;
        }
        self.finish(command, around)
    }

    pub(super) fn finish(
        &mut self,
        mut command: Command,
        around: Around,
    ) -> Result<(), Unreadable> {
        if self.commands.len() >= MAX_COMMANDS {
            return Err(Unreadable::TooMany);
        }
        let scripts = command.look_through(self.work)?;
        self.note_assignments(&command, around);
        let changes = command
            .program()
            .is_some_and(|name| matches!(name, "cd" | "pushd"));
        let target = changes.then(|| directory_of(&command)).flatten();
        self.commands.push(command);
        self.nested(&scripts, around)?;
        match target {
            Some(Some(target))
                if self.directories.len() < MAX_DIRECTORIES
                    && (!target.starts_with('~') || self.variables.value("HOME").is_some()) =>
            {
                let home = self.variables.home();
                let from: Vec<String> = self.directories.clone();
                let each = from.iter().map(|one| one.len() + target.len());
                if !self.work.spend(DIRECTORY_STEPS * each.sum::<usize>()) {
                    return Err(Unreadable::TooMuch);
                }
                for directory in from {
                    let next = paths::absolute(&target, &directory, home);
                    if !self.directories.contains(&next) && self.directories.len() < MAX_DIRECTORIES
                    {
                        self.directories.push(next);
                    }
                }
            }
            Some(_) => self.unknown_directory = true,
            None => {}
        }
        Ok(())
    }

    /// Follows `X=1` and `export X=1`, and notices what changes the reading of later words.
    fn note_assignments(&mut self, command: &Command, around: Around) {
        if command.assigns.iter().any(|assign| assign.name == "IFS") {
            self.distrust = Some("an assignment to IFS");
        }
        // A redirection that fails keeps an assignment beside it from being made.
        let sure = around.sure && command.redirects.is_empty();
        let bare = command.words.is_empty().then_some(&command.assigns);
        for assign in bare.into_iter().flatten() {
            let skip = assign.name.chars().count() + 1;
            let value = assign.whole.tail(skip);
            let value = value.literal().map(str::to_owned);
            // Of `X+=1` only the end is known.
            let is_whole = assign.whole.raw.chars().nth(skip - 1) == Some('=');
            self.variables
                .assign(&assign.name, value.filter(|_| is_whole), sure);
        }
        if vars::alters(command) {
            self.variables.doubt();
        }
        let program = command.program().unwrap_or_default();
        let arguments = command.words.iter().skip(1);
        if vars::DECLARING.contains(&program) {
            for word in arguments {
                let text = word.literal();
                match text.and_then(|text| text.split_once('=')) {
                    Some((name, value)) if vars::is_name(name) => {
                        self.variables.assign(name, Some(value.to_owned()), sure);
                    }
                    _ => {
                        let name = word.raw.split('=').next().unwrap_or_default();
                        self.variables
                            .assign(name.trim_end_matches('+'), None, false);
                    }
                }
            }
        } else if ["read", "mapfile", "getopts", "printf"].contains(&program) {
            for name in arguments.filter_map(Word::literal) {
                self.variables.assign(name, None, false);
            }
        }
    }
}

/// A backslash before the end of a line that does not follow a blank joins two words.
fn joins_words(text: &str) -> bool {
    let mut before = text.split("\\\n").peekable();
    std::iter::from_fn(|| {
        let piece = before.next()?;
        before.peek().map(|_| piece)
    })
    .any(|piece| !piece.ends_with([' ', '\t']))
}

pub(super) fn empty(around: Around) -> Command {
    Command {
        words: Vec::new(),
        assigns: Vec::new(),
        redirects: Vec::new(),
        redirections: Vec::new(),
        stdin: if around.piped {
            Stdin::Unknown
        } else {
            Stdin::Inherited
        },
        blocker: around.blocker,
        background: around.background,
        stretch: 0,
        required: around.required,
        opaque: None,
        views: Vec::new(),
    }
}

/// The directory a `cd` goes to: outer `None` without a command, inner `None` where not known.
#[expect(
    clippy::option_option,
    reason = "no change and an unknown change are different answers"
)]
fn directory_of(command: &Command) -> Option<Option<String>> {
    let target = command
        .words
        .iter()
        .skip(1)
        .find(|word| !matches!(word.raw.as_str(), "-L" | "-P" | "-e" | "-@" | "--"));
    match target {
        None => Some(Some("~".to_owned())),
        Some(word) => Some(known_text(&word.path).filter(|path| path != "-")),
    }
}
