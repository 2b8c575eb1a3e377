//! System calls that fail, or at which the process dies, one after the other, by `strace -e inject`.
//!
//! Owns the list of calls and errors. The n-th call of a thread is struck: early ones meet the start,
//! later ones the rounds. Whatever happens, the server ends with a reason or goes on, and the next start
//! holds every acknowledged entry.

use super::office::Office;
use super::programs::{Launch, has_tool, log_alone, restart_and_judge};
use std::time::{Duration, Instant};

/// What is struck, and how.
const STRIKES: &[(&str, &str)] = &[
    ("fdatasync", "error=EIO"),
    ("fdatasync", "signal=SIGKILL"),
    ("fsync", "error=EIO"),
    ("fsync", "signal=SIGKILL"),
    ("write", "error=ENOSPC"),
    ("write", "error=EIO"),
    ("write", "signal=SIGKILL"),
    ("renameat", "error=EIO"),
    ("rename", "error=ENOSPC"),
    ("renameat", "signal=SIGKILL"),
    ("openat", "error=EMFILE"),
    ("openat", "error=ENOSPC"),
    ("ftruncate", "error=EIO"),
];

/// Which call of a thread is struck in an ordinary run; each strike meets two of them.
const FEW: [u32; 4] = [1, 4, 8, 16];

/// The highest call that a long run strikes.
const MANY: u32 = 120;

/// Submissions under the fault.
const BATCHES: usize = 6;

/// How long a long run goes on; `None` in an ordinary one.
pub fn soak() -> Option<Duration> {
    let seconds = std::env::var("CAIRN_SOAK_SECONDS").ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[tokio::test(flavor = "multi_thread")]
async fn i12_i13_any_system_call_may_fail_and_nothing_acknowledged_is_lost() {
    if !has_tool("strace") {
        return;
    }
    let mut struck = 0;
    if let Some(bound) = soak() {
        let begun = Instant::now();
        for when in 1..MANY {
            for (call, what) in STRIKES {
                if begun.elapsed() > bound {
                    println!("{struck} strikes, up to call {when} of each kind");
                    return;
                }
                struck += u32::from(strike(call, what, when).await);
            }
        }
    }
    for (place, (call, what)) in STRIKES.iter().enumerate() {
        for when in FEW.iter().skip(place % 2).step_by(2) {
            struck += u32::from(strike(call, what, *when).await);
        }
    }
    println!("{struck} strikes met a running server or ended it");
    assert!(struck > 0, "no strike was ever felt");
}

/// One run with one fault; true when the server felt it.
async fn strike(call: &str, what: &str, when: u32) -> bool {
    let mut office = Office::new();
    let inject = format!("inject={call}:{what}:when={when}");
    let wrapper = ["strace", "-D", "-f", "-qqq", "-o", "/dev/null", "-e"];
    let mut words: Vec<String> = wrapper.map(str::to_owned).to_vec();
    words.extend([format!("trace={call}"), "-e".to_owned(), inject.clone()]);
    let launch = Launch {
        wrapper: words,
        ..Launch::default()
    };
    let felt = match office.start(&launch) {
        Err(ended) => {
            assert!(ended.has_reason(), "{inject}: ended without a reason");
            true
        }
        Ok(mut server) => {
            let served = office.work(&server, BATCHES).await;
            let ended = server.ended();
            if let Some(ended) = &ended {
                assert!(ended.has_reason(), "{inject}: ended without a reason");
            }
            !served || ended.is_some()
        }
    };
    println!("{inject}: {}", if felt { "felt" } else { "not felt" });
    let trust = log_alone(&office.world);
    let (world, acknowledged) = (&office.world, &office.acknowledged);
    let launch = Launch::default();
    let again = restart_and_judge(world, &world.data(), &launch, &trust, acknowledged).await;
    let again = again.unwrap_or_else(|ended| panic!("{inject}: {}", ended.diagnostics));
    assert!(
        office.work(&again, 1).await,
        "{inject}: does not serve again"
    );
    felt
}
