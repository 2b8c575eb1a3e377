//! The simulated network: loss, delay, duplicates and one-way cuts, all out of the run's dice.
//!
//! Owns the way of one request and one answer. What a machine does with a request is the caller's.

use super::stage::{Host, Roller, Stage, lock};
use crate::disk::Disk;
use cairn_server::witnesses::{Answer, LinkError, WitnessLink};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long the server waits for a witness.
const WITNESS_TIMEOUT: Duration = Duration::from_millis(2_000);

/// What the dice say about one message.
struct Way {
    arrives: bool,
    after: Duration,
    /// A copy arrives as well, after so long.
    copy: Option<Duration>,
}

fn way(stage: &Stage, from: Host, to: Host) -> Way {
    let quality = lock(&stage.quality).clone();
    let who = Roller::Way(from, to);
    stage.roll(who, |dice| {
        let lost = dice.chance(quality.loss);
        let after = dice.of(quality.delay.clone());
        let copy = dice.chance(quality.twice).then(|| dice.of(1..3_000));
        Way {
            arrives: !lost && !quality.cut.contains(&(from, to)),
            after: stage.slot(who, after),
            copy: copy.map(|copy| stage.slot(who, after + copy)),
        }
    })
}

/// Carries a request to `to`, where `act` answers it (`None`: nobody is there), and the answer back.
///
/// Never resolves when a message is lost: the caller has a deadline, as on any network.
pub async fn carry<A: Send + 'static, F>(
    stage: Arc<Stage>,
    from: Host,
    to: Host,
    act: impl Fn() -> F + Send + 'static,
) -> Option<A>
where
    F: Future<Output = Option<A>> + Send + 'static,
{
    let there = way(&stage, from, to);
    if !there.arrives {
        return std::future::pending().await;
    }
    if let Some(later) = there.copy {
        let copy = act();
        tokio::spawn(async move {
            sleep(later).await;
            drop(copy.await);
        });
    }
    sleep(there.after).await;
    // The machine goes on with a request whether or not somebody still waits for the answer.
    let answer = tokio::spawn(act()).await.unwrap();
    let back = way(&stage, to, from);
    if !back.arrives {
        return std::future::pending().await;
    }
    sleep(back.after).await;
    answer
}

/// The network of one life of the server, as far as its witnesses.
pub struct Link {
    pub stage: Arc<Stage>,
    /// A dead process sends nothing and hears nothing.
    pub disk: Disk,
}

impl WitnessLink for Link {
    fn add_checkpoint(
        &self,
        url: &str,
        body: String,
    ) -> BoxFuture<'static, Result<Answer, LinkError>> {
        let nodes = self.stage.witnesses.iter();
        let number = nodes.zip(0_u8..).find(|(node, _)| lock(node).is_at(url));
        let (_, number) = number.unwrap();
        let (stage, disk) = (self.stage.clone(), self.disk.clone());
        Box::pin(async move {
            if disk.is_dead() {
                return Err(LinkError::Silence);
            }
            let at = stage.clone();
            let act = move || {
                let (stage, body) = (at.clone(), body.clone());
                async move { answer(&stage, number, &body) }
            };
            let sent = carry(stage, Host::Server, Host::Witness(number), act);
            match timeout(WITNESS_TIMEOUT, sent).await {
                Ok(Some(answer)) if !disk.is_dead() => Ok(answer),
                _ => Err(LinkError::Silence),
            }
        })
    }
}

fn answer(stage: &Stage, number: u8, body: &str) -> Option<Answer> {
    let now = stage.witness_seconds(number);
    let answer = lock(&stage.witnesses[usize::from(number)]).answer(body, now);
    let status = answer.as_ref().map(|answer| answer.status.as_u16());
    let size = body.lines().find_map(|line| line.parse::<u64>().ok());
    stage.say(&format!(
        "witness {number} answers {status:?} about size {size:?}"
    ));
    answer
}
