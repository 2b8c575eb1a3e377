//! Submitting: lanes in parallel, in order within a lane, every answer checked.
//!
//! Owns the timing. A refused frame ends the run: a rate over refusals would mean nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cairn_api::paths;
use cairn_api::submission::{Status, SubmitResponse, Wait};
use cairn_event::frame::MEDIA_TYPE;
use serde::Deserialize;
use tokio::time::Instant;

use cairn_tests::connection::{Address, Connection};
use cairn_tests::figures::percentile;

/// Longest wait for one submission; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// One submission as it goes over the wire.
#[derive(Clone)]
pub struct Submission {
    request: Vec<u8>,
    frames: usize,
    wait: Wait,
}

impl Submission {
    /// Makes the request.
    pub fn new(address: &Address, frames: &[String], wait: Wait) -> Self {
        let mut body = String::with_capacity(frames.iter().map(|frame| frame.len() + 1).sum());
        for frame in frames {
            body.push_str(frame);
            body.push('\n');
        }
        let path = format!(
            "{}?wait={}&timeout_ms={}",
            paths::ENTRIES,
            wait.as_str(),
            PATIENCE.as_millis()
        );
        Self {
            request: address.post(&path, MEDIA_TYPE, &body),
            frames: frames.len(),
            wait,
        }
    }
}

/// The submissions of one device, in the order of its chain.
pub type Lane = Vec<Submission>;

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

    /// A percentile of the time from sending a submission, or from when it was due, to its answer, in
    /// milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        percentile(&self.answers, percent)
    }
}

/// When the submissions of a lane are sent.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Each when the one before is answered.
    Closed,
    /// Each at its own time, whether or not the server is late: the first after `offset`, then every
    /// `period`. A lane that is late sends at once, and the wait counts.
    Open {
        /// First.
        offset: Duration,
        /// Then.
        period: Duration,
    },
}

/// Plays all lanes at once and waits until the last answer is there.
pub async fn run(
    address: &Address,
    lanes: Vec<Lane>,
    pace: impl Fn(usize) -> Pace,
) -> Result<Measured> {
    let mut connected = Vec::new();
    for lane in lanes {
        connected.push((Connection::open(address).await?, lane));
    }
    let begun = Instant::now();
    let play =
        |(number, (connection, lane))| tokio::spawn(play(connection, lane, pace(number), begun));
    let tasks: Vec<_> = connected.into_iter().enumerate().map(play).collect();
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

async fn play(
    mut connection: Connection,
    lane: Lane,
    pace: Pace,
    begun: Instant,
) -> Result<(usize, Vec<Duration>)> {
    let (mut accepted, mut times) = (0, Vec::with_capacity(lane.len()));
    for (number, submission) in (0_u32..).zip(&lane) {
        let due = match pace {
            Pace::Closed => Instant::now(),
            Pace::Open { offset, period } => {
                let due = begun + offset + period * number;
                tokio::time::sleep_until(due).await;
                due
            }
        };
        let answer = connection.exchange(&submission.request).await?;
        times.push(due.elapsed());
        if check(submission, answer)? > 0 {
            bail!("an event that is new was taken for a duplicate");
        }
        accepted += submission.frames;
    }
    Ok((accepted, times))
}

/// What the load looks at in a result; receipts are passed over.
#[derive(Deserialize)]
struct Seen {
    status: Status,
    #[serde(default)]
    duplicate: bool,
    receipt: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Seen>,
}

/// Checks that every frame was accepted and came as far as was asked; gives the duplicates.
fn check(submission: &Submission, answer: &[u8]) -> Result<usize> {
    let answer: Answer = serde_json::from_slice(answer)?;
    let (mut duplicates, wait) = (0, submission.wait);
    for result in &answer.results {
        let reached = match result.status {
            Status::Refused => bail!("an event was refused"),
            Status::Sequenced => wait == Wait::Sequenced,
            Status::Published => wait != Wait::Witnessed && result.receipt.is_some(),
            Status::Witnessed => result.receipt.is_some(),
        };
        if !reached {
            bail!("not {} within {} s", wait.as_str(), PATIENCE.as_secs());
        }
        duplicates += usize::from(result.duplicate);
    }
    if answer.results.len() == submission.frames {
        return Ok(duplicates);
    }
    let (got, sent) = (answer.results.len(), submission.frames);
    bail!("{got} answers to {sent} frames")
}

/// Submits frames in one request and gives their indices.
pub async fn submit(
    connection: &mut Connection,
    address: &Address,
    frames: &[String],
    wait: Wait,
) -> Result<Vec<u64>> {
    let submission = Submission::new(address, frames, wait);
    let answer = connection.exchange(&submission.request).await?;
    let answer: SubmitResponse = serde_json::from_slice(answer)?;
    let index = |result: &cairn_api::submission::FrameResult| match (&result.problem, result.index)
    {
        (None, Some(index)) => Ok(index),
        (problem, _) => bail!("refused: {problem:?}"),
    };
    answer.results.iter().map(index).collect()
}

/// Submits the same bytes again: the server must know every one of them.
pub async fn must_be_duplicates(
    connection: &mut Connection,
    submission: &Submission,
) -> Result<()> {
    let answer = connection.exchange(&submission.request).await?;
    let known = check(submission, answer).context("sent again")?;
    if known == submission.frames {
        Ok(())
    } else {
        bail!("an event that the log has was taken for a new one")
    }
}
