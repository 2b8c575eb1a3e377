//! Command lines that pass, and the ways to get a refused one past the check.

use super::*;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn refused(line: &str) -> String {
    let problems = check(&words(line)).expect_err(line);
    problems[0].flag.clone()
}

fn passes(line: &str) {
    let flags = check(&words(line)).unwrap_or_else(|problems| panic!("{line}: {problems:?}"));
    assert_eq!(flags.pass, words(line), "{line}");
}

#[test]
fn every_weakening_flag_is_refused_in_both_spellings() {
    for (flag, _) in FLAGS {
        for line in [
            flag.to_string(),
            format!("-p {flag}=x"),
            format!("hello {flag} x"),
            format!("--tools Read {flag}"),
            format!("--debug {flag}"),
            format!("mcp add x y {flag}"),
        ] {
            assert_eq!(refused(&line), *flag, "{line}");
        }
        assert!(
            KNOWN.iter().all(|(known, _)| known != flag),
            "{flag} is in both lists"
        );
    }
    assert!(check(&words("--permission-mode bypassPermissions")).is_err());
    assert!(check(&words("--permission-mode=bypassPermissions")).is_err());
    passes("--permission-mode plan");
}

#[test]
fn nobody_controls_the_agent_through_its_input() {
    for line in [
        "-p --input-format stream-json",
        "-p --input-format=stream-json --output-format stream-json --verbose",
        "--input-format stream-json -p",
        "hello --input-format stream-json",
        "--input-format text --input-format stream-json",
        "-p --input-format",
        "-p --input-format=",
    ] {
        let found = check(&words(line));
        assert_eq!(found.is_err(), line != "-p --input-format", "{line}");
    }
    for line in [
        "-p --input-form=stream-json",
        "-p --input stream-json",
        "--sdk-url ws://127.0.0.1:1/",
        "--rc",
    ] {
        check(&words(line)).expect_err(line);
    }
    passes("-p --input-format text --output-format stream-json --verbose");
}

#[test]
fn a_flag_in_no_list_is_refused_and_the_known_ones_pass() {
    for line in [
        "--brand-new",
        "-x",
        "-pX",
        "--print=yes",
        "--brand-new=1 -p hi",
        "-p hi --replay-user-messages",
    ] {
        check(&words(line)).expect_err(line);
    }
    for line in [
        "-pc hi",
        "--resume 123 -p hi",
        "-r",
        "--max-turns -1 -p hi",
        "--model opus --name x hello",
        "--allowedTools Bash Edit -p hi",
        "-w tree --verbose hi",
    ] {
        passes(line);
    }
}

#[test]
fn no_flag_hides_behind_the_value_of_another() {
    // The agent takes `--` for the value here, and what follows for flags.
    for line in [
        "-p --append-system-prompt -- --verbose",
        "-p --model -- --settings {}",
        "-p --model --settings {}",
        "-p --tools -- --settings {}",
    ] {
        check(&words(line)).expect_err(line);
    }
    passes("-p --append-system-prompt=--x hi");
}

#[test]
fn commands_are_found_wherever_the_agent_finds_them() {
    for line in [
        "mcp list",
        "mcp get x",
        "mcp serve",
        "mcp login x",
        "--verbose mcp list",
        "-- mcp list",
        "mcp -- list",
        "--verbose -- mcp list",
        "mcp --verbose list",
        "mcp --model x list",
        "--model x mcp --model list list",
        "--max-turns 3 mcp list",
        "-c mcp list",
        "--tools Read --verbose mcp list",
    ] {
        assert!(refused(line).starts_with("mcp "), "{line}");
    }
    for line in [
        "daemon start",
        "--verbose daemon start",
        "-- daemon start",
        "--name x daemon",
        "daemon --brand-new",
    ] {
        assert_eq!(refused(line), "daemon", "{line}");
    }
    for line in [
        "plugin eval x",
        "plugins test",
        "agents",
        "remote-control",
        "import x",
        "respawn x",
    ] {
        check(&words(line)).expect_err(line);
    }
    for line in [
        "mcp",
        "mcp add x y",
        "mcp add -e A=b --transport http x https://x.example/ -H y",
        "mcp add x -- npx list",
        "plugin install x@y",
        "--name mcp list",
        "-r mcp list",
        "please use mcp list",
        "--tools mcp list",
        "doctor",
    ] {
        passes(line);
    }
}

#[test]
fn server_configurations_are_taken_over() {
    let flags = check(&words("--mcp-config a.json b.json -p hi --mcp-config={}")).unwrap();
    assert_eq!(flags.mcp_configs, ["a.json", "b.json", "{}"]);
    assert_eq!(flags.pass, ["-p", "hi"]);
    assert_eq!(
        check(&words("--strict-mcp-config -p x")).unwrap().pass,
        ["-p", "x"]
    );
}

#[test]
fn words_after_the_double_dash_are_a_prompt() {
    passes("-p -- --bare");
}
