//! Control results as a sheet: one line for each control and test, for people who work in Excel.

use crate::controls::TestResult;
use crate::evidence::derive::word;
use crate::pack::results::Results;

/// The sheet, RFC 4180 with a header line.
pub fn csv(results: &Results) -> String {
    let mut sheet =
        "framework,reference,control,control_result,test,test_title,population,exceptions,test_result\r\n"
            .to_owned();
    for control in &results.controls {
        for id in &control.tests {
            let test = results.tests.iter().find(|test| test.id == *id);
            let outcome = test.and_then(|test| test.outcome.as_ref());
            let count =
                |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
            let cells = [
                control.framework.clone(),
                control.reference.clone(),
                control.title.clone(),
                word(&control.result),
                id.clone(),
                test.map(|test| test.title.clone()).unwrap_or_default(),
                count(outcome.map(|outcome| outcome.population)),
                count(outcome.map(|outcome| outcome.exceptions)),
                word(&test.map_or(TestResult::Unanswered, |test| test.result)),
            ];
            let quoted: Vec<String> = cells.iter().map(|cell| quote(cell)).collect();
            sheet.push_str(&quoted.join(","));
            sheet.push_str("\r\n");
        }
    }
    sheet
}

/// Quotes a cell, and keeps a spreadsheet from taking it for a formula.
fn quote(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        assert_eq!(quote("a \"b\""), "\"a \"\"b\"\"\"");
        assert_eq!(quote("=1+1"), "\"'=1+1\"");
    }
}
