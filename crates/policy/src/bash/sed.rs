//! Whether a sed script runs commands.
//!
//! Owns just enough of the language to find its `e` command and the `e` flag of `s`. What it cannot
//! follow counts as running something.
//! Source: sed(1), "COMMAND SYNOPSIS".

/// Whether the script has an `e` command, an `s///e`, or a shape that is not followed here.
pub(super) fn runs_commands(script: &str) -> bool {
    let chars: Vec<char> = script.chars().collect();
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        at += 1;
        match c {
            // An address that is a pattern, or the separators between commands.
            '/' => match closing(&chars, at, '/') {
                Some(end) => at = end,
                None => return true,
            },
            '\\' => {
                let Some(delimiter) = chars.get(at).copied() else {
                    return true;
                };
                match closing(&chars, at + 1, delimiter) {
                    Some(end) => at = end,
                    None => return true,
                }
            }
            'e' => return true,
            's' | 'y' => {
                let Some(delimiter) = chars.get(at).copied() else {
                    return true;
                };
                let end = closing(&chars, at + 1, delimiter)
                    .and_then(|middle| closing(&chars, middle, delimiter));
                let Some(end) = end else { return true };
                let flags: String = chars
                    .iter()
                    .skip(end)
                    .take_while(|c| !matches!(c, ';' | '\n' | '}'))
                    .collect();
                if c == 's'
                    && flags
                        .split('w')
                        .next()
                        .is_some_and(|flags| flags.contains('e'))
                {
                    return true;
                }
                at = end + flags.chars().count();
            }
            // Text goes on over lines that end with a backslash.
            'a' | 'i' | 'c' => {
                while let Some(c) = chars.get(at).copied() {
                    at += if c == '\\' { 2 } else { 1 };
                    if c == '\n' {
                        break;
                    }
                }
            }
            // Labels and file names run to the end of the line.
            'r' | 'R' | 'w' | 'W' | ':' | 'b' | 't' | 'T' | '#' => {
                at += chars.iter().skip(at).take_while(|c| **c != '\n').count();
            }
            _ => {}
        }
    }
    false
}

/// The position after the next unescaped delimiter, bracket expressions included as they come.
fn closing(chars: &[char], from: usize, delimiter: char) -> Option<usize> {
    let mut at = from;
    while let Some(c) = chars.get(at).copied() {
        at += 1;
        if c == '\\' {
            at += 1;
        } else if c == delimiter {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_run_commands_are_told_from_those_that_do_not() {
        for script in [
            "1e rm x",
            "e",
            "s/a/rm x/e",
            "s|a|b|ge",
            "/x/e rm",
            "$!{e rm x\n}",
            "s/x/y/;1e rm",
            "s/unclosed",
            "\\,x,e rm",
            "1!e rm x",
            "p;s/.*/&/pe",
        ] {
            assert!(runs_commands(script), "{script}");
        }
        for script in [
            "s/a/b/",
            "s/e/e/g",
            "/e/d",
            "10,20p",
            "$d",
            "s|/e/|/f/|g",
            "a\\\nhere",
            "y/abc/xyz/",
            "s/a/b/w file.e",
            "/start/,/end/p",
            "s/\\/e/x/",
            "\\,e,d",
            "n;d",
            ":e",
            "b end",
        ] {
            assert!(!runs_commands(script), "{script}");
        }
    }
}
