//! Another log under load: how fast it grows, and how long until a new leaf can be proven.
//!
//! Speaks what Tessera's example servers speak: `POST /add` answers with the index, `GET /checkpoint`
//! with the newest checkpoint. A leaf can be proven as soon as a published checkpoint covers it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep};

use cairn_tests::connection::{Address, Connection};
use cairn_tests::figures::{print, print_times};

/// Pause between two looks at the checkpoint: small against any checkpoint interval.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Longest wait for a checkpoint that covers a leaf.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a probe, as many as a leaf of the load.
const LEAF_BYTES: usize = 1_024;

/// Probes for some seconds while somebody else loads the log.
pub async fn probe(address: &Address, name: &str, seconds: usize) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    let begun = Instant::now();
    let from = size(&mut connection, address).await?;
    let mut times = Vec::new();
    while begun.elapsed() < Duration::from_secs(seconds as u64) {
        let leaf = format!("{:0>LEAF_BYTES$}", format!("probe {}", times.len()));
        let request = address.post("/add", "application/octet-stream", &leaf);
        let sent = Instant::now();
        let index = connection.exchange(&request).await?;
        let index: u64 = std::str::from_utf8(index)?.trim().parse()?;
        while size(&mut connection, address).await? <= index {
            if sent.elapsed() > PATIENCE {
                bail!("no checkpoint covers index {index}");
            }
            sleep(LOOK_EVERY).await;
        }
        times.push(sent.elapsed());
    }
    let grown = size(&mut connection, address).await?.saturating_sub(from);
    let rate = grown as f64 / begun.elapsed().as_secs_f64();
    print(&format!("{name}.rate"), rate, "entries/s");
    print(&format!("{name}.entries"), grown as f64, "entries");
    print_times(&format!("{name}.provable"), &mut times);
    Ok(())
}

/// The size of the newest checkpoint: its second line.
async fn size(connection: &mut Connection, address: &Address) -> Result<u64> {
    let checkpoint = connection.exchange(&address.get("/checkpoint")).await?;
    let line = std::str::from_utf8(checkpoint)?.lines().nth(1);
    Ok(line.context("the checkpoint has no size")?.parse()?)
}
