//! Which rules can speak about a call at all, found without looking at the others.
//!
//! Owns one ordered list of keys for each scope: the known beginning of what a rule's pattern needs.
//! It only leaves out rules that cannot match; whether one does is [`crate::matching`]'s question.
//! Source: architecture section 4; the limits are those of [`crate::compile`].

use crate::bundle::Scope;
use crate::compile::CompiledRule;
use crate::domain;
use crate::glob::Sym;
use crate::matching::{WRITING, denies_reading};
use crate::parts::{Part, Parts, Target, What};
use crate::paths::KnownPath;
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

/// Keys of denies and asks on commands, by the text's beginning.
const COMMAND: char = 'c';

/// Keys of allows of commands. They are held against the words as written only, so that a command that
/// may run anything meets no allow by that.
const ALLOWED_COMMAND: char = 'l';

/// Keys of rules for files, by a segment that the path must have.
const PATH: char = 'p';

/// Keys of rules for hosts, by the labels from the last one on.
const HOST: char = 'h';

/// Keys of rules for subagents.
const AGENT: char = 'a';

/// Keys of rules for skills.
const SKILL: char = 's';

/// The rules of a bundle by what they need of a call, and by scope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    teams: BTreeMap<String, u32>,
    roles: BTreeMap<String, u32>,
    people: BTreeMap<String, u32>,
    shelf: Shelf,
}

/// The number of the scope that everybody is in.
const GLOBAL: u32 = 0;

impl Index {
    /// Indexes rules; what is found later are positions in `rules`.
    pub(crate) fn of(rules: &[CompiledRule]) -> Self {
        let mut index = Self::default();
        let mut scopes = GLOBAL;
        let mut unsorted: BTreeMap<String, Vec<(u32, usize)>> = BTreeMap::new();
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
            for key in keys(rule) {
                unsorted.entry(key).or_default().push((scope, position));
            }
        }
        index.shelf = Shelf::of(unsorted);
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

    fn look_up(&self, scopes: &[u32], wanted: &[Wanted], parts: &Parts) -> Vec<usize> {
        let mut found = Vec::new();
        for key in wanted {
            let looked_at = self.shelf.find(key, scopes, &mut found);
            if !parts.work.spend(LOOK_UP_STEPS + looked_at) {
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

/// What a call has to offer to keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    /// The whole text is known: keys that it begins with.
    Text(String),
    /// What follows is not known: these keys, and all that go on from here.
    Beginning(String),
}

/// What every part of a call has to offer.
fn about_the_tool(request: &Request) -> Vec<Wanted> {
    let aliases: &[&str] = match request.tool.as_str() {
        "Monitor" => &["Bash"],
        "Task" => &["Agent"],
        "Agent" => &["Task"],
        _ => &[],
    };
    let tools = aliases.iter().copied().chain([request.tool.as_str()]);
    tools
        .map(|tool| Wanted::Text(format!("{TOOL}{tool}{END}")))
        .collect()
}

fn of_part(part: &Part, parts: &Parts, request: &Request, wanted: &mut Vec<Wanted>) {
    match &part.what {
        What::Call => of_call(parts, request, wanted),
        What::Command(one) => {
            wanted.extend(one.deny.iter().map(|text| command(text)));
            if one.opaque {
                wanted.push(Wanted::Beginning(COMMAND.to_string()));
            }
            let source = parts.line.as_ref().map(|line| line.source.as_str());
            let texts = one.allow.iter().map(|text| text.text.as_str());
            let allowed = texts.chain(source);
            wanted.extend(allowed.map(|text| Wanted::Text(format!("{ALLOWED_COMMAND}{text}"))));
        }
        What::File { forms, .. } => {
            for form in forms {
                match &form.target {
                    Target::Known(path) => of_path(path, wanted),
                    Target::Open(_) => wanted.push(Wanted::Beginning(PATH.to_string())),
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

fn of_call(parts: &Parts, request: &Request, wanted: &mut Vec<Wanted>) {
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
        _ => of_path(parts.file(request), wanted),
    }
}

/// The segments of a path and of where its links lead.
fn of_path(path: &KnownPath, wanted: &mut Vec<Wanted>) {
    wanted.push(Wanted::Text(PATH.to_string()));
    let segments = path.all_segments();
    wanted.extend(segments.map(|segment| Wanted::Text(format!("{PATH}{segment}{END}"))));
}

/// What a call must have so that the rule can match; the rule is found under each key.
fn keys(rule: &CompiledRule) -> Vec<String> {
    let one = match &rule.kind {
        Kind::Tool(name) if denies_reading(name, rule.rule.effect) => {
            let tools = WRITING.iter().copied().chain([name.as_str()]);
            return tools.map(|tool| format!("{TOOL}{tool}{END}")).collect();
        }
        Kind::Tool(name) | Kind::Parameter { tool: name, .. } => format!("{TOOL}{name}{END}"),
        Kind::ToolGlob(glob) | Kind::Mcp(glob) => format!("{TOOL}{}", glob.opening()),
        Kind::Command(patterns) => {
            let allow = rule.rule.effect == Effect::Allow;
            let kind = if allow { ALLOWED_COMMAND } else { COMMAND };
            let openings = patterns.iter().map(|pattern| pattern.opening(allow));
            return openings.map(|text| format!("{kind}{text}")).collect();
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

/// All keys, in order.
#[derive(Clone, Debug, Default)]
struct Shelf {
    places: Vec<Place>,
}

/// One key, the rules under it with their scopes, in order, and the longest other key that it begins
/// with.
#[derive(Clone, Debug)]
struct Place {
    key: String,
    rules: Vec<(u32, usize)>,
    shorter: Option<usize>,
}

impl Shelf {
    fn of(unsorted: BTreeMap<String, Vec<(u32, usize)>>) -> Self {
        let mut places: Vec<Place> = Vec::with_capacity(unsorted.len());
        let mut open: Vec<usize> = Vec::new();
        for (key, mut rules) in unsorted {
            let begins_with = |at: usize| {
                let shorter = places.get(at);
                shorter.is_some_and(|shorter| key.starts_with(&shorter.key))
            };
            while open.last().is_some_and(|at| !begins_with(*at)) {
                open.pop();
            }
            let shorter = open.last().copied();
            open.push(places.len());
            rules.sort_unstable();
            places.push(Place {
                key,
                rules,
                shorter,
            });
        }
        Self { places }
    }

    /// Adds the rules of these scopes under every key that fits; says how many places and rules it saw.
    fn find(&self, wanted: &Wanted, scopes: &[u32], found: &mut Vec<usize>) -> usize {
        let (Wanted::Text(text) | Wanted::Beginning(text)) = wanted;
        // Every key that the text begins with is the last one not after it, or one that this one
        // begins with: whatever stands between begins with the longest of them too.
        let after = self.places.partition_point(|place| place.key <= *text);
        let mut next = after.checked_sub(1);
        let mut seen = 0;
        while let Some(place) = next.and_then(|at| self.places.get(at)) {
            seen += 1;
            if text.starts_with(&place.key) {
                seen += place.of(scopes, found);
            }
            next = place.shorter;
        }
        if let Wanted::Beginning(text) = wanted {
            let longer = self.places.iter().skip(after);
            for place in longer.take_while(|place| place.key.starts_with(text)) {
                seen += 1 + place.of(scopes, found);
            }
        }
        seen
    }
}

impl Place {
    fn of(&self, scopes: &[u32], found: &mut Vec<usize>) -> usize {
        let before = found.len();
        for scope in scopes {
            let first = self.rules.partition_point(|(of, _)| of < scope);
            let rules = self.rules.iter().skip(first);
            let own = rules.take_while(|(of, _)| of == scope);
            found.extend(own.map(|(_, position)| *position));
        }
        scopes.len() + found.len() - before
    }
}

#[cfg(test)]
mod tests;
