//! Calls that are made to hurt whoever decides them, by the way in which they try.
//!
//! Each kind is as large as is read at all. What a line may cost in steps is a test of the policy crate;
//! here it is timed.

use cairn_policy::Request;
use serde_json::json;

use super::calls::request;

/// Longest line that is read at all; longer ones are refused unread.
const LINE_MAX: usize = 10_000;

/// Constructs inside each other: (kind, what opens one, what closes it, how deep at most).
const NESTED: &[(&str, &str, &str, usize)] = &[
    ("substitutions", "$(", ")", 99),
    ("parameters", "${x:-", "}", 99),
    ("arithmetic", "$((", "))", 49),
    ("backquotes", "`", "`", 50),
    ("files of commands", "<(cat ", ")", 99),
    ("braces", "{a,", "}", 99),
    ("parentheses", "(", ")", 16),
    ("if", "; if true; then ", "; fi", 99),
    ("if without end", "; if ", "", LINE_MAX),
    ("case", "; case a in b) ", "; esac", LINE_MAX),
    ("functions", "; f() { ", "; }", 99),
    ("eval", "eval \"", "\"", LINE_MAX),
    ("scripts", "bash -c '", "'", LINE_MAX),
    ("indexes", "a[", "]", LINE_MAX),
    ("parameters in indexes", "a[${", "}]", LINE_MAX),
];

/// What is repeated: (kind, before, repeated, behind).
const REPEATED: &[(&str, &str, &str, &str)] = &[
    ("one letter", "npm ", "a", ""),
    ("one letter and another", "npm ", "a", "b"),
    ("unknown letters", "npm ", "a$X", "b"),
    ("unknown words", "npm ", "$X ", ""),
    ("unknown at the end", "npm ", "a", "$X"),
    ("unknown pushes", "npm x ", "; git push $X", ""),
    ("unknown commands", "$X", "; $X", ""),
    ("file wildcards", "rm ", "*a", ""),
    ("launchers", "", "sudo env timeout 5 xargs ", "a"),
    ("launchers with options", "", "env -a -b -c ", "a"),
    ("placeholders", "xargs -I {} ", "-I x{} ", "a"),
    ("searches", "find . ", "-exec a {} ; ", ""),
    ("options of git", "git ", "-c a=b -x ", "push > o"),
    ("assignments", "", "A=$A$A; ", ""),
    (
        "large values",
        "A=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; ",
        "B=$A$A$A$A; ",
        "",
    ),
    (
        "doubtful values",
        "false && R=x; $R x; ",
        "sudo a > 1; ",
        "",
    ),
    ("redirections", "npm ", "> $x ", ""),
    ("here-documents", "cat ", "<<E ", "\nE"),
    (
        "many here-documents",
        "cat <<E <<E <<E <<E <<E <<E",
        " <<E",
        "\nE\nE\nE",
    ),
    ("written strings", "echo ", "$(cat <<'E'\nx\nE\n) ", ""),
    ("files", "cat ", "a ", ""),
    ("files with addresses", "cp ", "a=b:c@d ", ""),
    ("files in many places", "cat ", "../a/*/b ", ""),
    ("unknown files", "cat ", "$X/a ", ""),
    ("a deep path", "cat /", "a/", ""),
    ("a path of letters", "cat /", "a", ""),
    ("directories", "cd b; cd c; cd d; cd /e; ", "cd .; ", ""),
    ("plain commands", "a", "; a", ""),
    ("pieces that cannot be read", "'", "git push x;", ""),
    ("a word that cannot be read", "'", "a", ""),
    ("scripts in words", "bash -c \"$(a)\" ", "-c 'a; b' ", ""),
    ("subcommands", "sudo ", "git -a -b -c ", "x"),
    ("declarations", "", "export A=b; ", ""),
    ("names of arrays", "npm ", "a[", ""),
    ("elements", "", "a[$b]=c ", "d"),
    ("tests", "", "[[ a =~ b ]]; ", ""),
];

/// Every kind with its calls.
pub fn all() -> Vec<(String, Request)> {
    let mut calls = Vec::new();
    for (kind, open, close, deepest) in NESTED {
        for length in [60, 400, LINE_MAX - 100] {
            let times = (length / (open.len() + close.len())).min(*deepest);
            let line = format!("npm {}x $Y{}", open.repeat(times), close.repeat(times));
            calls.push((format!("nested {kind}"), bash(&line)));
        }
    }
    for (kind, before, repeated, behind) in REPEATED {
        for length in [400, LINE_MAX] {
            let room = length - before.len() - behind.len();
            let line = format!("{before}{}{behind}", repeated.repeat(room / repeated.len()));
            calls.push(((*kind).to_owned(), bash(&line)));
        }
    }
    let long = |text: &str| text.repeat(LINE_MAX / text.len());
    let other = [
        ("a long name", long("a"), json!({})),
        (
            "a long server",
            format!("mcp__{}", long("a_")),
            json!({ "text": long("a") }),
        ),
        (
            "a host of labels",
            "WebFetch".to_owned(),
            json!({ "url": format!("https://{}b/", long("a.")) }),
        ),
        (
            "a long file",
            "Read".to_owned(),
            json!({ "file_path": format!("/{}", long("a")) }),
        ),
        (
            "a deep file",
            "Write".to_owned(),
            json!({ "file_path": long("/a") }),
        ),
    ];
    let other = other.into_iter();
    calls.extend(other.map(|(kind, tool, input)| (kind.to_owned(), request(&tool, input))));
    calls
}

fn bash(line: &str) -> Request {
    request("Bash", json!({ "command": line }))
}
