//! Submitting: lanes in parallel, in order within a lane, every answer checked.
//!
//! Owns the timing. A refused frame ends the run: a rate over refusals would mean nothing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cairn_api::Client;
use cairn_api::submission::{FrameResult, Status, Wait};

use crate::fleet::Device;

/// Longest wait for one submission; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// The submissions of one device, in the order of its chain.
pub type Lane = Vec<Vec<String>>;

/// What a run took.
pub struct Measured {
    /// Events accepted.
    pub events: usize,
    elapsed: Duration,
    answers: Vec<Duration>,
}

impl Measured {
    /// Events accepted a second, over the whole run.
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64()
    }

    /// A percentile of the time from sending a submission to its answer, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let index = self.answers.len() * percent / 100;
        let index = index.min(self.answers.len().saturating_sub(1));
        let at = self.answers.get(index).copied().unwrap_or_default();
        at.as_secs_f64() * 1_000.0
    }
}

/// Plays all lanes at once and waits until the last answer is there.
pub async fn run(client: &Client, lanes: Vec<Lane>) -> Result<Measured> {
    let begun = Instant::now();
    let tasks: Vec<_> = lanes
        .into_iter()
        .map(|lane| tokio::spawn(play(client.clone(), lane)))
        .collect();
    let (mut events, mut answers) = (0, Vec::new());
    for task in tasks {
        let (accepted, times) = task.await??;
        events += accepted;
        answers.extend(times);
    }
    let elapsed = begun.elapsed();
    answers.sort_unstable();
    Ok(Measured {
        events,
        elapsed,
        answers,
    })
}

async fn play(client: Client, lane: Lane) -> Result<(usize, Vec<Duration>)> {
    let (mut accepted, mut times) = (0, Vec::new());
    for frames in lane {
        let begun = Instant::now();
        let results = submit(&client, &frames, Wait::Sequenced).await?;
        times.push(begun.elapsed());
        if results.iter().any(|result| result.duplicate) {
            bail!("an event that is new was taken for a duplicate");
        }
        accepted += results.len();
    }
    Ok((accepted, times))
}

/// Submits frames in one request and gives their indices.
pub async fn submit_all(client: &Client, frames: Vec<String>) -> Result<Vec<u64>> {
    let results = submit(client, &frames, Wait::Sequenced).await?;
    Ok(results.iter().filter_map(|result| result.index).collect())
}

/// Submits the same bytes again: the server must know every one of them.
pub async fn must_be_duplicates(client: &Client, frames: Vec<String>) -> Result<()> {
    let results = submit(client, &frames, Wait::Sequenced).await?;
    if results.iter().all(|result| result.duplicate) {
        Ok(())
    } else {
        bail!("an event that the log has was taken for a new one")
    }
}

/// Waits until a last entry, and with it everything before it, is under a published checkpoint;
/// gives the size of the log.
pub async fn publish(client: &Client, devices: &mut [Device], origin: &str) -> Result<u64> {
    let device = devices.first_mut().context("there is no device")?;
    let frames = [device.heartbeat(origin)?];
    let results = submit(client, &frames, Wait::Published).await?;
    let index = results.first().and_then(|result| result.index);
    Ok(index.context("the last entry has no index")? + 1)
}

async fn submit(client: &Client, frames: &[String], wait: Wait) -> Result<Vec<FrameResult>> {
    let answer = client.submit(frames, wait, PATIENCE).await?;
    for result in &answer.results {
        if let Some(problem) = &result.problem {
            bail!("refused: {problem}");
        }
        let reached = match wait {
            Wait::Sequenced => result.index.is_some(),
            Wait::Published | Wait::Witnessed => result.status != Status::Sequenced,
        };
        if !reached {
            bail!("not {} within {} s", wait.as_str(), PATIENCE.as_secs());
        }
    }
    if answer.results.len() == frames.len() {
        Ok(answer.results)
    } else {
        bail!(
            "{} answers to {} frames",
            answer.results.len(),
            frames.len()
        )
    }
}
