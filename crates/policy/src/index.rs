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
use crate::glob::Text;
use crate::matching::{WRITING, denies_reading};
use crate::parts::{Part, Parts, Target, What};
use crate::paths::KnownPath;
use crate::pattern::Kind;
use crate::request::Request;
use crate::subject::Subject;
use cairn_event::Effect;
use serde_json::Value;
pub(crate) use shelf::Crowd;
use shelf::{Entry, Rest, Shelf, Topic, Wanted};
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
            for need in needs(rule) {
                entries.entry(need.topic).or_default().push(Entry {
                    key: need.key,
                    runs: need.runs,
                    ending: need.ending,
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
            let Some(slate) = slates.of(position).cloned() else {
                break;
            };
            rules.extend(slate.rules);
            for crowd in slate.crowds {
                rules.extend_from_slice(&slates.members(crowd));
            }
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
            for text in &one.deny {
                command(text, one.opaque, wanted);
            }
            if one.opaque {
                wanted.push(Wanted {
                    rest: Rest::Everything,
                    ..Wanted::text(Topic::Command, "")
                });
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
                    Target::Open { .. } => wanted.push(Wanted::beginning(Topic::Path, "")),
                }
            }
        }
        What::Line { text, whole } => {
            let texts = std::iter::once(text).chain(whole);
            texts.for_each(|text| command(text, false, wanted));
        }
        What::Unreadable(_) => {
            wanted.extend([Topic::Command, Topic::Path].map(|topic| Wanted::beginning(topic, "")));
        }
    }
}

/// What a text of a command has to offer: its beginning and, where not all of it is known, what is known
/// behind that. Of an `opaque` command it is known already that every rule is possible.
fn command(text: &Text, opaque: bool, wanted: &mut Vec<Wanted<'_>>) {
    let known = |sym: &Sym| match sym {
        Sym::Char(c) => Some(*c),
        _ => None,
    };
    let mut stretches = text.split(|sym| known(sym).is_none());
    let string = |stretch: &[Sym]| -> String { stretch.iter().filter_map(known).collect() };
    let beginning = string(stretches.next().unwrap_or_default());
    let is_whole = beginning.chars().count() == text.len();
    let rest = match text.edges() {
        _ if is_whole || opaque => Rest::Nothing,
        Some((_, last)) => Rest::Anything {
            ending: string(text.get(text.len() - last..).unwrap_or_default())
                .chars()
                .rev()
                .collect(),
        },
        None => Rest::Unknown,
    };
    let is_compared = rest == Rest::Unknown;
    wanted.push(Wanted {
        rest,
        ..Wanted::text(Topic::Command, beginning)
    });
    if !is_compared {
        let behind = stretches.filter(|stretch| !stretch.is_empty());
        wanted.extend(behind.map(|stretch| Wanted {
            rest: Rest::Around,
            ..Wanted::text(Topic::Command, string(stretch))
        }));
    }
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
    /// What it ends with, the last character first; `None` where anything may follow, or nobody asks.
    ending: Option<String>,
}

impl Need {
    fn of(topic: Topic, key: String) -> Self {
        Self {
            topic,
            key,
            runs: Vec::new(),
            ending: None,
        }
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
            runs: glob.inner_runs(),
            ..Need::of(Topic::Tool, glob.opening())
        },
        Kind::Command(patterns) => {
            let allow = rule.rule.effect == Effect::Allow;
            let topic = if allow {
                Topic::AllowedCommand
            } else {
                Topic::Command
            };
            let need = |pattern: &CommandPattern| Need {
                runs: pattern.inner_runs(),
                ending: pattern.ending(),
                ..Need::of(topic, pattern.opening(allow))
            };
            return patterns.iter().map(need).collect();
        }
        Kind::ReadPath(path) | Kind::EditPath(path) => match path.needed_segment() {
            Some(segment) => Need::of(Topic::Path, format!("{segment}{END}")),
            None => Need {
                runs: path.needed_runs(),
                ..Need::of(Topic::Path, String::new())
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
