//! The corpus of secrets and of what looks like them; and what holds for every text.

#![allow(
    clippy::unwrap_used,
    reason = "a test may end on what it did not expect"
)]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cairn_event::redact::Redactor;
use proptest::prelude::*;
use serde_json::{Value, json};

const CORPUS: &str = include_str!("../testdata/redaction_corpus.tsv");

/// Least number of lines: a corpus that shrinks proves less.
const LINES_MIN: usize = 150;

/// Far above what a linear matcher needs for a mebibyte in a debug build on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// A line with its made-up parts.
struct Line {
    kind: &'static str,
    rule: &'static str,
    text: String,
    /// The made-up parts of at least eight characters: what must not be left of a secret.
    made_up: Vec<String>,
}

fn corpus() -> Vec<Line> {
    let lines = CORPUS.lines().filter(|line| !line.starts_with('#'));
    lines
        .enumerate()
        .map(|(number, line)| {
            let mut fields = line.splitn(3, '\t');
            let (kind, rule) = (fields.next().unwrap(), fields.next().unwrap());
            let (text, made_up) = expand(fields.next().unwrap(), number as u64);
            Line {
                kind,
                rule,
                text,
                made_up,
            }
        })
        .collect()
}

/// Puts characters in place of `{class count}`, the same ones in every run.
fn expand(template: &str, seed: u64) -> (String, Vec<String>) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let (mut text, mut made_up) = (String::new(), Vec::new());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let part = after.split_once('}');
        let made = part.and_then(|(class, _)| characters(class, &mut state));
        if let (Some(made), Some((_, behind))) = (made, part) {
            text.push_str(&made);
            if made.len() >= 8 {
                made_up.push(made);
            }
            rest = behind;
        } else {
            text.push('{');
            rest = after;
        }
    }
    text.push_str(rest);
    (text.replace("\\n", "\n"), made_up)
}

fn characters(class: &str, state: &mut u64) -> Option<String> {
    let digits = class.find(|c: char| c.is_ascii_digit())?;
    let (name, count) = class.split_at(digits);
    let alphabet: Vec<char> = match name {
        "hex" => "0123456789abcdef".chars().collect(),
        "digit" => ('0'..='9').collect(),
        "upper" => ('A'..='Z').chain('2'..='7').collect(),
        "alpha" => ('A'..='Z').chain('a'..='z').collect(),
        "alnum" => ('A'..='Z').chain('a'..='z').chain('0'..='9').collect(),
        // No mark at the end, so that a boundary of words is where the class ends.
        "word" => ('A'..='Z').chain('a'..='z').chain(['_', '-']).collect(),
        _ => return None,
    };
    let mut made = String::new();
    for _ in 0..count.parse::<usize>().ok()? {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        made.push(alphabet[(*state >> 33) as usize % alphabet.len()]);
    }
    if name == "word" {
        made.pop();
        made.push('z');
    }
    Some(made)
}

fn redact(redactor: &Redactor, text: &str) -> (String, Vec<String>) {
    let mut value = json!({ "command": text });
    let made = redactor.redact("request", &mut value);
    let text = value["command"].as_str().unwrap().to_owned();
    (text, made.into_iter().map(|one| one.rule).collect())
}

#[test]
fn the_corpus_is_told_apart() {
    let redactor = Redactor::new().unwrap();
    let corpus = corpus();
    assert!(corpus.len() >= LINES_MIN, "{} lines", corpus.len());
    let mut wrong = Vec::new();
    let (mut hits, mut secrets, mut replaced) = (0usize, 0usize, 0usize);
    for line in &corpus {
        let (left, rules) = redact(&redactor, &line.text);
        let gone = !line.made_up.iter().any(|part| left.contains(part.as_str()));
        let right = match line.kind {
            "true" => gone && rules.iter().any(|rule| rule == line.rule),
            "false" | "missed" => rules.is_empty() && left == line.text,
            "extra" => !rules.is_empty(),
            other => panic!("`{other}` is no kind of line"),
        };
        if !right {
            wrong.push(format!(
                "{} {}: {} -> {left} {rules:?}",
                line.kind, line.rule, line.text
            ));
        }
        let is_secret = matches!(line.kind, "true" | "missed");
        secrets += usize::from(is_secret);
        replaced += usize::from(!rules.is_empty());
        hits += usize::from(is_secret && !rules.is_empty());
    }
    println!(
        "{} lines, {secrets} with a secret: precision {:.3}, recall {:.3}",
        corpus.len(),
        hits as f64 / replaced as f64,
        hits as f64 / secrets as f64
    );
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        corpus.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_corpus_covers_every_rule_and_redacts_once() {
    let redactor = Redactor::new().unwrap();
    for line in corpus() {
        let (once, _) = redact(&redactor, &line.text);
        assert_eq!(
            redact(&redactor, &once),
            (once.clone(), vec![]),
            "{}",
            line.text
        );
    }
    let covered: Vec<&str> = corpus().iter().map(|line| line.rule).collect();
    for rule in cairn_event::redact::rule_names() {
        assert!(covered.contains(&rule), "no line is about `{rule}`");
    }
}

#[test]
fn the_value_of_a_member_that_is_named_so_goes_whole() {
    let redactor = Redactor::new().unwrap();
    let key = expand("AKIA{upper16}", 7).0;
    let mut value =
        json!({ "env": { "DB_PASSWORD": format!("{key} and what follows"), "USER": "ann" } });
    let made = redactor.redact("definition", &mut value);
    assert_eq!(
        value["env"],
        json!({ "DB_PASSWORD": "[redacted:named-secret]", "USER": "ann" })
    );
    assert_eq!((made.len(), made[0].count), (1, 1));
    assert_eq!(made[0].field, "definition/env/DB_PASSWORD");
    // A text that only begins like a replacement is none.
    let mut value = json!({ "password": "[redacted:named-secret] and the rest of it" });
    assert_eq!(redactor.redact("definition", &mut value).len(), 1);
    assert_eq!(value["password"], "[redacted:named-secret]");
}

#[test]
fn long_and_hostile_texts_are_done_soon() {
    let redactor = Redactor::new().unwrap();
    let pieces = [
        "a",
        "=",
        "-----BEGIN PRIVATE KEY-----",
        "password",
        "password=",
        "eyJ",
        "eyJaaaaaaaa.",
        "://",
        "a://b:",
        "curl ",
        "curl -u ",
        "mysql ",
        "mysql -",
        "authorization: ",
        "gh",
        "ghp_",
        "sk-",
        " --token ",
        "cookie:",
        "xox",
        "é",
        "\"",
        "[redacted:",
        "AKIA",
        "é\u{2028}",
        "api_key: '",
        "-",
        "_",
    ];
    for piece in pieces {
        let text = piece.repeat(1_048_576 / piece.len());
        let begun = Instant::now();
        redact(&redactor, &text);
        assert!(begun.elapsed() < SOON, "{piece}: {:?}", begun.elapsed());
    }
}

/// Texts of pieces that rules look for, so that they meet each other.
fn pieces() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "password",
        "=",
        ":",
        " ",
        "'",
        "\"",
        "secret",
        "api_key",
        "hunter22",
        "[redacted:jwt]",
        "[redacted:",
        "]",
        "Authorization: Bearer ",
        "abcdefgh12345678",
        "https://",
        "ann:",
        "@host",
        "curl -u ",
        "--token ",
        "$X",
        "\n",
        "cookie: ",
        "-----BEGIN PRIVATE KEY-----",
        "{",
        "}",
        ",",
        "sshpass -p ",
        "mysql -p",
        "é",
    ]);
    prop::collection::vec(words, 0..14).prop_map(|words| words.concat())
}

/// Compiled once for all cases.
static REDACTOR: OnceLock<Redactor> = OnceLock::new();

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_was_redacted_stays_as_it_is(text in pieces(), member in prop::sample::select(vec!["command", "password"])) {
        let redactor = REDACTOR.get_or_init(|| Redactor::new().unwrap());
        let mut once = json!({ member: text });
        redactor.redact("request", &mut once);
        let mut twice: Value = once.clone();
        prop_assert_eq!(redactor.redact("request", &mut twice), vec![]);
        prop_assert_eq!(once, twice);
    }
}
