//! No room for the record: the action is refused, the loss counted and declared.

use super::device::{Device, assert_chains, bundle, two_rules, verdict};
use cairn_event::body::Body;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// A spool so small that it is full after the first entries.
const SMALL_SPOOL: &str = "spool_bytes_max = 40000\n";

#[test]
fn a_full_spool_denies() {
    let device = Device::new(&two_rules());
    std::fs::write(device.state.path().join("config.toml"), SMALL_SPOOL).unwrap();
    let _daemon = device.start();
    let mut answers = Vec::new();
    for number in 0..40 {
        answers.push(device.bash("ls -la", &format!("toolu_{number}")));
    }
    assert_eq!(verdict(&answers[0]), "allow");
    let last = answers.last().unwrap();
    assert_eq!(verdict(last), "deny");
    assert!(last.to_string().contains("spool is full"), "{last}");
    let allowed = answers
        .iter()
        .filter(|answer| verdict(answer) == "allow")
        .count();
    let recorded = device
        .spooled()
        .iter()
        .filter(|frame| matches!(frame.entry().payload().body, Body::ToolDecision(_)))
        .count();
    assert_eq!(allowed, recorded, "what was allowed is what was recorded");
}

#[test]
fn the_policy_may_let_work_go_on() {
    let mut rules = two_rules();
    rules["spool_full"] = json!("allow");
    let device = Device::new(&bundle(rules));
    std::fs::write(device.state.path().join("config.toml"), SMALL_SPOOL).unwrap();
    let daemon = device.start();
    for number in 0..40 {
        let answer = device.bash("ls -la", &format!("toolu_{number}"));
        assert_eq!(verdict(&answer), "allow", "call {number}");
    }
    drop(daemon);
    std::fs::remove_file(device.state.path().join("config.toml")).unwrap();
    let _again = device.start();
    assert_chains(&device.spooled());
}

/// A small file system of its own; unmounted when dropped.
struct Tmpfs(std::path::PathBuf);

impl Tmpfs {
    fn mount(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"])
            .arg(at)
            .status()
            .is_ok_and(|status| status.success());
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_denies_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mounted) = Tmpfs::mount(dir.path()) else {
        let _ = writeln!(std::io::stdout(), "skipped: needs root for a tmpfs");
        return;
    };
    let device = Device::at(dir.path(), Some(&two_rules()));
    let _daemon = device.start();
    assert_eq!(verdict(&device.bash("ls -la", "toolu_1")), "allow");
    let ballast = dir.path().join("ballast");
    let _ = std::fs::write(&ballast, vec![0; 2 * 1024 * 1024]);
    let mut answers = Vec::new();
    for number in 0..6 {
        answers.push(device.bash("ls -la", &format!("toolu_full{number}")));
    }
    let denied = answers
        .iter()
        .filter(|answer| verdict(answer) == "deny")
        .count() as u64;
    assert!(denied >= 1, "{answers:?}");
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(verdict(&device.bash("ls -la", "toolu_after")), "allow");
    let frames = device.spooled();
    assert_chains(&frames);
    let declared: u64 = frames
        .iter()
        .filter_map(|frame| match &frame.entry().payload().body {
            Body::Gap(gap) => gap.count,
            _ => None,
        })
        .sum();
    assert_eq!(declared, denied);
}
