//! Rules whose own paths lead through links.
//!
//! Source: observed verdicts of Claude Code 2.1.330.

mod fixtures;

use cairn_event::Effect;
use cairn_policy::{
    MAX_RULE_LINKS, Request, ResolvedPath, RuleLink, decide, paths_to_resolve, rule_paths,
};
use fixtures::{alice, bash, bundle, compiled, posture, rule};
use serde_json::json;

const LINKS: &[(&str, &str)] = &[
    ("/w/proj/lib", "/w/proj/src"),
    ("/w/proj/lib/deep", "/w/proj/docs"),
    ("/w/proj/near.ts", "/w/proj/src/a.ts"),
    ("/home/u/out", "/mnt/Out"),
];

fn with_links(mut request: Request) -> Request {
    let links = LINKS.iter().map(|(path, target)| RuleLink {
        path: (*path).to_owned(),
        target: (*target).to_owned(),
    });
    request.rule_links = links.collect();
    request
}

fn write(path: &str) -> Request {
    let mut request = bash("");
    request.tool = "Write".to_owned();
    request.input = json!({ "file_path": path, "content": "x" });
    request.resolved = vec![ResolvedPath {
        given: path.to_owned(),
        lexical: path.to_owned(),
        target: None,
    }];
    with_links(request)
}

fn of(effect: Effect, pattern: &str, request: &Request) -> Effect {
    let bundle = bundle(vec![rule("r", effect, pattern)]);
    decide(request, &compiled(&bundle), &alice(&[]), &posture("on"), 0).effect
}

fn denies(pattern: &str, path: &str) -> bool {
    of(Effect::Deny, pattern, &write(path)) == Effect::Deny
}

#[test]
fn what_a_denied_path_leads_to_is_denied_by_every_name() {
    for (pattern, path) in [
        ("Edit(//w/proj/lib/**)", "/w/proj/src/a.ts"),
        ("Edit(//w/proj/lib/**)", "/w/proj/SRC/x/y"),
        ("Edit(//w/proj/lib)", "/w/proj/src/a.ts"),
        ("Edit(//w/proj/lib/x/*.ts)", "/w/proj/src/x/a.ts"),
        ("Edit(//w/proj/lib/deep/**)", "/w/proj/docs/n.md"),
        ("Edit(//w/proj/near.ts)", "/w/proj/src/a.ts"),
        ("Edit(~/out/**)", "/mnt/Out/k"),
        ("Read(//w/proj/lib/**)", "/w/proj/src/a.ts"),
        ("Edit(lib/x/**)", "/w/proj/src/x/a"),
        ("Edit(lib/**)", "/w/proj/src/x/a"),
        ("Edit(//w/proj/\\l\\ib/**)", "/w/proj/src/a.ts"),
        ("Edit(//w/proj/lib/**)", "/w/proj/lib/a.ts"),
    ] {
        assert!(denies(pattern, path), "{pattern} {path}");
    }
    let asked = of(
        Effect::Ask,
        "Edit(//w/proj/lib/**)",
        &write("/w/proj/src/a"),
    );
    assert_eq!(asked, Effect::Ask);
}

#[test]
fn a_rule_whose_path_leads_through_no_link_is_as_it_was() {
    for (pattern, path) in [
        ("Edit(//w/proj/lib/x/**)", "/w/proj/src/a.ts"),
        ("Edit(//w/proj/lib/*.md)", "/w/proj/src/a.ts"),
        ("Edit(//w/*/lib/**)", "/w/proj/src/a.ts"),
        ("Edit(//w/proj/l*/**)", "/w/proj/src/a.ts"),
        ("Edit(//w/proj/near.ts)", "/w/proj/src/b.ts"),
        ("Edit(//w/proj/lib/**)", "/w/proj/srcs/a.ts"),
        ("Edit(~/out/**)", "/mnt/Other/k"),
    ] {
        assert!(!denies(pattern, path), "{pattern} {path}");
    }
    let allowed = of(
        Effect::Allow,
        "Edit(//w/proj/lib/**)",
        &write("/w/proj/src/a"),
    );
    assert_eq!(allowed, Effect::NoOpinion, "an allow is for its own name");
}

#[test]
fn the_shell_reaches_nothing_behind_a_link_either() {
    let verdict = |line: &str| {
        let request = with_links(bash(line));
        of(Effect::Deny, "Read(//w/proj/lib/**)", &request)
    };
    for line in [
        "cat src/a.ts",
        "cd src && cat a.ts",
        "wc -l < src/a.ts",
        "cat src/*.ts",
    ] {
        assert_eq!(verdict(line), Effect::Deny, "{line}");
    }
    for line in ["cat src/$X", "cat s*/a.ts", "cat $X/a.ts"] {
        assert_eq!(verdict(line), Effect::Ask, "{line}");
    }
    for line in ["cat docs/n.md", "cat docs/$X", "cat other/*.ts"] {
        assert_eq!(verdict(line), Effect::NoOpinion, "{line}");
    }
}

#[test]
fn wildcards_that_only_reach_below_a_denied_directory_are_denied() {
    let verdict = |pattern: &str, line: &str| of(Effect::Deny, pattern, &bash(line));
    for line in [
        "cat src/*.ts",
        "cat ./src/?.ts",
        "grep x src/*",
        "cat src/[a].ts",
        "cat docs/../src/*/k",
        "cat SRC/*",
        "cat < src/*",
    ] {
        for pattern in [
            "Read(src/**)",
            "Read(src)",
            "Read(//w/proj/src/**)",
            "Read(src/*)",
        ] {
            assert_eq!(verdict(pattern, line), Effect::Deny, "{pattern} {line}");
        }
        assert_eq!(verdict("Read(src/a*)", line), Effect::Ask, "{line}");
    }
    for line in [
        "cat src/$X",
        "cat src/*/../../k",
        "cat s*/a",
        "cat */a",
        "cat src/*/$X",
    ] {
        assert_eq!(verdict("Read(src/**)", line), Effect::Ask, "{line}");
    }
    // However it is written, and wherever it may end.
    for line in [
        "cat .//secre?",
        "cat docs/.././secre?",
        "cat src/*/../../secret",
        "cat src/.*/secret",
        "cat src/.?/secret",
        "cat docs/$X/../../secret",
        "cd $X && cat secre?",
    ] {
        let effect = verdict("Read(//w/proj/secret)", line);
        assert_eq!(effect, Effect::Ask, "{line}");
    }
    for line in [
        "cat docs/secre?",
        "cat src/.a*/secret",
        "cat docs/../src/s*",
    ] {
        let effect = verdict("Read(//w/proj/secret)", line);
        assert_eq!(effect, Effect::NoOpinion, "{line}");
    }
    let mut linked = bash("cat near/*.ts");
    let paths = paths_to_resolve("Bash", &linked.input, "/w/proj", "/home/u");
    assert_eq!(paths, ["/w/proj/near"]);
    linked.resolved = vec![ResolvedPath {
        given: "/w/proj/near".to_owned(),
        lexical: "/w/proj/near".to_owned(),
        target: Some("/w/proj/src".to_owned()),
    }];
    assert_eq!(of(Effect::Deny, "Read(src/**)", &linked), Effect::Deny);
}

#[test]
fn the_paths_to_look_for_links_on_are_those_of_denies_and_asks() {
    let mut settings = rule("anchored", Effect::Deny, "Edit(/Secrets/x/*.pem)");
    settings.anchor = Some("/w/Proj/sub".to_owned());
    let rules = vec![
        settings,
        rule("root", Effect::Deny, "Read(//mnt/Data/**)"),
        rule("home", Effect::Ask, "Edit(~/.ssh/id_*)"),
        rule("escaped", Effect::Deny, "Edit(//w/\\[A\\]/[b]/**)"),
        rule("here", Effect::Deny, "Edit(./lib/./a)"),
        rule("name", Effect::Deny, "Read(*.pem)"),
        rule("allowed", Effect::Allow, "Edit(//other/**)"),
        rule("command", Effect::Deny, "Bash(rm *)"),
        rule("again", Effect::Ask, "Read(//mnt/Data/*)"),
    ];
    let expected = [
        "/home/u/.ssh",
        "/mnt/Data",
        "/w/Proj/sub/Secrets/x",
        "/w/[A]",
        "/w/proj",
        "/w/proj/lib/a",
    ];
    let found = rule_paths(&compiled(&bundle(rules)), "/w/proj", "/home/u");
    assert_eq!(found, expected);
}

#[test]
fn a_request_with_too_many_links_is_refused_and_one_without_says_nothing_of_them() {
    let mut request = write("/w/proj/a");
    let link = request.rule_links.first().unwrap().clone();
    request.rule_links = vec![link; MAX_RULE_LINKS + 1];
    assert_eq!(of(Effect::Allow, "Write", &request), Effect::Deny);
    request.rule_links.pop();
    assert_eq!(of(Effect::Allow, "Write", &request), Effect::Allow);
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    let text = serde_json::to_string(&bash("ls")).unwrap();
    assert!(!text.contains("rule_links"), "{text}");
}
