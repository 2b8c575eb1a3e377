//! The daemon killed, stopped and started again: what the next chain says about the last one.

use super::device::{Device, assert_chains, pre_tool, two_rules, verdict};
use cairn_event::Frame;
use cairn_event::body::{Body, ChainStart, Gap};
use std::io::Write;

fn starts(frames: &[Frame]) -> Vec<(usize, ChainStart)> {
    let start = |(at, frame): (usize, &Frame)| match &frame.entry().payload().body {
        Body::ChainStart(start) => Some((at, start.clone())),
        _ => None,
    };
    frames.iter().enumerate().filter_map(start).collect()
}

fn gaps(frames: &[Frame]) -> Vec<Gap> {
    let gap = |frame: &Frame| match &frame.entry().payload().body {
        Body::Gap(gap) => Some(gap.clone()),
        _ => None,
    };
    frames.iter().filter_map(gap).collect()
}

#[test]
fn a_killed_daemon_fails_closed_and_the_next_chain_says_so() {
    let device = Device::new(&two_rules());
    let mut daemon = device.start();
    assert_eq!(verdict(&device.bash("ls -la", "toolu_1")), "allow");
    let mut waiting: Vec<_> = (0..20)
        .map(|number| {
            let mut child = device.spawn_hook("PreToolUse");
            let input = pre_tool("ls -la", &format!("toolu_k{number}")).to_string();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(input.as_bytes())
                .unwrap();
            child
        })
        .collect();
    daemon.0.kill().unwrap();
    daemon.0.wait().unwrap();
    let answers: Vec<String> = waiting
        .drain(..)
        .map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
        .collect();
    let allowed: Vec<usize> = (0..20)
        .filter(|number| answers[*number].contains("\"allow\""))
        .collect();
    let refused = answers
        .iter()
        .filter(|answer| answer.contains("fail closed"))
        .count();
    assert_eq!(allowed.len() + refused, 20);
    let denied = device.hook(
        "PreToolUse",
        pre_tool("ls", "toolu_d").to_string().as_bytes(),
    );
    assert_eq!(denied.status.code(), Some(2));

    let before = device.spooled();
    let recorded: Vec<String> = before
        .iter()
        .filter_map(|frame| match &frame.entry().payload().body {
            Body::ToolDecision(decision) => Some(decision.use_id.clone()),
            _ => None,
        })
        .collect();
    for number in allowed {
        assert!(
            recorded.contains(&format!("toolu_k{number}")),
            "allowed without a record"
        );
    }
    let _again = device.start();
    let frames = device.spooled();
    assert_chains(&frames);
    let starts = starts(&frames);
    assert_eq!(starts.len(), 2);
    let previous = starts[1].1.previous.clone().unwrap();
    let last = frames[starts[1].0 - 1].entry();
    assert_eq!(previous.head, last.leaf());
    let gap = gaps(&frames).pop().unwrap();
    assert_eq!(
        (gap.reason.as_str(), &gap.chain),
        ("crash", &previous.chain)
    );
    assert_eq!((gap.from, gap.to), (previous.seq + 1, previous.seq));
    assert_eq!(gap.count, Some(refused as u64 + 1));
    assert!(!device.state.unrecorded().exists());
}

#[test]
fn an_orderly_end_is_signed_and_leaves_no_gap() {
    let device = Device::new(&two_rules());
    let mut daemon = device.start();
    device.bash("ls -la", "toolu_1");
    assert!(device.cairn(&["daemon", "stop"]).status.success());
    assert!(daemon.0.wait().unwrap().success());
    let frames = device.spooled();
    let last = frames.last().unwrap().entry();
    assert!(matches!(last.payload().body, Body::ChainEnd(_)));
    let _again = device.start();
    let frames = device.spooled();
    assert_chains(&frames);
    assert_eq!(
        starts(&frames)[1].1.previous.as_ref().unwrap().head,
        last.leaf()
    );
    assert!(gaps(&frames).is_empty());
}

#[test]
fn a_torn_spool_is_cut_and_declared() {
    let device = Device::new(&two_rules());
    let mut daemon = device.start();
    device.bash("ls -la", "toolu_1");
    daemon.0.kill().unwrap();
    daemon.0.wait().unwrap();
    let file = std::fs::read_dir(device.state.spool())
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .unwrap();
    let bytes = std::fs::metadata(&file).unwrap().len();
    let opened = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    opened.set_len(bytes - 5).unwrap();
    let _again = device.start();
    let frames = device.spooled();
    assert_chains(&frames);
    assert_eq!(gaps(&frames).pop().unwrap().reason, "spool-damaged");
}

#[test]
fn a_deleted_spool_is_declared() {
    let device = Device::new(&two_rules());
    let mut daemon = device.start();
    device.bash("ls -la", "toolu_1");
    daemon.0.kill().unwrap();
    daemon.0.wait().unwrap();
    let frames = device.spooled();
    let last = frames.last().unwrap().entry();
    let link = last.payload().link.clone().unwrap();
    let mark = serde_json::json!({
        "next_record": frames.len(), "ended": false,
        "last": { "chain": link.chain, "head": last.leaf(), "seq": link.seq },
    });
    std::fs::write(device.state.uploaded(), mark.to_string()).unwrap();
    std::fs::remove_dir_all(device.state.spool()).unwrap();
    let _again = device.start();
    let frames = device.spooled();
    assert_eq!(
        starts(&frames)[0].1.previous.as_ref().unwrap().head,
        last.leaf()
    );
    assert_eq!(gaps(&frames).pop().unwrap().reason, "spool-damaged");
}
