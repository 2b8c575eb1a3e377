//! A data folder with some entries in it, and the work that campaigns do on it.

use super::programs::{Ended, Launch, Running, server};
use crate::oracle::Acknowledged;
use crate::world::{Chain, World};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Entries of one submission.
const BATCH: usize = 6;

/// An organisation, its chain, and what was acknowledged so far.
pub struct Office {
    pub world: World,
    pub chain: Chain,
    pub acknowledged: Acknowledged,
    /// Frames that got no answer, oldest first; submitted again before new ones.
    pub unanswered: Vec<String>,
}

impl Office {
    /// An organisation whose log was never started.
    pub fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    /// In a given folder.
    pub fn on(dir: tempfile::TempDir) -> Self {
        let world = World::on(dir);
        let (chain, first) = world.chain(3);
        Self {
            unanswered: vec![world.roster(), first],
            world,
            chain,
            acknowledged: Acknowledged::default(),
        }
    }

    pub fn start(&self, launch: &Launch) -> Result<Running, Ended> {
        server(&self.world, &self.world.data(), launch)
    }

    /// Submits what is open and then `batches` more; stops at the first that is not answered.
    pub async fn work(&mut self, server: &Running, batches: usize) -> bool {
        // The roster must be in before a chain of its device is looked at.
        for frame in std::mem::take(&mut self.unanswered) {
            if !server
                .submit(std::slice::from_ref(&frame), &mut self.acknowledged)
                .await
            {
                self.unanswered.push(frame);
            }
        }
        for _ in 0..batches {
            if !self.unanswered.is_empty() {
                return false;
            }
            let frames = self.chain.many(BATCH);
            if !server.submit(&frames, &mut self.acknowledged).await {
                self.unanswered = frames;
            }
        }
        self.unanswered.is_empty()
    }
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) -> PathBuf {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
    to.to_owned()
}
