//! What the model says in a canary, and what is seen from its place.
//!
//! Owns the order of the calls: harmless ones until one ran, then the same again to be denied.

use super::super::model::{self, Turn};
use serde_json::Value;

/// End of the identifier of the call that is to be denied; the others end in their number.
const DENIED: &str = "d";

/// What was seen from the model's place.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Whether the agent asked at all.
    pub asked: bool,
    /// Identifier of the call that ran.
    pub allowed: Option<String>,
    /// Identifier of the call that was to be denied, once it was made.
    pub denied: Option<String>,
    /// What the model was told of it: failed, and the words.
    pub answer: Option<(bool, String)>,
    /// What it was told last.
    pub last: String,
}

/// What the model says when.
pub(super) struct Script<'a> {
    /// Beginning of the calls' identifiers.
    pub calls: &'a str,
    /// What only a call that ran can tell.
    pub secret: &'a str,
    /// Calls to try, the likeliest first.
    pub candidates: &'a [(&'static str, Value)],
}

impl Script<'_> {
    /// The next turn; `restrict` tells the daemon that from now on everything is to be denied.
    pub fn turn(&self, request: &Value, seen: &mut Seen, restrict: impl FnOnce() -> bool) -> Turn {
        seen.asked = true;
        let Some((id, failed, words)) = model::last_result(request) else {
            return self.call(0);
        };
        seen.last.clone_from(&words);
        let number = id.strip_prefix(self.calls).unwrap_or_default();
        if number == DENIED {
            seen.answer = Some((failed, words));
            return Turn::Words("done");
        }
        let number: usize = number.parse().unwrap_or(self.candidates.len());
        if failed || !words.contains(self.secret) {
            return self.call(number.saturating_add(1));
        }
        let Some((tool, input)) = self.candidates.get(number) else {
            return Turn::Words("done");
        };
        seen.allowed = Some(id);
        if !restrict() {
            return Turn::Words("done");
        }
        let id = format!("{}{DENIED}", self.calls);
        seen.denied = Some(id.clone());
        Turn::Call {
            id,
            tool,
            input: input.clone(),
        }
    }

    fn call(&self, number: usize) -> Turn {
        match self.candidates.get(number) {
            Some((tool, input)) => Turn::Call {
                id: format!("{}{number}", self.calls),
                tool,
                input: input.clone(),
            },
            None => Turn::Words("done"),
        }
    }
}
