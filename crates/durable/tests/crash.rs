//! A process killed without warning loses nothing it had acknowledged.
//!
//! Owns one test that plays both roles: it starts itself as the process that is killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use cairn_durable::{BookLimits, SegmentLog};

const LIMITS: BookLimits = BookLimits {
    segment_bytes: 4096,
    total_bytes_max: 64 * 1024 * 1024,
    reserve_bytes: 0,
};

/// The folder the killed process writes to; present only in its environment.
const CHILD_FOLDER: &str = "CAIRN_DURABLE_CRASH_FOLDER";

/// After how many acknowledged records the process is killed, one round each.
const ROUNDS: [u64; 4] = [1, 37, 200, 511];

fn payload(number: u64) -> Vec<u8> {
    format!("{number} ").repeat(40).into_bytes()
}

/// Appends and acknowledges until killed; a group of three shares each sync.
fn append_until_killed(folder: &Path) {
    let mut log = SegmentLog::open(folder, LIMITS).unwrap().log;
    let mut out = std::io::stdout();
    loop {
        for _ in 0..3 {
            log.append(&payload(log.next_record())).unwrap();
        }
        writeln!(out, "durable {}", log.sync().unwrap()).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn acknowledged_records_survive_a_kill() {
    if let Some(folder) = std::env::var_os(CHILD_FOLDER) {
        append_until_killed(Path::new(&folder));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut expected_next = 0;
    for round in ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "acknowledged_records_survive_a_kill",
                "--nocapture",
            ])
            .env(CHILD_FOLDER, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some(next) = line.strip_prefix("durable ") else {
                continue;
            };
            acknowledged = next.parse::<u64>().unwrap();
            if acknowledged >= expected_next + round {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let log = SegmentLog::open(dir.path(), LIMITS).unwrap().log;
        assert!(acknowledged >= expected_next + round);
        assert!(
            log.next_record() >= acknowledged,
            "{} < {acknowledged}",
            log.next_record()
        );
        for (expected, item) in log.iter_from(0).unwrap().enumerate() {
            let (number, bytes) = item.unwrap();
            assert_eq!(number, expected as u64);
            assert_eq!(bytes, payload(number));
        }
        expected_next = log.next_record();
    }
}
