//! Which rules can speak about a call at all, found without looking at the others.
//!
//! Owns one ordered list of keys for each scope: the known beginning of what a rule's pattern needs.
//! It only leaves out rules that cannot match; whether one does is [`crate::matching`]'s question.
//! Source: architecture section 4; the limits are those of [`crate::compile`].

mod shelf;

use crate::bundle::Scope;
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
use shelf::{Keys, Shelf, Topic, Wanted};
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
        let mut unsorted: BTreeMap<Topic, Keys> = BTreeMap::new();
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
            for (topic, key) in keys(rule) {
                let keys = unsorted.entry(topic).or_default();
                keys.entry(key).or_default().push((scope, position));
            }
        }
        let shelves = unsorted.into_iter();
        index.shelves = shelves
            .map(|(topic, keys)| (topic, Shelf::of(keys)))
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

    /// For each part of the call, in their order, the rules that may match it for this subject.
    ///
    /// Ends early, with rules missing, once the budget of comparing is exhausted.
    pub(crate) fn slates(&self, subject: &Subject, parts: &Parts, request: &Request) -> Vec<Slate> {
        self.slates_in(&self.scopes(subject), parts, request)
    }

    /// The positions of the rules that may match some part of the call for somebody, ascending.
    ///
    /// Ends early, as [`Self::slates`] does.
    pub(crate) fn for_anybody(&self, parts: &Parts, request: &Request) -> Vec<usize> {
        let named = self.teams.values().chain(self.roles.values());
        let mut scopes: Vec<u32> = named.chain(self.people.values()).copied().collect();
        scopes.push(GLOBAL);
        scopes.sort_unstable();
        let slates = self.slates_in(&scopes, parts, request);
        let mut rules: Vec<usize> = slates.into_iter().flat_map(|slate| slate.rules).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    fn slates_in(&self, scopes: &[u32], parts: &Parts, request: &Request) -> Vec<Slate> {
        let for_all = self.look_up(scopes, &about_the_tool(request), parts);
        let slate_of = |part| {
            let mut wanted = Vec::new();
            of_part(part, parts, request, &mut wanted);
            wanted.sort_unstable();
            wanted.dedup();
            let mut rules = self.look_up(scopes, &wanted, parts);
            rules.extend_from_slice(&for_all);
            rules.sort_unstable();
            rules.dedup();
            let slate = Slate {
                rules,
                pieces: self.pieces_of(part, scopes, parts),
            };
            parts.work.spend(slate.rules.len()).then_some(slate)
        };
        parts.parts.iter().map_while(slate_of).collect()
    }

    fn look_up(&self, scopes: &[u32], wanted: &[Wanted<'_>], parts: &Parts) -> Vec<usize> {
        let mut found = Vec::new();
        for key in wanted {
            let shelf = self.shelves.get(&key.topic);
            let looked_at = shelf.map_or(0, |shelf| shelf.find(key, scopes, &mut found));
            let key = key.text.len() / KEY_BYTES_A_STEP;
            if !parts.work.spend(LOOK_UP_STEPS + looked_at + key) {
                break;
            }
        }
        found
    }

    fn pieces_of(&self, part: &Part, scopes: &[u32], parts: &Parts) -> BTreeMap<usize, Vec<usize>> {
        let mut rules: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        if !matches!(part.what, What::Unreadable(_)) {
            return rules;
        }
        for (piece, text) in parts.unread.iter().enumerate() {
            if parts.work.is_exhausted() {
                break;
            }
            for rule in self.look_up(scopes, &[command(text)], parts) {
                rules.entry(rule).or_default().push(piece);
            }
        }
        rules
    }
}

/// The rules that may match one part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slate {
    /// Their positions, ascending.
    pub rules: Vec<usize>,
    /// For a line that could not be read: by rule, the pieces of it that the rule may be about.
    pub pieces: BTreeMap<usize, Vec<usize>>,
}

/// Steps of looking one key up.
const LOOK_UP_STEPS: usize = 100;

/// Bytes of a key that are made and compared in one step.
const KEY_BYTES_A_STEP: usize = 2;

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
        What::Line(text) => wanted.push(command(text)),
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

/// What a call must have so that the rule can match; the rule is found under each key.
fn keys(rule: &CompiledRule) -> Vec<(Topic, String)> {
    let one = match &rule.kind {
        Kind::Tool(name) if denies_reading(name, rule.rule.effect) => {
            let tools = WRITING.iter().copied().chain([name.as_str()]);
            return tools
                .map(|tool| (Topic::Tool, format!("{tool}{END}")))
                .collect();
        }
        Kind::Tool(name) | Kind::Parameter { tool: name, .. } => {
            (Topic::Tool, format!("{name}{END}"))
        }
        Kind::ToolGlob(glob) | Kind::Mcp(glob) => (Topic::Tool, glob.opening()),
        Kind::Command(patterns) => {
            let allow = rule.rule.effect == Effect::Allow;
            let topic = if allow {
                Topic::AllowedCommand
            } else {
                Topic::Command
            };
            let openings = patterns.iter().map(|pattern| pattern.opening(allow));
            return openings.map(|text| (topic, text)).collect();
        }
        Kind::ReadPath(path) | Kind::EditPath(path) => {
            let segment = path.needed_segment();
            let key = segment.map_or_else(String::new, |segment| format!("{segment}{END}"));
            (Topic::Path, key)
        }
        Kind::Domain(pattern) => (Topic::Host, from_the_last(pattern.last_labels())),
        Kind::Agent(name) => (Topic::Agent, format!("{name}{END}")),
        Kind::Skill { name, .. } => (Topic::Skill, name.clone()),
    };
    vec![one]
}

/// Labels in reverse, so that hosts of one domain begin alike.
fn from_the_last<'a>(labels: impl DoubleEndedIterator<Item = &'a str>) -> String {
    labels.rev().flat_map(|label| [label, "."]).collect()
}

#[cfg(test)]
mod tests;
