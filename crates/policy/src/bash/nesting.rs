//! What makes the parser go back or go deep, counted before it reads anything.
//!
//! Owns the shapes on which `brush-parser` takes time that doubles with each level, or a stack that grows
//! with each: parentheses that may be arithmetic, `case` statements, statements inside statements, and the
//! index of an array element, which is parsed by a grammar of its own wherever a word begins like one. It
//! counts too much where it cannot tell, never too little.
//! Source: Claude Code findings 5.2 and 5.3; the grammar of `brush-parser` 0.4.

use super::guard::Unreadable;
use crate::work::Work;
use brush_parser::Token;

/// Deepest statements inside statements: the parser recurses through a dozen functions for each.
const MAX_STATEMENTS: usize = 100;

/// Deepest brackets and quotes inside the index of an array element.
const MAX_INDEX_NESTING: usize = 24;

/// Steps of reading one token once more.
const TOKEN_STEPS: usize = 40;

/// Words that open a statement, where a command may stand.
const OPENING: &[&str] = &[
    "if", "while", "until", "for", "case", "select", "coproc", "function",
];

/// Words that close one.
const CLOSING: &[&str] = &["fi", "done", "esac"];

/// Words behind which a command may stand.
const BEFORE_A_COMMAND: &[&str] = &[
    "if", "while", "until", "then", "elif", "else", "do", "{", "!", "time", "-p", "coproc",
];

/// Refuses what is nested too deeply, and counts what the parser will read again.
///
/// Errors: [`Unreadable`]; nothing has been parsed then.
pub(super) fn afford(tokens: &[Token], work: &Work) -> Result<(), Unreadable> {
    let mut nesting = Nesting::default();
    for position in 0..tokens.len() {
        nesting.take(tokens, position)?;
    }
    // A parenthesis that nothing closes is no valid text, and the only kind that is read to the end.
    if nesting.parentheses > 0 {
        return Err(Unreadable::Syntax);
    }
    if nesting.has_case || nesting.deepest >= 2 {
        afford_again(tokens.len(), nesting.deepest, work)?;
    }
    let mut words = tokens.iter().filter_map(word);
    words.try_for_each(|word| afford_index(word, work))
}

/// Counts reading tokens twice for each level that they may be nested in.
fn afford_again(tokens: usize, levels: usize, work: &Work) -> Result<(), Unreadable> {
    let times = u32::try_from(levels).map_or(usize::MAX, |levels| 2_usize.saturating_pow(levels));
    let steps = tokens.saturating_mul(TOKEN_STEPS).saturating_mul(times);
    // Nothing of it is done where it is too much.
    match work.spend(steps.min(work.left().saturating_add(1))) {
        true => Ok(()),
        false => Err(Unreadable::TooMuch),
    }
}

/// A level that the parser may read twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Inside two of them it tries everything as arithmetic first, where one that it finds no end for is
    /// tried again as a token like any other.
    Parenthesis,
    /// The commands behind the last pattern are read as ones that `;;` follows, and then as ones that
    /// `esac` does.
    Case,
}

#[derive(Default)]
struct Nesting {
    levels: Vec<Level>,
    deepest: usize,
    has_case: bool,
    /// Parentheses that are open, by count alone.
    parentheses: usize,
    /// Statements that are open.
    statements: usize,
    /// Whether between `[[` and `]]`, where words are only words.
    in_test: bool,
}

impl Nesting {
    fn take(&mut self, tokens: &[Token], position: usize) -> Result<(), Unreadable> {
        match tokens.get(position) {
            Some(Token::Operator(operator, _)) => self.operator(operator),
            Some(Token::Word(text, _)) => self.word(text, tokens, position)?,
            None => {}
        }
        self.deepest = self.deepest.max(self.levels.len());
        Ok(())
    }

    fn operator(&mut self, operator: &str) {
        match operator {
            "(" => {
                self.parentheses += 1;
                self.levels.push(Level::Parenthesis);
            }
            ")" => {
                self.parentheses = self.parentheses.saturating_sub(1);
                // Behind a pattern it closes nothing.
                if self.levels.last() == Some(&Level::Parenthesis) {
                    self.levels.pop();
                }
            }
            _ => {}
        }
    }

    fn word(&mut self, text: &str, tokens: &[Token], position: usize) -> Result<(), Unreadable> {
        match text {
            "[[" => self.in_test = true,
            "]]" => self.in_test = false,
            "case" if is_case(tokens, position) => {
                self.has_case = true;
                self.levels.push(Level::Case);
            }
            "esac"
                if self.levels.last() == Some(&Level::Case)
                    && !self.in_test
                    && closes_case(tokens, position) =>
            {
                self.levels.pop();
            }
            _ => {}
        }
        if OPENING.contains(&text) && may_be_command(tokens, position) {
            self.statements += 1;
        } else if CLOSING.contains(&text) && may_be_command(tokens, position) && !self.in_test {
            self.statements = self.statements.saturating_sub(1);
        }
        match self.statements > MAX_STATEMENTS {
            true => Err(Unreadable::TooDeep),
            false => Ok(()),
        }
    }
}

fn word(token: &Token) -> Option<&str> {
    match token {
        Token::Word(text, _) => Some(text),
        Token::Operator(..) => None,
    }
}

/// `case WORD in`, with line ends before `in`.
fn is_case(tokens: &[Token], position: usize) -> bool {
    let is_line_end =
        |token: &&Token| matches!(token, Token::Operator(operator, _) if operator == "\n");
    let mut behind = tokens.iter().skip(position + 2).skip_while(is_line_end);
    behind.next().and_then(word) == Some("in")
}

/// An `esac` that is no pattern, no name and no argument.
fn closes_case(tokens: &[Token], position: usize) -> bool {
    let is_last = match tokens.get(position + 1) {
        None => true,
        Some(Token::Operator(operator, _)) => !matches!(operator.as_str(), "(" | ")" | "|"),
        Some(Token::Word(text, _)) => CLOSING.contains(&text.as_str()) || text == "}",
    };
    is_last && may_be_command(tokens, position)
}

/// Whether a command may begin here.
fn may_be_command(tokens: &[Token], position: usize) -> bool {
    let before = |steps: usize| position.checked_sub(steps).and_then(|at| tokens.get(at));
    let is_named = before(2).and_then(word) == Some("function");
    is_named
        || match before(1) {
            None => true,
            Some(Token::Operator(operator, _)) => !operator.contains(['<', '>']),
            Some(Token::Word(text, _)) => {
                let text = text.as_str();
                BEFORE_A_COMMAND.contains(&text) || CLOSING.contains(&text) || text == "in"
            }
        }
}

/// Counts what the parser does with a word that begins like the element of an array: the index is
/// arithmetic, with every construct of words in it, and each of these is tried in several ways.
fn afford_index(word: &str, work: &Work) -> Result<(), Unreadable> {
    let name = word
        .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_')
        .len();
    let (name, rest) = word.split_at(word.len() - name);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !is_name || !rest.starts_with('[') {
        return Ok(());
    }
    let steps = index_steps(rest)?;
    match work.spend(steps.min(work.left().saturating_add(1))) {
        true => Ok(()),
        false => Err(Unreadable::TooMuch),
    }
}

/// A bracket or quote that is open, and what reading its inside costs so far.
struct Open {
    by: char,
    steps: usize,
}

impl Open {
    fn by(by: char) -> Self {
        Self { by, steps: 1 }
    }

    /// How often the inside may be read. `${` has a score of forms, each of which begins with a parameter.
    fn times(&self) -> usize {
        match self.by {
            '{' => 32,
            _ => 4,
        }
    }

    /// Whether this character ends it.
    fn is_closed_by(&self, c: char) -> bool {
        matches!(
            (self.by, c),
            ('[', ']') | ('(', ')') | ('{', '}') | ('"', '"')
        )
    }
}

/// Steps of parsing a text that begins with an index: everything inside a bracket or quote as often as
/// there are ways to try it, and again for each one around it.
fn index_steps(text: &str) -> Result<usize, Unreadable> {
    let mut open: Vec<Open> = Vec::new();
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let quoted = open.last().is_some_and(|last| last.by == '"');
        let opens = match c {
            '[' | '(' => !quoted || before == '$',
            '{' => before == '$',
            '"' => !quoted,
            // Who reads these otherwise than the parser does would close what it does not.
            '\'' | '\\' | '`' => true,
            _ => false,
        };
        if opens {
            open.push(Open::by(c));
        } else if open.last().is_some_and(|last| last.is_closed_by(c)) {
            let inner = open
                .pop()
                .map_or(0, |one| one.steps.saturating_mul(one.times()));
            match open.last_mut() {
                Some(around) => around.steps = around.steps.saturating_add(inner),
                // The index ends here; where an assignment follows, nothing behind is looked at.
                None if matches!(chars.peek(), Some('=' | '+')) => return Ok(inner),
                None => open.push(Open {
                    by: ' ',
                    steps: inner,
                }),
            }
        } else if let Some(last) = open.last_mut() {
            last.steps = last.steps.saturating_add(1);
        }
        if open.len() > MAX_INDEX_NESTING {
            return Err(Unreadable::TooDeep);
        }
        before = c;
    }
    // What nothing closes reaches to the end.
    let reach =
        |inner: usize, one: &Open| one.steps.saturating_add(inner).saturating_mul(one.times());
    Ok(open.iter().rev().fold(0, reach))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bash::guard::parse;

    fn cost(text: &str) -> Option<u64> {
        let work = Work::reading();
        parse(text, &work).ok()?;
        Some(work.spent())
    }

    #[test]
    fn each_level_of_a_case_doubles_what_is_counted_and_rows_of_them_do_not() {
        let nested = |levels: usize| {
            format!(
                "{}x{}",
                "case a in b) ".repeat(levels),
                "; esac".repeat(levels)
            )
        };
        let row = |times: usize| "case a in b) x;; esac; ".repeat(times);
        let base = cost(&nested(6)).unwrap();
        assert!(cost(&nested(9)).unwrap() > 4 * base);
        assert_eq!(cost(&nested(30)), None);
        assert!(cost(&row(60)).is_some());
        assert!(cost("echo case closed; grep case x; grep case y").is_some());
    }

    #[test]
    fn an_esac_that_closes_nothing_is_not_counted_as_one_that_does() {
        for level in [
            "case a in b) x=(\nesac\n); ",
            "case a in b) [[ x && esac && y ]]; ",
            "case a in b) coproc\nesac { ",
            "case a in esac) ",
            "case a in b) x > esac; ",
            "case a in b) echo esac; ",
        ] {
            assert_eq!(cost(&level.repeat(40)), None, "{level}");
        }
    }

    #[test]
    fn statements_inside_statements_are_refused_before_the_stack_is_used_up() {
        for opening in ["if ", "while ", "until ", "coproc ", "! if ", "if time "] {
            let text = opening.repeat(9_000 / opening.len());
            let found = parse(&text, &Work::reading()).map(drop);
            assert_eq!(found, Err(Unreadable::TooDeep), "{opening}");
        }
        let script = "if a; then for i in b; do while c; do d; done; done; fi\n".repeat(150);
        assert!(cost(&script).is_some());
        let deep = format!("{}x{}", "if a; then ".repeat(40), "; fi".repeat(40));
        assert!(cost(&deep).is_some());
    }

    #[test]
    fn an_index_is_counted_by_its_nesting() {
        for honest in [
            "a[0]=x",
            "a[$i]=\"$(b \"${c}\")\"",
            "a[\"$key\"]=\"it's \\\"quoted\\\"\"",
            "a[${#a[@]}]=x",
            "a[$((i+1))]+=x",
            "m['x y']=1",
            "pytest a.py::test[b-c]",
            "ls file[0-9].txt data[a]",
            "a[$(b c)]=d",
            "a[b[c[d[0]]]]=x",
        ] {
            assert!(
                cost(honest).is_some_and(|steps| steps < 100_000),
                "{honest}"
            );
        }
        for hostile in [
            "a[".repeat(4_000),
            format!("x[$(({}", "a[(".repeat(30)),
            format!("x[$(({}))]=1", "a[(".repeat(30)),
            "a[${".repeat(20),
            format!("{}x{}", "a[${".repeat(12), "}]".repeat(12)),
            format!("a[{}", "\"$(x ".repeat(30)),
            format!("a[{}]=", "${b[".repeat(9)),
        ] {
            assert_eq!(cost(&format!("npm {hostile}")), None, "{hostile}");
        }
    }
}
