//! Which rules can speak about a call at all, found without looking at the others.
//!
//! Owns one ordered list of keys for each scope: the known beginning of what a rule's pattern needs.
//! It only leaves out rules that cannot match; whether one does is [`crate::matching`]'s question.
//! Source: architecture section 4; the limits are those of [`crate::compile`].

use crate::bash::strip;
use crate::bundle::Scope;
use crate::compile::CompiledRule;
use crate::domain;
use crate::glob::{Sym, known_text};
use crate::parts::{Part, Parts, What};
use crate::pattern::Kind;
use crate::request::Request;
use crate::subject::Subject;
use cairn_event::Effect;
use serde_json::Value;
use std::collections::BTreeMap;

/// Ends a key that stands for a whole name; no name holds it.
const END: char = '\0';

/// Keys of rules for tools, by the name's beginning.
const TOOL: char = 't';

/// Keys of rules for commands, by the text's beginning.
const COMMAND: char = 'c';

/// Keys of rules for files, by a segment that the path must have.
const PATH: char = 'p';

/// Keys of rules for hosts, by the labels from the last one on.
const HOST: char = 'h';

/// Keys of rules for subagents.
const AGENT: char = 'a';

/// Keys of rules for skills.
const SKILL: char = 's';

/// The rules of a bundle by scope and by what they need of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    global: Shelf,
    teams: BTreeMap<String, Shelf>,
    roles: BTreeMap<String, Shelf>,
    people: BTreeMap<String, Shelf>,
}

impl Index {
    /// Indexes rules; what is found later are positions in `rules`.
    pub(crate) fn of(rules: &[CompiledRule]) -> Self {
        let mut index = Self::default();
        for (position, rule) in rules.iter().enumerate() {
            let shelf = match &rule.rule.scope {
                Scope::Global => &mut index.global,
                Scope::Team(id) => index.teams.entry(id.clone()).or_default(),
                Scope::Role(name) => index.roles.entry(name.clone()).or_default(),
                Scope::Person(id) => index.people.entry(id.clone()).or_default(),
            };
            for key in keys(rule) {
                shelf.unsorted.entry(key).or_default().push(position);
            }
        }
        let scoped = [&mut index.teams, &mut index.roles, &mut index.people];
        let shelves = scoped.into_iter().flat_map(BTreeMap::values_mut);
        shelves
            .chain([&mut index.global])
            .for_each(Shelf::put_in_order);
        index
    }

    /// Positions of every rule that may match a part of the call for this subject, ascending.
    pub(crate) fn candidates(
        &self,
        subject: &Subject,
        parts: &Parts,
        request: &Request,
    ) -> Vec<usize> {
        let wanted = wanted(parts, request);
        let mut found = Vec::new();
        let teams = subject.teams.iter().filter_map(|id| self.teams.get(id));
        let roles = subject.roles.iter().filter_map(|name| self.roles.get(name));
        let person = self.people.get(&subject.person);
        for shelf in teams.chain(roles).chain(person).chain([&self.global]) {
            for key in &wanted {
                shelf.find(key, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// What a call has to offer to keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    /// The whole text is known: keys that it begins with.
    Text(String),
    /// What follows is not known: these keys, and all that go on from here.
    Beginning(String),
}

/// Everything a call has to offer, each once.
fn wanted(parts: &Parts, request: &Request) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    let aliases: &[&str] = match request.tool.as_str() {
        "Monitor" => &["Bash"],
        "Task" => &["Agent"],
        "Agent" => &["Task"],
        _ => &[],
    };
    for tool in aliases.iter().copied().chain([request.tool.as_str()]) {
        wanted.push(Wanted::Text(format!("{TOOL}{tool}{END}")));
    }
    for part in &parts.parts {
        of_part(part, parts, request, &mut wanted);
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

fn of_part(part: &Part, parts: &Parts, request: &Request, wanted: &mut Vec<Wanted>) {
    match &part.what {
        What::Call => of_call(request, wanted),
        What::Command { index, texts } => {
            wanted.extend(texts.iter().map(|text| command(text)));
            let line = parts.line.as_ref();
            let Some(one) = line.and_then(|line| line.commands.get(*index)) else {
                return;
            };
            if one.opaque.is_some() {
                wanted.push(Wanted::Beginning(COMMAND.to_string()));
            }
            let source = request.command().unwrap_or_default().to_owned();
            let texts = strip::allow_texts(one).into_iter().chain([source]);
            wanted.extend(texts.map(|text| Wanted::Text(format!("{COMMAND}{text}"))));
        }
        What::File { forms, .. } => {
            for form in forms {
                match known_text(form) {
                    Some(path) => of_path(&path, request, wanted),
                    None => wanted.push(Wanted::Beginning(PATH.to_string())),
                }
            }
        }
        What::Line(text) => wanted.push(command(text)),
        What::Unreadable(_) => {
            wanted.extend([COMMAND, PATH].map(|kind| Wanted::Beginning(kind.to_string())));
        }
    }
}

/// A text of a command up to the first stretch that is not known.
fn command(text: &[Sym]) -> Wanted {
    let mut known = String::from(COMMAND);
    for sym in text {
        match sym {
            Sym::Char(c) => known.push(*c),
            _ => return Wanted::Beginning(known),
        }
    }
    Wanted::Text(known)
}

fn of_call(request: &Request, wanted: &mut Vec<Wanted>) {
    let member = |name: &str| request.input.get(name).and_then(Value::as_str);
    match request.tool.as_str() {
        "WebFetch" => wanted.push(match member("url").and_then(domain::host_of) {
            Some(host) => Wanted::Text(format!("{HOST}{}", from_the_last(host.split('.')))),
            None => Wanted::Beginning(HOST.to_string()),
        }),
        "Agent" | "Task" => {
            let name = member("subagent_type").unwrap_or_default();
            wanted.push(Wanted::Text(format!("{AGENT}{name}{END}")));
        }
        "Skill" => {
            let name = member("skill").unwrap_or_default().trim_start_matches('/');
            wanted.push(Wanted::Text(format!("{SKILL}{name}")));
        }
        _ => {
            let path = request.file_path().unwrap_or_else(|| request.cwd.clone());
            of_path(&path, request, wanted);
        }
    }
}

/// The segments of a path and of where its links lead.
fn of_path(path: &str, request: &Request, wanted: &mut Vec<Wanted>) {
    let resolved = request.resolution(path);
    let target = resolved.and_then(|resolved| resolved.target.as_deref());
    wanted.push(Wanted::Text(PATH.to_string()));
    for path in [Some(path), target].into_iter().flatten() {
        let lower = path.to_lowercase();
        let segments = lower.split('/').filter(|segment| !segment.is_empty());
        wanted.extend(segments.map(|segment| Wanted::Text(format!("{PATH}{segment}{END}"))));
    }
}

/// What a call must have so that the rule can match; the rule is found under each key.
fn keys(rule: &CompiledRule) -> Vec<String> {
    let one = match &rule.kind {
        Kind::Tool(name) | Kind::Parameter { tool: name, .. } => format!("{TOOL}{name}{END}"),
        Kind::ToolGlob(glob) | Kind::Mcp(glob) => format!("{TOOL}{}", glob.opening()),
        Kind::Command(patterns) => {
            let allow = rule.rule.effect == Effect::Allow;
            let openings = patterns.iter().map(|pattern| pattern.opening(allow));
            return openings.map(|text| format!("{COMMAND}{text}")).collect();
        }
        Kind::ReadPath(path) | Kind::EditPath(path) => match path.needed_segment() {
            Some(segment) => format!("{PATH}{segment}{END}"),
            None => PATH.to_string(),
        },
        Kind::Domain(pattern) => format!("{HOST}{}", from_the_last(pattern.last_labels())),
        Kind::Agent(name) => format!("{AGENT}{name}{END}"),
        Kind::Skill { name, .. } => format!("{SKILL}{name}"),
    };
    vec![one]
}

/// Labels in reverse, so that hosts of one domain begin alike.
fn from_the_last<'a>(labels: impl DoubleEndedIterator<Item = &'a str>) -> String {
    labels.rev().flat_map(|label| [label, "."]).collect()
}

/// The rules of one scope, by key.
#[derive(Clone, Debug, Default)]
struct Shelf {
    unsorted: BTreeMap<String, Vec<usize>>,
    places: Vec<Place>,
}

/// One key, the rules under it, and the longest other key that it begins with.
#[derive(Clone, Debug)]
struct Place {
    key: String,
    rules: Vec<usize>,
    shorter: Option<usize>,
}

impl Shelf {
    fn put_in_order(&mut self) {
        let mut open: Vec<usize> = Vec::new();
        for (key, rules) in std::mem::take(&mut self.unsorted) {
            let begins_with = |at: usize| {
                let shorter = self.places.get(at);
                shorter.is_some_and(|shorter| key.starts_with(&shorter.key))
            };
            while open.last().is_some_and(|at| !begins_with(*at)) {
                open.pop();
            }
            let shorter = open.last().copied();
            open.push(self.places.len());
            self.places.push(Place {
                key,
                rules,
                shorter,
            });
        }
    }

    fn find(&self, wanted: &Wanted, found: &mut Vec<usize>) {
        let (Wanted::Text(text) | Wanted::Beginning(text)) = wanted;
        // Every key that the text begins with is the last one not after it, or one that this one
        // begins with: whatever stands between begins with the longest of them too.
        let after = self.places.partition_point(|place| place.key <= *text);
        let mut next = after.checked_sub(1);
        while let Some(place) = next.and_then(|at| self.places.get(at)) {
            if text.starts_with(&place.key) {
                found.extend_from_slice(&place.rules);
            }
            next = place.shorter;
        }
        if let Wanted::Beginning(text) = wanted {
            let longer = self.places.iter().skip(after);
            for place in longer.take_while(|place| place.key.starts_with(text)) {
                found.extend_from_slice(&place.rules);
            }
        }
    }
}

#[cfg(test)]
mod tests;
