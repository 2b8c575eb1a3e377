//! Decisions in words: one sentence for the model, and a longer account for people.
//!
//! Owns the wording. The facts are the decision's own members; nothing is decided here.
//! Source: features, "For the developer".

use crate::bundle::RunningSessions;
use crate::compile::{CompiledBundle, CompiledRule};
use crate::decide::Ruling;
use crate::decision::Decision;
use cairn_event::{Effect, Rank, RuleRef};

/// One sentence that names the rule and whom to ask.
pub(crate) fn sentence(ruling: &Ruling, effect: Effect, bundle: &CompiledBundle) -> String {
    let contact = &bundle.bundle.contact;
    if let Some(gate) = &ruling.gate {
        let until = match gate.running {
            RunningSessions::Restrict => "; until it does, this session may only read files",
            RunningSessions::Hold | RunningSessions::End => "",
        };
        return format!(
            "Cairn: this device does not pass session gate `{}` ({}){until}; ask {contact} for help.",
            gate.id, gate.message
        );
    }
    if let Some(cause) = &ruling.cause {
        return format!(
            "Cairn denied `{}`: {cause}; ask {contact} for help.",
            ruling.subject
        );
    }
    let what = match effect {
        Effect::Deny if ruling.effect == Effect::Ask => "denied, because nobody can be asked here,",
        Effect::Deny => "denied",
        Effect::Ask => "needs a person's approval for",
        Effect::Allow => "allowed",
        Effect::NoOpinion => "has no opinion on",
    };
    let why = ruling.rule.as_ref().map_or_else(
        || "no rule matches and this is the organisation's default".to_owned(),
        |rule| because(rule, ruling.uncertain, bundle),
    );
    let why = match &ruling.unread {
        Some(unread) => format!("{unread}, and {why}"),
        None => why,
    };
    let help = match effect {
        Effect::Deny | Effect::Ask => format!("; ask {contact} if you need it"),
        Effect::Allow | Effect::NoOpinion => String::new(),
    };
    format!("Cairn {what} `{}`: {why}{help}.", ruling.subject)
}

fn because(rule: &RuleRef, uncertain: bool, bundle: &CompiledBundle) -> String {
    let named = named(rule, bundle);
    match (uncertain, rule.effect) {
        (true, Effect::Allow) => {
            format!("{named} covers its text, but part of it cannot be checked before it runs")
        }
        (true, _) => format!("it cannot be shown to be outside {named}"),
        (false, _) => format!("{named} decides"),
    }
}

fn named(rule: &RuleRef, bundle: &CompiledBundle) -> String {
    let pattern = find(rule, bundle).map(|rule| format!(" ({})", rule.rule.pattern));
    format!(
        "{} rule `{}`{}",
        word(rule.effect),
        rule.id,
        pattern.unwrap_or_default()
    )
}

fn find<'a>(rule: &RuleRef, bundle: &'a CompiledBundle) -> Option<&'a CompiledRule> {
    let by_id = |candidate: &CompiledRule| candidate.rule.id.as_str().cmp(&rule.id);
    let position = bundle.rules.binary_search_by(by_id).ok()?;
    bundle.rules.get(position)
}

/// An effect as people write it.
pub fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
        Effect::Ask => "ask",
        Effect::NoOpinion => "no-opinion",
    }
}

/// A rank in words.
pub fn rank(rank: Rank) -> &'static str {
    match rank {
        Rank::Default => "as the organisation's default",
        Rank::Global => "for everybody",
        Rank::Team => "for a team",
        Rank::Role => "for a role",
        Rank::Person => "for this person",
        Rank::PostureDeny => "because of the device's posture",
        Rank::Mandatory => "mandatory for everybody it names",
    }
}

/// Which rule decided and what lost, line by line. Commands and notes in them are as others wrote them.
pub fn explain(decision: &Decision, bundle: &CompiledBundle) -> Vec<String> {
    let mut lines = vec![decision.sentence.clone()];
    lines.push(format!("verdict: {}", word(decision.effect)));
    if let Some(would) = decision.would {
        lines.push(format!("with the rules in monitor mode: {}", word(would)));
    }
    if let Some(rule) = &decision.rule {
        let (name, rank) = (named(rule, bundle), rank(rule.rank));
        lines.push(format!("decided by {name}, {rank}"));
        if let Some(note) = find(rule, bundle).and_then(|found| found.rule.note.as_deref()) {
            lines.push(format!("note: {note}"));
        }
    }
    for rule in &decision.losing {
        lines.push(format!(
            "lost: {}, {}",
            named(rule, bundle),
            rank(rule.rank)
        ));
    }
    for part in &decision.parts {
        let by = part
            .rule
            .as_ref()
            .map_or("the default", |rule| rule.id.as_str());
        let (command, effect) = (&part.command, word(part.effect));
        lines.push(format!("part `{command}`: {effect} by {by}"));
    }
    lines
}
