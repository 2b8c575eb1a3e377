//! `cairn policy verdict`: what these permissions say to these calls, a line for a line.
//!
//! Owns reading rows and printing verdicts. A row is one settings file's permissions and one call; the
//! shape is `cairn_policy::Case`. A line is answered at its own place even where it is no row, so that
//! the n-th answer belongs to the n-th line.

use anyhow::Context as _;
use cairn_policy::cases::{Case, CaseVerdict, MAX_CASE_BYTES};
use serde_json::json;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Exit code where a line has no verdict; 1 stays the code of a command that did not run at all.
const SOME_ROWS_BAD: u8 = 2;

/// Answers every row of a file, or of standard input for `-`.
pub(in crate::cli) fn run(cases: &Path) -> anyhow::Result<ExitCode> {
    let input: Box<dyn BufRead> = if cases == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(cases).with_context(|| format!("`{}`", cases.display()))?;
        Box::new(BufReader::new(file))
    };
    let mut output = BufWriter::new(io::stdout().lock());
    let bad = answer(input, &mut output)?;
    output.flush()?;
    Ok(if bad == 0 {
        ExitCode::SUCCESS
    } else {
        tell!("cairn: {bad} lines have no verdict");
        ExitCode::from(SOME_ROWS_BAD)
    })
}

/// Writes one line for each line read, and returns how many are no rows.
fn answer(mut input: impl BufRead, mut output: impl io::Write) -> anyhow::Result<usize> {
    let mut bad = 0;
    for number in 1_usize.. {
        let Some(line) = next_line(&mut input)? else {
            break;
        };
        let judged = line.and_then(|line| {
            let case = Case::parse(&line).map_err(|error| error.to_string())?;
            case.verdict().map_err(|error| error.to_string())
        });
        let answer = match judged {
            Ok(CaseVerdict { effective, rule }) => json!({ "effective": effective, "rule": rule }),
            Err(why) => {
                bad += 1;
                let error = format!("line {number}: {why}");
                tell!("cairn: {error}");
                json!({ "effective": null, "rule": null, "error": error })
            }
        };
        writeln!(output, "{answer}")?;
    }
    Ok(bad)
}

/// The next line without its end; inside, why it cannot be a row. Reads no more than a row may have.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, String>>> {
    let most = u64::try_from(MAX_CASE_BYTES).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    // One byte for the end of the line, one to see that there is more.
    input.by_ref().take(most + 2).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > MAX_CASE_BYTES {
        skip_line(input)?;
        return Ok(Some(Err(format!("longer than {MAX_CASE_BYTES} bytes"))));
    }
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(Some(Err("empty".to_owned())));
    }
    Ok(Some(Ok(line)))
}

/// Reads past the end of the line without keeping it.
fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let held = input.fill_buf()?;
        if held.is_empty() {
            return Ok(());
        }
        let end = held.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(held.len(), |at| at + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn answers(text: &[u8]) -> (usize, Vec<Value>) {
        let mut output = Vec::new();
        let bad = answer(text, &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        (bad, lines.collect())
    }

    #[test]
    fn a_line_is_answered_at_its_place_even_where_it_is_no_row() {
        let good =
            r#"{"permissions":{"deny":["Bash(rm *)"]},"tool":"Bash","input":{"command":"rm x"}}"#;
        let huge = vec![b'x'; MAX_CASE_BYTES + 5];
        let mut text = format!("{good}\n\nnot json\n").into_bytes();
        text.extend(huge);
        text.extend(b"\n\xff\xfe\n[]\n");
        text.extend(good.as_bytes());
        let (bad, lines) = answers(&text);
        assert_eq!((bad, lines.len()), (5, 7));
        for at in [0, 6] {
            assert_eq!(
                lines[at],
                json!({"effective": "deny", "rule": "Bash(rm *)"})
            );
        }
        for (at, word) in [
            (1, "empty"),
            (2, "json"),
            (3, "longer"),
            (4, ""),
            (5, "object"),
        ] {
            let error = lines[at]["error"].as_str().unwrap();
            assert!(error.starts_with(&format!("line {}: ", at + 1)), "{error}");
            assert!(error.to_lowercase().contains(word), "{error}");
            assert_eq!(lines[at]["effective"], Value::Null);
        }
    }
}
