//! Which rules can speak about a call at all, found without looking at the others.
//!
//! Owns one ordered list of keys for each scope: the known beginning of what a rule's pattern needs.
//! It only leaves out rules that cannot match; whether one does is [`crate::matching`]'s question.
//! Source: architecture section 4; the limits are those of [`crate::compile`].

mod shelf;
mod slate;

use crate::bundle::Scope;
use crate::command_pattern::CommandPattern;
use crate::compile::CompiledRule;
use crate::glob::Sym;
use crate::matching::{WRITING, denies_reading};
use crate::parts::{Part, Parts, Target, What};
use crate::paths::KnownPath;
use crate::pattern::Kind;
use crate::request::Request;
use crate::subject::Subject;
use cairn_event::Effect;
use serde_json::Value;
use shelf::{Entry, Shelf, Topic, Wanted};
pub(crate) use slate::{Slate, Slates};
use std::collections::BTreeMap;

/// Ends a key that stands for a whole name; no name holds it.
const END: char = '\0';

/// The rules of a bundle by what they need of a call, and by scope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    teams: BTreeMap<String, u32>,
    roles: BTreeMap<String, u32>,
    people: BTreeMap<String, u32>,
    shelves: BTreeMap<Topic, Shelf>,
}

/// The number of the scope that everybody is in.
const GLOBAL: u32 = 0;

impl Index {
    /// Indexes rules; what is found later are positions in `rules`.
    pub(crate) fn of(rules: &[CompiledRule]) -> Self {
        let mut index = Self::default();
        let mut scopes = GLOBAL;
        let mut entries: BTreeMap<Topic, Vec<Entry>> = BTreeMap::new();
        for (position, rule) in rules.iter().enumerate() {
            let named = match &rule.rule.scope {
                Scope::Global => None,
                Scope::Team(id) => Some((&mut index.teams, id)),
                Scope::Role(name) => Some((&mut index.roles, name)),
                Scope::Person(id) => Some((&mut index.people, id)),
            };
            let scope = named.map_or(GLOBAL, |(numbers, name)| {
                *numbers.entry(name.clone()).or_insert_with(|| {
                    scopes += 1;
                    scopes
                })
            });
            for Need { topic, key, runs } in needs(rule) {
                entries.entry(topic).or_default().push(Entry {
                    key,
                    runs,
                    scope,
                    rule: position,
                });
            }
        }
        let shelves = entries.into_iter();
        index.shelves = shelves
            .map(|(topic, entries)| (topic, Shelf::of(entries)))
            .collect();
        index
    }

    /// The numbers of the scopes that a subject is in, ascending.
    fn scopes(&self, subject: &Subject) -> Vec<u32> {
        let teams = subject.teams.iter().filter_map(|id| self.teams.get(id));
        let roles = subject.roles.iter().filter_map(|name| self.roles.get(name));
        let person = self.people.get(&subject.person);
        let mut scopes: Vec<u32> = teams.chain(roles).chain(person).copied().collect();
        scopes.push(GLOBAL);
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    /// For each part of the call the rules that may match it for this subject.
    ///
    /// Rules are missing once the budget of comparing is exhausted.
    pub(crate) fn slates<'a>(
        &'a self,
        subject: &Subject,
        parts: &'a Parts,
        request: &'a Request,
    ) -> Slates<'a> {
        Slates::new(self, self.scopes(subject), parts, request)
    }

    /// The positions of the rules that may match some part of the call for somebody, ascending.
    ///
    /// Some are missing once the budget of comparing is exhausted.
    pub(crate) fn for_anybody(&self, parts: &Parts, request: &Request) -> Vec<usize> {
        let named = self.teams.values().chain(self.roles.values());
        let mut scopes: Vec<u32> = named.chain(self.people.values()).copied().collect();
        scopes.push(GLOBAL);
        scopes.sort_unstable();
        let mut slates = Slates::new(self, scopes, parts, request);
        let mut rules = Vec::new();
        for position in 0..parts.parts.len() {
            let slate = slates.of(position);
            rules.extend(slate.into_iter().flat_map(|slate| &slate.rules));
        }
        rules.sort();
        rules.dedup();
        rules
    }
}

/// What every part of a call has to offer.
fn about_the_tool(request: &Request) -> Vec<Wanted<'_>> {
    let aliases: &[&str] = match request.tool.as_str() {
        "Monitor" => &["Bash"],
        "Task" => &["Agent"],
        "Agent" => &["Task"],
        _ => &[],
    };
    let tools = aliases.iter().copied().chain([request.tool.as_str()]);
    tools
        .map(|tool| Wanted::text(Topic::Tool, format!("{tool}{END}")))
        .collect()
}

fn of_part<'a>(
    part: &'a Part,
    parts: &'a Parts,
    request: &'a Request,
    wanted: &mut Vec<Wanted<'a>>,
) {
    match &part.what {
        What::Call => of_call(parts, request, wanted),
        What::Command(one) => {
            wanted.extend(one.deny.iter().map(|text| command(text)));
            if one.opaque {
                wanted.push(Wanted::beginning(Topic::Command, ""));
            }
            let source = parts.line.as_ref().map(|line| line.source.as_str());
            let texts = one.allow.iter().map(|text| text.text.as_str());
            let allowed = texts.chain(source);
            wanted.extend(allowed.map(|text| Wanted::text(Topic::AllowedCommand, text)));
        }
        What::File { forms, .. } => {
            for form in forms {
                match &form.target {
                    Target::Known(path) => of_path(path, wanted),
                    Target::Open(_) => wanted.push(Wanted::beginning(Topic::Path, "")),
                }
            }
        }
        What::Line { text, whole } => {
            let texts = std::iter::once(text).chain(whole);
            wanted.extend(texts.map(|text| command(text)));
        }
        What::Unreadable(_) => {
            wanted.extend([Topic::Command, Topic::Path].map(|topic| Wanted::beginning(topic, "")));
        }
    }
}

/// A text of a command up to the first stretch that is not known.
fn command(text: &[Sym]) -> Wanted<'static> {
    let mut known = String::with_capacity(text.len());
    for sym in text {
        match sym {
            Sym::Char(c) => known.push(*c),
            _ => return Wanted::beginning(Topic::Command, known),
        }
    }
    Wanted::text(Topic::Command, known)
}

fn of_call<'a>(parts: &'a Parts, request: &'a Request, wanted: &mut Vec<Wanted<'a>>) {
    let member = |name: &str| request.input.get(name).and_then(Value::as_str);
    match request.tool.as_str() {
        "WebFetch" => wanted.push(match parts.host(request) {
            Some(host) => Wanted::text(Topic::Host, from_the_last(host.labels())),
            None => Wanted::beginning(Topic::Host, ""),
        }),
        "Agent" | "Task" => {
            let name = member("subagent_type").unwrap_or_default();
            wanted.push(Wanted::text(Topic::Agent, format!("{name}{END}")));
        }
        "Skill" => {
            let name = member("skill").unwrap_or_default().trim_start_matches('/');
            wanted.push(Wanted::text(Topic::Skill, name));
        }
        _ => of_path(parts.file(request), wanted),
    }
}

/// The segments of a path and of where its links lead.
fn of_path(path: &KnownPath, wanted: &mut Vec<Wanted<'_>>) {
    wanted.push(Wanted::text(Topic::Path, ""));
    let whole = |segment: &[char]| -> String { segment.iter().chain([&END]).collect() };
    let segments = path.all_segments();
    wanted.extend(segments.map(|segment| Wanted::text(Topic::Path, whole(segment))));
}

/// What a call must have so that a rule can match.
struct Need {
    topic: Topic,
    /// What something in it begins with.
    key: String,
    /// What else is in the same thing, somewhere.
    runs: Vec<String>,
}

impl Need {
    fn of(topic: Topic, key: String) -> Self {
        let runs = Vec::new();
        Self { topic, key, runs }
    }
}

/// What a call must have so that the rule can match; the rule is found by each.
fn needs(rule: &CompiledRule) -> Vec<Need> {
    let one = match &rule.kind {
        Kind::Tool(name) if denies_reading(name, rule.rule.effect) => {
            let tools = WRITING.iter().copied().chain([name.as_str()]);
            return tools
                .map(|tool| Need::of(Topic::Tool, format!("{tool}{END}")))
                .collect();
        }
        Kind::Tool(name) | Kind::Parameter { tool: name, .. } => {
            Need::of(Topic::Tool, format!("{name}{END}"))
        }
        Kind::ToolGlob(glob) | Kind::Mcp(glob) => Need {
            topic: Topic::Tool,
            key: glob.opening(),
            runs: glob.inner_runs(),
        },
        Kind::Command(patterns) => {
            let allow = rule.rule.effect == Effect::Allow;
            let topic = if allow {
                Topic::AllowedCommand
            } else {
                Topic::Command
            };
            let need = |pattern: &CommandPattern| Need {
                topic,
                key: pattern.opening(allow),
                runs: pattern.inner_runs(),
            };
            return patterns.iter().map(need).collect();
        }
        Kind::ReadPath(path) | Kind::EditPath(path) => match path.needed_segment() {
            Some(segment) => Need::of(Topic::Path, format!("{segment}{END}")),
            None => Need {
                topic: Topic::Path,
                key: String::new(),
                runs: path.needed_runs(),
            },
        },
        Kind::Domain(pattern) => Need::of(Topic::Host, from_the_last(pattern.last_labels())),
        Kind::Agent(name) => Need::of(Topic::Agent, format!("{name}{END}")),
        Kind::Skill { name, .. } => Need::of(Topic::Skill, name.clone()),
    };
    vec![one]
}

/// Labels in reverse, so that hosts of one domain begin alike.
fn from_the_last<'a>(labels: impl DoubleEndedIterator<Item = &'a str>) -> String {
    labels.rev().flat_map(|label| [label, "."]).collect()
}

#[cfg(test)]
mod tests;
