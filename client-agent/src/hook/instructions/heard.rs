//! Which instruction files of a session have their verdict, and from whom Cairn heard of them first.
//!
//! Owns that a file is judged and recorded once when Cairn finds it and the agent tells of it, in whichever
//! order. When the agent tells of it again it loaded it again, and that is judged again.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Most sessions remembered: far more than one person can have open; the oldest is forgotten first, and its files
/// are judged again.
const SESSIONS_MAX: usize = 4_096;

/// Most files remembered of a session: four times as many as its first prompt may have. What is told beyond is
/// judged each time.
const FILES_MAX: usize = 4 * super::walk::FILES_MAX;

/// What a verdict on an instruction file was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The file as it is named.
    pub file: String,
    /// Where that leads; `None` where it cannot be followed.
    pub target: Option<PathBuf>,
    /// Index of the policy entry in force.
    pub policy: Option<u64>,
}

/// The instruction files of sessions that have a verdict or are getting one.
#[derive(Debug, Default)]
pub struct Heard(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_session: HashMap<String, HashMap<String, One>>,
    order: VecDeque<String>,
}

#[derive(Debug)]
struct One {
    target: Option<PathBuf>,
    policy: Option<u64>,
    /// Whether the agent told of it.
    told: bool,
}

impl One {
    fn is_of(&self, instruction: &Instruction) -> bool {
        self.target == instruction.target && self.policy == instruction.policy
    }
}

impl Heard {
    /// Notes a file that was found; gives whether it is still to be judged.
    pub fn ahead(&self, session: &str, instruction: Instruction) -> bool {
        self.note(session, instruction, |known| {
            known.is_none().then_some(false)
        })
    }

    /// Notes a file of which the agent tells; gives whether it is to be judged.
    pub fn told(&self, session: &str, instruction: Instruction) -> bool {
        self.note(session, instruction, |known| match known {
            Some(one) if !one.told => {
                one.told = true;
                None
            }
            _ => Some(true),
        })
    }

    /// Looks a file up; where `judges` gives something of what is known of it, it is to be judged, and what was
    /// given says whether the agent told of it.
    fn note(
        &self,
        session: &str,
        instruction: Instruction,
        judges: impl FnOnce(Option<&mut One>) -> Option<bool>,
    ) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let files = known.files(session);
        let same = files.get_mut(&instruction.file);
        let Some(told) = judges(same.filter(|one| one.is_of(&instruction))) else {
            return false;
        };
        if files.len() < FILES_MAX || files.contains_key(&instruction.file) {
            let Instruction {
                file,
                target,
                policy,
            } = instruction;
            let one = One {
                target,
                policy,
                told,
            };
            files.insert(file, one);
        }
        true
    }
}

impl Known {
    fn files(&mut self, session: &str) -> &mut HashMap<String, One> {
        if !self.by_session.contains_key(session) {
            self.order.push_back(session.to_owned());
        }
        while self.order.len() > SESSIONS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.by_session.remove(&oldest);
            }
        }
        self.by_session.entry(session.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(target: &str, policy: u64) -> Instruction {
        Instruction {
            file: "/p/CLAUDE.md".to_owned(),
            target: Some(target.into()),
            policy: Some(policy),
        }
    }

    #[test]
    fn a_file_is_judged_once_in_whichever_order_it_is_heard_of() {
        let heard = Heard::default();
        assert!(heard.ahead("found first", at("/p/CLAUDE.md", 1)));
        assert!(!heard.told("found first", at("/p/CLAUDE.md", 1)));
        assert!(!heard.ahead("found first", at("/p/CLAUDE.md", 1)));
        assert!(heard.told("told first", at("/p/CLAUDE.md", 1)));
        assert!(!heard.ahead("told first", at("/p/CLAUDE.md", 1)));
        assert!(
            heard.told("found first", at("/p/CLAUDE.md", 1)),
            "it was loaded again"
        );
    }

    #[test]
    fn another_target_and_another_policy_are_judged_anew() {
        let heard = Heard::default();
        assert!(heard.ahead("s", at("/p/CLAUDE.md", 1)));
        assert!(heard.told("s", at("/etc/other", 1)));
        assert!(heard.ahead("s", at("/etc/other", 2)));
        assert!(!heard.ahead("s", at("/etc/other", 2)));
    }

    #[test]
    fn what_is_not_remembered_is_judged() {
        let heard = Heard::default();
        for number in 0..FILES_MAX {
            let file = format!("/p/{number}.md");
            let instruction = Instruction {
                file,
                ..at("/p", 1)
            };
            assert!(heard.told("s", instruction));
        }
        assert!(heard.ahead("s", at("/p", 1)) && heard.ahead("s", at("/p", 1)));
        for number in 0..SESSIONS_MAX {
            heard.ahead(&number.to_string(), at("/p", 1));
        }
        assert_eq!(heard.0.lock().unwrap().by_session.len(), SESSIONS_MAX);
        assert!(heard.ahead("s", at("/p", 1)));
    }
}
