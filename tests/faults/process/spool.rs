//! The agent's spool under power cuts, failing system calls and damage.
//!
//! Owns the campaign on the segment files that a device keeps its evidence in. The process that writes is
//! this test itself, started again. What it told to be durable must be there, or the folder is refused.

use super::copied::wait_for;
use super::programs::has_tool;
use super::trace::{CALLS, DiskModel, Event, STRACE, Survival, TOLD, read};
use cairn_durable::{BookLimits, SegmentLog};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const LIMITS: BookLimits = BookLimits {
    segment_bytes: 2_048,
    total_bytes_max: 64 * 1_048_576,
    reserve_bytes: 0,
};

/// The folder that the process writes to; present only in its environment.
const FOLDER: &str = "CAIRN_SPOOL_FOLDER";

/// Records that the process writes before it ends by itself.
const RECORDS: u64 = 60;

fn payload(number: u64) -> Vec<u8> {
    format!("{number} ").repeat(30).into_bytes()
}

/// Appends, syncs and tells, until the end or until something fails.
fn write_records(folder: &Path) {
    let Ok(opened) = SegmentLog::open(folder, LIMITS) else {
        return;
    };
    let mut log = opened.log;
    let mut out = std::io::stdout();
    while log.next_record() < RECORDS {
        if log.append(&payload(log.next_record())).is_err() {
            return;
        }
        let Ok(durable) = log.sync() else {
            return;
        };
        // One write call, so that the trace shows when the line was out.
        let line = format!("{TOLD}{durable}\n");
        if out
            .write_all(line.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            return;
        }
    }
}

/// The process's role of the tests below.
#[test]
fn spool_process() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        write_records(Path::new(&folder));
    }
}

/// Runs the writing process inside `wrapper`; gives how many records it told to be durable.
fn run(folder: &Path, wrapper: &[String]) -> u64 {
    let own = std::env::current_exe().unwrap();
    let (first, words) = wrapper.split_first().unwrap();
    let output = Command::new(first)
        .args(words)
        .arg(own)
        .args(["--exact", "process::spool::spool_process", "--nocapture"])
        .env(FOLDER, folder)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = text
        .lines()
        .filter_map(|line| line.strip_prefix(TOLD)?.parse().ok());
    told.max().unwrap_or(0)
}

/// Every record is what it must be, and there are at least `told`.
fn check(folder: &Path, told: u64, name: &str) {
    let opened = SegmentLog::open(folder, LIMITS);
    let log = opened.unwrap_or_else(|error| panic!("{name}: {error}")).log;
    assert!(
        log.next_record() >= told,
        "{name}: {} of {told}",
        log.next_record()
    );
    for (expected, item) in log.iter_from(0).unwrap().enumerate() {
        let (number, bytes) = item.unwrap();
        assert_eq!(number, expected as u64, "{name}");
        assert_eq!(bytes, payload(number), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_power_cut_a_spool_holds_what_it_told() {
    if !has_tool("strace") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (folder, trace) = (dir.path().join("spool"), dir.path().join("trace"));
    std::fs::create_dir(&folder).unwrap();
    let mut model = DiskModel::of_folder(&folder);
    let mut wrapper: Vec<String> = STRACE.map(str::to_owned).to_vec();
    wrapper.extend([
        CALLS.to_owned(),
        "-o".to_owned(),
        trace.display().to_string(),
    ]);
    assert_eq!(run(&folder, &wrapper), RECORDS);
    let whole = wait_for(|| {
        let text = std::fs::read_to_string(&trace).unwrap_or_default();
        text.trim_end()
            .ends_with("+++ exited with 0 +++")
            .then_some(text)
    });
    let events = read(&whole.await.expect("the tracer did not end"));
    let (mut told, mut played) = (0, 0);
    for (place, event) in events.iter().enumerate() {
        model.apply(event);
        told += u64::from(*event == Event::Answer);
        if !matches!(event, Event::Answer | Event::Sync(_) | Event::Append { .. }) {
            continue;
        }
        for survival in [Survival::Nothing, Survival::Names, Survival::Half] {
            let to = dir.path().join(format!("cut-{place}-{survival:?}"));
            std::fs::create_dir(&to).unwrap();
            model.cut(survival, &folder, &to);
            check(
                &to,
                told,
                &format!("after event {place} ({survival:?} survives)"),
            );
            std::fs::remove_dir_all(&to).unwrap();
            played += 1;
        }
    }
    assert_eq!(told, RECORDS);
    assert_eq!(model.agrees_with(&folder), Ok(()));
    println!("{played} power cuts over {} calls", events.len());
}

#[test]
fn any_system_call_of_a_spool_may_fail() {
    if !has_tool("strace") {
        return;
    }
    let strikes = [
        ("write", "error=ENOSPC"),
        ("write", "signal=SIGKILL"),
        ("pwrite64", "error=EIO"),
        ("fdatasync", "error=EIO"),
        ("fdatasync", "signal=SIGKILL"),
        ("fsync", "error=EIO"),
        ("openat", "error=EMFILE"),
        ("renameat", "error=EIO"),
    ];
    for (call, what) in strikes {
        for when in [1, 3, 8, 21, 34] {
            let dir = tempfile::tempdir().unwrap();
            let name = format!("{call}:{what}:when={when}");
            let words = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e"];
            let mut wrapper: Vec<String> = words.map(str::to_owned).to_vec();
            wrapper.extend([
                format!("trace={call}"),
                "-e".into(),
                format!("inject={name}"),
            ]);
            let told = run(dir.path(), &wrapper);
            check(dir.path(), told, &name);
        }
    }
}

#[test]
fn a_damaged_spool_never_gives_other_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("spool");
    let mut log = SegmentLog::open(&folder, LIMITS).unwrap().log;
    for number in 0..40 {
        log.append(&payload(number)).unwrap();
    }
    log.sync().unwrap();
    drop(log);
    let files = std::fs::read_dir(&folder)
        .unwrap()
        .map(|item| item.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some()).collect();
    files.sort();
    let (mut refused, mut shorter) = (0, 0);
    for path in &files {
        let whole = std::fs::read(path).unwrap();
        for at in (0..whole.len()).step_by(23) {
            for cut in [true, false] {
                let mut bytes = whole.clone();
                if cut {
                    bytes.truncate(at);
                } else {
                    bytes[at] ^= 1 << (at % 8);
                }
                // A fresh copy each time: opening cuts a torn end.
                let to = dir.path().join("damaged");
                super::office::copy(&folder, &to);
                std::fs::write(to.join(path.file_name().unwrap()), bytes).unwrap();
                match SegmentLog::open(&to, LIMITS) {
                    Err(_) => refused += 1,
                    Ok(opened) => {
                        let items: Vec<_> = opened.log.iter_from(0).unwrap().collect();
                        for (expected, item) in items.iter().enumerate() {
                            let Ok((number, bytes)) = item else { continue };
                            assert_eq!(*number, expected as u64);
                            assert_eq!(*bytes, payload(*number), "{} at {at}", path.display());
                        }
                        shorter += 1;
                    }
                }
                std::fs::remove_dir_all(&to).unwrap();
            }
        }
    }
    println!(
        "{} files: {refused} damages refused, {shorter} opened",
        files.len()
    );
    assert!(refused > 0 && shorter > 0);
}
