//! Load for one `cairn-server`: many synthetic devices submit events that were signed beforehand.
//!
//! Owns the order of the measurement and prints one JSON object a line: `{"name","value","unit"}`.
//! Does not start the server. Every event is admitted as any other: signature verified, place in
//! its chain checked, looked up for duplicates, durable before the answer.
//!
//! Usage: `bench_submit OFFICE SERVER EVENTS SINGLES PID`, where OFFICE is the folder that
//! `cairn org create` made and PID the server's process. Source: `docs/performance.md`.

mod cpu;
mod fleet;
mod load;
mod verify;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cairn_api::Client;
use fleet::{Device, Office};
use serde_json::json;

/// Frames in one submission: the most that the server takes, and what a daemon sends when it catches up.
const BATCH: usize = 256;

/// Submissions in flight at once when events come in batches.
const BATCH_LANES: usize = 4;

/// Requests in flight at once when each carries one event.
const SINGLE_LANES: usize = 32;

/// The most events of each kind: a run ends by itself within minutes.
const EVENTS_MAX: usize = 1_000_000;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [office, server, events, singles, pid] = words.as_slice() else {
        bail!("expected OFFICE SERVER EVENTS SINGLES PID");
    };
    let events = count(events)?.clamp(BATCH, EVENTS_MAX);
    let singles = count(singles)?.clamp(SINGLE_LANES, EVENTS_MAX);
    let office = Office::open(Path::new(office))?;
    let bench = Bench {
        client: Client::new(server)?,
        server: pid.parse()?,
    };

    let mut devices = fleet::devices(BATCH_LANES + SINGLE_LANES);
    let roster = bench.enrol(&office, &mut devices).await?;
    let (many, few) = devices.split_at_mut(BATCH_LANES);
    let batches = sign(many, &office.origin, roster, events, BATCH)?;
    let ones = sign(few, &office.origin, roster, singles, 1)?;

    let sizes = Sizes::of(&batches);
    print("log.event", sizes.frame, "bytes");
    print("log.event.entry", sizes.entry, "bytes");
    let signed = verify::signatures(many, &batches)?;
    let rate = verify::rate_on_all_cores(&signed)?;
    print("primitive.verify_strict.all_cores", rate, "signatures/s");
    drop(signed);

    let again = batches.first().and_then(|lane| lane.first()).cloned();
    bench.run("log.batch256", batches).await?;
    let again = again.context("nothing was submitted")?;
    load::must_be_duplicates(&bench.client, again).await?;
    bench.run("log.single", ones).await?;
    let size = load::publish(&bench.client, &mut devices, &office.origin).await?;
    print("log.size", size as f64, "entries");
    Ok(())
}

/// The server under load.
struct Bench {
    client: Client,
    server: u32,
}

impl Bench {
    /// Admits the devices and starts their chains; gives the index of the roster entry.
    async fn enrol(&self, office: &Office, devices: &mut [Device]) -> Result<u64> {
        let admitted = load::submit_all(&self.client, vec![office.roster(devices)?]).await?;
        let starts: Result<Vec<String>> = devices
            .iter_mut()
            .map(|device| device.start(&office.origin))
            .collect();
        load::submit_all(&self.client, starts?).await?;
        admitted
            .first()
            .copied()
            .context("the roster entry has no index")
    }

    async fn run(&self, name: &str, lanes: Vec<load::Lane>) -> Result<()> {
        let before = cpu::seconds(self.server)?;
        let measured = load::run(&self.client, lanes).await?;
        let used = cpu::seconds(self.server)? - before;
        let events = measured.events as f64;
        print(name, measured.rate(), "events/s");
        print(&format!("{name}.events"), events, "events");
        print(
            &format!("{name}.server_cpu"),
            used * 1e6 / events,
            "us/event",
        );
        for percent in [50, 99] {
            let answer = format!("{name}.answer.p{percent}");
            print(&answer, measured.percentile(percent), "ms");
        }
        Ok(())
    }
}

/// Signs `events` events, shared among the devices, in submissions of `batch` frames.
fn sign(
    devices: &mut [Device],
    origin: &str,
    roster: u64,
    events: usize,
    batch: usize,
) -> Result<Vec<load::Lane>> {
    let each = events.div_ceil(devices.len().max(1));
    let lane = |device: &mut Device| -> Result<load::Lane> {
        let frames = device.decisions(origin, roster, each)?;
        Ok(frames.chunks(batch).map(<[String]>::to_vec).collect())
    };
    devices.iter_mut().map(lane).collect()
}

fn count(text: &str) -> Result<usize> {
    text.parse()
        .with_context(|| format!("`{text}` is not a number"))
}

/// Mean bytes of an event as it is sent.
struct Sizes {
    frame: f64,
    entry: f64,
}

impl Sizes {
    fn of(lanes: &[load::Lane]) -> Self {
        let frames: Vec<&String> = lanes.iter().flatten().flatten().collect();
        let entry = |frame: &&String| frame.split('~').next().map_or(0, str::len);
        let mean = |total: usize| total as f64 / frames.len().max(1) as f64;
        Self {
            frame: mean(frames.iter().map(|frame| frame.len()).sum()),
            entry: mean(frames.iter().map(entry).sum()),
        }
    }
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{}", json!({ "name": name, "value": value, "unit": unit }));
}
