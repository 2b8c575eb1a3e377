//! How the demo speaks: numbered steps, plain sentences, and claims that are checked.
//!
//! It owns the wording's shape and the count of failed claims. It checks nothing itself.

use std::io::Write as _;

/// A narration with its failures.
#[derive(Debug, Default)]
pub struct Story {
    step: usize,
    held: usize,
    failed: Vec<String>,
}

impl Story {
    /// Begins a numbered step.
    pub fn step(&mut self, title: &str) {
        self.step += 1;
        self.print(&format!("\n{}. {title}", self.step));
    }

    /// Says something.
    pub fn say(&self, sentence: &str) {
        for line in sentence.lines() {
            self.print(&format!("   {line}"));
        }
    }

    /// States a claim and whether it holds; a failed claim fails the demo at its end.
    pub fn claim(&mut self, claim: &str, holds: bool) {
        if holds {
            self.held += 1;
            self.print(&format!("   [ok]     {claim}"));
        } else {
            self.failed.push(claim.to_owned());
            self.print(&format!("   [FAILED] {claim}"));
        }
    }

    /// How many claims held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// The claims that did not hold.
    #[must_use]
    pub fn failed(&self) -> &[String] {
        &self.failed
    }

    fn print(&self, line: &str) {
        println!("{line}");
        // A reader that went away ends the demo by its own signal; the text is only narration.
        let _ = std::io::stdout().flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_claims_are_kept() {
        let mut story = Story::default();
        story.step("begin");
        story.claim("one holds", true);
        story.claim("one does not", false);
        assert_eq!(story.held(), 1);
        assert_eq!(story.failed(), ["one does not"]);
    }
}
