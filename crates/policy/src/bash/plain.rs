//! Lines that need no grammar: plain words, joined by `&&`, `||`, `;` and `|`.
//!
//! Owns reading what most calls are without the whole parser, which takes longer for such a line than
//! everything else that is decided about it. It gives the very tree that the parser gives, or nothing:
//! whatever is not certainly plain is the parser's.
//! Source: bash(1) "SHELL GRAMMAR"; the tokens of `brush-parser` 0.4.

use brush_parser::ast;

/// Words that may be more than words, wherever they stand.
const RESERVED: &[&str] = &[
    "!", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if",
    "in", "select", "then", "time", "until", "while",
];

/// Characters of an unquoted word that are nothing but themselves to the parser; wildcards and the
/// tilde are expanded later.
fn is_plain(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"_-./:,@%+=^~*?".contains(&c)
}

/// The tree of a line, where it is plain.
pub(super) fn parse(text: &str) -> Option<ast::Program> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
    };
    let mut items = Vec::new();
    loop {
        let (first, mut joint) = reader.pipeline()?;
        let mut list = ast::AndOrList {
            first,
            additional: Vec::new(),
        };
        while let Some(Joint::And | Joint::Or) = joint {
            let (next, behind) = reader.pipeline()?;
            list.additional.push(match joint {
                Some(Joint::And) => ast::AndOr::And(next),
                _ => ast::AndOr::Or(next),
            });
            joint = behind;
        }
        items.push(ast::CompoundListItem(
            list,
            ast::SeparatorOperator::Sequence,
        ));
        if joint.is_none() {
            return Some(ast::Program {
                complete_commands: vec![ast::CompoundList(items)],
            });
        }
    }
}

/// What stands between two commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    And,
    Or,
    Then,
    Pipe,
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Commands up to a joint other than a pipe, and that joint; `None` within where the line ends.
    fn pipeline(&mut self) -> Option<(ast::Pipeline, Option<Joint>)> {
        let mut seq = Vec::new();
        loop {
            let (command, joint) = self.command()?;
            seq.push(ast::Command::Simple(command));
            if joint != Some(Joint::Pipe) {
                let pipeline = ast::Pipeline {
                    timed: None,
                    bang: false,
                    seq,
                };
                return Some((pipeline, joint));
            }
        }
    }

    fn command(&mut self) -> Option<(ast::SimpleCommand, Option<Joint>)> {
        self.blanks();
        let name = ast::Word::new(self.word()?);
        let mut arguments = Vec::new();
        let joint = loop {
            self.blanks();
            if self.at >= self.bytes.len() {
                break None;
            }
            if let Some(joint) = self.joint() {
                break Some(joint);
            }
            arguments.push(match self.errors_to_output() {
                Some(redirect) => ast::CommandPrefixOrSuffixItem::IoRedirect(redirect),
                None => ast::CommandPrefixOrSuffixItem::Word(ast::Word::new(self.word()?)),
            });
        };
        let command = ast::SimpleCommand {
            prefix: None,
            word_or_name: Some(name),
            suffix: (!arguments.is_empty()).then_some(ast::CommandSuffix(arguments)),
        };
        Some((command, joint))
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(0), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn joint(&mut self) -> Option<Joint> {
        let (joint, length) = match (self.peek(0)?, self.peek(1)) {
            (b'&', Some(b'&')) => (Joint::And, 2),
            (b'|', Some(b'|')) => (Joint::Or, 2),
            (b'|', _) => (Joint::Pipe, 1),
            (b';', _) => (Joint::Then, 1),
            _ => return None,
        };
        self.at += length;
        Some(joint)
    }

    /// `2>&1`, which stands on many lines.
    fn errors_to_output(&mut self) -> Option<ast::IoRedirect> {
        let rest = self.bytes.get(self.at..)?.strip_prefix(b"2>&1")?;
        if !matches!(rest.first(), None | Some(b' ' | b'\t' | b'|' | b';' | b'&')) {
            return None;
        }
        self.at = self.bytes.len() - rest.len();
        let output = ast::IoFileRedirectTarget::Duplicate(ast::Word::new("1"));
        let kind = ast::IoFileRedirectKind::DuplicateOutput;
        Some(ast::IoRedirect::File(Some(2), kind, output))
    }

    /// A word that is no reserved word and no assignment, as it is written.
    fn word(&mut self) -> Option<&'a str> {
        let start = self.at;
        while let Some(c) = self.peek(0) {
            match c {
                b'\'' => self.single()?,
                b'"' => self.double()?,
                b'$' => self.variable()?,
                c if is_plain(c) => self.at += 1,
                b' ' | b'\t' | b'&' | b'|' | b';' => break,
                _ => return None,
            }
        }
        let word = self
            .text
            .get(start..self.at)
            .filter(|word| !word.is_empty())?;
        (!RESERVED.contains(&word) && !is_assignment(word)).then_some(word)
    }

    fn single(&mut self) -> Option<()> {
        self.at += 1;
        while self.peek(0)? != b'\'' {
            self.inside()?;
        }
        self.at += 1;
        Some(())
    }

    fn double(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek(0)? {
                b'"' => break,
                b'\\' | b'`' => return None,
                b'$' => self.variable()?,
                _ => self.inside()?,
            }
        }
        self.at += 1;
        Some(())
    }

    /// A character that quotes make plain.
    fn inside(&mut self) -> Option<()> {
        let c = self.peek(0)?;
        self.at += 1;
        matches!(c, b' '..=b'~').then_some(())
    }

    /// `$NAME` or `$1`; whatever else a dollar sign begins is not plain.
    fn variable(&mut self) -> Option<()> {
        self.at += 1;
        let c = self.peek(0)?;
        (c.is_ascii_alphanumeric() || c == b'_').then_some(())
    }
}

/// Whether a word is, or begins like, an assignment.
fn is_assignment(word: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let rest = word.trim_start_matches(is_name);
    rest.len() < word.len() && (rest.starts_with('=') || rest.starts_with("+="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bash::guard;
    use crate::work::Work;
    use proptest::prelude::*;

    /// The tree without the places of its words, which is all that the two readings differ in.
    fn placeless(mut program: ast::Program) -> String {
        for list in &mut program.complete_commands {
            for ast::CompoundListItem(and_or, _) in &mut list.0 {
                placeless_in(&mut and_or.first);
                for link in &mut and_or.additional {
                    let (ast::AndOr::And(pipeline) | ast::AndOr::Or(pipeline)) = link;
                    placeless_in(pipeline);
                }
            }
        }
        format!("{program:?}")
    }

    fn placeless_in(pipeline: &mut ast::Pipeline) {
        use ast::CommandPrefixOrSuffixItem as Item;
        for command in &mut pipeline.seq {
            let ast::Command::Simple(simple) = command else {
                continue;
            };
            simple
                .word_or_name
                .iter_mut()
                .for_each(|word| word.loc = None);
            for item in simple.suffix.iter_mut().flat_map(|suffix| &mut suffix.0) {
                match item {
                    Item::Word(word)
                    | Item::IoRedirect(ast::IoRedirect::File(
                        _,
                        _,
                        ast::IoFileRedirectTarget::Duplicate(word),
                    )) => word.loc = None,
                    _ => {}
                }
            }
        }
    }

    fn by_the_parser(text: &str) -> Option<String> {
        let program = guard::parse_all(text, &Work::unbounded()).ok()?;
        Some(placeless(program))
    }

    #[test]
    fn what_most_calls_are_is_plain() {
        for line in [
            "git status",
            "ls -la src",
            "npm run build && npm test",
            "cargo test --workspace 2>&1 | tail -20",
            "grep -rn 'fn main' crates",
            "git diff HEAD~1 -- src/lib.rs; echo \"done: $STATUS\"",
            "  cd web\t&& ls *.ts || true ",
            "git commit -m \"it's (a) {b} <c> #d; & e\"",
            "echo --flag=x 2>&1|cat",
        ] {
            let found = parse(line).map(placeless);
            assert!(found.is_some(), "{line}");
            assert_eq!(found, by_the_parser(line), "{line}");
        }
    }

    #[test]
    fn what_may_be_more_is_left_to_the_parser() {
        for line in [
            "",
            " ",
            "a;",
            "a &",
            "a & b",
            "a |& b",
            "a;; b",
            "a && ",
            "| a",
            "A=1 b",
            "a b=c",
            "b+=c",
            "a > b",
            "a 2> b",
            "2>&1 a",
            "a 12>&1",
            "if a",
            "time a",
            "! a",
            "a # b",
            "a\\ b",
            "a\nb",
            "$(a)",
            "a ${b}",
            "a `b`",
            "a \"`b`\"",
            "a $'b'",
            "a $\"b\"",
            "a \"$(b)\"",
            "a 'b",
            "a \"b",
            "{ a",
            "a {b,c}",
            "[ a ]",
            "[[ a ]]",
            "a[0]",
            "a(b)",
            "é",
            "a 'é'",
            "a $",
            "a 2>&1x",
            "a 2>&12",
        ] {
            assert!(parse(line).is_none(), "{line}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 4_000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_plain_line_is_what_the_parser_reads(pieces in prop::collection::vec(
            prop::sample::select(vec![
                "a", "git", "-x", "--y=z", "1", "2", "2>&1", "=", "+", "~", "*", "?", "@", "!", "%", "^",
                "$X", "$1", "$", "'", "\"", "'a b'", "\"a $X\"", "''", "\"\"", " ", " ", " ", "\t", "&&",
                "||", "|", ";", "&", " && ", " | ", "; ", "time", "in", "do", "if", "-p", ".", "/", ":",
                ",", "_", "#", "(", ")", "{", "}", "[", "]", "<", ">", "\\", "`", "\n", "A=", "é",
            ]),
            1..12,
        )) {
            let line = pieces.concat();
            if let Some(plain) = parse(&line) {
                prop_assert_eq!(Some(placeless(plain)), by_the_parser(&line), "{}", line);
            }
        }
    }
}
