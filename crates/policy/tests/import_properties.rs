//! Importing settings changes no verdict: what Claude Code's flat lists say, written a second time without
//! the engine, against the imported bundle, on random files.
//!
//! The universe is small on purpose: calls whose match nobody doubts, so that nothing but the lists, their
//! order and the places they come from is at stake. What single patterns match, and where this engine is
//! stricter on purpose, is `rule_cases.rs`.
//! Source: Claude Code findings 1.5 and 2.1.

#![allow(clippy::unwrap_used, reason = "settings of a test must be imported")]

mod fixtures;

use cairn_event::Effect;
use cairn_policy::{
    McpPolicy, McpServer, Request, SettingsSource, Subject, decide, import_settings, server_verdict,
};
use fixtures::{alice, bash, bundle, compiled, posture};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A pattern with what it is about: a tool, and for the shell the beginning of a command.
const PATTERNS: &[(&str, &str, &str)] = &[
    ("Bash", "Bash", ""),
    ("Bash(*)", "Bash", ""),
    ("Bash(git *)", "Bash", "git "),
    ("Bash(git push:*)", "Bash", "git push "),
    ("Bash(cargo *)", "Bash", "cargo "),
    ("Bash(make x)", "Bash", "make x"),
    ("WebFetch(domain:a.example)", "WebFetch", ""),
    ("mcp__db", "mcp__db__query", ""),
    ("mcp__db__query", "mcp__db__query", ""),
];

/// A pattern that matches nothing: it is left out, and nothing changes.
const NOTHING: &[&str] = &["bash(rm *)", "Bash(rm *", "Bash()", "mcp__db(*)", ""];

const COMMANDS: &[&str] = &["git push x", "git log x", "cargo x", "make x", "other x"];

/// One file of settings: the three lists, and whether it is a project's that nobody vouched for.
#[derive(Clone, Debug)]
struct File {
    deny: Vec<&'static str>,
    ask: Vec<&'static str>,
    allow: Vec<&'static str>,
    place: usize,
}

impl File {
    fn source(&self) -> SettingsSource {
        let dir = "/w/proj".to_owned();
        match self.place {
            0 => SettingsSource::User { config_dir: dir },
            1 => SettingsSource::Managed { dir },
            2 => SettingsSource::Local { cwd: dir },
            3 => SettingsSource::Project {
                root: dir,
                trusted: true,
            },
            _ => SettingsSource::Project {
                root: dir,
                trusted: false,
            },
        }
    }

    fn text(&self) -> Value {
        json!({"permissions": {"deny": self.deny, "ask": self.ask, "allow": self.allow}})
    }

    /// What the file says with one of its lists; the allows of a project that nobody trusts say nothing.
    fn list(&self, effect: Effect) -> &[&'static str] {
        match effect {
            Effect::Deny => &self.deny,
            Effect::Ask => &self.ask,
            _ if self.place == 4 => &[],
            _ => &self.allow,
        }
    }
}

fn names(tool: &str, command: &str, pattern: &str) -> bool {
    let known = PATTERNS.iter().find(|(text, ..)| *text == pattern);
    known.is_some_and(|(_, about, prefix)| *about == tool && command.starts_with(prefix))
}

/// The flat lists: deny before ask before allow, of whatever file.
fn flat(files: &[File], tool: &str, command: &str) -> Effect {
    let says = |effect| {
        let lists = files.iter().map(|file| file.list(effect));
        lists.flatten().any(|pattern| names(tool, command, pattern))
    };
    [Effect::Deny, Effect::Ask, Effect::Allow]
        .into_iter()
        .find(|effect| says(*effect))
        .unwrap_or(Effect::NoOpinion)
}

fn file() -> impl Strategy<Value = File> {
    let list = || {
        let known = prop::sample::select(PATTERNS.to_vec()).prop_map(|(pattern, ..)| pattern);
        let any = prop_oneof![8 => known, 1 => prop::sample::select(NOTHING.to_vec())];
        prop::collection::vec(any, 0..3)
    };
    (list(), list(), list(), 0_usize..5).prop_map(|(deny, ask, allow, place)| File {
        deny,
        ask,
        allow,
        place,
    })
}

fn tool(name: &str) -> Request {
    let mut request = bash("");
    request.tool = name.to_owned();
    request.input = json!({"url": "https://a.example/x", "prompt": "x"});
    request
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_import_decides_what_the_lists_say(
        files in prop::collection::vec(file(), 1..4),
        commands in prop::collection::vec(prop::sample::select(COMMANDS.to_vec()), 1..4),
    ) {
        let mut rules = Vec::new();
        for (position, file) in files.iter().enumerate() {
            let text = file.text().to_string();
            for mut rule in import_settings(text.as_bytes(), &file.source()).unwrap().rules {
                rule.id = format!("{position}-{}", rule.id);
                rules.push(rule);
            }
        }
        let imported = compiled(&bundle(rules));
        let decided = |request: &Request| {
            decide(request, &imported, &alice(&[]), &posture("unknown"), 0).effect
        };
        let parts: Vec<Effect> = commands.iter().map(|one| flat(&files, "Bash", one)).collect();
        let line = [Effect::Deny, Effect::Ask, Effect::NoOpinion]
            .into_iter()
            .find(|effect| parts.contains(effect))
            .unwrap_or(Effect::Allow);
        prop_assert_eq!(decided(&bash(&commands.join(" && "))), line, "{:?} {:?}", commands, files);
        for name in ["WebFetch", "mcp__db__query"] {
            prop_assert_eq!(decided(&tool(name)), flat(&files, name, ""), "{} {:?}", name, files);
        }
    }

    /// A server may run where no list denies it and, once there is a list of what may, one names it.
    #[test]
    fn imported_server_lists_say_what_they_said_together(
        files in prop::collection::vec(
            (
                prop::option::of(prop::collection::vec(prop::sample::select(vec!["a", "b"]), 0..2)),
                prop::collection::vec(prop::sample::select(vec!["b", "c"]), 0..2),
            ),
            1..4,
        ),
    ) {
        let entries = |names: &[&str]| -> Vec<Value> {
            names.iter().map(|name| json!({"serverName": name})).collect()
        };
        let mut mcp = McpPolicy::default();
        for (allowed, denied) in &files {
            let mut text = json!({"deniedMcpServers": entries(denied)});
            if let Some(allowed) = allowed {
                text["allowedMcpServers"] = json!(entries(allowed));
            }
            let source = SettingsSource::FlagInline;
            mcp.unite(import_settings(text.to_string().as_bytes(), &source).unwrap().mcp);
        }
        for name in ["a", "b", "c", "d"] {
            let denied = files.iter().any(|(_, denied)| denied.contains(&name));
            let mut lists = files.iter().filter_map(|(allowed, _)| allowed.as_ref()).peekable();
            let free = lists.peek().is_none();
            let named = lists.any(|allowed| allowed.contains(&name));
            let server = McpServer {
                name: name.to_owned(),
                command: vec!["x".to_owned()],
                url: None,
                steered: false,
            };
            let verdict = server_verdict(&mcp, &Subject::default(), &server);
            prop_assert_eq!(verdict.allowed, !denied && (free || named), "{} {:?}", name, files);
        }
    }
}
