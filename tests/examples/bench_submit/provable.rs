//! Another log under load: how fast it grows, and how long until a new leaf can be proven.
//!
//! Speaks what Tessera's example servers speak: `POST /add` answers with the index, `GET /checkpoint`
//! with the newest checkpoint. A leaf can be proven as soon as a published checkpoint covers it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use cairn_tests::connection::{Address, Connection};
use cairn_tests::figures::{print, print_times};

/// Pause between two looks at the checkpoint: small against any checkpoint interval.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Longest wait for a checkpoint that covers a leaf.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a probe, as many as a leaf of the load.
const LEAF_BYTES: usize = 1_024;

/// Probes under way at once: some hundred in half a minute, and nothing beside the load.
const PROBERS: usize = 8;

/// Longest pause before a probe. One sent as soon as the last is covered would always come just
/// after a checkpoint and wait a whole interval; spread over a second they come at any moment.
const SPREAD: Duration = Duration::from_secs(1);

/// Its multiples fall evenly into the unit interval, however many there are: the golden ratio's part
/// behind the point.
const STEP: f64 = 0.618_034;

/// Probes for some seconds while somebody else loads the log.
pub async fn probe(address: &Address, name: &str, seconds: usize) -> Result<()> {
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds as u64);
    let mut looking = Connection::open(address).await?;
    let from = size(&mut looking, address).await?;
    let (seen, sizes) = watch::channel(from);
    let follow = tokio::spawn(follow(looking, address.clone(), seen));
    let probers: Vec<_> = (0..PROBERS)
        .map(|number| {
            let prober = Prober {
                address: address.clone(),
                name: format!("{name} {number}"),
                number,
                sizes: sizes.clone(),
            };
            tokio::spawn(prober.run(until))
        })
        .collect();
    let mut times = Vec::new();
    for prober in probers {
        times.extend(prober.await??);
    }
    let grown = sizes.borrow().saturating_sub(from);
    let rate = grown as f64 / begun.elapsed().as_secs_f64();
    drop(sizes);
    follow.await??;
    print(&format!("{name}.rate"), rate, "entries/s");
    print(&format!("{name}.entries"), grown as f64, "entries");
    print(&format!("{name}.probes"), times.len() as f64, "leaves");
    print_times(&format!("{name}.provable"), &mut times);
    Ok(())
}

/// Tells the size of the newest checkpoint until nobody asks any more.
async fn follow(
    mut connection: Connection,
    address: Address,
    seen: watch::Sender<u64>,
) -> Result<()> {
    while !seen.is_closed() {
        seen.send_replace(size(&mut connection, &address).await?);
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// One leaf after the other, each when the one before is covered.
struct Prober {
    address: Address,
    name: String,
    number: usize,
    sizes: watch::Receiver<u64>,
}

impl Prober {
    async fn run(mut self, until: Instant) -> Result<Vec<Duration>> {
        let mut connection = Connection::open(&self.address).await?;
        let mut times = Vec::new();
        while Instant::now() < until {
            let turn = (times.len() * PROBERS + self.number) as f64;
            sleep(SPREAD.mul_f64((turn * STEP).fract())).await;
            // Named after the part: a leaf of an earlier part is known to the log and covered at once.
            let leaf = format!("{:0>LEAF_BYTES$}", format!("{} {}", self.name, times.len()));
            let request = self.address.post("/add", "application/octet-stream", &leaf);
            let sent = Instant::now();
            let index = connection.exchange(&request).await?;
            let index: u64 = std::str::from_utf8(index)?.trim().parse()?;
            let covered = self.sizes.wait_for(|size| *size > index);
            match timeout(PATIENCE, covered).await {
                Ok(covered) => drop(covered?),
                Err(_) => bail!("no checkpoint covers index {index}"),
            }
            times.push(sent.elapsed());
        }
        Ok(times)
    }
}

/// The size of the newest checkpoint: its second line.
async fn size(connection: &mut Connection, address: &Address) -> Result<u64> {
    let checkpoint = connection.exchange(&address.get("/checkpoint")).await?;
    let line = std::str::from_utf8(checkpoint)?.lines().nth(1);
    Ok(line.context("the checkpoint has no size")?.parse()?)
}
