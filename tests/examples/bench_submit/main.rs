//! Load for one `cairn-server`: many synthetic devices submit events that were signed beforehand.
//!
//! Owns what is measured in which order and prints one JSON object a line: `{"name","value","unit"}`.
//! Does not start the server. Every event is admitted as any other: signature verified, place in
//! its chain checked, looked up for duplicates, durable before the answer.
//!
//! ```text
//! bench_submit rate OFFICE SERVER EVENTS SINGLES PID      as fast as the server answers
//! bench_submit witnessed OFFICE SERVER RATE SECONDS       at a given rate, up to the witnessed receipt
//! bench_submit window OFFICE SERVER NUMBER EVENTS PID     one window of a growing log
//! bench_submit receipts SERVER COUNT SIZE                 receipts of indices below SIZE
//! bench_submit provable SERVER NAME SECONDS               another log while somebody loads it
//! ```
//!
//! OFFICE is the folder that `cairn org create` made and PID the server's process. Each window has
//! devices of its own. Source: `docs/performance.md`.

mod cpu;
mod load;
mod provable;
mod reading;
mod verify;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cairn_api::submission::Wait;
use cairn_tests::connection::{Address, Connection};
use cairn_tests::figures::print;
use cairn_tests::fleet::{self, ADMITTED_AT_ONCE, Device, Office};
use load::{Lane, Pace, Submission};

/// Frames in one submission: the most that the server takes, and what a daemon sends when it catches up.
const BATCH: usize = 256;

/// Submissions in flight at once when events come in batches.
const BATCH_LANES: usize = 16;

/// Requests in flight at once when each carries one event.
const SINGLE_LANES: usize = 64;

/// Frames in one submission, and devices, when the receipt is waited for: a request lasts as long as
/// the witnesses need, so that many are under way.
const WITNESSED_BATCH: usize = 64;
const WITNESSED_LANES: usize = 128;

/// The most events of each kind: a run ends by itself within minutes.
const EVENTS_MAX: usize = 1_000_000;

/// Signatures that the primitive verifies in one round.
const SIGNATURES_MAX: usize = 20_480;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["rate", office, server, events, singles, pid] => {
            let bench = Bench::open(office, server)?;
            bench
                .rate(count(events)?, count(singles)?, pid.parse()?)
                .await
        }
        ["witnessed", office, server, rate, seconds] => {
            let bench = Bench::open(office, server)?;
            bench.witnessed(rate.parse()?, count(seconds)?).await
        }
        ["window", office, server, number, events, pid] => {
            let bench = Bench::open(office, server)?;
            bench
                .window(count(number)?, count(events)?, pid.parse()?)
                .await
        }
        ["receipts", server, count, size] => {
            reading::receipts(&Address::of(server)?, count.parse()?, size.parse()?).await
        }
        ["provable", server, name, seconds] => {
            provable::probe(&Address::of(server)?, name, count(seconds)?).await
        }
        _ => {
            bail!("expected `rate`, `witnessed`, `window`, `receipts` or `provable` and its words")
        }
    }
}

/// The server under load.
struct Bench {
    office: Office,
    address: Address,
}

impl Bench {
    fn open(office: &str, server: &str) -> Result<Self> {
        Ok(Self {
            office: Office::open(Path::new(office))?,
            address: Address::of(server)?,
        })
    }

    /// In batches, then one event a request, both beside the bare rate of the same signatures.
    async fn rate(&self, events: usize, singles: usize, server: u32) -> Result<()> {
        let events = events.clamp(BATCH, EVENTS_MAX);
        let singles = singles.clamp(SINGLE_LANES, EVENTS_MAX);
        let mut devices = fleet::devices(0, BATCH_LANES + SINGLE_LANES);
        let roster = self.enrol(&mut devices, 0).await?;
        let (many, few) = devices.split_at_mut(BATCH_LANES);
        let batches = self.sign(many, roster, events)?;
        let sizes = Sizes::of(&batches);
        print("log.event", sizes.frame, "bytes");
        print("log.event.entry", sizes.entry, "bytes");
        let mut signed = verify::signatures(many, &batches)?;
        signed.truncate(SIGNATURES_MAX);
        let verified = verify::rate_on_all_cores(&signed)?;
        print(
            "primitive.verify_strict.all_cores",
            verified,
            "signatures/s",
        );
        drop(signed);
        let ones = self.lanes(&self.sign(few, roster, singles)?, 1, Wait::Sequenced);
        let batches = self.lanes(&batches, BATCH, Wait::Sequenced);
        let first = batches.first().and_then(|lane| lane.first());
        let again = first.context("there is no event")?.clone();

        self.measure("log.batch256", batches, server).await?;
        let mut connection = Connection::open(&self.address).await?;
        load::must_be_duplicates(&mut connection, &again).await?;
        self.measure("log.single", ones, server).await?;
        let size = self.publish(&mut devices).await?;
        print("log.size", size as f64, "entries");
        Ok(())
    }

    /// At `rate` events a second, from when a submission was due to its witnessed receipts.
    async fn witnessed(&self, rate: f64, seconds: usize) -> Result<()> {
        let events = (rate * seconds as f64) as usize;
        let events = events.clamp(WITNESSED_BATCH * WITNESSED_LANES, EVENTS_MAX);
        let mut devices = fleet::devices(0, WITNESSED_LANES);
        let roster = self.enrol(&mut devices, 0).await?;
        let lanes = self.sign(&mut devices, roster, events)?;
        let lanes = self.lanes(&lanes, WITNESSED_BATCH, Wait::Witnessed);
        let between = Duration::from_secs_f64(WITNESSED_BATCH as f64 / rate);
        let pace = |lane: usize| Pace::Open {
            offset: between * lane as u32,
            period: between * WITNESSED_LANES as u32,
        };
        let measured = load::run(&self.address, lanes, pace).await?;
        print("log.witnessed.rate", measured.rate(), "events/s");
        print("log.witnessed.events", measured.events as f64, "events");
        for percent in [50, 99] {
            let name = format!("log.witnessed.p{percent}");
            print(&name, measured.percentile(percent), "ms");
        }
        Ok(())
    }

    /// One window of a growing log, in batches.
    async fn window(&self, number: usize, events: usize, server: u32) -> Result<()> {
        let mut devices = fleet::devices(number * BATCH_LANES, BATCH_LANES);
        let roster = self.enrol(&mut devices, number).await?;
        let batches = self.sign(&mut devices, roster, events.clamp(BATCH, EVENTS_MAX))?;
        let sizes = Sizes::of(&batches);
        print("scale.entry_bytes", sizes.entry, "bytes");
        print("scale.frame_bytes", sizes.frame, "bytes");
        let batches = self.lanes(&batches, BATCH, Wait::Sequenced);
        self.measure("scale.batch256", batches, server).await?;
        let size = self.publish(&mut devices).await?;
        print("scale.size", size as f64, "entries");
        Ok(())
    }

    /// Admits devices after `revisions` earlier roster entries and starts their chains; gives the
    /// index of the last roster entry.
    async fn enrol(&self, devices: &mut [Device], revisions: usize) -> Result<u64> {
        let mut connection = Connection::open(&self.address).await?;
        let mut last = None;
        for (number, some) in devices.chunks_mut(ADMITTED_AT_ONCE).enumerate() {
            let revision = (revisions + number + 1) as u64;
            let entry = vec![self.office.roster(some, revision)?];
            let (address, wait) = (&self.address, Wait::Sequenced);
            let index = load::submit(&mut connection, address, &entry, wait).await?;
            last = index.last().copied().or(last);
            let starts = some
                .iter_mut()
                .map(|device| device.start(&self.office.origin));
            let starts = starts.collect::<Result<Vec<String>>>()?;
            load::submit(&mut connection, address, &starts, wait).await?;
        }
        last.context("the roster entry has no index")
    }

    /// Signs `events` events, shared among the devices.
    fn sign(&self, devices: &mut [Device], roster: u64, events: usize) -> Result<Vec<Vec<String>>> {
        let each = events.div_ceil(devices.len().max(1));
        let lane = |device: &mut Device| device.decisions(&self.office.origin, roster, each);
        devices.iter_mut().map(lane).collect()
    }

    /// Makes the requests.
    fn lanes(&self, frames: &[Vec<String>], batch: usize, wait: Wait) -> Vec<Lane> {
        let submission = |some: &[String]| Submission::new(&self.address, some, wait);
        let lane = |frames: &Vec<String>| frames.chunks(batch).map(submission).collect();
        frames.iter().map(lane).collect()
    }

    async fn measure(&self, name: &str, lanes: Vec<Lane>, server: u32) -> Result<()> {
        let before = (cpu::seconds(server)?, cpu::seconds(std::process::id())?);
        let measured = load::run(&self.address, lanes, |_| Pace::Closed).await?;
        let used = cpu::seconds(server)? - before.0;
        let own = cpu::seconds(std::process::id())? - before.1;
        let events = measured.events as f64;
        print(name, measured.rate(), "events/s");
        print(&format!("{name}.events"), events, "events");
        print(
            &format!("{name}.server_cpu"),
            used * 1e6 / events,
            "us/event",
        );
        print(
            &format!("{name}.generator_cpu"),
            own * 1e6 / events,
            "us/event",
        );
        for percent in [50, 99] {
            let answer = format!("{name}.answer.p{percent}");
            print(&answer, measured.percentile(percent), "ms");
        }
        Ok(())
    }

    /// Waits until a last entry, and with it everything before it, is under a published checkpoint;
    /// gives the size of the log.
    async fn publish(&self, devices: &mut [Device]) -> Result<u64> {
        let device = devices.first_mut().context("there is no device")?;
        let frames = [device.heartbeat(&self.office.origin)?];
        let mut connection = Connection::open(&self.address).await?;
        let indices = load::submit(&mut connection, &self.address, &frames, Wait::Published);
        let index = indices.await?.first().copied();
        Ok(index.context("the last entry has no index")? + 1)
    }
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
    fn of(lanes: &[Vec<String>]) -> Self {
        let frames: Vec<&String> = lanes.iter().flatten().collect();
        let entry = |frame: &&String| frame.split('~').next().map_or(0, str::len);
        let mean = |total: usize| total as f64 / frames.len().max(1) as f64;
        Self {
            frame: mean(frames.iter().map(|frame| frame.len()).sum()),
            entry: mean(frames.iter().map(entry).sum()),
        }
    }
}
