//! Which instruction files of a session have their verdict, and from whom Cairn heard of them first.
//!
//! Owns that a file is judged and recorded once when Cairn finds it and the agent tells of it, in whichever
//! order, and that it counts as judged only once its verdict is durable. When the agent tells of it again it loaded it again, and that is judged again.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// How many claims there were.
    claims: u64,
}

#[derive(Debug)]
struct One {
    target: Option<PathBuf>,
    policy: Option<u64>,
    /// Whether the agent told of it.
    told: bool,
    /// The claim under which it is being judged; `None` once its verdict is durable.
    claim: Option<u64>,
}

impl One {
    fn is_of(&self, instruction: &Instruction) -> bool {
        self.target == instruction.target && self.policy == instruction.policy
    }
}

/// What is known of a file that was found.
pub enum Ahead<'a> {
    /// It has its verdict.
    Known,
    /// Somebody else is judging it.
    Underway,
    /// It is to be judged.
    New(Claim<'a>),
}

/// The judging of one file. Dropped without [`Claim::judged`], because it was cut short or not recorded, the file
/// counts as one that nobody heard of.
pub struct Claim<'a> {
    heard: &'a Heard,
    session: String,
    file: String,
    number: u64,
}

impl Claim<'_> {
    /// Notes that the verdict is durable.
    pub fn judged(self) {
        let mut known = self.heard.lock();
        if let Some(one) = known.of_claim(&self) {
            one.claim = None;
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut known = self.heard.lock();
        if known.of_claim(self).is_some()
            && let Some(files) = known.by_session.get_mut(&self.session)
        {
            files.remove(&self.file);
        }
    }
}

impl Heard {
    /// Notes a file that was found; gives whether it is still to be judged.
    pub fn ahead(&self, session: &str, instruction: Instruction) -> Ahead<'_> {
        let mut known = self.lock();
        let same = known.files(session).get(&instruction.file);
        match same.filter(|one| one.is_of(&instruction)) {
            Some(one) if one.claim.is_some() => Ahead::Underway,
            Some(_) => Ahead::Known,
            None => Ahead::New(self.claim(&mut known, session, instruction, false)),
        }
    }

    /// Notes a file of which the agent tells; gives the judging of it where it is to be judged.
    pub fn told(&self, session: &str, instruction: Instruction) -> Option<Claim<'_>> {
        let mut known = self.lock();
        let same = known.files(session).get_mut(&instruction.file);
        match same.filter(|one| one.is_of(&instruction)) {
            Some(one) if !one.told => {
                one.told = true;
                None
            }
            _ => Some(self.claim(&mut known, session, instruction, true)),
        }
    }

    /// Begins the judging of a file; beyond [`FILES_MAX`] nothing is remembered of it.
    fn claim(
        &self,
        known: &mut Known,
        session: &str,
        instruction: Instruction,
        told: bool,
    ) -> Claim<'_> {
        known.claims = known.claims.wrapping_add(1);
        let number = known.claims;
        let Instruction {
            file,
            target,
            policy,
        } = instruction;
        let files = known.files(session);
        if files.len() < FILES_MAX || files.contains_key(&file) {
            let one = One {
                target,
                policy,
                told,
                claim: Some(number),
            };
            files.insert(file.clone(), one);
        }
        Claim {
            heard: self,
            session: session.to_owned(),
            file,
            number,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The file of a claim, while nobody else has begun to judge it anew.
    fn of_claim(&mut self, claim: &Claim<'_>) -> Option<&mut One> {
        let files = self.by_session.get_mut(&claim.session)?;
        let one = files.get_mut(&claim.file)?;
        (one.claim == Some(claim.number)).then_some(one)
    }

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

    /// Judges what is to be judged; gives whether that was so.
    fn ahead(heard: &Heard, session: &str, instruction: Instruction) -> bool {
        match heard.ahead(session, instruction) {
            Ahead::New(claim) => {
                claim.judged();
                true
            }
            Ahead::Known => false,
            Ahead::Underway => panic!("nobody is judging it"),
        }
    }

    fn told(heard: &Heard, session: &str, instruction: Instruction) -> bool {
        heard
            .told(session, instruction)
            .map(Claim::judged)
            .is_some()
    }

    #[test]
    fn a_file_is_judged_once_in_whichever_order_it_is_heard_of() {
        let heard = Heard::default();
        assert!(ahead(&heard, "found first", at("/p/CLAUDE.md", 1)));
        assert!(!told(&heard, "found first", at("/p/CLAUDE.md", 1)));
        assert!(!ahead(&heard, "found first", at("/p/CLAUDE.md", 1)));
        assert!(told(&heard, "told first", at("/p/CLAUDE.md", 1)));
        assert!(!ahead(&heard, "told first", at("/p/CLAUDE.md", 1)));
        assert!(
            told(&heard, "found first", at("/p/CLAUDE.md", 1)),
            "it was loaded again"
        );
    }

    #[test]
    fn a_judging_that_is_cut_short_is_none() {
        let heard = Heard::default();
        let cut = heard.ahead("s", at("/p/CLAUDE.md", 1));
        assert!(matches!(cut, Ahead::New(_)));
        assert!(matches!(
            heard.ahead("s", at("/p/CLAUDE.md", 1)),
            Ahead::Underway
        ));
        drop(cut);
        assert!(
            ahead(&heard, "s", at("/p/CLAUDE.md", 1)),
            "it has no verdict"
        );
        let loaded_again = heard.told("s", at("/p/CLAUDE.md", 1));
        assert!(loaded_again.is_none(), "it was found before it was told of");
        drop(heard.told("s", at("/p/CLAUDE.md", 1)));
        assert!(
            ahead(&heard, "s", at("/p/CLAUDE.md", 1)),
            "what was loaded again has no verdict"
        );
    }

    #[test]
    fn an_older_judging_does_not_undo_a_newer_one() {
        let heard = Heard::default();
        let older = heard.told("s", at("/p/CLAUDE.md", 1)).unwrap();
        let newer = heard.told("s", at("/p/CLAUDE.md", 2)).unwrap();
        drop(older);
        assert!(matches!(
            heard.ahead("s", at("/p/CLAUDE.md", 2)),
            Ahead::Underway
        ));
        newer.judged();
        assert!(!ahead(&heard, "s", at("/p/CLAUDE.md", 2)));
    }

    #[test]
    fn another_target_and_another_policy_are_judged_anew() {
        let heard = Heard::default();
        assert!(ahead(&heard, "s", at("/p/CLAUDE.md", 1)));
        assert!(told(&heard, "s", at("/etc/other", 1)));
        assert!(ahead(&heard, "s", at("/etc/other", 2)));
        assert!(!ahead(&heard, "s", at("/etc/other", 2)));
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
            assert!(told(&heard, "s", instruction));
        }
        assert!(ahead(&heard, "s", at("/p", 1)) && ahead(&heard, "s", at("/p", 1)));
        for number in 0..SESSIONS_MAX {
            ahead(&heard, &number.to_string(), at("/p", 1));
        }
        assert_eq!(heard.0.lock().unwrap().by_session.len(), SESSIONS_MAX);
        assert!(ahead(&heard, "s", at("/p", 1)));
    }
}
